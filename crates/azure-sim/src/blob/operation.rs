//! What a request asks for.
//! Must not know who asks, nor what is there.

use http::Method;
use http::request::Parts;

use super::refusal::Refusal;
use crate::storage::PublicAccess;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Put,
    Get,
    Head,
    Delete,
    ListBlobs,
    CreateContainer,
    ContainerProperties,
    DeleteContainer,
}

impl Verb {
    /// The action that a role must allow: one on data, but for containers (REST reference, "Permissions" of each operation).
    pub(super) fn action(self) -> &'static str {
        match self {
            Verb::Put => "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
            Verb::Get | Verb::Head | Verb::ListBlobs => {
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
            }
            Verb::CreateContainer => "Microsoft.Storage/storageAccounts/blobServices/containers/write",
            Verb::ContainerProperties => "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            Verb::DeleteContainer => "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
            Verb::Delete => "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
        }
    }

    /// As the REST reference calls it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Verb::Put => "PutBlob",
            Verb::Get => "GetBlob",
            Verb::Head => "GetBlobProperties",
            Verb::Delete => "DeleteBlob",
            Verb::ListBlobs => "ListBlobs",
            Verb::CreateContainer => "CreateContainer",
            Verb::ContainerProperties => "GetContainerProperties",
            Verb::DeleteContainer => "DeleteContainer",
        }
    }

    pub(super) fn is_of_container(self) -> bool {
        matches!(self, Verb::CreateContainer | Verb::ContainerProperties | Verb::DeleteContainer)
    }

    /// What the public may do where it has access of this kind.
    pub(super) fn is_public(self, access: PublicAccess) -> bool {
        match self {
            Verb::Get | Verb::Head => access != PublicAccess::None,
            Verb::ListBlobs | Verb::ContainerProperties => access == PublicAccess::Container,
            Verb::Put | Verb::Delete | Verb::CreateContainer | Verb::DeleteContainer => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) verb: Verb,
    pub(super) container: String,
    /// With its slashes, decoded.
    pub(super) blob: String,
}

impl Operation {
    pub(super) fn of(parts: &Parts) -> Result<Operation, Refusal> {
        let verb = match parts.method {
            Method::PUT => Verb::Put,
            Method::GET => Verb::Get,
            Method::HEAD => Verb::Head,
            Method::DELETE => Verb::Delete,
            _ => return Err(Refusal::unsupported_verb()),
        };
        // `comp` and `restype` choose other operations; the rest of a query (`timeout`, a signature) chooses none.
        let query = parts.uri.query().unwrap_or_default();
        let asked = |wanted: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
        };
        let path = parts.uri.path().strip_prefix('/').unwrap_or_default();
        let verb = match (asked("restype"), asked("comp")) {
            (None, None) => verb,
            (Some("container"), comp) if !path.is_empty() && !path.contains('/') => {
                let verb = match (verb, comp) {
                    (Verb::Put, None) => Verb::CreateContainer,
                    (Verb::Get | Verb::Head, None) => Verb::ContainerProperties,
                    (Verb::Delete, None) => Verb::DeleteContainer,
                    (Verb::Get, Some("list")) => Verb::ListBlobs,
                    _ => return Err(Refusal::not_simulated()),
                };
                return Ok(Operation { verb, container: path.to_owned(), blob: String::new() });
            }
            _ => return Err(Refusal::not_simulated()),
        };
        let (container, blob) = path.split_once('/').ok_or_else(Refusal::not_simulated)?;
        let blob = decode(blob).filter(|blob| !blob.is_empty()).ok_or_else(Refusal::invalid_uri)?;
        Ok(Operation { verb, container: container.to_owned(), blob })
    }
}

/// Percent escapes; none for a broken one or text that is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn a_path_is_a_container_and_the_rest_is_the_blob() {
        let check = |method: Method, uri: &str, expected: Result<(Verb, &str, &str), &str>| {
            let request = Request::builder().method(method).uri(uri).body(()).expect("request must be made");
            let outcome = Operation::of(&request.into_parts().0);
            let outcome = outcome.as_ref().map(|found| (found.verb, found.container.as_str(), found.blob.as_str()));
            assert_eq!(outcome.map_err(|refusal| refusal.code), expected, "{uri}");
        };
        let discovery = "/oidc/.well-known/openid-configuration";
        check(Method::GET, discovery, Ok((Verb::Get, "oidc", ".well-known/openid-configuration")));
        check(Method::PUT, "/oidc/openid/v1/jwks?timeout=5", Ok((Verb::Put, "oidc", "openid/v1/jwks")));
        check(Method::HEAD, "/c/a%20%C3%A4", Ok((Verb::Head, "c", "a ä")));
        check(Method::DELETE, "/c//b", Ok((Verb::Delete, "c", "/b")));
        check(Method::GET, "/c/%zz", Err("InvalidUri"));
        check(Method::GET, "/c/", Err("InvalidUri"));
        check(Method::GET, "/c", Err("InvalidQueryParameterValue"));
        check(Method::PUT, "/c/b?comp=block", Err("InvalidQueryParameterValue"));
        check(Method::PUT, "/c?restype=container", Ok((Verb::CreateContainer, "c", "")));
        check(Method::GET, "/c?restype=container&comp=list&prefix=a", Ok((Verb::ListBlobs, "c", "")));
        check(Method::GET, "/c?restype=container&comp=acl", Err("InvalidQueryParameterValue"));
        check(Method::GET, "/?restype=service&comp=properties", Err("InvalidQueryParameterValue"));
        check(Method::POST, "/c/b", Err("UnsupportedHttpVerb"));
    }
}
