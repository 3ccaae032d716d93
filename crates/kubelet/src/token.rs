//! Projected service-account tokens: asking for one bound to a pod, and when to ask again.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use trust::Secret;

use crate::sources::told;

/// What `TokenRequest` gives when no lifetime is asked for.
const DEFAULT_LIFETIME_SECONDS: i64 = 3600;
/// A token is replaced after this time, however long it would still live.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
const LONGEST_JITTER: SignedDuration = SignedDuration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("failed to fetch token of service account {account:?}: {reason}")]
    Request { account: String, reason: String },
    #[error("token request of service account {0:?} was answered without a token")]
    Empty(String),
}

/// A token and when its replacement is due.
#[derive(Debug)]
pub(crate) struct ProjectedToken {
    pub(crate) value: Secret,
    pub(crate) refresh_at: Timestamp,
}

/// Asks for a token for the pod's service account, bound to the pod. An empty `audience` is the API server's own.
pub(crate) async fn request(
    client: &Client,
    pod: &Pod,
    audience: Option<&str>,
    lifetime_seconds: Option<i64>,
) -> Result<ProjectedToken, TokenError> {
    let account = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.clone())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".to_owned());
    let uid = pod.uid().unwrap_or_default();
    let wanted = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: audience.filter(|audience| !audience.is_empty()).map(|audience| vec![audience.to_owned()]),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.name_any()),
                uid: Some(uid.clone()),
            }),
            expiration_seconds: Some(lifetime_seconds.unwrap_or(DEFAULT_LIFETIME_SECONDS)),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let answer = accounts
        .create_token_request(&account, &PostParams::default(), &wanted)
        .await
        .map_err(|error| TokenError::Request { account: account.clone(), reason: told(&error) })?;
    // The server lowers a lifetime above its maximum, and says so in the answer's specification.
    let lifetime = answer.spec.and_then(|spec| spec.expiration_seconds).or(lifetime_seconds);
    let (token, expires) = answer
        .status
        .and_then(|status| Some((status.token?, status.expiration_timestamp?.0)))
        .filter(|(token, _)| !token.is_empty())
        .ok_or(TokenError::Empty(account))?;
    Ok(ProjectedToken {
        value: Secret::new(token),
        refresh_at: refresh_at(expires, lifetime.unwrap_or(DEFAULT_LIFETIME_SECONDS), share(&uid)),
    })
}

/// 80 % of the lifetime or 24 hours after issue, less a jitter of up to 10 s (2 % of a short lifetime).
/// `share` (0 to 1) says how much of the jitter.
fn refresh_at(expires: Timestamp, lifetime_seconds: i64, share: f64) -> Timestamp {
    let lifetime = SignedDuration::from_secs(lifetime_seconds.max(0));
    let jitter = LONGEST_JITTER.min(lifetime / 50).mul_f64(share);
    let issued = expires.saturating_sub(lifetime).unwrap_or(expires);
    let due = issued.saturating_add((lifetime / 5 * 4).min(OLDEST)).unwrap_or(expires);
    due.saturating_sub(jitter).unwrap_or(due)
}

/// Spreads pods evenly, and the same pod always alike.
fn share(uid: &str) -> f64 {
    let hash = uid.bytes().fold(0xcbf2_9ce4_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacement_is_due_at_four_fifths_or_a_day() {
        let issued: Timestamp = "2026-01-01T00:00:00Z".parse().expect("time must parse");
        let check = |lifetime: i64, share: f64, due: &str| {
            let expires = issued + SignedDuration::from_secs(lifetime);
            assert_eq!(refresh_at(expires, lifetime, share).to_string(), due, "{lifetime} {share}");
        };
        check(3600, 0.0, "2026-01-01T00:48:00Z");
        check(3600, 1.0, "2026-01-01T00:47:50Z");
        check(600, 1.0, "2026-01-01T00:07:50Z");
        check(5, 1.0, "2026-01-01T00:00:03.9Z");
        check(86_400, 0.0, "2026-01-01T19:12:00Z");
        check(172_800, 0.0, "2026-01-02T00:00:00Z");
    }

    #[test]
    fn jitter_differs_between_pods() {
        let share_of = |uid: &str| share(uid);
        assert!((0.0..=1.0).contains(&share_of("a")));
        assert!(share_of("a") != share_of("b"));
    }
}
