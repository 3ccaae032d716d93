//! What the AWS webhook reads beside service accounts: the EKS Pod Identity file and the ConfigMap
//! `pod-identity-webhook`. It must not know where they are kept or how a change is noticed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};
use trust::Audience;

use super::annotations::AccountSettings;
use super::config::Config;

/// The current content of both. Empty where neither is used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// The file of `--watch-container-credentials-config`.
    pub container_identities: ContainerIdentities,
    /// The ConfigMap of `--watch-config-map`.
    pub config_map: RoleMap,
}

/// Why a source cannot be read. Upstream keeps what it had before.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The EKS Pod Identity file.
    #[error("container credentials file cannot be read")]
    ContainerIdentities(#[source] serde_json::Error),
    /// The ConfigMap's key `config`.
    #[error("config map entries cannot be read")]
    RoleMap(#[source] serde_json::Error),
}

/// The service accounts that have an EKS Pod Identity association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerIdentities(BTreeSet<(String, String)>);

impl ContainerIdentities {
    /// Reads the file: `{"identities":[{"namespace":…,"serviceAccount":…}]}`. An empty file lists none.
    ///
    /// # Errors
    /// The content is not such JSON.
    pub fn parse(content: &str) -> Result<Self, SourceError> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            identities: Option<Vec<Identity>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Identity {
            #[serde(default)]
            namespace: String,
            #[serde(default)]
            service_account: String,
        }
        if content.is_empty() {
            return Ok(Self::default());
        }
        let file: File = serde_json::from_str(content).map_err(SourceError::ContainerIdentities)?;
        let identities = file.identities.unwrap_or_default();
        Ok(Self(identities.into_iter().map(|identity| (identity.namespace, identity.service_account)).collect()))
    }

    pub(crate) fn lists(&self, namespace: &str, account: &str) -> bool {
        self.0.iter().any(|(ns, name)| ns == namespace && name == account)
    }
}

/// Roles by service account, for those that cannot be annotated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoleMap(BTreeMap<(String, String), RoleMapEntry>);

#[derive(Clone, Debug, PartialEq)]
struct RoleMapEntry {
    role_arn: String,
    audience: Audience,
    regional_sts: bool,
    /// Zero: the flag's.
    token_expiration: i64,
}

impl RoleMap {
    /// Reads the ConfigMap's key `config`: a JSON object from `namespace/name`, or `*/name`, to `RoleARN`,
    /// `Audience`, `UseRegionalSTS` and `TokenExpiration`.
    ///
    /// # Errors
    /// The content is not such JSON.
    pub fn parse(config: &str) -> Result<Self, SourceError> {
        let entries: BTreeMap<String, Value> = serde_json::from_str(config).map_err(SourceError::RoleMap)?;
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            // Upstream splits at every slash and takes the first two parts.
            let mut parts = key.split('/');
            let (Some(namespace), Some(name)) = (parts.next(), parts.next()) else {
                tracing::warn!(key, "config map key is not namespace/name");
                continue;
            };
            if let Some(members) = Option::<Map<String, Value>>::deserialize(value).map_err(SourceError::RoleMap)? {
                let entry = RoleMapEntry::read(members).map_err(SourceError::RoleMap)?;
                map.insert((namespace.to_owned(), name.to_owned()), entry);
            }
        }
        Ok(Self(map))
    }

    /// What the entry for this account asks for, or else the one for its name in any namespace.
    pub(crate) fn find(&self, config: &Config, namespace: &str, account: &str) -> Option<AccountSettings> {
        self.find_exact(config, namespace, account).or_else(|| self.find_exact(config, "*", account))
    }

    pub(crate) fn find_exact(&self, config: &Config, namespace: &str, account: &str) -> Option<AccountSettings> {
        if !config.watch_config_map {
            return None;
        }
        let entry = self.0.get(&(namespace.to_owned(), account.to_owned()))?;
        // Neither default nor lower limit applies here, save that no lifetime at all means the flag's.
        Some(AccountSettings {
            role_arn: entry.role_arn.clone(),
            audience: entry.audience.clone(),
            regional_sts: entry.regional_sts,
            token_expiration: match entry.token_expiration {
                0 => config.effective_token_expiration(),
                seconds => seconds,
            },
        })
    }
}

impl RoleMapEntry {
    fn read(members: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut entry =
            Self { role_arn: String::new(), audience: Audience::new(""), regional_sts: false, token_expiration: 0 };
        // Go matches member names in any case, and takes a null for absent.
        for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
            match name.to_ascii_lowercase().as_str() {
                "rolearn" => entry.role_arn = String::deserialize(value)?,
                "audience" => entry.audience = Audience::deserialize(value)?,
                "useregionalsts" => entry.regional_sts = bool::deserialize(value)?,
                "tokenexpiration" => entry.token_expiration = i64::deserialize(value)?,
                _ => {}
            }
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_exactly_the_accounts_of_the_file() {
        let check = |content: &str, want: Option<bool>| {
            let got = ContainerIdentities::parse(content).ok().map(|identities| identities.lists("shop", "reader"));
            assert_eq!(got, want, "{content}");
        };
        check("", Some(false));
        check("{}", Some(false));
        check(r#"{"identities":null}"#, Some(false));
        check(r#"{"identities":[{"namespace":"shop","serviceAccount":"reader"}]}"#, Some(true));
        check(r#"{"identities":[{"namespace":"shop","serviceAccount":"writer"}]}"#, Some(false));
        check(r#"{"identities":[{"namespace":"*","serviceAccount":"reader"}]}"#, Some(false));
        check("identities: []", None);
    }

    #[test]
    fn finds_the_account_first_and_then_the_literal_star() {
        let map = RoleMap::parse(
            r#"{
              "shop/reader": {"RoleARN": "exact", "Audience": "a", "UseRegionalSTS": true, "TokenExpiration": 60},
              "*/reader": {"RoleARN": "star"},
              "test-*/reader": {"RoleARN": "glob"},
              "shop/bare": {},
              "*/bare": {"RoleARN": "star"},
              "deep/x/y": {"roleARN": "third part ignored"},
              "noslash": {"RoleARN": "x"},
              "shop/null": null
            }"#,
        )
        .expect("must be read");
        let config = Config { token_expiration: 7200, watch_config_map: true, ..Config::bare() };
        let check = |namespace: &str, name: &str, want: Option<(&str, &str, bool, i64)>| {
            let got = map.find(&config, namespace, name);
            let got =
                got.as_ref().map(|s| (s.role_arn.as_str(), s.audience.as_str(), s.regional_sts, s.token_expiration));
            assert_eq!(got, want, "{namespace}/{name}");
        };
        check("shop", "reader", Some(("exact", "a", true, 60)));
        check("other", "reader", Some(("star", "", false, 7200)));
        check("test-1", "reader", Some(("star", "", false, 7200)));
        // An entry without a role hides the star's.
        check("shop", "bare", Some(("", "", false, 7200)));
        check("deep", "x", Some(("third part ignored", "", false, 7200)));
        check("noslash", "", None);
        check("", "noslash", None);
        check("shop", "null", None);
        assert_eq!(map.find(&Config::bare(), "shop", "reader"), None, "the map must not be looked at unless watched");
    }

    #[test]
    fn refuses_what_is_no_map_of_entries() {
        for config in ["", "[]", r#"{"a/b": 1}"#, r#"{"a/b": {"TokenExpiration": "60"}}"#] {
            assert!(RoleMap::parse(config).is_err(), "{config}");
        }
    }
}
