//! What a path below `Microsoft.Storage` names, and which action a request to it needs.
//! Must not know whether the thing exists.

pub(super) const ACCOUNTS: &str = "Microsoft.Storage/storageAccounts";
pub(super) const CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

/// Names are as the caller wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    Accounts { group: Option<String> },
    Account { group: String, name: String },
    AccountName,
    Containers { group: String, account: String },
    Container { group: String, account: String, name: String },
}

/// What stands below the namespace.
pub(super) fn parse(group: Option<String>, segments: &[&str], lower: &[&str]) -> Option<Storage> {
    let named = |at: usize| segments.get(at).map(|name| (*name).to_owned()).unwrap_or_default();
    match (lower, group) {
        (["storageaccounts"], group) => Some(Storage::Accounts { group }),
        (["storageaccounts", _], Some(group)) => Some(Storage::Account { group, name: named(1) }),
        (["storageaccounts", _, "blobservices", "default", "containers"], Some(group)) => {
            Some(Storage::Containers { group, account: named(1) })
        }
        (["storageaccounts", _, "blobservices", "default", "containers", _], Some(group)) => {
            Some(Storage::Container { group, account: named(1), name: named(5) })
        }
        (["checknameavailability"], None) => Some(Storage::AccountName),
        _ => None,
    }
}

impl Storage {
    /// `of` gives the usual action of a type.
    pub(super) fn action(&self, of: impl Fn(&str) -> String) -> String {
        match self {
            Storage::Accounts { .. } | Storage::Account { .. } => of(ACCOUNTS),
            Storage::AccountName => "Microsoft.Storage/checknameavailability/read".to_owned(),
            Storage::Containers { .. } | Storage::Container { .. } => of(CONTAINERS),
        }
    }

    /// The scope on which a role must be held; `root` is the subscription.
    pub(super) fn scope(&self, root: &str) -> String {
        let within = |group: &str| format!("{root}/resourceGroups/{group}");
        let account = |group: &str, name: &str| format!("{}/providers/{ACCOUNTS}/{name}", within(group));
        match self {
            Storage::AccountName | Storage::Accounts { group: None } => root.to_owned(),
            Storage::Accounts { group: Some(group) } => within(group),
            Storage::Account { group, name } => account(group, name),
            Storage::Containers { group, account: name } => account(group, name),
            Storage::Container { group, account: owner, name } => {
                format!("{}/blobServices/default/containers/{name}", account(group, owner))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use http::Method;

    #[test]
    fn paths_name_what_they_are_about() {
        let root = "/subscriptions/11111111-1111-4111-8111-111111111111";
        let check = |method: Method, path: &str, scope: &str, action: &str| {
            let parsed = Path::parse(&format!("{root}{path}")).expect("path must parse");
            assert_eq!(parsed.scope(), format!("{root}{scope}"), "{path}");
            assert_eq!(parsed.action(&method), action, "{path}");
        };
        let account = "/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a";
        let container = format!("{account}/blobServices/default/containers/c");
        check(Method::DELETE, account, account, "Microsoft.Storage/storageAccounts/delete");
        check(
            Method::PUT,
            &container.to_ascii_lowercase(),
            &container,
            "Microsoft.Storage/storageAccounts/blobServices/containers/write",
        );
        check(
            Method::POST,
            "/providers/Microsoft.Storage/checkNameAvailability",
            "",
            "Microsoft.Storage/checknameavailability/read",
        );
        check(
            Method::PUT,
            &format!("{container}/providers/Microsoft.Authorization/roleAssignments/x"),
            &container,
            "Microsoft.Authorization/roleAssignments/write",
        );
        for path in ["listKeys", "queueServices/default/queues/q", "blobServices/other/containers/c"] {
            assert!(Path::parse(&format!("{root}{account}/{path}")).is_err(), "{path}");
        }
    }
}
