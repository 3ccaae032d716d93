//! Which token a request presented, told without its signature. It knows the shape of a form and of a JSON web token, and
//! no cloud's names for either.

use axum::Form;
use axum::body::Body;
use axum::extract::FromRequest;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};
use serde::Serialize;
use trust::UnverifiedToken;

/// Larger forms are not looked at, in bytes.
pub(crate) const LARGEST_FORM: usize = 64 * 1024;
/// Media type of a form, as HTML registered it.
const FORM: &str = "application/x-www-form-urlencoded";

/// Header and claims of a JSON web token (RFC 7519) that a form held, as presented: nobody has verified them here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assertion {
    /// Which key of its issuer it says it was signed with.
    pub kid: Option<String>,
    /// Algorithm of its signature.
    pub alg: String,
    /// The header's type, where it has one; service-account tokens have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// Issuer.
    pub iss: Option<String>,
    /// Subject.
    pub sub: Option<String>,
    /// Audiences; empty when there is none.
    pub aud: Vec<String>,
    /// Authorized party, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azp: Option<String>,
    /// When it was issued, in seconds since 1970.
    pub iat: Option<i64>,
    /// When it expires, in seconds since 1970.
    pub exp: Option<i64>,
}

impl Assertion {
    /// That of the first field of the form whose value is a token.
    pub(crate) async fn in_form(form: Vec<u8>) -> Option<Self> {
        let request = Request::post("/").header(CONTENT_TYPE, FORM).body(Body::from(form)).ok()?;
        let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, &()).await.ok()?;
        fields.iter().find_map(|(_, value)| UnverifiedToken::decode(value).ok()).map(|token| Self::of(&token))
    }

    fn of(token: &UnverifiedToken) -> Self {
        Self {
            kid: token.header.kid.clone(),
            alg: token.header.alg.clone(),
            typ: token.header.typ.clone(),
            iss: token.issuer().map(str::to_owned),
            sub: token.subject().map(str::to_owned),
            aud: token.audiences().into_iter().map(str::to_owned).collect(),
            azp: token.authorized_party().map(str::to_owned),
            iat: token.numeric_date("iat"),
            exp: token.numeric_date("exp"),
        }
    }
}

/// Whether the headers say that the body is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case(FORM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[tokio::test]
    async fn finds_the_first_token_among_the_fields_and_nothing_else() {
        let first =
            token(r#"{"alg":"RS256","kid":"k1"}"#, r#"{"iss":"https://i","sub":"s","aud":["a","b"],"iat":1,"exp":2}"#);
        let second = token(r#"{"alg":"RS256"}"#, r#"{"aud":"c"}"#);
        let check = async |form: String, expected: Option<&str>| {
            let found = Assertion::in_form(form.clone().into_bytes()).await;
            let json = found.map(|found| serde_json::to_string(&found).expect("an assertion must serialise"));
            assert_eq!(json.as_deref(), expected, "{form}");
        };
        let of_first = r#"{"kid":"k1","alg":"RS256","iss":"https://i","sub":"s","aud":["a","b"],"iat":1,"exp":2}"#;
        let of_second = r#"{"kid":null,"alg":"RS256","iss":null,"sub":null,"aud":["c"],"iat":null,"exp":null}"#;
        check(format!("Action=X&Token={first}"), Some(of_first)).await;
        check(format!("assertion={}&x=+%00", first.replace('.', "%2E")), Some(of_first)).await;
        check(format!("a={second}&b={first}"), Some(of_second)).await;
        check("a=b.c.d&e=1.2&f".to_owned(), None).await;
        check(format!("a={first}."), None).await;
        check(format!("{first}=a"), None).await;
        check(String::new(), None).await;
    }

    #[test]
    fn a_form_is_known_by_its_media_type() {
        let check = |value: Option<&'static str>, expected: bool| {
            let headers = value.map(|value| (CONTENT_TYPE, http::HeaderValue::from_static(value)));
            assert_eq!(is_form(&headers.into_iter().collect()), expected, "{value:?}");
        };
        check(Some("application/x-www-form-urlencoded"), true);
        check(Some("Application/X-WWW-Form-Urlencoded ; charset=utf-8"), true);
        check(Some("application/x-www-form-urlencoded-not"), false);
        check(Some("application/json"), false);
        check(None, false);
    }
}
