//! The AWS query protocol: form parameters in, XML out. Must not know any action.

mod validate;
mod xml;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::error::ApiError;
use crate::random;
use crate::sigv4::query_pairs;

pub(crate) use validate::{NAME, Text, Validator};
pub(crate) use xml::{Xml, timestamp, url_encoded};

/// The two services that speak this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Iam,
    Sts,
}

impl Service {
    /// As the credential scope of a signature names it.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Service::Iam => "iam",
            Service::Sts => "sts",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Service::Iam => "2010-05-08",
            Service::Sts => "2011-06-15",
        }
    }

    fn namespace(self) -> &'static str {
        match self {
            Service::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }
}

/// The parameters of a request, from the query string and the form body.
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
}

/// Shows names only: a value may be a web identity token.
impl std::fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

impl Parameters {
    pub(crate) fn parse(query: Option<&str>, body: &[u8]) -> Parameters {
        let body = String::from_utf8_lossy(body);
        let pairs = query_pairs(query.unwrap_or_default()).chain(query_pairs(&body)).collect();
        Parameters { pairs }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `<name>.member.1`, `.2`, … in the order of their numbers; `None` when there is not one.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let members = self.members(name, "");
        (!members.is_empty()).then(|| members.into_iter().map(|(_, value)| value).collect())
    }

    /// Members of a list of structures, by one of their fields: `<name>.member.N.<field>`.
    pub(crate) fn fields(&self, name: &str, field: &str) -> Vec<(usize, &str)> {
        self.members(name, field)
    }

    fn members(&self, name: &str, field: &str) -> Vec<(usize, &str)> {
        let mut found: Vec<(usize, &str)> = self
            .pairs
            .iter()
            .filter_map(|(key, value)| {
                let rest = key.strip_prefix(name)?.strip_prefix(".member.")?;
                let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
                (rest == field).then_some((number.parse().ok()?, value.as_str()))
            })
            .collect();
        found.sort_by_key(|(number, _)| *number);
        found
    }
}

/// What an action that succeeded has to say.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The inside of the `…Result` element; `None` for actions that have no result.
    result: Option<Xml>,
}

impl Answer {
    pub(crate) fn empty() -> Answer {
        Answer { result: None }
    }

    pub(crate) fn of(write: impl FnOnce(&mut Xml)) -> Answer {
        let mut xml = Xml::default();
        write(&mut xml);
        Answer { result: Some(xml) }
    }
}

/// Writes the response to `action`.
pub(crate) fn respond(service: Service, action: &str, outcome: Result<Answer, ApiError>) -> Response {
    let request_id = random::request_id();
    let (status, xml) = match outcome {
        Ok(answer) => (StatusCode::OK, success(service, action, &answer, &request_id)),
        Err(error) => {
            tracing::debug!(service = service.signing_name(), action, %error, "refused");
            (error.status, failure(service, &error, &request_id))
        }
    };
    let mut response = Response::new(Body::from(xml.into_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-amzn-requestid", value);
    }
    response
}

fn success(service: Service, action: &str, answer: &Answer, request_id: &str) -> Xml {
    let mut xml = Xml::default();
    xml.element_with(&format!("{action}Response"), &[("xmlns", service.namespace())], |xml| {
        if let Some(result) = &answer.result {
            xml.element(&format!("{action}Result"), |xml| xml.append(result));
        }
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    xml
}

fn failure(service: Service, error: &ApiError, request_id: &str) -> Xml {
    let mut xml = Xml::default();
    xml.element_with("ErrorResponse", &[("xmlns", service.namespace())], |xml| {
        xml.element("Error", |xml| {
            let fault = if error.status.is_server_error() { "Receiver" } else { "Sender" };
            xml.text("Type", fault);
            xml.text("Code", error.code);
            xml.text("Message", &error.message);
        });
        xml.text("RequestId", request_id);
    });
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_in_the_order_of_their_numbers() {
        let form = b"L.member.2=b&L.member.10=c&L.member.1=a%20+&Tags.member.1.Key=k&Tags.member.1.Value=";
        let parameters = Parameters::parse(Some("Action=X"), form);
        assert_eq!(parameters.get("Action"), Some("X"));
        assert_eq!(parameters.list("L"), Some(vec!["a  ", "b", "c"]));
        assert_eq!(parameters.list("M"), None);
        assert_eq!(parameters.fields("Tags", "Key"), [(1, "k")]);
        assert_eq!(parameters.fields("Tags", "Value"), [(1, "")]);
    }

    #[test]
    fn writes_errors_in_the_shape_that_clients_parse() {
        let error = ApiError::access_denied("a <b> & c");
        insta::assert_snapshot!(
            failure(Service::Sts, &error, "id-1").into_string(),
            @r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>a &lt;b&gt; &amp; c</Message></Error><RequestId>id-1</RequestId></ErrorResponse>"#
        );
    }

    #[test]
    fn leaves_the_result_out_where_an_action_has_none() {
        let empty = success(Service::Iam, "DeleteRole", &Answer::empty(), "id-1").into_string();
        assert!(!empty.contains("DeleteRoleResult"), "{empty}");
        let full = success(Service::Iam, "GetRole", &Answer::of(|xml| xml.text("A", "b")), "id-1");
        assert!(full.into_string().contains("<GetRoleResult><A>b</A></GetRoleResult>"));
    }

    #[test]
    fn debug_output_hides_values() {
        let parameters = Parameters::parse(None, b"WebIdentityToken=canary");
        assert!(!format!("{parameters:?}").contains("canary"));
    }
}
