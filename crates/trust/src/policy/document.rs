//! The model of a policy document, as it was written.

use serde::Serialize;

use super::condition::Operator;

/// A policy document. The default is the empty one, which allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The language version.
    pub version: Version,
    /// `Id`: a name that decides nothing.
    pub id: Option<String>,
    /// In their order; at least one in a document that was parsed.
    pub statements: Vec<Statement>,
}

/// The language version. Policy variables exist in the later one only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also when a document names none.
    #[default]
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// Allows, unless something denies.
    Allow,
    /// Denies whatever else allows.
    Deny,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `Sid`, unique in its document.
    pub sid: Option<String>,
    /// What it does when all of the following fit.
    pub effect: Effect,
    /// Present in trust and resource policies only.
    pub principal: Option<PrincipalMatch>,
    /// `Action` or `NotAction`.
    pub action: Match,
    /// `Resource` or `NotResource`; absent in trust policies.
    pub resource: Option<Match>,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// An element that exists in a positive and a negated form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// One of the patterns fits.
    Any(Vec<String>),
    /// None of the patterns fits.
    Not(Vec<String>),
}

impl Match {
    /// The patterns, whichever form they are in.
    pub fn patterns(&self) -> &[String] {
        match self {
            Match::Any(patterns) | Match::Not(patterns) => patterns,
        }
    }
}

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalMatch {
    /// The caller is listed.
    Any(PrincipalSet),
    /// The caller is not listed.
    Not(PrincipalSet),
}

impl PrincipalMatch {
    /// The listed principals, whichever form they are in.
    pub fn set(&self) -> &PrincipalSet {
        match self {
            PrincipalMatch::Any(set) | PrincipalMatch::Not(set) => set,
        }
    }
}

/// The principals that a statement names. `"Principal": "*"` is the entry `AWS: *`, to which IAM
/// declares it equivalent (IAM user guide, "Principal").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrincipalSet {
    /// In the order in which they are written.
    pub entries: Vec<(PrincipalType, String)>,
}

/// The kinds of principal that a document can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum PrincipalType {
    /// An account, user, role or session, or `*`.
    #[serde(rename = "AWS")]
    Aws,
    /// An OIDC or SAML provider by its ARN, or one of AWS's own by its domain.
    Federated,
    /// An AWS service by its domain.
    Service,
    /// An S3 owner by its canonical id.
    CanonicalUser,
}

impl PrincipalType {
    /// The member name inside `Principal`.
    pub fn as_str(self) -> &'static str {
        match self {
            PrincipalType::Aws => "AWS",
            PrincipalType::Federated => "Federated",
            PrincipalType::Service => "Service",
            PrincipalType::CanonicalUser => "CanonicalUser",
        }
    }
}

/// One operator with one key: `"StringEquals": {"<key>": [values]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// How values are compared.
    pub operator: Operator,
    /// As written.
    pub key: String,
    /// As written, policy variables included; one of them must fit.
    pub values: Vec<String>,
}
