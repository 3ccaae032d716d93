//! Every file of the corpus goes through its target once, and is what its name says.
#![expect(clippy::expect_used, reason = "a helper of tests fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use fuzz::{Target, corpus};

/// What a target says to each file, one a line. Caught inputs must not fail again, and are not listed.
fn seen(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let targets = Target::all(&root).expect("the targets must stand");
    let target = targets.iter().find(|target| target.name == name).expect("there must be such a target");
    let mut text = String::new();
    for (file, input) in corpus::read(&corpus::folder(&root, name)).expect("there must be a corpus") {
        let seen = target.run(&input).unwrap_or_else(|broken| panic!("{name}/{file}: {}", broken.0));
        if !file.starts_with(corpus::CAUGHT) {
            writeln!(text, "{file}: {seen}").expect("a text takes all");
        }
    }
    text
}

#[test]
fn tokens_are_what_their_names_say() {
    insta::assert_snapshot!(seen("token"), @r#"
        another-subject.jwt: Err("the signature does not match the published key"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        claims-are-a-text.jwt: the token's payload is not a JSON object of the expected shape
        claims-of-wrong-types.jwt: Err("the signature does not match the published key"), None of false for one audiences by false, dates [false, false, false], typ false
        claims-twice.jwt: the token's header is not a JSON object of the expected shape
        dates-out-of-range.jwt: Err("the signature does not match the published key"), None of false for no audiences by false, dates [false, true, false], typ false
        empty.jwt: a token has three parts, this one has 1
        five-parts.jwt: a token has three parts, this one has 5
        genuine.jwt: Ok(()), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        header-is-a-list.jwt: the token's header is not a JSON object of the expected shape
        hmac-with-the-public-key.jwt: Err("signature algorithm HS256 is not supported"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        issuer-over-http.jwt: Err("the signature does not match the published key"), Some("no issuer") of true for one audiences by false, dates [false, false, false], typ false
        issuer-without-host.jwt: Err("the signature does not match the published key"), Some("no issuer") of true for one audiences by false, dates [false, false, false], typ false
        key-brought-along.jwt: Err("no key mine in the issuer's key set"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        line-break-at-the-end.jwt: the token's signature is not base64url
        lone-surrogate.jwt: the token's payload is not a JSON object of the expected shape
        nested-too-deep.jwt: the token's payload is not a JSON object of the expected shape
        no-key-named.jwt: Err("no key (none named) in the issuer's key set"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        no-signature-alg-none.jwt: Err("signature algorithm none is not supported"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        not-utf-8-inside.jwt: the token's payload is not a JSON object of the expected shape
        not-utf-8.jwt: no text
        other-hash.jwt: Err("the signature does not match the published key"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        padded.jwt: the token's signature is not base64url
        signature-cut-off.jwt: the token's signature is not base64url
        two-parts.jwt: a token has three parts, this one has 2
        unknown-key.jwt: Err("no key another in the issuer's key set"), Some("an issuer") of true for one audiences by false, dates [true, true, true], typ false
        "#);
}

#[test]
fn key_sets_are_what_their_names_say() {
    insta::assert_snapshot!(seen("jwks"), @r#"
        a-list.json: invalid length 0, expected struct Jwks with 1 element at line 1 column 2
        among-others.json: many keys, RSA true, others true, Ok(())
        cut-off.json: EOF while parsing a string at line 1 column 200
        empty.json: EOF while parsing a value at line 1 column 0
        exponent-even.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        exponent-huge.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        exponent-one.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        genuine.json: one keys, RSA true, others false, Ok(())
        html-instead.json: expected value at line 1 column 1
        key-is-a-text.json: invalid type: string "RSA", expected an object at line 1 column 14
        keys-is-an-object.json: invalid type: map, expected a sequence at line 1 column 8
        keys-is-null.json: invalid type: null, expected a sequence at line 1 column 12
        keys-twice.json: duplicate field `keys` at line 1 column 17
        modulus-empty.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        modulus-missing.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        modulus-too-small.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        modulus-with-a-leading-zero.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        modulus-with-padding.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        modulus-zero.json: one keys, RSA true, others false, Err("the signature does not match the published key")
        no-keys.json: no keys, RSA false, others false, Err("no key fixture-key in the issuer's key set")
        not-utf-8.json: invalid unicode code point at line 1 column 18
        private-key-published.json: one keys, RSA true, others false, Ok(())
        same-id-twice-wrong-first.json: two keys, RSA true, others false, Err("the signature does not match the published key")
        type-elliptic.json: one keys, RSA false, others true, Err("no key fixture-key in the issuer's key set")
        type-in-lower-case.json: one keys, RSA false, others true, Err("no key fixture-key in the issuer's key set")
        type-missing.json: missing field `kty` at line 1 column 416
        "#);
}

#[test]
fn policies_are_what_their_names_say() {
    insta::assert_snapshot!(seen("policy"), @r#"
        arns-of-odd-forms.json: Prohibited; V2012 ImplicitDeny -+ Allowed ++ ImplicitDeny -+ Allowed ++ ImplicitDeny -+ Allowed ++; Missing
        bucket.json: Prohibited; Prohibited; V2012 ImplicitDeny +-- +-+ ExplicitDeny +++ +++ ImplicitDeny +-- +-+ ExplicitDeny +++ +++ ImplicitDeny +-- --+ Allowed +++ -++
        byte-order-mark.json: Json; Json; Json
        condition-values-of-odd-forms.json: Prohibited; V2012 ImplicitDeny ++---- ImplicitDeny ++---- ImplicitDeny ++---- ImplicitDeny ++---- ImplicitDeny ++---- ImplicitDeny ++----; Missing
        conditions.json: Prohibited; V2012 ImplicitDeny +++-+- ImplicitDeny +++-+- ImplicitDeny +++-+- ImplicitDeny +++-+- ImplicitDeny +++-+- ImplicitDeny +++-+-; Missing
        cut-off.json: Json; Json; Json
        date-that-is-none.json: Prohibited; Legacy; Legacy
        identity-by-exception.json: Prohibited; V2012 Allowed ++ Allowed ++ Allowed ++ Allowed ++ Allowed ++ Allowed ++; Missing
        identity-with-variables.json: Prohibited; V2012 ImplicitDeny -- Allowed ++ ImplicitDeny -- Allowed ++ ImplicitDeny -- Allowed ++; Missing
        identity.json: Prohibited; V2012 ImplicitDeny -- Allowed ++ ImplicitDeny -- Allowed ++ ImplicitDeny -- Allowed ++; Missing
        many-stars.json: Prohibited; ActionVendor; Missing
        member-twice.json: Json; Json; Json
        member-unknown.json: Prohibited; UnknownField; UnknownField
        nested-too-deep.json: Json; Json; Json
        no-statement.json: EmptyStatement; EmptyStatement; EmptyStatement
        not-utf-8.json: no text
        null.json: Json; Json; Json
        operator-unknown.json: Prohibited; Syntax; Syntax
        sid-twice.json: Prohibited; DuplicateSid; Missing
        trust-of-many-principals.json: V2012 ImplicitDeny -- ImplicitDeny -- ImplicitDeny +- ImplicitDeny +- ImplicitDeny +- ImplicitDeny +-; Prohibited; Missing
        trust-with-deny.json: V2012 ImplicitDeny -+ ++- ImplicitDeny -- +-- Allowed ++ ++- ImplicitDeny +- +-- ImplicitDeny -+ ++- ImplicitDeny -- +--; Prohibited; Missing
        trust.json: V2012 ImplicitDeny -+++ ImplicitDeny --++ Allowed ++++ ImplicitDeny +-++ ImplicitDeny -+++ ImplicitDeny --++; Prohibited; Missing
        variable-left-open.json: Prohibited; V2012 ImplicitDeny -- ImplicitDeny +- ImplicitDeny -- ImplicitDeny +- ImplicitDeny -- ImplicitDeny +-; Missing
        version-of-the-future.json: Version; Version; Version
        "#);
}

#[test]
fn scenario_files_are_what_their_names_say() {
    insta::assert_snapshot!(seen("scenario"), @r#"
        alias-of-itself.yaml: at `change`: unknown member | at `change`: recursive references require weak recursion types | at `change`: recursive references require weak recursion types
        aliases-that-multiply.yaml: at `a`: unknown member ? | at `a`: unknown member | deep inside `f[5][4][2][0][5]`: budget breached
        anchor-unknown.yaml: alias references unknown anchor | alias references unknown anchor | alias references unknown anchor
        binary-tag.yaml: at `title`: !!binary scalar is not valid UTF-8 | at `title`: !!binary scalar is not valid UTF-8 | at `title`: !!binary scalar is not valid UTF-8
        byte-order-mark.yaml: a scenario | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        empty.yaml: unexpected end of input | unexpected end of input | at `apiVersion`: a text is expected here
        fault-no-provider.yaml: at `change`: unknown member | a fault, true false false | at `apiVersion`: a text is expected here
        fault-no-role.yaml: at `change`: unknown member | a fault, false false false | at `apiVersion`: a text is expected here
        fault-of-wrong-types.yaml: at `change`: unknown member | in `change.aws`: invalid length 0, expected struct AwsAccess | at `apiVersion`: a text is expected here
        fault-that-changes-nothing.yaml: at `change`: unknown member | at `change`: it changes nothing | at `apiVersion`: a text is expected here
        fault-that-removes-all.yaml: at `change`: unknown member | at `change`: missing field | at `apiVersion`: a text is expected here
        fault-with-a-list.yaml: at `change`: unknown member | at `change`: a mapping is expected | at `apiVersion`: a text is expected here
        fault-with-an-unknown-link.yaml: at `change`: unknown member | inside `expect.refused.link`: unknown value | at `apiVersion`: a text is expected here
        fault-wrong-audience.yaml: at `change`: unknown member | a fault, false false false | at `apiVersion`: a text is expected here
        fault-wrong-namespace.yaml: at `change`: unknown member | a fault, false false false | at `apiVersion`: a text is expected here
        key-that-is-a-list.yaml: expected string scalar | expected string scalar | expected string scalar
        member-twice.yaml: duplicate mapping key | duplicate mapping key | duplicate mapping key
        merge-key.yaml: at `base`: unknown member | at `base`: unknown member ? | at `apiVersion`: a text is expected here
        nested-too-deep.yaml: at `change`: unknown member | at `change`: recursion limit exceeded | at `change`: recursion limit exceeded
        not-utf-8.yaml: no text
        numbers-of-odd-forms.yaml: at `change`: unknown member | in `change.a`: non-finite float rejected by the configured | in `change.a`: non-finite float rejected by the configured
        pod-in-a-namespace.yaml: at `kind`: unknown value | at `apiVersion`: unknown member | in `metadata.namespace`: the run chooses the namespace
        pod-without-containers.yaml: at `kind`: unknown value | at `apiVersion`: unknown member | deep inside `spec.containers[0].name`: a text is expected here
        pod.yaml: at `kind`: unknown value | at `apiVersion`: unknown member | a pod
        scenario-of-a-later-version.yaml: at `apiVersion`:  | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-that-disagrees-with-its-pod.yaml: deep inside `metadata.labels.azure.workload.identity/use`: the scenario does not name Azure | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-that-leaves-its-folder.yaml: at `pod`: must be a path below the | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-with-a-mistyped-member.yaml: in `cluster.reigon`: unknown member ? | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-with-a-pod-in-access.yaml: in `access.pod`: the pod stands in a file | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-with-a-region-that-is-none.yaml: in `aws.region`: is no region | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-with-an-unknown-flavor.yaml: in `cluster.flavor`: unknown value | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario-with-wrong-types.yaml: at `apiVersion`: expected string scalar | at `apiVersion`: unknown member | at `apiVersion`: a text is expected here
        scenario-without-a-file.yaml: the file does not exist | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        scenario.yaml: a scenario | at `apiVersion`: unknown member | at `kind`: a v1 Pod is expected
        tab-as-indent.yaml: tabs disallowed within this context (block | at `cluster`: unknown member ? | tabs disallowed within this context (block
        two-documents.yaml: at `a`: unknown member ? | at `a`: unknown member | multiple YAML documents detected; use from_str_multiple
        "#);
}

#[test]
fn admission_reviews_are_what_their_names_say() {
    insta::assert_snapshot!(seen("admission"), @r#"
        containers-of-one-name.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/containers/0/env /spec/containers/0/volumeMounts /spec/containers/1/env /spec/containers/1/volumeMounts /spec/volumes
        cut-off.json: aws: Some(false) couldn't get version/kind; json parse error: unexpected end of JSON input | azure: Some(false) couldn't get version/kind; json parse error: unexpected end of JSON input
        empty.json: aws: Some(false) bad content | azure: Some(false) request body is empty
        kind-of-something-else.json: aws: patched /spec/volumes /spec/containers | azure: Some(false) no kind "TokenReview" is registered for version "admission.k8s.io/v1"
        names-with-slashes.json: aws: Some(true)  | azure: Some(false) serviceaccounts "a/b" not found
        nested-too-deep.json: aws: Some(false) couldn't get version/kind; json parse error: recursion limit exceeded at line 1 column 147 | azure: Some(false) couldn't get version/kind; json parse error: recursion limit exceeded at line 1 column 147
        not-utf-8.json: aws: Some(false) couldn't get version/kind; json parse error: invalid unicode code point at line 1 column 20 | azure: Some(false) couldn't get version/kind; json parse error: invalid unicode code point at line 1 column 20
        null.json: aws: Some(false) bad content | azure: Some(false) there is no content to decode
        object-missing.json: aws: Some(false) unexpected end of JSON input | azure: Some(false) there is no content to decode
        pod-of-an-unknown-account.json: aws: Some(true)  | azure: Some(false) serviceaccounts "stranger" not found
        pod-of-wrong-types.json: aws: Some(false) json: cannot unmarshal string into Go struct field PodSpec.spec.volumes of type []v1.Volume | azure: Some(false) json: cannot unmarshal string into Go struct field PodSpec.spec.volumes of type []v1.Volume
        pod-with-a-port-that-is-none.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/containers/0/env /spec/containers/0/volumeMounts /spec/initContainers /spec/volumes
        pod-with-a-proxy.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/containers/0/env /spec/containers/0/volumeMounts /spec/initContainers /spec/volumes
        pod-with-all-its-own.json: aws: patched /spec/containers /spec/initContainers | azure: patched /spec/initContainers/0/env /spec/initContainers/0/volumeMounts /spec/containers/0/env/3 /spec/containers/0/env/4 /spec/containers/0/env/5 /spec/containers/0/volumeMounts/1 /spec/volumes/2
        pod-with-annotations.json: aws: patched /spec/volumes /spec/containers | azure: Some(false) strconv.ParseInt: parsing "99999999999999999999": value out of range
        pod-with-nulls.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/containers/0/env /spec/containers/0/volumeMounts /spec/volumes
        pod-without-containers.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/volumes
        pod-without-spec.json: aws: Some(true)  | azure: Some(false) serviceaccounts "default" not found
        pod.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/containers/0/env /spec/containers/0/volumeMounts /spec/volumes
        request-is-a-list.json: aws: Some(false) json: cannot unmarshal array into Go struct field AdmissionReview.request of type v1beta1.AdmissionRequest | azure: Some(false) json: cannot unmarshal array into Go struct field AdmissionReview.request of type v1beta1.AdmissionRequest
        request-missing.json: aws: Some(false) bad content | azure: Some(false) there is no content to decode
        request-twice.json: aws: Some(false) unexpected end of JSON input | azure: Some(false) there is no content to decode
        uid-is-a-number.json: aws: Some(false) json: cannot unmarshal number into Go struct field AdmissionRequest.request.uid of type types.UID | azure: Some(false) json: cannot unmarshal number into Go struct field AdmissionRequest.request.uid of type types.UID
        version-beta.json: aws: patched /spec/volumes /spec/containers | azure: patched /spec/containers/0/env /spec/containers/0/volumeMounts /spec/volumes
        version-of-the-future.json: aws: patched /spec/volumes /spec/containers | azure: Some(false) no kind "AdmissionReview" is registered for version "admission.k8s.io/v9"
        yaml-instead.json: aws: Some(false) couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" } | azure: Some(false) couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }
        "#);
}
