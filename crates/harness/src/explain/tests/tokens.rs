//! Tokens that are made here: lifetimes, audiences, keys.

use serde_json::{Value, json};
use trust::{Jwks, SigningKey};

use super::super::chain;
use super::super::issuer::Discovery;
use super::super::material::Token;
use super::{ISSUER, marks, material, now, told};

/// A token of a key of its own, and that key's set.
fn signed(claims: Value) -> (String, Jwks) {
    let key = SigningKey::generate().expect("a key must be made");
    (key.sign(&claims).expect("must be signed"), Jwks { keys: vec![key.public_jwk().clone()] })
}

fn lifetime(words: &str, claims: Value) -> (char, String) {
    let mut material = material(&[], words).expect("the material must be taken");
    let now = now().as_second();
    let moved = |name: &str| claims[name].as_i64().map(|seconds| json!(now + seconds));
    let mut all = json!({"iss": ISSUER, "sub": "system:serviceaccount:shop:reader", "aud": claims["aud"]});
    for name in ["exp", "iat", "nbf"] {
        if let Some(moment) = moved(name) {
            all[name] = moment;
        }
    }
    let (token, _) = signed(all);
    material.token = Some(Token::of(&token));
    let explained = chain(&material);
    let evidence = explained.accesses[0].chain.links[2].clone();
    let said = [evidence.presented, evidence.note].into_iter().flatten().collect::<Vec<_>>().join("; ");
    (marks(&explained.accesses[0]).chars().nth(2).expect("eleven marks"), said)
}

#[test]
fn lifetimes_are_judged_as_each_cloud_does() {
    let check = |words: &str, aud: &str, exp: i64, iat: Option<i64>, nbf: i64, mark: char, said: &str| {
        let found = lifetime(words, json!({"aud": aud, "exp": exp, "iat": iat, "nbf": nbf}));
        assert_eq!(found.0, mark, "{found:?}");
        assert!(found.1.contains(said), "{found:?}");
    };
    let aws = |exp, iat, nbf, mark, said| {
        check("--trust-policy trust-policy.json", "sts.amazonaws.com", exp, iat, nbf, mark, said)
    };
    aws(3_600, Some(0), 0, '+', "expires in 60 min");
    aws(-299, Some(-4_000), -4_000, '+', "STS accepts it for 5 min");
    aws(-7_200, Some(-9_000), -9_000, 'x', "expired 2 h ago");
    aws(9, Some(-86_401), -86_401, 'x', "too old for STS");
    aws(3_600, None, 0, 'x', "no iat");
    aws(3_600, Some(0), 600, 'x', "not valid for another 10 min");
    let azure = |exp, iat, mark, said| {
        check(
            "--federated-credential federated-credential.json",
            "api://AzureADTokenExchange",
            exp,
            iat,
            -99_999,
            mark,
            said,
        );
    };
    azure(3_600, Some(0), '+', "expires in 60 min");
    azure(-1, Some(-4_000), 'x', "expired 1 s ago");
    azure(3_600, Some(-86_400), '+', "expires in 60 min");
    azure(31_536_000, Some(0), 'x', "lives 365 days");
}

#[test]
fn a_token_with_two_audiences_or_the_default_one_is_told() {
    let mut material = material(&[], "--trust-policy trust-policy.json").expect("must be taken");
    let second = now().as_second();
    let claims = |aud: Value| json!({"iss": ISSUER, "sub": "system:serviceaccount:shop:reader", "aud": aud, "iat": second, "exp": second + 600});
    let mut hint = |aud: Value| {
        material.token = Some(Token::of(&signed(claims(aud)).0));
        told(&chain(&material))
    };
    let (marks, hints) = hint(json!(["sts.amazonaws.com", "other"]));
    assert_eq!((marks.as_str(), hints.contains("ask for one audience")), ("??+??+x+.?.", true), "{hints}");
    let (marks, hints) = hint(json!([ISSUER]));
    assert_eq!((marks.as_str(), hints.contains("the pod's default token")), ("??+??+x+.?.", true), "{hints}");
}

#[test]
fn keys_and_discovery_are_held_against_the_token() {
    let (token, keys) = signed(json!({"iss": ISSUER, "sub": "s", "aud": "a", "iat": 1, "exp": 2_000_000_000}));
    let (_, others) = signed(json!({}));
    let check = |asked: &str, named: &str, keys: &Jwks, expected: &str| {
        let words = format!("--token token-aws.jwt --issuer {ISSUER}");
        let mut material = material(&[], &words).expect("must be taken");
        material.token = Some(Token::of(&token));
        let explained = chain(&material.with_discovery(Some(Discovery::of(asked, named, keys.clone()))));
        assert_eq!(&marks(&explained.accesses[0])[3..5], expected, "{asked} {named}");
    };
    check(ISSUER, ISSUER, &keys, "++");
    check(ISSUER, ISSUER, &others, "+x");
    check(ISSUER, ISSUER.trim_end_matches('/'), &keys, "x+");
    let mut forged = others.clone();
    forged.keys[0].kid.clone_from(&keys.keys[0].kid);
    check(ISSUER, ISSUER, &forged, "+x");
}
