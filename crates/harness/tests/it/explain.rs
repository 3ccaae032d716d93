//! `crossfed explain` as its users meet it: what is printed and what never is, an issuer on loopback, runs that are over.

use std::process::Stdio;

use axum::routing::get;
use axum::{Json, Router};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use transport::{Authority, Server};
use trust::{Clock, SigningKey, SystemClock};

use crate::sandbox::{Sandbox, repository};

/// A signature that must not be seen; text that is not in any other part of a token.
const CANARY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ";

/// A folder with the fixtures in it.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for entry in std::fs::read_dir(repository().join("fixtures/explain")).expect("the fixtures must be there") {
        let path = entry.expect("an entry must be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name must be UTF-8");
        sandbox.write(name, &std::fs::read_to_string(&path).expect("a fixture must be read"));
    }
    sandbox
}

/// Runs `explain` with these words and expects this exit code.
async fn explain(sandbox: &Sandbox, words: &str, exit: i32) -> String {
    let words: Vec<&str> = ["explain"].into_iter().chain(words.split_whitespace()).collect();
    let ended = sandbox.crossfed(&words).run().await;
    ended.expect_exit(exit);
    ended.stdout + &ended.stderr
}

#[tokio::test]
async fn prints_the_chain_with_hints_a_fix_and_what_could_not_be_checked() {
    let sandbox = sandbox();
    sandbox.edit("service-account.yaml", "namespace: shop", "namespace: prod");
    let words = "--trust-policy trust-policy.json --service-account service-account.yaml";
    assert_snapshot!(explain(&sandbox, words, 100).await, @r#"
        AWS, through a web identity role
          chain      ✓  1 opted in             arn:aws:iam::123456789012:role/shop-reader                        service account
                     ?  2 injected             needs --pod, as `kubectl get pod NAME -o yaml` prints it
                     ?  3 token projected      needs --token, or --pod as admitted
                     ?  4 issuer discoverable  needs --issuer URL
                     ?  5 key published        needs --jwks FILE or --issuer URL
                     ?  6 issuer trusted       needs --token or --issuer
                     ?  7 audience accepted    needs --token, or --pod as admitted
                     ✗  8 subject accepted     StringEquals on westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/:sub
                                               does not hold
                          presented  system:serviceaccount:prod:reader
                          required   system:serviceaccount:shop:reader
                                                           ↑ differs from here
                          source     trust-policy.json, statement 1
                     ·  9 credential issued    not reached
                     ? 10 permitted            needs --policy FILE --action ACTION --resource ARN
                     · 11 read                 not reached
          hint       8 subject accepted: the subject is of another namespace: prod presented, shop required
          fix        aws iam update-assume-role-policy --role-name shop-reader --policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/:aud":"sts.amazonaws.com","westeurope.oic.prod-aks.azure.com/[tenant]/[cluster]/:sub":"system:serviceaccount:prod:reader"}}}]}'
          unchecked  7 audience accepted: the provider's client ids are not looked at
          unchecked  7 audience accepted: StringEquals on
                     westeurope.oic.prod-aks.azure.com/[uuid]/0d1e2f3a-0000-4000-8000-
                     1b2c3d4e5f60/:aud, which nothing given says
        "#);
    sandbox.edit("service-account.yaml", "namespace: prod", "namespace: shop");
    let agreeing = explain(&sandbox, words, 0).await;
    assert!(!agreeing.contains("hint"), "{agreeing}");
}

#[tokio::test]
async fn json_has_the_shape_that_the_help_tells() {
    let sandbox = sandbox();
    sandbox.edit("service-account.yaml", "namespace: shop", "namespace: prod");
    let words = "--federated-credential federated-credential.json --service-account service-account.yaml --output json";
    assert_snapshot!(explain(&sandbox, words, 100).await, @r#"
        {
          "schema": "crossfed.dev/explain/v1",
          "broken": true,
          "accesses": [
            {
              "title": "Azure, through a federated credential",
              "cloud": "azure",
              "chain": {
                "links": [
                  {
                    "link": "opted-in",
                    "state": "not-checked",
                    "note": "needs --pod: the label azure.workload.identity/use is on it"
                  },
                  {
                    "link": "injected",
                    "state": "not-checked",
                    "note": "needs --pod, as `kubectl get pod NAME -o yaml` prints it"
                  },
                  {
                    "link": "token-projected",
                    "state": "not-checked",
                    "note": "needs --token, or --pod as admitted"
                  },
                  {
                    "link": "issuer-discoverable",
                    "state": "not-checked",
                    "note": "needs --issuer URL"
                  },
                  {
                    "link": "key-published",
                    "state": "not-checked",
                    "note": "needs --jwks FILE or --issuer URL"
                  },
                  {
                    "link": "issuer-trusted",
                    "state": "not-checked",
                    "note": "needs --token or --issuer"
                  },
                  {
                    "link": "audience-accepted",
                    "state": "not-checked",
                    "note": "needs --token, or --pod as admitted"
                  },
                  {
                    "link": "subject-accepted",
                    "state": "broken",
                    "presented": "system:serviceaccount:prod:reader",
                    "required": "system:serviceaccount:shop:reader",
                    "source": "service account and credential eks",
                    "note": "the subject is not the credential's"
                  },
                  {
                    "link": "credential-issued",
                    "state": "not-reached"
                  },
                  {
                    "link": "permitted",
                    "state": "not-checked",
                    "note": "needs --role-assignment FILE and --identity FILE"
                  },
                  {
                    "link": "read",
                    "state": "not-reached"
                  }
                ]
              },
              "hints": [
                {
                  "link": "subject-accepted",
                  "what": "the subject is of another namespace: prod presented, shop required",
                  "fix": "az identity federated-credential update --resource-group shop --identity-name reader --name eks --issuer https://oidc.eks.eu-central-1.amazonaws.com/id/[id] --subject system:serviceaccount:prod:reader --audience api://AzureADTokenExchange"
                }
              ],
              "unchecked": [
                {
                  "link": "opted-in",
                  "why": "needs --pod: the label azure.workload.identity/use is on it"
                },
                {
                  "link": "injected",
                  "why": "needs --pod, as `kubectl get pod NAME -o yaml` prints it"
                },
                {
                  "link": "token-projected",
                  "why": "needs --token, or --pod as admitted"
                },
                {
                  "link": "issuer-discoverable",
                  "why": "needs --issuer URL"
                },
                {
                  "link": "key-published",
                  "why": "needs --jwks FILE or --issuer URL"
                },
                {
                  "link": "issuer-trusted",
                  "why": "needs --token or --issuer"
                },
                {
                  "link": "audience-accepted",
                  "why": "needs --token, or --pod as admitted"
                },
                {
                  "link": "permitted",
                  "why": "needs --role-assignment FILE and --identity FILE"
                }
              ]
            }
          ]
        }
        "#);
}

#[tokio::test]
async fn nothing_given_is_its_own_exit_code() {
    let sandbox = Sandbox::new();
    assert_snapshot!(explain(&sandbox, "", 4).await, @r#"error: nothing is given: name a token, a policy, a credential, a pod, a service account or an issuer, or --run ID; see --help"#);
    assert_snapshot!(explain(&sandbox, "--action s3:GetObject", 2).await.lines().next().unwrap_or_default(), @r#"error: the following required arguments were not provided:"#);
}

#[tokio::test]
async fn no_signature_is_printed_wherever_a_token_stands() {
    let sandbox = sandbox();
    let token = sandbox.read("token-aws.jwt");
    let (unsigned, _) = token.rsplit_once('.').expect("a token has dots");
    let token = format!("{unsigned}.{CANARY}");
    sandbox.write("canary.jwt", &token);
    sandbox.edit("pod-admitted.yaml", "value: regional", &format!("value: {token}"));
    sandbox.edit(
        "pod-admitted.yaml",
        "value: \"arn:aws:iam::123456789012:role/shop-reader\"",
        &format!("value: {token}"),
    );
    sandbox
        .write("subject.json", &sandbox.read("trust-policy.json").replace("system:serviceaccount:shop:reader", &token));
    let broken = "--token canary.jwt --trust-policy subject.json --pod pod-admitted.yaml --jwks jwks.json";
    for output in ["table", "json"] {
        let told = explain(&sandbox, &format!("{broken} --output {output}"), 100).await;
        assert!(!told.contains(CANARY), "{told}");
        assert!(told.contains("signature"), "what is wrong with it is told: {told}");
    }
    let told = explain(&sandbox, &format!("--token {token}"), 2).await;
    assert!(!told.contains(CANARY) && told.contains("the file"), "{told}");
}

#[tokio::test]
async fn a_token_is_read_from_standard_input() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossfed"));
    command.args(["explain", "--token", "-", "--output", "json"]).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("crossfed must start");
    let token = std::fs::read(repository().join("fixtures/explain/token-aws.jwt")).expect("must be read");
    let mut stdin = child.stdin.take().expect("standard input must be there");
    stdin.write_all(&token).await.expect("the token must be written");
    drop(stdin);
    let output = child.wait_with_output().await.expect("crossfed must end");
    let told: Value = serde_json::from_slice(&output.stdout).expect("must be JSON");
    assert_eq!(told["accesses"][0]["cloud"], "aws");
    assert_eq!(told["accesses"][0]["chain"]["links"][2]["presented"], "expires 2026-03-03T09:00:00Z");
}

/// An issuer on loopback that publishes a key, and a token of it.
async fn issuer(sandbox: &Sandbox) -> (Server, String) {
    let authority = Authority::generate("explain", &SystemClock).expect("an authority must be made");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port must be free");
    let url = format!("https://localhost:{}/cluster/", listener.local_addr().expect("it listens").port());
    let key = SigningKey::generate().expect("a key must be made");
    let now = SystemClock.now().as_second();
    let claims = json!({"iss": url, "aud": ["sts.amazonaws.com"], "sub": "system:serviceaccount:shop:reader",
        "iat": now, "nbf": now, "exp": now + 3600});
    sandbox.write("token.jwt", &key.sign(&claims).expect("must be signed"));
    sandbox.write("ca.pem", authority.root_pem());
    let document = json!({"issuer": url, "jwks_uri": format!("{url}keys")});
    let keys = json!({"keys": [key.public_jwk()]});
    let app = Router::new()
        .route("/cluster/.well-known/openid-configuration", get(move || async { Json(document) }))
        .route("/cluster/keys", get(move || async { Json(keys) }));
    let identity = authority.server_identity(&["localhost"]).expect("a certificate must be made");
    (Server::tls(listener, identity, app).expect("the issuer must serve"), url)
}

#[tokio::test]
async fn an_issuer_that_is_named_is_asked_for_its_keys() {
    let sandbox = Sandbox::new();
    let (server, url) = issuer(&sandbox).await;
    let states = |told: &str| {
        let told: Value = serde_json::from_str(told).expect("must be JSON");
        let links = told["accesses"][0]["chain"]["links"].as_array().expect("must be links").clone();
        [3, 4].map(|at| links[at]["state"].as_str().expect("must have a state").to_owned())
    };
    let words = format!("--token token.jwt --ca-file ca.pem --output json --issuer {url}");
    assert_eq!(states(&explain(&sandbox, &words, 0).await), ["holds", "holds"]);
    // The document is found all the same, and names the issuer with its slash.
    let bare = format!("--ca-file ca.pem --output json --issuer {}", url.trim_end_matches('/'));
    assert_eq!(states(&explain(&sandbox, &bare, 100).await), ["broken", "not-checked"]);
    let elsewhere = words.replace("/cluster/", "/other/");
    assert_eq!(states(&explain(&sandbox, &elsewhere, 100).await), ["broken", "not-checked"]);
    server.stop().await;
    let told = explain(&sandbox, &words, 100).await;
    assert!(told.contains("cannot connect to localhost"), "{told}");
}

#[tokio::test]
async fn a_run_that_is_over_is_explained_from_its_report() {
    let sandbox = Sandbox::with_refusals(&["wrong-namespace"]);
    sandbox.crossfed(&["e2e", "aks-to-aws", "--run-id", "over"]).run().await.expect_exit(0);
    assert_snapshot!(explain(&sandbox, "--run over", 0).await, @r#"run over: no check failed (2 in all); --all shows their chains"#);
    let all = explain(&sandbox, "--run latest --all", 0).await;
    assert_eq!(all.matches("chain").count(), 2, "{all}");
    assert_snapshot!(explain(&sandbox, "--run other", 2).await, @r#"error: run `other` in _artifacts: it has no report.json (known: over)"#);

    let file = "_artifacts/over/report.json";
    let mut report: Value = serde_json::from_str(&sandbox.read(file)).expect("must be JSON");
    let checks = report["scenarios"][0]["checks"].as_array_mut().expect("must have checks");
    let refusal = checks.iter_mut().find(|check| check["kind"] == "deny").expect("must have a refusal");
    refusal["verdict"] = "failed".into();
    refusal["reason"] = "another answer was expected".into();
    sandbox.write(file, &report.to_string());
    let failed = explain(&sandbox, "--run over", 100).await;
    assert!(failed.contains("another answer was expected") && failed.matches("chain").count() == 1, "{failed}");
    let told: Value =
        serde_json::from_str(&explain(&sandbox, "--run over --output json", 100).await).expect("must be JSON");
    assert_eq!((&told["run"], &told["accesses"][0]["verdict"]), (&json!("over"), &json!("failed")));
}
