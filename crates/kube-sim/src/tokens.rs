//! Service-account tokens: their claims, what makes one valid, and the documents that let others verify them.
//!
//! It asks the store whether what a token is bound to still exists; it knows no HTTP.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use trust::{IssuerUrl, KeyRing, SharedClock, Subject, UnverifiedToken};

use crate::object;
use crate::resources;
use crate::server::KeySource;
use crate::store::{Key, Store};
use crate::user::User;

/// What the pod's own volume asks for; the real server extends exactly this lifetime.
const EXTENDED_FOR: i64 = 3607;
/// To what: 365 days.
const EXTENDED_TO: i64 = 365 * 24 * 3600;

/// Issues and checks tokens.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) url: IssuerUrl,
    pub(crate) jwks_path: String,
    pub(crate) keys: KeySource,
    pub(crate) clock: SharedClock,
    pub(crate) min_lifetime: i64,
    pub(crate) max_lifetime: Option<i64>,
}

/// What a token is for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grant<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) account: &'a str,
    pub(crate) account_uid: &'a str,
    pub(crate) audiences: Vec<String>,
    /// Seconds.
    pub(crate) lifetime: i64,
    /// Name and uid.
    pub(crate) pod: Option<(String, String)>,
    /// Name, and uid when the node is known.
    pub(crate) node: Option<(String, String)>,
    pub(crate) secret: Option<(String, String)>,
}

/// No key, and none will come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error("no signing key is available")]
    NoKey,
    #[error("the token could not be signed")]
    Sign(#[from] trust::KeyError),
}

impl Issuer {
    /// Waits for the key where it is still being made.
    pub(crate) async fn ring(&self) -> Result<Arc<KeyRing>, IssueError> {
        let mut keys = self.keys.clone();
        let ready = keys.wait_for(Option::is_some).await.map_err(|_| IssueError::NoKey)?;
        ready.clone().ok_or(IssueError::NoKey)
    }

    /// Where the keys are published.
    pub(crate) fn jwks_uri(&self) -> String {
        format!("{}{}", self.url.trimmed(), self.jwks_path)
    }

