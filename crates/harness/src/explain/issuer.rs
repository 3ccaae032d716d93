//! Links 4 and 5: what the issuer publishes, and whether the token's key is among it. It fetches two documents and sends no token.

use std::time::Duration;

use scenario::Cloud;
use serde_json::Value;
use transport::{Client, Roots};
use trust::{Evidence, IssuerUrl, Jwks, Link, LinkState, SignatureError, verify_signature};

use super::links::{Links, compared};
use super::material::Material;
use super::near;

/// For discovery document and key set, each.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What an issuer answered.
#[derive(Debug)]
pub struct Discovery {
    asked: IssuerUrl,
    /// `issuer` and `jwks_uri` of the document, or why there is none.
    document: Result<(String, String), String>,
    /// The keys, or why there are none.
    keys: Result<Jwks, String>,
}

/// Fetches the discovery document of an issuer and the key set that it names.
pub async fn discover(issuer: &IssuerUrl, roots: Roots) -> Discovery {
    let client = Client::new(roots, DEADLINE);
    let document = fetch(&client, &issuer.discovery_url()).await.and_then(|document| {
        let part = |name: &str| {
            let missing = || format!("{} has no `{name}`", issuer.discovery_url());
            document.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(missing)
        };
        Ok((part("issuer")?, part("jwks_uri")?))
    });
    let keys = match &document {
        Ok((_, uri)) => fetch(&client, uri)
            .await
            .and_then(|keys| serde_json::from_value(keys).map_err(|error| format!("{uri} is no key set: {error}"))),
        Err(_) => Err("there is no discovery document".to_owned()),
    };
    Discovery { asked: issuer.clone(), document, keys }
}

async fn fetch(client: &Client, url: &str) -> Result<Value, String> {
    let fetched = client.get(url).await.map_err(|error| error.to_string())?;
    match fetched.status {
        200 => serde_json::from_slice(&fetched.body).map_err(|_| format!("{url} is no JSON")),
        status => Err(format!("{url} answered {status}")),
    }
}

/// Explains what is published.
pub(crate) fn explain(material: &Material, cloud: Option<Cloud>, links: &mut Links) {
    if let Some(discovery) = &material.discovery {
        discovered(discovery, material, links);
    }
    let fetched = material.discovery.as_ref().map(|discovery| discovery.keys.as_ref());
    let keys = match (&material.jwks, fetched) {
        (Some(keys), _) => Some((Ok(keys), "--jwks")),
        (None, Some(keys)) => Some((keys, "the issuer's key set")),
        (None, None) => None,
    };
    match (keys, &material.token) {
        (Some((Ok(keys), source)), Some(token)) => {
            signature(verify_signature(token.whole.expose(), keys), keys, source, material, cloud, links);
        }
        (Some((Err(error), _)), Some(_)) => {
            links.unchecked(Link::KeyPublished, format!("there are no keys to check with: {error}"));
        }
        (Some(_), None) => links.unchecked(Link::KeyPublished, "needs --token: whose key is meant?"),
        (None, _) => links.unchecked(Link::KeyPublished, "needs --jwks FILE or --issuer URL"),
    }
}

fn discovered(discovery: &Discovery, material: &Material, links: &mut Links) {
    let link = Link::IssuerDiscoverable;
    let named = match &discovery.document {
        Ok((named, _)) => named,
        Err(error) => {
            let evidence = compared(link, false, error, format!("200 from {}", discovery.asked.discovery_url()));
            links.found(evidence.source("fetched").note("the issuer cannot be discovered from here"));
            let fix = format!("curl -sS -i {}", discovery.asked.discovery_url());
            links.hint(
                link,
                "both clouds fetch this document over the public internet, and give up within seconds",
                Some(fix),
            );
            return;
        }
    };
    let of_token = material.token.as_ref().and_then(|token| token.parts.issuer());
    let (presented, source) = of_token.map_or((discovery.asked.as_str(), "--issuer"), |issuer| (issuer, "token, iss"));
    let evidence =
        compared(link, presented == named, presented, named).source(format!("{source} and discovery document"));
    let evidence = match &discovery.keys {
        Err(error) if presented == named => {
            compared(link, false, error, "a key set").source("fetched").note("the keys cannot be fetched from here")
        }
        _ if presented != named => evidence.note("the discovery document names another issuer"),
        _ => evidence,
    };
    links.found(evidence);
    if let Some(hint) = near::sentence("the issuer", presented, named) {
        links.hint(link, hint, None);
    }
}

fn signature(
    verified: Result<(), SignatureError>,
    keys: &Jwks,
    source: &str,
    material: &Material,
    cloud: Option<Cloud>,
    links: &mut Links,
) {
    let link = Link::KeyPublished;
    let kid =
        material.token.as_ref().and_then(|token| token.parts.header.kid.clone()).unwrap_or_else(|| "none".to_owned());
    let published: Vec<&str> = keys.keys.iter().filter_map(|key| key.kid.as_deref()).collect();
    let published = if published.is_empty() { "no key".to_owned() } else { published.join(", ") };
    match verified {
        Ok(()) => links.found(Evidence::new(link, LinkState::Holds).presented(format!("key {kid}")).source(source)),
        Err(SignatureError::UnsupportedAlgorithm(algorithm)) if algorithm.eq_ignore_ascii_case("none") => {
            links.found(compared(link, false, "no signature", "RS256").source("token").note("the token is not signed"));
        }
        Err(SignatureError::UnsupportedAlgorithm(algorithm)) => {
            let support = if cloud == Some(Cloud::Azure) { "; Entra supports RS256 alone" } else { "" };
            links.unchecked(link, format!("signatures by {algorithm} are not verified here{support}"));
        }
        Err(error @ SignatureError::UnknownKey(_)) => {
            links.found(compared(link, false, &kid, &published).source(source).note(error.to_string()));
            let what = "the token's key is not published: the cluster was made anew, or its keys were rotated, after the token was issued";
            links.hint(link, what, Some(format!("kubectl create token {}", material.account_words())));
        }
        Err(error) => links.found(
            compared(
                link,
                false,
                "a signature by another key, or a token that was changed",
                format!("one by key {kid}"),
            )
            .source(source)
            .note(error.to_string()),
        ),
    }
}

impl Discovery {
    /// An answer as it would have come.
    #[cfg(test)]
    pub(crate) fn of(asked: &str, named: &str, keys: Jwks) -> Self {
        let uri = format!("{asked}keys");
        Self { asked: asked.parse().expect("must be an issuer"), document: Ok((named.to_owned(), uri)), keys: Ok(keys) }
    }
}
