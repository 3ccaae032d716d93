//! OpenID Connect providers: which issuers an account trusts, for which audiences.

use trust::IssuerUrl;
use trust::policy::Context;

use crate::account::{Account, Provider, Touched};
use crate::error::ApiError;
use crate::query::{Answer, Text, Validator, timestamp};
use crate::sts::issuer;

use super::paging::Window;
use super::{Call, tags};

const MAX_PROVIDERS: usize = 100;
const MAX_CLIENT_IDS: usize = 100;
const MAX_THUMBPRINTS: usize = 5;
const ARN: Text = Text::of(20, 2048);
const CLIENT_ID: Text = Text::of(1, 255);
const THUMBPRINT: Text = Text::of(40, 40);
const ARN_PARAMETER: &str = "OpenIDConnectProviderArn";

/// Registers an issuer. Without thumbprints IAM connects to the issuer and takes that of the last
/// certificate in its chain (IAM API reference).
///
/// The documentation says that a URL "should not" have a port; it is accepted here.
pub(super) async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let url = check.required("Url", Text::of(1, 255));
    let client_ids = check.list("ClientIDList", CLIENT_ID);
    let thumbprints = check.list("ThumbprintList", THUMBPRINT);
    check.finish()?;
    let invalid = |_| ApiError::validation("Invalid Open ID Connect Provider URL");
    let issuer: IssuerUrl = url.parse().map_err(invalid)?;
    let tags = tags::given(call.parameters)?;
    check_client_ids(client_ids.len())?;
    let thumbprints = checked_thumbprints(&thumbprints)?;
    let arn = call.arn(&format!("oidc-provider/{}", issuer.without_scheme()));
    call.authorize_with(&arn, &request_tags(call.context, &tags))?;
    call.read(|account| check_free(account, &arn, url))?;

    let thumbprints = if thumbprints.is_empty() {
        let found = issuer::thumbprint(call.state.issuer_keys().client(), &issuer).await;
        vec![found.map_err(|error| {
            ApiError::idp_communication(format!(
                "Please check .well-known/openid-configuration of the provider: {url} is not valid: {error}"
            ))
        })?]
    } else {
        thumbprints
    };

    let mut unique: Vec<String> = Vec::with_capacity(client_ids.len());
    for id in client_ids {
        if !unique.iter().any(|known| known == id) {
            unique.push(id.to_owned());
        }
    }
    let provider = Provider {
        url: issuer.without_scheme().to_owned(),
        client_ids: unique,
        thumbprints,
        created: call.state.now(),
        tags: tags.clone(),
    };
    call.write(Touched::Provider(&arn), |account| {
        check_free(account, &arn, url)?;
        if account.providers.len() >= MAX_PROVIDERS {
            return Err(ApiError::quota("OpenIdConnectProvidersPerAccount", MAX_PROVIDERS));
        }
        account.providers.insert(arn.clone(), provider);
        Ok(())
    })?;
    Ok(Answer::of(|xml| {
        xml.text("OpenIDConnectProviderArn", &arn);
        tags::write(xml, &tags);
    }))
}

fn check_free(account: &Account, arn: &str, url: &str) -> Result<(), ApiError> {
    if account.providers.contains_key(arn) {
        return Err(ApiError::already_exists(format!("Provider with url {url} already exists.")));
    }
    Ok(())
}

fn check_client_ids(count: usize) -> Result<(), ApiError> {
    if count > MAX_CLIENT_IDS {
        return Err(ApiError::quota("ClientIdsPerOpenIdConnectProvider", MAX_CLIENT_IDS));
    }
    Ok(())
}

fn checked_thumbprints(given: &[&str]) -> Result<Vec<String>, ApiError> {
    if given.len() > MAX_THUMBPRINTS {
        return Err(ApiError::invalid_input("Thumbprint list must contain fewer than 5 entries."));
    }
    if !given.iter().all(|thumbprint| thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(ApiError::invalid_input("Thumbprint must be a hexadecimal number."));
    }
    Ok(given.iter().map(|thumbprint| thumbprint.to_ascii_lowercase()).collect())
}

