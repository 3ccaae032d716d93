//! Links 4 and 5: what the issuer publishes, and whose key signed the token.

use egress::{Exchange, Outcome};
use trust::{Cause, Denial, IssuerUrl};

use super::{Diagnosis, Sighting, because};

/// Keys that a cloud takes from a key set (AWS re:Post, "OIDC identity provider"; Microsoft Entra, "Workload identity federation").
const MOST_KEYS: usize = 100;

/// STS's words where it has no key to hold a signature against (AWS re:Post, "Couldn't retrieve verification key").
const NOT_RETRIEVED: &str = "retrieve verification key";

pub(super) fn cause(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    let token = seen.presented?;
    let issuer: IssuerUrl = token.iss.as_deref()?.parse().ok()?;
    let url = issuer.discovery_url();
    // RFC 7519, section 6: an unsecured token.
    if token.alg.eq_ignore_ascii_case("none") {
        return because(Cause::SignatureInvalid, seen.projected_instead());
    }
    if token.kid.is_none() {
        return because(Cause::TokenNamesNoKey, seen.projected_instead());
    }
    if denial.message.as_ref().is_some_and(|message| message.contains("thumbprint")) {
        let fix = format!(
            "aws iam update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn {} --thumbprint-list THUMBPRINT",
            seen.provider_arn()
        );
        return because(Cause::ProviderThumbprint, fix);
    }
    let look = format!("`curl -sS -i {url}` shows what is answered");
    match refused(&issuer, seen.fetches) {
        Some(401 | 403) => {
            return because(
                Cause::IssuerRefuses,
                format!("let everyone read the documents, without a login and from any network; {look}"),
            );
        }
        Some(404 | 410) => {
            return because(Cause::IssuerNotPublished, format!("publish the discovery document at {url}; {look}"));
        }
        Some(429) => {
            return because(
                Cause::IssuerThrottles,
                format!("serve the documents from behind a cache, or raise the limit of its host; {look}"),
            );
        }
        Some(_) => return because(Cause::IssuerUnavailable, format!("mend the issuer's host; {look}")),
        None => {}
    }
    let published = seen.published?;
    if !published.trusted {
        return because(Cause::IssuerCertificate, "serve the issuer with a certificate that is publicly trusted");
    }
    let Some(document) = &published.document else {
        return because(Cause::IssuerSlow, format!("answer within the five seconds that the cloud waits; {look}"));
    };
    if document.get("issuer").and_then(serde_json::Value::as_str).is_some_and(|named| named != issuer.as_str()) {
        return because(
            Cause::DiscoveryNamesAnotherIssuer,
            format!("publish {url} with the issuer {issuer}, letter by letter"),
        );
    }
    // OpenID Connect Discovery 1.0, section 3: REQUIRED of a provider that only signs tokens.
    let required = [
        "issuer",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ];
    if let Some(missing) = required.into_iter().find(|name| document.get(*name).is_none_or(serde_json::Value::is_null))
    {
        return because(Cause::DiscoveryIncomplete, format!("publish {url} with `{missing}`"));
    }
    let Some(keys) = &published.keys else {
        return because(Cause::KeySetUnreachable, format!("publish the key set where `jwks_uri` of {url} says"));
    };
    let kid = token.kid.as_deref().unwrap_or_default();
    let (is_published, is_own) =
        (keys.iter().any(|key| key == kid), published.cluster_keys.iter().any(|key| key == kid));
    let publish = "publish the cluster's key: kubectl get --raw /openid/v1/jwks";
    if keys.is_empty() {
        because(Cause::KeySetEmpty, publish)
    } else if is_published && keys.len() > MOST_KEYS {
        because(
            Cause::KeySetTooLarge,
            format!("publish at most {MOST_KEYS} keys: those that tokens are still signed with"),
        )
    } else if is_published && denial.message.as_ref().is_some_and(|message| message.contains(NOT_RETRIEVED)) {
        // All is there, and came too late.
        because(Cause::IssuerSlow, format!("answer within the five seconds that the cloud waits; {look}"))
    } else if is_published {
        because(Cause::SignatureInvalid, seen.projected_instead())
    } else if is_own {
        because(Cause::KeyNotPublished, publish)
    } else {
        because(Cause::TokenKeyGone, seen.projected_instead())
    }
}

/// The status with which the issuer refused its documents when it was asked last.
fn refused(issuer: &IssuerUrl, fetches: &[Exchange]) -> Option<u16> {
    let below = issuer.without_scheme().trim_end_matches('/');
    let last = fetches.iter().rev().find(|exchange| {
        let url = format!("{}{}", exchange.host, exchange.path);
        url.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'))
    })?;
    match last.outcome {
        Outcome::Answered { status, .. } if status >= 400 => Some(status),
        _ => None,
    }
}
