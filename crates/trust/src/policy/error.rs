//! Why a policy document is not accepted, and the sentence with which AWS refuses it.

use thiserror::Error;

use super::parse::Kind;

/// A document of some kind was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{fault}")]
pub struct PolicyError {
    /// What the document was read as.
    pub kind: Kind,
    /// The first thing found wrong.
    pub fault: Fault,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Not JSON, or an object that names a member twice.
    #[error("not valid JSON")]
    Json,
    #[error("the policy language does not allow this shape")]
    Syntax,
    #[error("unknown member `{0}`")]
    UnknownField(String),
    #[error("version is neither 2008-10-17 nor 2012-10-17")]
    Version,
    #[error("no statement")]
    EmptyStatement,
    #[error("a statement id is used twice")]
    DuplicateSid,
    #[error("a statement id has characters other than letters and digits")]
    SidCharacters,
    #[error("missing member `{0}`")]
    Missing(&'static str),
    #[error("effect `{0}` is neither Allow nor Deny")]
    Effect(String),
    #[error("member `{0}` does not belong in this kind of policy")]
    Prohibited(&'static str),
    #[error("an Allow statement has NotPrincipal")]
    AllowNotPrincipal,
    #[error("no principal is named")]
    EmptyPrincipal,
    #[error("principal is not an object")]
    PrincipalShape,
    #[error("principal {0} does not exist or is malformed")]
    Principal(String),
    #[error("a federated principal is neither a domain name nor a provider ARN")]
    FederatedPrincipal,
    #[error("a trust policy names an action outside STS")]
    NotStsAction,
    #[error("action `{0}` has no service prefix")]
    ActionPrefix(String),
    #[error("action `{0}` has more than one colon")]
    ActionColons(String),
    #[error("service prefix `{0}` of an action is malformed")]
    ActionVendor(String),
    #[error("resource `{0}` is not an ARN")]
    Resource(String),
    #[error("resource `{resource}` names partition `{partition}`")]
    ResourcePartition { partition: String, resource: String },
    #[error("a resource or condition value is malformed")]
    Legacy,
}

impl PolicyError {
    /// The text of the `MalformedPolicyDocument` (IAM, STS) or `MalformedPolicy` (S3) error.
    pub fn aws_message(&self) -> String {
        match self.kind {
            Kind::Trust => self.trust_message(),
            Kind::Identity => self.identity_message(),
            Kind::Resource => self.bucket_message(),
        }
    }

    fn trust_message(&self) -> String {
        let text = match &self.fault {
            Fault::Json => "This policy contains invalid Json",
            Fault::Version => "The policy must contain a valid version string",
            Fault::EmptyStatement => "Could not parse the policy: Statement is empty!",
            Fault::DuplicateSid => "The Statement Ids in the policy are not unique",
            Fault::Missing(field) => return format!("Missing required field {field}"),
            Fault::UnknownField(field) => return format!("Unknown field {field}"),
            Fault::Effect(effect) => return format!("Invalid effect: {effect}"),
            Fault::Prohibited("NotPrincipal") => "AssumeRole policy must not contain NotPrincipal field.",
            Fault::Prohibited("NotResource") => "AssumeRole policy must not contain resources.",
            Fault::Prohibited(field) => return format!("Has prohibited field {field}"),
            Fault::AllowNotPrincipal => "Allow with NotPrincipal is not allowed.",
            Fault::EmptyPrincipal => "Missing required field Principal cannot be empty!",
            Fault::PrincipalShape => "Principal must be a JSON object.",
            Fault::Principal(principal) => {
                return format!("Invalid principal in policy: {principal}");
            }
            Fault::FederatedPrincipal => "Federated principals must be valid domain names or SAML metadata ARNs",
            Fault::NotStsAction => "AssumeRole policy may only specify STS AssumeRole actions.",
            _ => "Syntax error in policy.",
        };
        text.to_owned()
    }

    fn identity_message(&self) -> String {
        let text = match &self.fault {
            Fault::DuplicateSid => "Statement IDs (SID) in a single policy must be unique.",
            Fault::SidCharacters => {
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
            }
            Fault::Missing("Action") => "Policy statement must contain actions.",
            Fault::Missing("Resource") => "Policy statement must contain resources.",
            Fault::Prohibited(_) => "Policy document should not specify a principal.",
            Fault::ActionPrefix(_) => "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            Fault::ActionColons(_) => "Actions/Condition can contain only one colon.",
            Fault::ActionVendor(vendor) => return format!("Vendor {vendor} is not valid"),
            Fault::Resource(resource) => {
                return format!("Resource {resource} must be in ARN format or \"*\".");
            }
            Fault::ResourcePartition { partition, resource } => {
                return format!("Partition \"{partition}\" is not valid for resource \"{resource}\".");
            }
            Fault::Legacy => "The policy failed legacy parsing",
            _ => "Syntax errors in policy.",
        };
        text.to_owned()
    }

    fn bucket_message(&self) -> String {
        let text = match &self.fault {
            Fault::Json => "Policies must be valid JSON and the first byte must be '{'",
            Fault::Version => "The policy must contain a valid version string",
            Fault::EmptyStatement => "Could not parse the policy: Statement is empty!",
            Fault::DuplicateSid => "The Statement Ids in the policy are not unique",
            Fault::Missing(field) => return format!("Missing required field {field}"),
            Fault::UnknownField(field) => return format!("Unknown field {field}"),
            Fault::Effect(effect) => return format!("Invalid effect: {effect}"),
            Fault::AllowNotPrincipal => "Allow with NotPrincipal is not allowed.",
            Fault::Principal(_) | Fault::EmptyPrincipal | Fault::PrincipalShape | Fault::FederatedPrincipal => {
                "Invalid principal in policy"
            }
            Fault::ActionPrefix(_) | Fault::ActionColons(_) | Fault::ActionVendor(_) => "Policy has invalid action",
            Fault::Resource(_) | Fault::ResourcePartition { .. } => "Policy has invalid resource",
            _ => "Syntax error in policy.",
        };
        text.to_owned()
    }
}
