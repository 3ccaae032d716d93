//! `AssumeRoleWithWebIdentity`: a token of a trusted issuer for a session of a role.
//!
//! The order of the steps decides which of several faults a caller hears of. It follows what users of
//! the real service report: format, token, provider in the role's account, audience, keys, signature,
//! dates, claims, and the role and its trust policy last of all.

use trust::policy::{Context, Outcome, PrincipalFacts, Request};
use trust::{IssuerUrl, SignatureError, UnverifiedToken, verify_signature};

use crate::account::Role;
use crate::error::ApiError;
use crate::query::{Answer, Parameters, timestamp};
use crate::state::State;

use super::request::{ExchangeRequest, MAX_POLICY};
use super::session::{self, Issued};
use super::{claims, issuer};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// What the exchange needs of a registered provider.
struct Trusted {
    arn: String,
    url: String,
    issuer: IssuerUrl,
    client_ids: Vec<String>,
    thumbprints: Vec<String>,
}

/// Answers one request. `context` holds the keys that describe the request itself.
pub(crate) async fn exchange(state: &State, parameters: &Parameters, context: Context) -> Result<Answer, ApiError> {
    let request = ExchangeRequest::read(parameters)?;
    let token = claims::decode(request.token.expose())?;
    let issuer = claims::issuer(&token)?;
    let provider = find_provider(state, &request, issuer)?;
    let audience = claims::audience(&token)?;
    if !provider.client_ids.iter().any(|id| id == audience) {
        return Err(ApiError::invalid_identity_token("Incorrect token audience"));
    }
    verify(state, &request, &provider).await?;
    let now = state.now();
    claims::check_times(&token, now)?;
    let subject = claims::subject(&token)?;
    let facts = claims::context(&token, &provider.url, audience, subject);
    let issued = assume(state, &request, &provider, &facts, context)?;
    let answer = write(&request, &token, &issued, audience, subject);
    state.write().keys.insert(issued.access_key_id, issued.record);
    Ok(answer)
}

/// The provider is looked for in the account that the role's ARN names, whether or not the role exists.
fn find_provider(state: &State, request: &ExchangeRequest, issuer: &str) -> Result<Trusted, ApiError> {
    let absent =
        || ApiError::invalid_identity_token(format!("No OpenIDConnect provider found in your account for {issuer}"));
    if request.partition != "aws" {
        return Err(absent());
    }
    let url: IssuerUrl = issuer.parse().map_err(|_| absent())?;
    let arn = format!("arn:aws:iam::{}:oidc-provider/{}", request.account, url.without_scheme());
    let directory = state.read();
    let account = directory.accounts.get(&request.account).ok_or_else(absent)?;
    let provider = account.providers.get(&arn).ok_or_else(absent)?;
    Ok(Trusted {
        arn,
        url: provider.url.clone(),
        issuer: url,
        client_ids: provider.client_ids.clone(),
        thumbprints: provider.thumbprints.clone(),
    })
}

/// Fetches the issuer's keys and checks the signature with them. Whatever keeps STS from the key that
/// the token names is told in one and the same sentence (the two spaces are the real service's).
///
/// The text for a bad signature and for an algorithm that is not supported is not known; the API
/// reference's description of the code stands in.
async fn verify(state: &State, request: &ExchangeRequest, provider: &Trusted) -> Result<(), ApiError> {
    let no_key = || {
        ApiError::invalid_identity_token(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        )
    };
    let keys = issuer::keys(state.issuers(), &provider.issuer, &provider.thumbprints).await;
    let keys = keys.map_err(|error| {
        tracing::debug!(issuer = %provider.issuer, %error, source = ?std::error::Error::source(&error), "no keys");
        match error {
            issuer::IssuerError::Thumbprint(_) => ApiError::invalid_identity_token(
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
            ),
            _ => no_key(),
        }
    })?;
    verify_signature(request.token.expose(), &keys).map_err(|error| match error {
        SignatureError::UnknownKey(_) => no_key(),
        SignatureError::BadSignature | SignatureError::UnsupportedAlgorithm(_) | SignatureError::Malformed => {
            claims::not_validated()
        }
    })
}

/// The role, its trust policy and the length of the session.
fn assume(
    state: &State,
    request: &ExchangeRequest,
    provider: &Trusted,
    facts: &Context,
    mut context: Context,
) -> Result<Issued, ApiError> {
    let not_authorized = || ApiError::access_denied(format!("Not authorized to perform {ACTION}"));
    let now = state.now();
    context.set("aws:CurrentTime", now.to_string());
    context.set("aws:EpochTime", now.as_second().to_string());
    context.set("aws:FederatedProvider", &provider.arn);
    context.set("sts:RoleSessionName", &request.session_name);
    context.extend(facts);

    let directory = state.read();
    let account = directory.accounts.get(&request.account).ok_or_else(not_authorized)?;
    let name = request.role_arn.rsplit('/').next().unwrap_or_default();
    let role = account.role(name).filter(|role| role.arn == request.role_arn);
    let role = role.ok_or_else(not_authorized)?;
    if !is_trusted(role, provider, &context) {
        return Err(not_authorized());
    }
    if request.seconds > role.max_session_seconds {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    session::mk_session(request, account, role, &provider.arn, facts, now)
}

fn is_trusted(role: &Role, provider: &Trusted, context: &Context) -> bool {
    let principal = PrincipalFacts::WebIdentity { provider: provider.arn.clone() };
    let request = Request { principal: &principal, action: ACTION, resource: &role.arn, context };
    let decision = role.trust.document.evaluate(&request);
    let trusted = decision.outcome == Outcome::Allowed;
    if !trusted {
        tracing::debug!(role = %role.arn, ?decision, "the trust policy does not allow the token");
    }
    trusted
}

/// `Provider` is documented as the token's `iss`; a known sample shows the provider's ARN. The
/// documentation is followed.
fn write(request: &ExchangeRequest, token: &UnverifiedToken, issued: &Issued, audience: &str, subject: &str) -> Answer {
    let caller = &issued.record.caller;
    Answer::of(|xml| {
        xml.text("SubjectFromWebIdentityToken", subject);
        xml.text("Audience", audience);
        xml.element("AssumedRoleUser", |xml| {
            xml.text("Arn", &caller.arn);
            xml.text("AssumedRoleId", &caller.user_id);
        });
        xml.element("Credentials", |xml| {
            xml.text("SessionToken", issued.session_token.expose());
            xml.text("SecretAccessKey", issued.secret.expose());
            xml.text("Expiration", &timestamp(issued.expires));
            xml.text("AccessKeyId", &issued.access_key_id);
        });
        xml.text("Provider", token.issuer().unwrap_or_default());
        if let Some(policy) = &request.policy {
            let percent = policy.chars().count() * 100 / MAX_POLICY;
            xml.number("PackedPolicySize", i64::try_from(percent).unwrap_or(100));
        }
    })
}
