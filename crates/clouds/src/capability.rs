//! What a backend really checks: a check that needs more is skipped with that reason, never passed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use trust::Link;

/// One thing that real clouds do and emulators may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Tokens are verified: provider, audience, keys, signature, lifetime.
    VerifiesTokens,
    /// Trust policies are evaluated.
    EnforcesTrust,
    /// Identity policies are evaluated.
    EnforcesPermissions,
    /// There are several accounts.
    SeparateAccounts,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 4] =
        [Self::VerifiesTokens, Self::EnforcesTrust, Self::EnforcesPermissions, Self::SeparateAccounts];

    /// The word on the command line.
    pub fn slug(self) -> &'static str {
        match self {
            Self::VerifiesTokens => "verifies-tokens",
            Self::EnforcesTrust => "enforces-trust",
            Self::EnforcesPermissions => "enforces-permissions",
            Self::SeparateAccounts => "separate-accounts",
        }
    }

    /// What it takes to see this link break; `None` where no cloud is asked.
    pub fn for_link(link: Link) -> Option<Self> {
        match link {
            Link::OptedIn | Link::Injected | Link::Read => None,
            Link::TokenProjected
            | Link::IssuerDiscoverable
            | Link::KeyPublished
            | Link::IssuerTrusted
            | Link::AudienceAccepted
            | Link::CredentialIssued => Some(Self::VerifiesTokens),
            Link::SubjectAccepted => Some(Self::EnforcesTrust),
            Link::Permitted => Some(Self::EnforcesPermissions),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

/// A word that names no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no capability (known: verifies-tokens, enforces-trust, enforces-permissions, separate-accounts)")]
pub struct UnknownCapability(String);

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        Self::ALL.into_iter().find(|one| one.slug() == text).ok_or_else(|| UnknownCapability(text.to_owned()))
    }
}

/// A set of capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Everything that the real clouds do.
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Whether it is there.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<T: IntoIterator<Item = Capability>>(items: T) -> Self {
        Self(items.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for capability in Capability::ALL {
            assert_eq!(capability.to_string().parse(), Ok(capability));
        }
        assert!("enforces".parse::<Capability>().is_err());
    }
}