    /// The discovery document (kubernetes pkg/serviceaccount/openidmetadata.go).
    pub(crate) fn discovery(&self) -> Value {
        json!({
            "issuer": self.url,
            "jwks_uri": self.jwks_uri(),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// Signs a token, and tells when: as late as the key was there.
    pub(crate) async fn issue(&self, grant: &Grant<'_>) -> Result<(String, Timestamp), IssueError> {
        let ring = self.ring().await?;
        let now = self.clock.now();
        Ok((ring.active().sign(&self.claims(grant, &object::new_uid(), now))?, now))
    }

    fn claims(&self, grant: &Grant<'_>, id: &str, now: Timestamp) -> Value {
        let now = now.as_second();
        let is_extended =
            grant.lifetime == EXTENDED_FOR && grant.pod.is_some() && grant.audiences == [self.url.as_str()];
        let lifetime = if is_extended {
            self.max_lifetime.map_or(EXTENDED_TO, |max| max.min(EXTENDED_TO)).max(grant.lifetime)
        } else {
            grant.lifetime
        };
        let mut kubernetes = json!({"namespace": grant.namespace});
        for (key, reference) in [("node", &grant.node), ("pod", &grant.pod), ("secret", &grant.secret)] {
            if let Some((name, uid)) = reference {
                kubernetes[key] =
                    if uid.is_empty() { json!({"name": name}) } else { json!({"name": name, "uid": uid}) };
            }
        }
        kubernetes["serviceaccount"] = json!({"name": grant.account, "uid": grant.account_uid});
        if is_extended {
            kubernetes["warnafter"] = (now + grant.lifetime).into();
        }
        json!({
            "aud": grant.audiences,
            "exp": now + lifetime,
            "iat": now,
            "iss": self.url,
            "jti": id,
            "kubernetes.io": kubernetes,
            "nbf": now,
            "sub": Subject::service_account(grant.namespace, grant.account),
        })
    }

    /// Checks a token for any of some audiences and tells who shows it and which of the audiences hold.
    ///
    /// # Errors
    /// The words that a token review gives.
    pub(crate) async fn authenticate(
        &self,
        store: &Store,
        token: &str,
        audiences: &[String],
    ) -> Result<(User, Vec<String>), String> {
        const INVALID: &str = "invalid bearer token";
        let because = |why: String| format!("[{INVALID}, {why}]");
        let decoded = UnverifiedToken::decode(token).map_err(|_| INVALID.to_owned())?;
        if decoded.issuer() != Some(self.url.as_str()) {
            return Err(INVALID.to_owned());
        }
        let ring = self.ring().await.map_err(|_| INVALID.to_owned())?;
        trust::verify_signature(token, &ring.jwks()).map_err(|_| INVALID.to_owned())?;
        let presented = decoded.audiences();
        let accepted: Vec<String> =
            audiences.iter().filter(|wanted| presented.contains(&wanted.as_str())).cloned().collect();
        if accepted.is_empty() {
            let shown = |list: Vec<&str>| {
                format!("[{}]", list.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(" "))
            };
            let wanted = shown(audiences.iter().map(String::as_str).collect());
            return Err(because(format!(
                "token audiences {} is invalid for the target audiences {wanted}",
                shown(presented)
            )));
        }
        let now = self.clock.now().as_second();
        if decoded.numeric_date("exp").is_none_or(|expiry| expiry < now) {
            return Err(because("service account token has expired".to_owned()));
        }
        if decoded.numeric_date("nbf").is_some_and(|start| start > now) {
            return Err(because("service account token is not valid yet".to_owned()));
        }
        bound_user(store, &decoded).map(|user| (user, accepted)).map_err(because)
    }

    /// Shortest lifetime that may be asked for.
    pub(crate) fn min_lifetime(&self) -> i64 {
        self.min_lifetime
    }
}

/// Whole seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The caller of a token whose signature, audience and dates hold, if all that it is bound to still exists.
fn bound_user(store: &Store, token: &UnverifiedToken) -> Result<User, String> {
    let claims = Value::Object(token.claims.clone());
    let of = |member: &str| object::text(&claims["kubernetes.io"], member).to_owned();
    let (namespace, account, uid) = (of("/namespace"), of("/serviceaccount/name"), of("/serviceaccount/uid"));
    let known = store.get(&Key::new(resources::core("serviceaccounts"), &namespace, &account));
    let known = known.ok_or_else(|| format!("serviceaccounts {account:?} not found"))?;
    if object::uid(known.value()) != uid {
        return Err(format!("service account UID ({}) does not match claim ({uid})", object::uid(known.value())));
    }
    if object::is_deleting(known.value()) {
        return Err("service account has been deleted".to_owned());
    }
    let mut user = User {
        name: Subject::service_account(&namespace, &account).as_str().to_owned(),
        uid,
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".into(),
        ],
        ..User::default()
    };
    let id = object::text(&claims, "/jti");
    if !id.is_empty() {
        user.extra.insert("authentication.kubernetes.io/credential-id".into(), vec![format!("JTI={id}")]);
    }
    for (kind, plural) in [("pod", "pods"), ("node", "nodes"), ("secret", "secrets")] {
        let (name, uid) = (of(&format!("/{kind}/name")), of(&format!("/{kind}/uid")));
        if name.is_empty() {
            continue;
        }
        if kind != "node" {
            let found = store.get(&Key::new(resources::core(plural), &namespace, &name));
            if found.is_none_or(|found| object::uid(found.value()) != uid) {
                return Err(format!("{kind} has been deleted"));
            }
        }
        if kind != "secret" {
            user.extra.insert(format!("authentication.kubernetes.io/{kind}-name"), vec![name]);
            if !uid.is_empty() {
                user.extra.insert(format!("authentication.kubernetes.io/{kind}-uid"), vec![uid]);
            }
        }
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use trust::{Clock, FixedClock, SigningKey};

    use super::*;

    fn issuer() -> (Issuer, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new("2026-11-23T12:00:00Z".parse().expect("must parse")));
        let ring = KeyRing::new(SigningKey::generate().expect("key must be made"));
        let (_, keys) = tokio::sync::watch::channel(Some(Arc::new(ring)));
        let issuer = Issuer {
            url: "https://issuer.example.test/abc/".parse().expect("must parse"),
            jwks_path: "/openid/v1/jwks".into(),
            keys,
            clock: clock.clone(),
            min_lifetime: 600,
            max_lifetime: None,
        };
        (issuer, clock)
    }

    fn grant() -> Grant<'static> {
        Grant {
            namespace: "rec",
            account: "web",
            account_uid: "u1",
            audiences: vec!["sts.amazonaws.com".into()],
            lifetime: 3600,
            ..Grant::default()
        }
    }

    #[test]
    fn claims_have_the_real_shape() {
        let (issuer, _) = issuer();
        insta::assert_snapshot!(
            issuer.claims(&Grant { pod: Some(("p".into(), "u2".into())), node: Some(("n".into(), String::new())), ..grant() }, "id", issuer.clock.now()),
            @r#"{"aud":["sts.amazonaws.com"],"exp":1795438800,"iat":1795435200,"iss":"https://issuer.example.test/abc/","jti":"id","kubernetes.io":{"namespace":"rec","node":{"name":"n"},"pod":{"name":"p","uid":"u2"},"serviceaccount":{"name":"web","uid":"u1"}},"nbf":1795435200,"sub":"system:serviceaccount:rec:web"}"#
        );
    }

    #[test]
    fn only_the_pods_own_token_is_extended() {
        let (issuer, clock) = issuer();
        let own = Grant {
            audiences: vec![issuer.url.to_string()],
            lifetime: EXTENDED_FOR,
            pod: Some(("p".into(), "u".into())),
            ..grant()
        };
        let lifetime = |issuer: &Issuer, grant: &Grant<'_>| {
            issuer.claims(grant, "id", clock.now())["exp"].as_i64().expect("a date") - clock.now().as_second()
        };
        assert_eq!(lifetime(&issuer, &own), EXTENDED_TO);
        assert_eq!(
            issuer.claims(&own, "id", clock.now())["kubernetes.io"]["warnafter"],
            clock.now().as_second() + EXTENDED_FOR
        );
        assert_eq!(lifetime(&issuer, &Grant { pod: None, ..own.clone() }), EXTENDED_FOR);
        assert_eq!(lifetime(&issuer, &Grant { audiences: vec!["x".into()], ..own.clone() }), EXTENDED_FOR);
        assert_eq!(lifetime(&Issuer { max_lifetime: Some(86400), ..issuer.clone() }, &own), 86400);
    }

