//! The chain: the ordered links of one access, each with its evidence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The eleven links between a pod and what it reads, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// The service account (AWS) or the pod (Azure) asks for an identity.
    OptedIn,
    /// The admission webhook put environment, volume and mount into the pod.
    Injected,
    /// The token file is there with the right audience and lifetime.
    TokenProjected,
    /// Discovery document and key set can be fetched, and name the same issuer.
    IssuerDiscoverable,
    /// The token's key is published, and its signature is good.
    KeyPublished,
    /// The cloud has a trust object for exactly this issuer.
    IssuerTrusted,
    /// The token's audience is one that the trust object accepts.
    AudienceAccepted,
    /// The trust policy or federated credential names this subject.
    SubjectAccepted,
    /// The cloud handed out a session.
    CredentialIssued,
    /// The session may do what it tries.
    Permitted,
    /// What was read equals what was put.
    Read,
}

impl Link {
    /// All links in order.
    pub const ALL: [Link; 11] = [
        Link::OptedIn,
        Link::Injected,
        Link::TokenProjected,
        Link::IssuerDiscoverable,
        Link::KeyPublished,
        Link::IssuerTrusted,
        Link::AudienceAccepted,
        Link::SubjectAccepted,
        Link::CredentialIssued,
        Link::Permitted,
        Link::Read,
    ];

    /// Place in the chain, from 1 to 11.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// The name in files and on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Link::OptedIn => "opted-in",
            Link::Injected => "injected",
            Link::TokenProjected => "token-projected",
            Link::IssuerDiscoverable => "issuer-discoverable",
            Link::KeyPublished => "key-published",
            Link::IssuerTrusted => "issuer-trusted",
            Link::AudienceAccepted => "audience-accepted",
            Link::SubjectAccepted => "subject-accepted",
            Link::CredentialIssued => "credential-issued",
            Link::Permitted => "permitted",
            Link::Read => "read",
        }
    }

    /// The name in running text.
    pub fn title(self) -> &'static str {
        match self {
            Link::OptedIn => "opted in",
            Link::Injected => "injected",
            Link::TokenProjected => "token projected",
            Link::IssuerDiscoverable => "issuer discoverable",
            Link::KeyPublished => "key published",
            Link::IssuerTrusted => "issuer trusted",
            Link::AudienceAccepted => "audience accepted",
            Link::SubjectAccepted => "subject accepted",
            Link::CredentialIssued => "credential issued",
            Link::Permitted => "permitted",
            Link::Read => "read",
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl FromStr for Link {
    type Err = UnknownLink;

    fn from_str(text: &str) -> Result<Self, UnknownLink> {
        Link::ALL.into_iter().find(|link| link.slug() == text).ok_or_else(|| UnknownLink(text.to_owned()))
    }
}

/// A name that no link has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no link of the chain")]
pub struct UnknownLink(pub String);

/// What is known of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Seen to hold.
    Holds,
    /// Seen to fail: the access ends here.
    Broken,
    /// An earlier link broke, so this one was not tried.
    NotReached,
    /// Nothing observed says either.
    NotChecked,
}

/// One link with what was presented, what was required, and where both were read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which link.
    pub link: Link,
    /// Whether it held.
    pub state: LinkState,
    /// What the pod or token showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<String>,
    /// What the other side asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<String>,
    /// Where this was observed: pod spec, token, trust policy, STS answer, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Anything a reader should know besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Evidence {
    /// A link of which only the state is known.
    pub fn new(link: Link, state: LinkState) -> Self {
        Self { link, state, presented: None, required: None, source: None, note: None }
    }

    /// Adds what was shown.
    #[must_use]
    pub fn presented(mut self, text: impl Into<String>) -> Self {
        self.presented = Some(text.into());
        self
    }

    /// Adds what was asked for.
    #[must_use]
    pub fn required(mut self, text: impl Into<String>) -> Self {
        self.required = Some(text.into());
        self
    }

    /// Adds where it was seen.
    #[must_use]
    pub fn source(mut self, text: impl Into<String>) -> Self {
        self.source = Some(text.into());
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }
}

/// The evidence of one access, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// One entry a link.
    pub links: Vec<Evidence>,
}

impl Chain {
    /// The link at which the access ended, if one is known.
    pub fn broken(&self) -> Option<&Evidence> {
        self.links.iter().find(|evidence| evidence.state == LinkState::Broken)
    }
}

/// A refusal as it was seen. It is a result, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The link that broke.
    pub link: Link,
    /// The cloud's code, such as `InvalidIdentityToken` or `AADSTS700213`.
    pub code: String,
    /// HTTP status, where there was an HTTP answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The cloud's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_in_files_code_and_command_line() {
        for (at, link) in Link::ALL.into_iter().enumerate() {
            assert_eq!(link.number(), at + 1);
            assert_eq!(link.slug().parse::<Link>(), Ok(link));
            assert_eq!(serde_json::to_value(link).expect("must serialise"), link.slug());
        }
        assert!("Read".parse::<Link>().is_err());
    }
}
