//! Where the token is put: the two layouts in the field, and how each deals with what is there already. It must
//! not know whose token it is.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::pod::{Pod, name_of};

const RESERVED: &str = "azure-workload-identity-reserved-";
/// The longest name of a volume: a DNS label.
const LABEL: usize = 63;

/// Release line of the webhook, which is what decides about paths and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// Up to v1.5.1: the volume `azure-identity-token`, mounted at `/var/run/secrets/azure/tokens`. What the
    /// documentation shows, and the classic AKS add-on.
    V1_5,
    /// v1.6.0: a volume whose name depends on the pod's, mounted at `/var/run/secrets/azure/wi`.
    ///
    /// # Caveats
    /// A pod that gets its name between two calls of the webhook (by another one) has two volumes mounted at one
    /// path, which the API server refuses. Later releases put the hash into the path as well.
    ///
    /// A second call is never without a patch: the API server has given the volume a `defaultMode`, the webhook overwrites it with one
    /// that has none, and the API server gives it again. What is stored is the same, but other webhooks that are to be called again
    /// after a change are.
    V1_6,
}

/// No layout is called that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no layout of the azure-workload-identity webhook is called {0:?}: v1.5 or v1.6")]
pub struct UnknownLayout(String);

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(text: &str) -> Result<Self, UnknownLayout> {
        match text {
            "v1.5" => Ok(Self::V1_5),
            "v1.6" => Ok(Self::V1_6),
            other => Err(UnknownLayout(other.to_owned())),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_5 => "v1.5",
            Self::V1_6 => "v1.6",
        })
    }
}

impl Layout {
    /// Where containers find the token volume.
    pub fn mount_path(self) -> &'static str {
        match self {
            Self::V1_5 => "/var/run/secrets/azure/tokens",
            Self::V1_6 => "/var/run/secrets/azure/wi",
        }
    }

    /// The value of `AZURE_FEDERATED_TOKEN_FILE`.
    pub fn token_file(self) -> String {
        format!("{}/{}", self.mount_path(), self.token_path())
    }

    /// Newest release of the line, as images are tagged.
    pub(crate) fn release(self) -> &'static str {
        match self {
            Self::V1_5 => "v1.5.1",
            Self::V1_6 => "v1.6.0",
        }
    }

    /// The token's file in its volume.
    pub(crate) fn token_path(self) -> &'static str {
        match self {
            Self::V1_5 => "azure-identity-token",
            Self::V1_6 => "token/azure-identity-token",
        }
    }

    pub(crate) fn volume_name(self, pod: &Pod<'_>) -> String {
        match self {
            Self::V1_5 => "azure-identity-token".into(),
            Self::V1_6 => {
                // All pods of a ReplicaSet share a name here: theirs are generated after admission.
                let suffix = if pod.name_is_prefix { " (prefix)" } else { "" };
                reserved(&format!("{}{suffix}", pod.name))
            }
        }
    }

    /// What is to be done about the token volume.
    pub(crate) fn place(self, volumes: &[Value], volume: &Value) -> Placement {
        match self {
            Self::V1_5 if volumes.iter().any(|volume| self.has_token(volume)) => Placement::Keep,
            Self::V1_5 => Placement::Append,
            Self::V1_6 => overwrite(volumes, volume),
        }
    }

    /// What is to be done about a container's mount of it.
    pub(crate) fn place_mount(self, mounts: &[Value], mount: &Value) -> Placement {
        match self {
            Self::V1_5 if mounts.iter().any(|other| name_of(other) == name_of(mount)) => Placement::Keep,
            Self::V1_5 => Placement::Append,
            Self::V1_6 => overwrite(mounts, mount),
        }
    }

    /// Whether a volume projects a token to the path, for whatever audience and by whatever name.
    fn has_token(self, volume: &Value) -> bool {
        let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
        sources.into_iter().flatten().any(|source| {
            source.pointer("/serviceAccountToken/path").and_then(Value::as_str) == Some(self.token_path())
        })
    }
}

/// What becomes of something in a list that may hold it already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    Keep,
    Append,
    /// At this index.
    Replace(usize),
}

/// The first entry of that name makes room.
fn overwrite(list: &[Value], entry: &Value) -> Placement {
    match list.iter().position(|other| name_of(other) == name_of(entry)) {
        Some(index) if list[index] == *entry => Placement::Keep,
        Some(index) => Placement::Replace(index),
        None => Placement::Append,
    }
}

/// The prefix and as much of the SHA-256 of the pod's name, in hexadecimal, as the length of a name allows.
fn reserved(pod_name: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pod_name.as_bytes());
    let hex = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let mut name = format!("{RESERVED}{}", hex.collect::<String>());
    name.truncate(LABEL);
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_the_volume_after_the_hash_of_the_pod_name() {
        let check = |metadata: Value, want: &str| {
            let pod = json!({"metadata": metadata});
            let pod = Pod::read(&pod).expect("pod");
            let name = Layout::V1_6.volume_name(&pod);
            assert_eq!(name, format!("azure-workload-identity-reserved-{want}"));
            assert_eq!(name.len(), 63);
            assert_eq!(Layout::V1_5.volume_name(&pod), "azure-identity-token");
        };
        check(json!({"name": "quick-start"}), "a94beddb35177ade9c5d04f292b481");
        check(json!({"name": "pod"}), "425c89ed5bb78a7623fae60fd8a6f6");
        let generated = "3dc984a9a5223dc897aeb3fb62aee0";
        check(json!({"generateName": "my-app-7d9f8b6c5-"}), generated);
        check(json!({"name": "my-app-7d9f8b6c5- (prefix)"}), generated);
        // A name that is given beats the prefix.
        check(json!({"name": "pod", "generateName": "my-app-7d9f8b6c5-"}), "425c89ed5bb78a7623fae60fd8a6f6");
    }

    #[test]
    fn spells_layouts_as_they_are_read() {
        for layout in [Layout::V1_5, Layout::V1_6] {
            assert_eq!(layout.to_string().parse(), Ok(layout));
        }
        assert!("1.5".parse::<Layout>().is_err());
    }

    #[test]
    fn v1_5_keeps_any_volume_that_projects_a_token_to_its_path() {
        let token = |name: &str, path: &str| json!({"name": name, "projected": {"sources": [{"configMap": {"name": "c"}}, {"serviceAccountToken": {"path": path, "audience": "mine"}}]}});
        let ours = token("azure-identity-token", "azure-identity-token");
        let check = |present: Value, want: Placement| {
            assert_eq!(Layout::V1_5.place(std::slice::from_ref(&present), &ours), want, "{present}");
        };
        check(token("other", "azure-identity-token"), Placement::Keep);
        check(token("other", "token"), Placement::Append);
        // The same name is no reason: the API server will refuse the two.
        check(json!({"name": "azure-identity-token", "emptyDir": {}}), Placement::Append);
    }

    #[test]
    fn v1_6_overwrites_what_has_its_name_and_ignores_the_rest() {
        let ours = json!({"name": "ours", "projected": {"sources": []}});
        let check = |present: Value, want: Placement| {
            assert_eq!(Layout::V1_6.place(&[json!({"name": "data"}), present.clone()], &ours), want, "{present}");
        };
        check(ours.clone(), Placement::Keep);
        check(json!({"name": "ours", "emptyDir": {}}), Placement::Replace(1));
        check(json!({"name": "other", "projected": {"sources": []}}), Placement::Append);
    }
}
