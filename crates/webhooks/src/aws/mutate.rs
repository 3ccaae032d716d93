//! The decision of the AWS webhook, from a pod and its service account to a patch. Pure: it must not know
//! where either was found, and chance comes in as [`Randomness`].

use std::fmt;

use serde_json::Value;

use super::annotations::{AccountSettings, PodSettings};
use super::config::{Config, DEFAULT_TOKEN_EXPIRATION};
use super::container::{Identity, Injection};
use super::patch::{Token, patch};
use super::sources::Sources;
use crate::pod::{NotAPod, Pod};
use crate::{Mutation, ServiceAccountView};

/// The shortest lifetime that a day is spread out to: 22 hours.
const JITTER_LOW: i64 = 79_200;
const VOLUME: &str = "aws-iam-token";
const TOKEN: &str = "token";

/// Where chance comes from.
pub trait Randomness: Send + Sync + fmt::Debug {
    /// Any number from `low` to `high`, both included, each as likely as another.
    fn between(&self, low: i64, high: i64) -> i64;
}

/// No chance at all: always the lowest number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lowest;

impl Randomness for Lowest {
    fn between(&self, low: i64, _high: i64) -> i64 {
        low
    }
}

/// What the webhook does to `pod`, which is to be created in `namespace` and runs as `account`.
///
/// `account` is `None` where the webhook does not (yet) know the pod's service account. The namespace in
/// the pod is not looked at: the request's counts.
///
/// # Errors
/// `pod` cannot be decoded as a pod.
pub fn mutate(
    config: &Config,
    sources: &Sources,
    namespace: &str,
    pod: &Value,
    account: Option<&ServiceAccountView>,
    randomness: &dyn Randomness,
) -> Result<Mutation, NotAPod> {
    Ok(mutate_pod(config, sources, namespace, &Pod::read(pod)?, account, randomness))
}

pub(crate) fn mutate_pod(
    config: &Config,
    sources: &Sources,
    namespace: &str,
    pod: &Pod<'_>,
    account: Option<&ServiceAccountView>,
    randomness: &dyn Randomness,
) -> Mutation {
    let account = account.map(|account| AccountSettings::read(config, account));
    let (injection, token, skipped) = if sources.container_identities.lists(namespace, pod.service_account) {
        container_credentials(config, sources, namespace, pod, account, randomness)
    } else {
        let settings = match account {
            Some(account) if !account.role_arn.is_empty() => Some(account),
            _ => sources.config_map.find(config, namespace, pod.service_account),
        };
        match settings {
            Some(settings) if !settings.role_arn.is_empty() => web_identity(config, pod, settings),
            _ => return Mutation::Unchanged,
        }
    };
    Mutation::Patch(patch(pod, &injection, &token, &skipped))
}

/// IAM roles for service accounts.
fn web_identity(config: &Config, pod: &Pod<'_>, settings: AccountSettings) -> (Injection, Token, Vec<String>) {
    let asked = PodSettings::read(config, pod);
    let injection = Injection {
        identity: Identity::WebIdentity { role_arn: settings.role_arn },
        region: config.region.clone(),
        regional_sts: settings.regional_sts,
        token_file: token_file(pod, &config.token_mount_path, TOKEN),
        volume_name: VOLUME.into(),
        mount_path: config.token_mount_path.clone(),
    };
    let token = Token {
        audience: settings.audience,
        expiration: asked.token_expiration.unwrap_or(settings.token_expiration),
        path: TOKEN.into(),
    };
    (injection, token, asked.skipped_containers)
}

/// EKS Pod Identity. The account's own annotations still say whether STS is regional and how long a token
/// lives; where there is no account that is "no" and a day, whatever the flags.
fn container_credentials(
    config: &Config,
    sources: &Sources,
    namespace: &str,
    pod: &Pod<'_>,
    account: Option<AccountSettings>,
    randomness: &dyn Randomness,
) -> (Injection, Token, Vec<String>) {
    let asked = PodSettings::read(config, pod);
    let (regional_sts, expiration) = account
        .or_else(|| sources.config_map.find_exact(config, namespace, pod.service_account))
        .map_or((false, DEFAULT_TOKEN_EXPIRATION), |settings| (settings.regional_sts, settings.token_expiration));
    let expiration = match asked.token_expiration.unwrap_or(expiration) {
        // Spread, so that a fleet does not renew at once; also where somebody wrote just this number.
        DEFAULT_TOKEN_EXPIRATION => randomness.between(JITTER_LOW, DEFAULT_TOKEN_EXPIRATION),
        seconds => seconds,
    };
    let settings = &config.container_credentials;
    let injection = Injection {
        identity: Identity::Container { full_uri: settings.full_uri.clone() },
        region: config.region.clone(),
        regional_sts,
        token_file: token_file(pod, &settings.token_mount_path, &settings.token_path),
        volume_name: settings.token_volume_name.clone(),
        mount_path: settings.token_mount_path.clone(),
    };
    let token = Token { audience: settings.audience.clone(), expiration, path: settings.token_path.clone() };
    (injection, token, asked.skipped_containers)
}

/// The token's path for the container. Windows is told by the node selector alone, and changes only this.
fn token_file(pod: &Pod<'_>, mount_path: &str, file: &str) -> String {
    let path = join(mount_path, file);
    let is_windows = |label| pod.node_selector(label) == Some("windows");
    if is_windows("kubernetes.io/os") || is_windows("beta.kubernetes.io/os") {
        format!("C:{}", path.replace('/', "\\"))
    } else {
        path
    }
}

/// Go's `filepath.Join`: empty parts, doubled slashes, `.` and `..` go.
fn join(directory: &str, file: &str) -> String {
    let rooted = directory.starts_with('/') || (directory.is_empty() && file.starts_with('/'));
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(file.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let root = if rooted { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_paths_as_go_does() {
        let check = |directory: &str, file: &str, want: &str| assert_eq!(join(directory, file), want);
        check("/var/run/x", "token", "/var/run/x/token");
        check("/var/run/x/", "token", "/var/run/x/token");
        check("/var//run/./x/../y", "token", "/var/run/y/token");
        check("/../x", "token", "/x/token");
        check("../x", "token", "../x/token");
        check("", "token", "token");
        check("", "/token", "/token");
    }
}
