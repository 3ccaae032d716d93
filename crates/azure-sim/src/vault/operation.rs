//! What a request to a vault is for, and the right that it takes (Key Vault secrets REST reference; Azure
//! resource provider operations, `Microsoft.KeyVault`).
//! Must not know who asks.

use http::Method;

use super::refusal::Refusal;

/// A secret's name: `[0-9A-Za-z-]{1,127}`. Two names that differ in case only are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

/// The same right in both permission models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    /// For role assignments.
    pub(super) data_action: &'static str,
    /// For access policies.
    pub(super) policy: &'static str,
}

/// An operation on secrets. A version is as the caller wrote it; none means the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Set(Name),
    Get(Name, Option<String>),
    Update(Name, Option<String>),
    Delete(Name),
    List,
    ListVersions(Name),
    ListDeleted,
    GetDeleted(Name),
    Recover(Name),
    Purge(Name),
}

impl Name {
    fn of(segment: &str) -> Result<Name, Refusal> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if segment.len() > 127 || !segment.bytes().all(is_allowed) {
            return Err(Refusal::bad_parameter(format!("The request URI contains an invalid name: {segment}")));
        }
        Ok(Name(segment.to_owned()))
    }

    /// As the caller wrote it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// What the name is looked up by.
    pub(super) fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl Operation {
    /// Empty segments do not count: SDKs ask for the newest version with `/secrets/<name>/`.
    pub(super) fn of(method: &Method, path: &str) -> Result<Operation, Refusal> {
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        match (method, &segments[..]) {
            (&Method::GET, ["secrets"]) => Ok(Operation::List),
            (&Method::PUT, ["secrets", name]) => Ok(Operation::Set(Name::of(name)?)),
            (&Method::GET, ["secrets", name]) => Ok(Operation::Get(Name::of(name)?, None)),
            (&Method::PATCH, ["secrets", name]) => Ok(Operation::Update(Name::of(name)?, None)),
            (&Method::DELETE, ["secrets", name]) => Ok(Operation::Delete(Name::of(name)?)),
            (&Method::GET, ["secrets", name, "versions"]) => Ok(Operation::ListVersions(Name::of(name)?)),
            (&Method::GET, ["secrets", name, version]) => {
                Ok(Operation::Get(Name::of(name)?, Some((*version).to_owned())))
            }
            (&Method::PATCH, ["secrets", name, version]) => {
                Ok(Operation::Update(Name::of(name)?, Some((*version).to_owned())))
            }
            (&Method::GET, ["deletedsecrets"]) => Ok(Operation::ListDeleted),
            (&Method::GET, ["deletedsecrets", name]) => Ok(Operation::GetDeleted(Name::of(name)?)),
            (&Method::DELETE, ["deletedsecrets", name]) => Ok(Operation::Purge(Name::of(name)?)),
            (&Method::POST, ["deletedsecrets", name, "recover"]) => Ok(Operation::Recover(Name::of(name)?)),
            _ => Err(Refusal::not_simulated(method, path)),
        }
    }

    /// As the REST reference calls it.
    pub(super) fn title(&self) -> &'static str {
        match self {
            Operation::Set(_) => "SetSecret",
            Operation::Get(..) => "GetSecret",
            Operation::Update(..) => "UpdateSecret",
            Operation::Delete(_) => "DeleteSecret",
            Operation::List => "GetSecrets",
            Operation::ListVersions(_) => "GetSecretVersions",
            Operation::ListDeleted => "GetDeletedSecrets",
            Operation::GetDeleted(_) => "GetDeletedSecret",
            Operation::Recover(_) => "RecoverDeletedSecret",
            Operation::Purge(_) => "PurgeDeletedSecret",
        }
    }

    /// The secret that the operation is about, where it is about one.
    pub(super) fn name(&self) -> Option<&Name> {
        match self {
            Operation::List | Operation::ListDeleted => None,
            Operation::Set(name)
            | Operation::Get(name, _)
            | Operation::Update(name, _)
            | Operation::Delete(name)
            | Operation::ListVersions(name)
            | Operation::GetDeleted(name)
            | Operation::Recover(name)
            | Operation::Purge(name) => Some(name),
        }
    }

    pub(super) fn permission(&self) -> Permission {
        let (data_action, policy) = match self {
            Operation::Set(_) => ("Microsoft.KeyVault/vaults/secrets/setSecret/action", "set"),
            Operation::Get(..) => ("Microsoft.KeyVault/vaults/secrets/getSecret/action", "get"),
            Operation::Update(..) => ("Microsoft.KeyVault/vaults/secrets/update/action", "set"),
            Operation::Delete(_) => ("Microsoft.KeyVault/vaults/secrets/delete", "delete"),
            Operation::List | Operation::ListVersions(_) | Operation::ListDeleted => {
                ("Microsoft.KeyVault/vaults/secrets/readMetadata/action", "list")
            }
            // A deleted secret is shown without its value.
            Operation::GetDeleted(_) => ("Microsoft.KeyVault/vaults/secrets/readMetadata/action", "get"),
            Operation::Recover(_) => ("Microsoft.KeyVault/vaults/secrets/recover/action", "recover"),
            Operation::Purge(_) => ("Microsoft.KeyVault/vaults/secrets/purge/action", "purge"),
        };
        Permission { data_action, policy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, path: &str) -> Result<Operation, String> {
        Operation::of(method, path).map_err(|refusal| refusal.reason().to_owned())
    }

    #[test]
    fn paths_name_operations() {
        let name = || Name("Db-1".to_owned());
        let check = |method: Method, path: &str, expected: Operation| {
            assert_eq!(of(&method, path), Ok(expected), "{method} {path}");
        };
        check(Method::GET, "/secrets", Operation::List);
        check(Method::GET, "/secrets/", Operation::List);
        check(Method::PUT, "/secrets/Db-1", Operation::Set(name()));
        check(Method::GET, "/secrets/Db-1", Operation::Get(name(), None));
        check(Method::GET, "/secrets/Db-1/", Operation::Get(name(), None));
        check(Method::GET, "//secrets/Db-1", Operation::Get(name(), None));
        check(Method::GET, "/secrets/Db-1/0f", Operation::Get(name(), Some("0f".to_owned())));
        check(Method::GET, "/secrets/Db-1/versions", Operation::ListVersions(name()));
        check(Method::PATCH, "/secrets/Db-1/", Operation::Update(name(), None));
        check(Method::DELETE, "/secrets/Db-1", Operation::Delete(name()));
        check(Method::GET, "/deletedsecrets", Operation::ListDeleted);
        check(Method::DELETE, "/deletedsecrets/Db-1", Operation::Purge(name()));
        check(Method::POST, "/deletedsecrets/Db-1/recover", Operation::Recover(name()));
    }

    #[test]
    fn refuses_names_that_no_secret_can_have() {
        let check = |name: &str, expected: Result<(), &str>| {
            let outcome = of(&Method::GET, &format!("/secrets/{name}")).map(drop);
            assert_eq!(outcome, expected.map_err(str::to_owned), "{name}");
        };
        check("a", Ok(()));
        check(&"a".repeat(127), Ok(()));
        check(&"a".repeat(128), Err("BadParameter"));
        check("my_secret", Err("BadParameter"));
        check("my.secret", Err("BadParameter"));
        check("my%20secret", Err("BadParameter"));
    }

    #[test]
    fn says_what_is_not_simulated() {
        for (method, path) in [
            (Method::GET, "/keys/a"),
            (Method::POST, "/secrets/a/backup"),
            (Method::DELETE, "/secrets"),
            (Method::GET, "/"),
        ] {
            assert_eq!(of(&method, path), Err("NotImplemented".to_owned()), "{method} {path}");
        }
    }
}
