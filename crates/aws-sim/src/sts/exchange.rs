//! `AssumeRoleWithWebIdentity`: a token of a trusted issuer for a session of a role.
//!
//! The order of the steps decides which of several faults a caller hears of. It follows what users of
//! the real service report: format, token, provider in the role's account, audience, keys, signature,
//! dates, claims, and the role and its trust policy last of all.

use jiff::SignedDuration;
use trust::policy::{Context, Outcome, PrincipalFacts, Request};
use trust::{IssuerUrl, SignatureError, UnverifiedToken};

use crate::account::Role;
use crate::error::ApiError;
use crate::identity::RoleSession;
use crate::query::{Answer, Parameters, Text};
use crate::sessions::{Credentials, session_arn};
use crate::state::State;

use super::answer::{write_credentials, write_packed_size, write_user};
use super::session::SessionRequest;
use super::{claims, issuer};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
const TOKEN: Text = Text::of(4, 20_000).secret();

/// What came of an exchange, for the request log: the answer, and whose session it is.
pub(crate) struct Exchanged {
    pub(crate) answer: Answer,
    pub(crate) access_key_id: String,
    pub(crate) arn: String,
}

/// What the exchange needs of a registered provider.
struct Trusted {
    arn: String,
    url: String,
    issuer: IssuerUrl,
    client_ids: Vec<String>,
    thumbprints: Vec<String>,
}

/// Answers one request. `context` holds the keys that describe the request itself.
pub(crate) async fn exchange(state: &State, parameters: &Parameters, context: Context) -> Result<Exchanged, ApiError> {
    let request = SessionRequest::read(parameters, |check| {
        check.required("WebIdentityToken", TOKEN);
        check.optional("ProviderId", Text::of(4, 2048));
    })?;
    let text = parameters.get("WebIdentityToken").unwrap_or_default();
    let token = claims::decode(text)?;
    let issuer = claims::issuer(&token)?;
    let provider = find_provider(state, &request, issuer)?;
    let audience = claims::audience(&token)?;
    if !provider.client_ids.iter().any(|id| id == audience) {
        return Err(ApiError::invalid_identity_token("Incorrect token audience"));
    }
    verify(state, text, &token, &provider).await?;
    claims::check_times(&token, state.now())?;
    let subject = claims::subject(&token)?;
    let facts = claims::context(&token, &provider.url, audience, subject);
    let (role, credentials) = assume(state, &request, &provider, &facts, context)?;
    Ok(Exchanged {
        answer: write(&request, &token, &role, &credentials, (audience, subject)),
        arn: session_arn(&request.account, &role.role_name, &request.name),
        access_key_id: credentials.access_key_id,
    })
}

/// The provider is looked for in the account that the role's ARN names, whether or not the role exists.
fn find_provider(state: &State, request: &SessionRequest, issuer: &str) -> Result<Trusted, ApiError> {
    let absent =
        || ApiError::invalid_identity_token(format!("No OpenIDConnect provider found in your account for {issuer}"));
    if request.partition != "aws" {
        return Err(absent());
    }
    let url: IssuerUrl = issuer.parse().map_err(|_| absent())?;
    let arn = format!("arn:aws:iam::{}:oidc-provider/{}", request.account, url.without_scheme());
    let found = state.enforced(&request.account, |account| {
        let provider = account?.providers.get(&arn)?;
        Some((provider.url.clone(), provider.client_ids.clone(), provider.thumbprints.clone()))
    });
    let (stored, client_ids, thumbprints) = found.ok_or_else(absent)?;
    Ok(Trusted { arn, url: stored, issuer: url, client_ids, thumbprints })
}

/// Fetches the issuer's keys and checks the signature with them. Whatever keeps STS from the key that
/// the token names is told in one and the same sentence (the two spaces are the real service's).
///
/// The text for a bad signature and for an algorithm that is not supported is not known; the API
/// reference's description of the code stands in.
async fn verify(state: &State, text: &str, token: &UnverifiedToken, provider: &Trusted) -> Result<(), ApiError> {
    let no_key = || {
        ApiError::invalid_identity_token(
            "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        )
    };
    let kid = token.header.kid.as_deref();
    let keys = state.issuer_keys().keys(&provider.issuer, kid, &provider.thumbprints, state.now());
    let keys = keys.await.map_err(|error| {
        tracing::debug!(issuer = %provider.issuer, %error, source = ?std::error::Error::source(&error), "no keys");
        match error {
            issuer::IssuerError::Thumbprint(_) => ApiError::invalid_identity_token(
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
            ),
            _ => no_key(),
        }
    })?;
    keys.verify(text).map_err(|error| match error {
        SignatureError::UnknownKey(_) => no_key(),
        SignatureError::BadSignature | SignatureError::UnsupportedAlgorithm(_) | SignatureError::Malformed => {
            claims::not_validated()
        }
    })
}

/// The role, its trust policy and the length of the session.
fn assume(
    state: &State,
    request: &SessionRequest,
    provider: &Trusted,
    facts: &Context,
    mut context: Context,
) -> Result<(RoleSession, Credentials), ApiError> {
    let not_authorized = || ApiError::access_denied(format!("Not authorized to perform {ACTION}"));
    let now = state.now();
    context.set("aws:CurrentTime", now.to_string());
    context.set("aws:EpochTime", now.as_second().to_string());
    context.set("aws:FederatedProvider", &provider.arn);
    context.set("sts:RoleSessionName", &request.name);
    context.extend(facts);

    let session = state.enforced(&request.account, |account| {
        let account = account.ok_or_else(not_authorized)?;
        let role = account.role(request.role_name()).filter(|role| role.arn == request.role_arn);
        let role = role.ok_or_else(not_authorized)?;
        if !is_trusted(role, provider, &context) {
            return Err(not_authorized());
        }
        if request.seconds > role.max_session_seconds {
            return Err(too_long());
        }
        let mut context = facts.clone();
        context.set("aws:FederatedProvider", &provider.arn);
        context.set("aws:TokenIssueTime", now.to_string());
        Ok(RoleSession {
            role_arn: role.arn.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            policies: request.policies(account)?,
            context,
        })
    })?;
    let expires = now.saturating_add(SignedDuration::from_secs(request.seconds)).unwrap_or(now);
    let credentials = state.sessions().issue(&request.account, &session, &request.name, expires);
    Ok((session, credentials))
}

pub(super) fn too_long() -> ApiError {
    ApiError::validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
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
fn write(
    request: &SessionRequest,
    token: &UnverifiedToken,
    role: &RoleSession,
    given: &Credentials,
    (audience, subject): (&str, &str),
) -> Answer {
    Answer::of(|xml| {
        xml.text("SubjectFromWebIdentityToken", subject);
        xml.text("Audience", audience);
        write_user(xml, request, &role.role_name, &role.role_id);
        write_credentials(xml, given);
        xml.text("Provider", token.issuer().unwrap_or_default());
        write_packed_size(xml, request);
    })
}