/// What a request is about that sets tags.
pub(super) fn request_tags(context: &Context, tags: &[(String, String)]) -> Context {
    let mut context = context.clone();
    context.set_request_tags(tags);
    context
}

/// The provider that the request names, checked and authorised.
fn named<'a>(call: &Call<'a>) -> Result<&'a str, ApiError> {
    let mut check = Validator::new(call.parameters);
    let arn = check.required(ARN_PARAMETER, ARN);
    check.finish()?;
    call.authorize(arn)?;
    Ok(arn)
}

fn absent(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

fn find<'a>(account: &'a Account, arn: &str) -> Result<&'a Provider, ApiError> {
    account.providers.get(arn).ok_or_else(|| absent(arn))
}

fn change(
    call: &Call<'_>,
    arn: &str,
    change: impl FnOnce(&mut Provider) -> Result<(), ApiError>,
) -> Result<Answer, ApiError> {
    call.write(Touched::Provider(arn), |account| change(account.providers.get_mut(arn).ok_or_else(|| absent(arn))?))?;
    Ok(Answer::empty())
}

pub(super) fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    let arn = named(call)?;
    call.read(|account| {
        let provider = find(account, arn)?;
        Ok(Answer::of(|xml| {
            xml.text("Url", &provider.url);
            xml.texts("ClientIDList", provider.client_ids.iter().map(String::as_str));
            xml.texts("ThumbprintList", provider.thumbprints.iter().map(String::as_str));
            xml.text("CreateDate", &timestamp(provider.created));
            tags::write(xml, &provider.tags);
        }))
    })
}

pub(super) fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize(&call.arn("oidc-provider/*"))?;
    call.read(|account| {
        Ok(Answer::of(|xml| {
            xml.members("OpenIDConnectProviderList", account.providers.keys(), |xml, arn| {
                xml.text("Arn", arn);
            });
        }))
    })
}

/// The API reference calls this idempotent and yet lists `NoSuchEntity`; the former is followed here:
/// deleting an absent provider succeeds.
pub(super) fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let arn = named(call)?;
    call.write(Touched::Provider(arn), |account| {
        account.providers.remove(arn);
        Ok(Answer::empty())
    })
}

/// Idempotent.
pub(super) fn add_client_id(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let id = check.required("ClientID", CLIENT_ID);
    check.finish()?;
    change(call, named(call)?, |provider| {
        if !provider.client_ids.iter().any(|known| known == id) {
            check_client_ids(provider.client_ids.len() + 1)?;
            provider.client_ids.push(id.to_owned());
        }
        Ok(())
    })
}

/// Idempotent.
pub(super) fn remove_client_id(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let id = check.required("ClientID", CLIENT_ID);
    check.finish()?;
    change(call, named(call)?, |provider| {
        provider.client_ids.retain(|known| known != id);
        Ok(())
    })
}

/// Replaces the whole list.
pub(super) fn update_thumbprint(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut check = Validator::new(call.parameters);
    let given = check.list("ThumbprintList", THUMBPRINT);
    check.finish()?;
    let thumbprints = checked_thumbprints(&given)?;
    change(call, named(call)?, |provider| {
        provider.thumbprints = thumbprints;
        Ok(())
    })
}

pub(super) fn tag(call: &Call<'_>) -> Result<Answer, ApiError> {
    let added = tags::given(call.parameters)?;
    change(call, named(call)?, |provider| tags::merge(&mut provider.tags, added))
}

pub(super) fn untag(call: &Call<'_>) -> Result<Answer, ApiError> {
    change(call, named(call)?, |provider| tags::remove(&mut provider.tags, call.parameters))
}

pub(super) fn list_tags(call: &Call<'_>) -> Result<Answer, ApiError> {
    let arn = named(call)?;
    let window = Window::of(call.parameters)?;
    call.read(|account| {
        let provider = find(account, arn)?;
        Ok(Answer::of(|xml| tags::write_page(xml, &provider.tags, &window)))
    })
}
