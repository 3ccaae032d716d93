//! Who a caller is, in the shape that reviews and webhooks are shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// An authenticated or anonymous caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A caller who showed nothing.
    pub(crate) fn anonymous() -> Self {
        Self { name: "system:anonymous".into(), groups: vec!["system:unauthenticated".into()], ..Self::default() }
    }

    /// A caller with a verified client certificate.
    pub(crate) fn of_certificate(common_name: &str, organizations: &[String]) -> Self {
        let mut groups = organizations.to_vec();
        groups.push("system:authenticated".into());
        Self { name: common_name.to_owned(), groups, ..Self::default() }
    }

    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|one| one == group)
    }

    /// `authentication.k8s.io/v1` UserInfo; empty members are left out.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = json!({"username": self.name});
        if !self.uid.is_empty() {
            value["uid"] = self.uid.as_str().into();
        }
        if !self.groups.is_empty() {
            value["groups"] = json!(self.groups);
        }
        if !self.extra.is_empty() {
            value["extra"] = json!(self.extra);
        }
        value
    }
}
