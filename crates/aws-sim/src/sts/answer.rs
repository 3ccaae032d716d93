//! The elements that all answers with credentials share.

use crate::query::{Xml, timestamp};
use crate::sessions::{Credentials, session_arn};

use super::session::SessionRequest;

pub(super) fn write_user(xml: &mut Xml, request: &SessionRequest, role_name: &str, role_id: &str) {
    xml.element("AssumedRoleUser", |xml| {
        xml.text("Arn", &session_arn(&request.account, role_name, &request.name));
        xml.text("AssumedRoleId", &format!("{role_id}:{}", request.name));
    });
}

pub(super) fn write_credentials(xml: &mut Xml, given: &Credentials) {
    xml.element("Credentials", |xml| {
        xml.text("SessionToken", given.token.expose());
        xml.text("SecretAccessKey", given.secret.expose());
        xml.text("Expiration", &timestamp(given.expires));
        xml.text("AccessKeyId", &given.access_key_id);
    });
}

pub(super) fn write_packed_size(xml: &mut Xml, request: &SessionRequest) {
    if let Some(percent) = request.packed_size() {
        xml.number("PackedPolicySize", percent);
    }
}
