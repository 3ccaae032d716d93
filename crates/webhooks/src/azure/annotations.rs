//! What annotations of a pod and its service account say, read with the quirks of the Go functions that upstream
//! reads them with. It must not know what they lead to.

use std::num::IntErrorKind;

use super::config::Config;
use super::endpoint::CustomTokenEndpoint;
use crate::pod::Pod;
use crate::{Denied, ServiceAccountView};

const CLIENT_ID: &str = "azure.workload.identity/client-id";
const TENANT_ID: &str = "azure.workload.identity/tenant-id";
const EXPIRATION: &str = "azure.workload.identity/service-account-token-expiration";
const SKIP: &str = "azure.workload.identity/skip-containers";
const INJECT_PROXY: &str = "azure.workload.identity/inject-proxy-sidecar";
const PROXY_PORT: &str = "azure.workload.identity/proxy-sidecar-port";

const DEFAULT_EXPIRATION: i64 = 3600;
const DEFAULT_PROXY_PORT: i32 = 8000;

/// What pod and account ask for together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings<'a> {
    /// Empty: none, and the SDK in the container must be told.
    pub(crate) client_id: String,
    /// Empty: none.
    pub(crate) tenant_id: String,
    /// Seconds.
    pub(crate) expiration: i64,
    pub(crate) skipped: Vec<&'a str>,
    pub(crate) endpoint: Option<&'a CustomTokenEndpoint>,
}

impl<'a> Settings<'a> {
    pub(crate) fn read(config: &'a Config, pod: &Pod<'a>, account: &ServiceAccountView) -> Result<Self, Denied> {
        let of_account = |key| account.annotations.get(key).map(String::as_str);
        let endpoint = config.custom_token_endpoint.as_ref().filter(|endpoint| {
            config.layout >= super::Layout::V1_6
                && pod.annotation(endpoint.annotation()).is_some_and(|value| value.eq_ignore_ascii_case("true"))
        });
        Ok(Self {
            client_id: of_account(CLIENT_ID).unwrap_or_default().to_owned(),
            // An annotation that is there but empty is taken at its word.
            tenant_id: of_account(TENANT_ID).unwrap_or(&config.tenant_id).to_owned(),
            expiration: expiration(pod.annotation(EXPIRATION), of_account(EXPIRATION))?,
            skipped: skipped(pod.annotation(SKIP).unwrap_or_default()),
            endpoint,
        })
    }
}

/// The proxy's port, for a pod that asks for the proxy: by the annotation's presence, whatever it says.
pub(crate) fn proxy_port(pod: &Pod<'_>) -> Result<Option<i32>, Denied> {
    if pod.annotation(INJECT_PROXY).is_none() {
        return Ok(None);
    }
    if pod.host_network {
        // Its traffic rules would be the node's.
        return Err(Denied::bad_request("hostNetwork is set to true, cannot inject proxy sidecar"));
    }
    let Some(port) = pod.annotation(PROXY_PORT) else {
        return Ok(Some(DEFAULT_PROXY_PORT));
    };
    // Upstream looks at the width of the number only.
    match port.parse::<i32>() {
        Ok(port) => Ok(Some(port)),
        Err(error) => Err(Denied::bad_request(format!(
            "failed to parse proxy sidecar port: {}",
            parse_int_error(port, error.kind())
        ))),
    }
}

/// The pod's word, or else the account's; an empty one is none. Never moved into bounds: refused.
fn expiration(of_pod: Option<&str>, of_account: Option<&str>) -> Result<i64, Denied> {
    let given = [of_pod, of_account].into_iter().flatten().find(|text| !text.is_empty());
    let seconds = match given {
        None => DEFAULT_EXPIRATION,
        Some(text) => text.parse::<i64>().map_err(|error| Denied::bad_request(parse_int_error(text, error.kind())))?,
    };
    if !(3600..=86_400).contains(&seconds) {
        return Err(Denied::bad_request(format!(
            "token expiration {seconds} not valid. Expected value to be between 3600 and 86400"
        )));
    }
    Ok(seconds)
}

/// As Go's `strconv.ParseInt` says it.
fn parse_int_error(text: &str, kind: &IntErrorKind) -> String {
    let why = match kind {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.ParseInt: parsing {text:?}: {why}")
}

/// Separated by semicolons; blanks around a name do not count.
fn skipped(annotation: &str) -> Vec<&str> {
    match annotation {
        "" => Vec::new(),
        names => names.split(';').map(str::trim).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_pods_lifetime_before_the_accounts_and_an_hour_otherwise() {
        let check = |pod: Option<&str>, account: Option<&str>, want: i64| {
            assert_eq!(expiration(pod, account), Ok(want), "{pod:?}, {account:?}");
        };
        check(None, None, 3600);
        check(None, Some("4800"), 4800);
        check(Some("4000"), Some("4800"), 4000);
        check(Some(""), Some("4800"), 4800);
        check(Some(""), Some(""), 3600);
        check(Some("3600"), None, 3600);
        check(Some("86400"), None, 86_400);
        check(Some("+7200"), None, 7200);
        // What is not looked at may be anything.
        check(Some("4000"), Some("1h"), 4000);
    }

    #[test]
    fn denies_lifetimes_out_of_bounds_and_what_is_no_number() {
        let check = |text: &str, want: &str| {
            let by_account = expiration(None, Some(text)).expect_err("must be denied");
            assert_eq!((by_account.code, by_account.message.as_str()), (400, want));
            assert_eq!(expiration(Some(text), Some("4800")), Err(by_account));
        };
        let bounds = "not valid. Expected value to be between 3600 and 86400";
        check("3599", &format!("token expiration 3599 {bounds}"));
        check("86401", &format!("token expiration 86401 {bounds}"));
        check("-3600", &format!("token expiration -3600 {bounds}"));
        check("3600s", r#"strconv.ParseInt: parsing "3600s": invalid syntax"#);
        check(" 3600", r#"strconv.ParseInt: parsing " 3600": invalid syntax"#);
        check("9223372036854775808", r#"strconv.ParseInt: parsing "9223372036854775808": value out of range"#);
    }

    #[test]
    fn splits_skipped_containers_at_semicolons_and_trims_them() {
        let check = |text: &str, want: &[&str]| assert_eq!(skipped(text), want, "{text}");
        check("", &[]);
        check("side", &["side"]);
        check("side;init", &["side", "init"]);
        check(" side ; init", &["side", "init"]);
        check("side,init", &["side,init"]);
        check("side;", &["side", ""]);
    }
}
