//! Temporary credentials. A session is not stored: its token carries all there is to know of it, authenticated with a key that
//! the simulator made for itself, and the secret follows from the access key id. So any number of sessions takes no memory,
//! and one that has ended leaves nothing behind. What AWS's own tokens hold is not documented; that an `ASIA` key without
//! its token is unknown to the services, as here, is observed.
//! Must not know how a session came about, nor what it may do.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::policy::Context;
use trust::{AccountId, Secret};

use crate::identity::{Caller, CallerKind, Inline, KeyRecord, RoleSession, SessionPolicies};
use crate::random;

/// What every session token of AWS begins with, decoded: the text says where it comes from.
const ORIGIN: &[u8] = b"!\n\torigin_ec";
/// What the access key id of every session begins with.
const PREFIX: &str = "ASIA";
/// Characters of a secret access key.
const SECRET_LENGTH: usize = 40;

/// Bytes of the authentication code.
const CODE: usize = 32;

/// Makes sessions and recognises its own.
pub(crate) struct Sessions {
    tokens: hmac::Key,
    secrets: hmac::Key,
}

/// The credentials of a session.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: Secret,
    pub(crate) token: Secret,
    pub(crate) expires: Timestamp,
}

/// What a token holds.
#[derive(Serialize, Deserialize)]
struct Held {
    key: String,
    expires: Timestamp,
    account: String,
    role: String,
    name: String,
    id: String,
    session: String,
    context: Vec<(String, Vec<String>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policies: Option<(Option<String>, Vec<String>)>,
}

impl Sessions {
    pub(crate) fn new() -> Sessions {
        let key = || hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>());
        Sessions { tokens: key(), secrets: key() }
    }

    /// Credentials for a session of `role` in `account` under the name `session`, good until `expires`.
    pub(crate) fn issue(
        &self,
        account: &AccountId,
        role: &RoleSession,
        session: &str,
        expires: Timestamp,
    ) -> Credentials {
        let access_key_id = random::id(PREFIX, 20);
        let held = Held {
            key: access_key_id.clone(),
            expires,
            account: account.to_string(),
            role: role.role_arn.clone(),
            name: role.role_name.clone(),
            id: role.role_id.clone(),
            session: session.to_owned(),
            context: role.context.iter().map(|(key, values)| (key.to_owned(), values.to_vec())).collect(),
            policies: role.policies.as_ref().map(|policies| {
                (policies.inline.as_ref().map(|inline| inline.text.to_string()), policies.managed.clone())
            }),
        };
        // Texts and lists of texts have no form that JSON lacks; an empty token would open nothing.
        let held = serde_json::to_vec(&held).unwrap_or_default();
        let code = hmac::sign(&self.tokens, &held);
        let token = STANDARD.encode([ORIGIN, code.as_ref(), &held].concat());
        Credentials { secret: self.secret(&access_key_id), access_key_id, token: Secret::new(token), expires }
    }

    /// The session that a token stands for, whether or not it has ended; `None` where it is not from here, or belongs to
    /// another access key.
    pub(crate) fn open(&self, access_key_id: &str, token: &Secret) -> Option<KeyRecord> {
        let bytes = STANDARD.decode(token.expose()).ok()?;
        let (code, held) = bytes.strip_prefix(ORIGIN)?.split_first_chunk::<CODE>()?;
        hmac::verify(&self.tokens, held, code).ok()?;
        let held: Held = serde_json::from_slice(held).ok()?;
        if held.key != access_key_id {
            return None;
        }
        Some(KeyRecord {
            secret: self.secret(access_key_id),
            session_token: Some(token.clone()),
            expires: Some(held.expires),
            caller: Arc::new(caller(held)?),
        })
    }

    /// The secret of a session's key; of no use to who has no token.
    pub(crate) fn secret_of(&self, access_key_id: &str) -> Option<Secret> {
        is_temporary(access_key_id).then(|| self.secret(access_key_id))
    }

    fn secret(&self, access_key_id: &str) -> Secret {
        let mac = hmac::sign(&self.secrets, access_key_id.as_bytes());
        let mut text = STANDARD.encode(mac.as_ref());
        text.truncate(SECRET_LENGTH);
        Secret::new(text)
    }
}

