//! Whom a permission is given to. Sends nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who is given a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Principal {
    /// An identity, by its principal id, as it should be.
    Identity {
        /// Its resource group.
        group: String,
        /// The identity.
        name: String,
    },
    /// An identity's client id, which is no principal: the mistake that people make.
    ClientIdOf {
        /// Its resource group.
        group: String,
        /// The identity.
        name: String,
    },
    /// An object id that is known.
    Object {
        /// The id.
        id: String,
    },
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity { name, .. } => write!(f, "identity {name}"),
            Self::ClientIdOf { name, .. } => write!(f, "client id of identity {name}"),
            Self::Object { id } => write!(f, "principal {id}"),
        }
    }
}

impl Principal {
    /// Group and name of the identity that must be there first.
    pub(super) fn identity(&self) -> Option<(&str, &str)> {
        match self {
            Self::Identity { group, name } | Self::ClientIdOf { group, name } => Some((group, name)),
            Self::Object { .. } => None,
        }
    }
}
