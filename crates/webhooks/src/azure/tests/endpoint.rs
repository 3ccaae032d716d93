//! The custom token endpoint.

use super::*;

fn config(layout: Layout, ca: CaSource) -> Config {
    let mut endpoint =
        CustomTokenEndpoint::new("identity-binding", Audience::new("api://AKSIdentityBinding"), "https://10.0.0.1")
            .expect("must be an endpoint");
    endpoint.sni_name = "proxy.ests.aks".into();
    endpoint.ca = ca;
    Config { custom_token_endpoint: Some(endpoint), ..chart(layout) }
}

fn asking(value: &str) -> Value {
    mk_pod(annotated(&[("use-identity-binding", value)]))
}

fn audience_of(pod: &Value) -> &Value {
    &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["audience"]
}

#[test]
fn adds_its_variables_behind_the_others() {
    let check = |ca: CaSource, want: &[(&str, &str)]| {
        let pod = mutated(&config(Layout::V1_6, ca), &asking("true"), &reader());
        assert_eq!(audience_of(&pod), "api://AKSIdentityBinding");
        let env = pod["spec"]["containers"][0]["env"].as_array().expect("env");
        let want: Vec<Value> = want.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        assert_eq!(env[4..], want);
    };
    let proxy = ("AZURE_KUBERNETES_TOKEN_PROXY", "https://10.0.0.1");
    let sni = ("AZURE_KUBERNETES_SNI_NAME", "proxy.ests.aks");
    let file = ("AZURE_KUBERNETES_CA_FILE", "/var/run/secrets/azure/wi/ca-cert/ca.crt");
    check(CaSource::Absent, &[proxy, sni, file]);
    check(CaSource::ConfigMap("ca".into()), &[proxy, sni, file]);
    check(CaSource::Data("PEM".into()), &[proxy, sni, file, ("AZURE_KUBERNETES_CA_DATA", "PEM")]);
}

#[test]
fn projects_the_root_beside_the_token() {
    let check = |ca: CaSource, want: &[Value]| {
        let pod = mutated(&config(Layout::V1_6, ca), &asking("true"), &reader());
        let sources = pod["spec"]["volumes"][0]["projected"]["sources"].as_array().expect("sources");
        assert_eq!(sources[1..], *want);
    };
    check(CaSource::Absent, &[]);
    check(CaSource::Data("PEM".into()), &[]);
    check(
        CaSource::ConfigMap("ca".into()),
        &[
            json!({"configMap": {"name": "ca", "items": [{"key": "ca.crt", "path": "ca-cert/ca.crt"}], "optional": false}}),
        ],
    );
    check(
        CaSource::TrustBundle {
            signer: "example.com/proxy".into(),
            label_selector: Some(json!({"matchLabels": {"a": "b"}})),
        },
        &[json!({"clusterTrustBundle": {
            "signerName": "example.com/proxy",
            "labelSelector": {"matchLabels": {"a": "b"}},
            "optional": false,
            "path": "ca-cert/ca.crt",
        }})],
    );
}

#[test]
fn is_for_pods_that_say_true_only() {
    let with = config(Layout::V1_6, CaSource::Absent);
    let check = |config: &Config, pod: &Value, want: bool| {
        let pod = mutated(config, pod, &reader());
        let is_custom = audience_of(&pod) == "api://AKSIdentityBinding";
        let variables = names(&pod["spec"]["containers"][0]["env"]).len();
        assert_eq!((is_custom, variables > 4), (want, want), "{pod}");
    };
    check(&with, &asking("true"), true);
    check(&with, &asking("TRUE"), true);
    check(&with, &asking("yes"), false);
    check(&with, &asking(""), false);
    check(&with, &mk_pod(json!({})), false);
    check(&chart(Layout::V1_6), &asking("true"), false);
    check(&config(Layout::V1_5, CaSource::Absent), &asking("true"), false);
}
