//! What one container gets: variables in groups, and the mount of the token. It must not know where the
//! settings come from.

use serde_json::{Map, Value, json};

use crate::pod::has_named;

/// Everything that is decided before a container is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Injection {
    pub(crate) identity: Identity,
    /// Empty: none.
    pub(crate) region: String,
    pub(crate) regional_sts: bool,
    /// The token, as the container finds it.
    pub(crate) token_file: String,
    pub(crate) volume_name: String,
    pub(crate) mount_path: String,
}

/// How the SDK in the container comes to credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// IAM roles for service accounts: the token is exchanged at STS.
    WebIdentity { role_arn: String },
    /// EKS Pod Identity: the token is shown to the agent on the node.
    Container { full_uri: String },
}

impl Identity {
    fn names(&self) -> [&'static str; 2] {
        match self {
            Self::WebIdentity { .. } => ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"],
            Self::Container { .. } => ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
        }
    }
}

const STS: &str = "AWS_STS_REGIONAL_ENDPOINTS";
/// In the order in which they are appended.
const REGION: [&str; 2] = ["AWS_DEFAULT_REGION", "AWS_REGION"];

impl Injection {
    /// The container as it is to be. A group of variables is added whole, or not at all when one of its names is
    /// taken: by a literal value or a reference, but `envFrom` is not looked at.
    pub(crate) fn inject(&self, container: &Value) -> Value {
        let taken = |name: &str| list(container, "env").is_some_and(|env| has_named(env, name));
        let identity_names = self.identity.names();
        let has_sts = taken(STS);
        let has_region = REGION.iter().any(|name| taken(name));
        let has_identity = identity_names.iter().any(|name| taken(name));
        if has_sts && has_region && has_identity {
            // Upstream takes such a container for a finished one: it gets no mount either.
            return reserialised(container);
        }

        let mut added = Vec::new();
        if self.regional_sts && !has_sts {
            added.push(variable(STS, "regional"));
        }
        if !self.region.is_empty() && !has_region {
            added.extend(REGION.iter().map(|name| variable(name, &self.region)));
        }
        if !has_identity {
            let value = match &self.identity {
                Identity::WebIdentity { role_arn } => role_arn,
                Identity::Container { full_uri } => full_uri,
            };
            added.push(variable(identity_names[0], value));
            added.push(variable(identity_names[1], &self.token_file));
        }
        let mounted = list(container, "volumeMounts").is_some_and(|mounts| has_named(mounts, &self.volume_name));

        let mut container = reserialised(container);
        append(&mut container, "env", added);
        if !mounted {
            let mount = json!({"name": self.volume_name, "readOnly": true, "mountPath": self.mount_path});
            append(&mut container, "volumeMounts", vec![mount]);
        }
        container
    }
}

/// The additions that a trip through the Go types makes to a container, even to one that is skipped.
pub(crate) fn reserialised(container: &Value) -> Value {
    let mut container = container.as_object().cloned().unwrap_or_default();
    if !container.get("resources").is_some_and(Value::is_object) {
        container.insert("resources".into(), json!({}));
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(Value::Object(grpc)) = container.get_mut(probe).and_then(|probe| probe.get_mut("grpc")) {
            grpc.entry("service").or_insert(Value::Null);
        }
    }
    Value::Object(container)
}

fn variable(name: &str, value: &str) -> Value {
    let mut variable = Map::from_iter([("name".to_owned(), Value::from(name))]);
    // Go leaves an empty value out.
    if !value.is_empty() {
        variable.insert("value".into(), Value::from(value));
    }
    Value::Object(variable)
}

fn list<'a>(container: &'a Value, key: &str) -> Option<&'a [Value]> {
    container.get(key)?.as_array().map(Vec::as_slice)
}

fn append(container: &mut Value, key: &str, added: Vec<Value>) {
    if added.is_empty() {
        return;
    }
    match container.get_mut(key) {
        Some(Value::Array(list)) => list.extend(added),
        // Absent or null: `Pod::read` lets nothing else through.
        _ => container[key] = Value::Array(added),
    }
}