    #[tokio::test]
    async fn tokens_hold_while_all_they_are_bound_to_does() {
        let (issuer, clock) = issuer();
        let store = Store::new();
        let account = Key::new(resources::core("serviceaccounts"), "rec", "web");
        let pod = Key::new(resources::core("pods"), "rec", "p");
        store.change(|tx| {
            tx.put(account.clone(), json!({"metadata": {"name": "web", "uid": "u1"}}));
            tx.put(pod.clone(), json!({"metadata": {"name": "p", "uid": "u2"}}));
        });
        let api = vec![issuer.url.to_string()];
        let (token, _) = issuer
            .issue(&Grant { audiences: api.clone(), pod: Some(("p".into(), "u2".into())), ..grant() })
            .await
            .expect("must sign");
        let (foreign, _) = issuer.issue(&grant()).await.expect("must sign");
        let (user, accepted) = issuer.authenticate(&store, &token, &api).await.expect("must hold");
        assert_eq!((user.name.as_str(), accepted), ("system:serviceaccount:rec:web", api.clone()));
        assert_eq!(user.extra["authentication.kubernetes.io/pod-name"], ["p"]);

        let refused = async |token: &str| issuer.authenticate(&store, token, &api).await.expect_err("must be refused");
        assert_eq!(refused("x.y.z").await, "invalid bearer token");
        assert_eq!(
            refused(&foreign).await,
            r#"[invalid bearer token, token audiences ["sts.amazonaws.com"] is invalid for the target audiences ["https://issuer.example.test/abc/"]]"#
        );
        clock.advance(jiff::SignedDuration::from_secs(3601));
        assert_eq!(refused(&token).await, "[invalid bearer token, service account token has expired]");
        clock.advance(jiff::SignedDuration::from_secs(-3601));
        store.change(|tx| tx.remove(&pod));
        assert_eq!(refused(&token).await, "[invalid bearer token, pod has been deleted]");
        store.change(|tx| tx.remove(&account));
        assert_eq!(refused(&token).await, r#"[invalid bearer token, serviceaccounts "web" not found]"#);
    }
}
