//! What is refused, and what is not although it looks like it.

use super::*;

fn check(pod: Value, account: Option<&ServiceAccountView>, want: Result<(), &str>) {
    for layout in LAYOUTS {
        let got = mutate(&chart(layout), &pod, account).map(|mutation| {
            assert!(matches!(mutation, Mutation::Patch(_)), "{pod}");
        });
        let want = want.map_err(|message| Denied { code: 400, message: message.to_owned() });
        assert_eq!(got, want, "{layout}: {pod}");
    }
}

#[test]
fn denies_pods_whose_account_there_is_not() {
    let without_account = |name: &str| mk_pod(json!({"spec": {"serviceAccountName": name}}));
    check(without_account("reader"), None, Err(r#"serviceaccounts "reader" not found"#));
    check(without_account(""), None, Err(r#"serviceaccounts "default" not found"#));
    check(without_account(""), Some(&reader()), Ok(()));
}

#[test]
fn denies_a_proxy_on_the_network_of_the_node() {
    let pod = |host_network: bool, proxy: bool| {
        let mut pod = mk_pod(json!({"spec": {"hostNetwork": host_network}}));
        if proxy {
            json_patch::merge(&mut pod, &annotated(&[("inject-proxy-sidecar", "false")]));
        }
        pod
    };
    let denied = "hostNetwork is set to true, cannot inject proxy sidecar";
    check(pod(true, true), Some(&reader()), Err(denied));
    check(pod(true, false), Some(&reader()), Ok(()));
    check(pod(false, true), Some(&reader()), Ok(()));
}

#[test]
fn denies_proxy_ports_that_are_no_number() {
    let pod = |port: &str| mk_pod(annotated(&[("inject-proxy-sidecar", "true"), ("proxy-sidecar-port", port)]));
    let denied = |port: &str, why: &str| {
        let message = format!("failed to parse proxy sidecar port: strconv.ParseInt: parsing {port:?}: {why}");
        check(pod(port), Some(&reader()), Err(&message));
    };
    denied("http", "invalid syntax");
    denied("", "invalid syntax");
    denied("2147483648", "value out of range");
    check(pod("8000"), Some(&reader()), Ok(()));
    // No port is that high, but it is a number of the right width.
    check(pod("99999"), Some(&reader()), Ok(()));
    // Nobody looks at the port where no proxy is asked for.
    check(mk_pod(annotated(&[("proxy-sidecar-port", "http")])), Some(&reader()), Ok(()));
}

#[test]
fn denies_lifetimes_that_are_out_of_bounds() {
    let key = "service-account-token-expiration";
    let out = "token expiration 600 not valid. Expected value to be between 3600 and 86400";
    let short = account(&[(key, "600")]);
    check(mk_pod(annotated(&[(key, "600")])), Some(&reader()), Err(out));
    check(mk_pod(json!({})), Some(&short), Err(out));
    check(mk_pod(annotated(&[(key, "3600")])), Some(&short), Ok(()));
}

#[test]
fn denies_what_is_no_pod_before_it_looks_at_anything_else() {
    check(
        json!({"spec": {"hostNetwork": "true"}}),
        None,
        Err("json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"),
    );
}

#[test]
fn names_the_first_of_several_faults() {
    let faulty = |port: &str| {
        mk_pod(annotated(&[
            ("inject-proxy-sidecar", "true"),
            ("proxy-sidecar-port", port),
            ("service-account-token-expiration", "x"),
        ]))
    };
    check(faulty("p"), None, Err(r#"serviceaccounts "reader" not found"#));
    check(
        faulty("p"),
        Some(&reader()),
        Err(r#"failed to parse proxy sidecar port: strconv.ParseInt: parsing "p": invalid syntax"#),
    );
    check(faulty("1"), Some(&reader()), Err(r#"strconv.ParseInt: parsing "x": invalid syntax"#));
}