/// Whether an access key id is of the kind that comes with a token.
pub(crate) fn is_temporary(access_key_id: &str) -> bool {
    access_key_id.starts_with(PREFIX)
}

/// `arn:aws:sts::…:assumed-role/<role name, no path>/<session>`.
pub(crate) fn session_arn(account: &AccountId, role_name: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role_name}/{session}")
}

fn caller(held: Held) -> Option<Caller> {
    let account: AccountId = held.account.parse().ok()?;
    let mut context = Context::new();
    for (key, values) in held.context {
        context.set_all(&key, values);
    }
    let policies = match held.policies {
        None => None,
        Some((text, managed)) => Some(SessionPolicies {
            inline: match text {
                None => None,
                Some(text) => Some(Inline::parse(&text).ok()?),
            },
            managed,
        }),
    };
    Some(Caller {
        arn: session_arn(&account, &held.name, &held.session),
        user_id: format!("{}:{}", held.id, held.session),
        account,
        kind: CallerKind::AssumedRole(Box::new(RoleSession {
            role_arn: held.role,
            role_name: held.name,
            role_id: held.id,
            policies,
            context,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(policy: Option<&str>) -> RoleSession {
        let inline = policy.map(|text| Inline::parse(text).expect("policy must parse"));
        RoleSession {
            role_arn: "arn:aws:iam::111122223333:role/team/reader".to_owned(),
            role_name: "reader".to_owned(),
            role_id: "AROAREADER".to_owned(),
            policies: inline.map(|inline| SessionPolicies { inline: Some(inline), managed: vec!["arn:a".to_owned()] }),
            context: Context::new().with("issuer.example:sub", "pod"),
        }
    }

    fn issue(sessions: &Sessions, policy: Option<&str>) -> Credentials {
        let account: AccountId = "111122223333".parse().expect("account must parse");
        sessions.issue(&account, &role(policy), "pod", "2026-05-04T10:00:00Z".parse().expect("timestamp must parse"))
    }

    #[test]
    fn a_token_gives_back_the_session() {
        let sessions = Sessions::new();
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
        let given = issue(&sessions, Some(policy));
        let found = sessions.open(&given.access_key_id, &given.token).expect("token must open");
        assert_eq!(found.secret, given.secret);
        assert_eq!(sessions.secret_of(&given.access_key_id), Some(given.secret));
        assert_eq!(found.expires, Some(given.expires));
        assert_eq!(found.caller.arn, "arn:aws:sts::111122223333:assumed-role/reader/pod");
        assert_eq!(found.caller.user_id, "AROAREADER:pod");
        let CallerKind::AssumedRole(session) = &found.caller.kind else { panic!("must be a session") };
        assert_eq!(session.role_arn, "arn:aws:iam::111122223333:role/team/reader");
        assert_eq!(session.context.single("issuer.example:sub"), Some("pod"));
        let policies = session.policies.as_ref().expect("policies must be there");
        assert_eq!(policies.inline.as_ref().map(|inline| &*inline.text), Some(policy));
        assert_eq!(policies.managed, ["arn:a"]);
    }

    #[test]
    fn opens_nothing_else() {
        let sessions = Sessions::new();
        let (one, other) = (issue(&sessions, None), issue(&sessions, None));
        assert!(sessions.open(&one.access_key_id, &one.token).is_some());
        assert!(sessions.open(&one.access_key_id, &other.token).is_none(), "the token of another session");
        assert!(Sessions::new().open(&one.access_key_id, &one.token).is_none(), "another simulator");
        let mut bytes = STANDARD.decode(one.token.expose()).expect("token must decode");
        for at in [0, ORIGIN.len(), ORIGIN.len() + CODE, bytes.len() - 1] {
            bytes[at] ^= 1;
            let changed = Secret::new(STANDARD.encode(&bytes));
            assert!(sessions.open(&one.access_key_id, &changed).is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
        for text in ["", "IQoJb3JpZ2luX2Vj", "!", "session-token"] {
            assert!(sessions.open(&one.access_key_id, &Secret::new(text)).is_none(), "{text}");
        }
        assert_eq!(sessions.secret_of("AKIAEXAMPLE"), None);
    }
}
