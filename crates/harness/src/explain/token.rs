//! Link 3: the token's own claims and its lifetime. It must not know who accepts the token.

use jiff::Timestamp;
use scenario::Cloud;
use trust::{Evidence, Link, LinkState};

use super::links::{Links, compared};
use super::material::{Material, Token, audience};
use super::pod;

/// Seconds after `exp` for which STS still accepts a token (IAM user guide, OIDC federation).
const AWS_GRACE: i64 = 300;
/// Seconds after `iat` from which STS calls a token too old.
const AWS_OLDEST: i64 = 24 * 3600;
/// Longest `exp - iat` that Entra accepts: 25 hours (AADSTS70023).
const AZURE_LONGEST: i64 = 25 * 3600;
/// Seconds by which clocks may differ before `nbf`.
const SKEW: i64 = 300;

/// Explains the token, or the projection that would give one.
pub(crate) fn explain(material: &Material, cloud: Option<Cloud>, links: &mut Links) {
    match (material.token_for(cloud), &material.token) {
        (Some(token), _) => lifetime(material, token, cloud, links),
        (None, Some(_)) => links.unchecked(Link::TokenProjected, "the token given is the one for the other cloud"),
        (None, None) => projection(material, cloud, links),
    }
}

fn projection(material: &Material, cloud: Option<Cloud>, links: &mut Links) {
    let found = cloud.and_then(|cloud| pod::projection(material.pod.as_ref()?, cloud));
    if let Some(projection) = found {
        let audience = projection.audience.as_deref().unwrap_or("the API server");
        let presented = format!("for {audience}, {} s", projection.seconds);
        let evidence =
            Evidence::new(Link::TokenProjected, LinkState::Holds).presented(presented).source("pod, volumes");
        links.found(evidence);
        links.unchecked(Link::TokenProjected, "the token itself needs --token");
    }
}

fn lifetime(material: &Material, token: &Token, cloud: Option<Cloud>, links: &mut Links) {
    let now = material.now.as_second();
    let date = |claim: &str| token.parts.numeric_date(claim);
    let mut evidence = compared(Link::TokenProjected, false, "", "").source("token");
    let grace = if cloud == Some(Cloud::Aws) { AWS_GRACE } else { 0 };
    let (presented, required) = match (date("exp"), date("iat"), date("nbf")) {
        (None, ..) => ("no exp".to_owned(), "exp, in whole seconds since 1970".to_owned()),
        (_, None, _) if cloud.is_some() => ("no iat".to_owned(), "iat, in whole seconds since 1970".to_owned()),
        (Some(exp), ..) if now > exp + grace => {
            let fresh =
                format!("kubectl create token {} --audience {}", material.account_words(), wanted(token, cloud));
            links.hint(
                Link::TokenProjected,
                "the token has expired: read the file anew, since the kubelet replaces it before its end",
                Some(fresh),
            );
            evidence = evidence.note(format!("expired {} ago", span(now - exp)));
            (moment("expires", exp), format!("later than {}", at(now)))
        }
        (_, Some(iat), _) if cloud == Some(Cloud::Aws) && now > iat + AWS_OLDEST => {
            evidence = evidence.note(format!("too old for STS: issued {} ago", span(now - iat)));
            (moment("issued", iat), "issued within 24 h".to_owned())
        }
        (Some(exp), Some(iat), _) if cloud == Some(Cloud::Azure) && exp - iat > AZURE_LONGEST => {
            links.hint(
                Link::TokenProjected,
                "Entra takes no token that lives so long: it looks like the default token of a pod, whose lifetime clusters extend",
                Some(format!("kubectl create token {} --audience {}", material.account_words(), audience(Cloud::Azure))),
            );
            (format!("lives {}", span(exp - iat)), "lives at most 25 h".to_owned())
        }
        (_, _, Some(nbf)) if nbf > now + SKEW => {
            links.hint(Link::TokenProjected, "the issuer's clock is ahead of this one, or this one is behind", None);
            evidence = evidence.note(format!("not valid for another {}", span(nbf - now)));
            (moment("valid from", nbf), format!("not after {}", at(now)))
        }
        (Some(exp), ..) => {
            let left = if now > exp {
                format!("expired {} ago; STS accepts it for 5 min", span(now - exp))
            } else {
                format!("expires in {}", span(exp - now))
            };
            let audiences = token.parts.audiences().join(", ");
            links.found(
                Evidence::new(Link::TokenProjected, LinkState::Holds)
                    .presented(format!("for {audiences}, {left}"))
                    .source("token"),
            );
            return;
        }
    };
    links.found(evidence.presented(presented).required(required));
}

fn wanted(token: &Token, cloud: Option<Cloud>) -> &str {
    match cloud {
        Some(cloud) => audience(cloud),
        None => token.parts.audiences().first().copied().unwrap_or("AUDIENCE"),
    }
}

fn at(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| format!("second {second}"), |moment| moment.to_string())
}

fn moment(what: &str, second: i64) -> String {
    format!("{what} {}", at(second))
}

/// Seconds in the coarsest unit that still tells something.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_coarsest_telling_unit() {
        let check = |seconds: i64, expected: &str| assert_eq!(span(seconds), expected);
        check(119, "119 s");
        check(120, "2 min");
        check(7_199, "119 min");
        check(7_200, "2 h");
        check(172_800, "2 days");
    }
}
