//! What is explained of the material in `fixtures/explain`, and of what differs from it in one place.

mod credentials;
mod pods;
mod tokens;

use std::path::Path;

use clap::Parser;
use jiff::Timestamp;
use trust::LinkState;

use super::*;
use crate::cli::{Cli, Verb};

const ISSUER: &str = "https://westeurope.oic.prod-aks.azure.com/7f1c2d3e-0000-4000-8000-5a6b7c8d9e0f/0d1e2f3a-0000-4000-8000-1b2c3d4e5f60/";
const AWS: &str = "--token token-aws.jwt --jwks jwks.json --trust-policy trust-policy.json --pod pod-admitted.yaml --service-account service-account.yaml --policy permission-policy.json --action s3:GetObject --resource arn:aws:s3:::shop-invoices/a";
const AZURE: &str = "--token token-azure.jwt --jwks jwks.json --federated-credential federated-credential.json --pod pod-admitted.yaml --service-account service-account.yaml --identity identity.json --role-assignment role-assignments.json";

fn flags(words: &str) -> Flags {
    let cli = Cli::try_parse_from(["crossfed", "explain"].into_iter().chain(words.split_whitespace()));
    match cli.expect("the flags must be taken").verb {
        Verb::Explain(flags) => *flags,
        other => panic!("{other:?}"),
    }
}

/// One change to a file: its name, what stands there once or more, and what then stands there.
type Change<'a> = (&'a str, &'a str, &'a str);

/// The fixtures with changes, half an hour after the tokens were issued.
fn material(changes: &[Change<'_>], words: &str) -> Result<Material, Stop> {
    let folder = tempfile::tempdir().expect("a folder must be made");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain");
    for entry in std::fs::read_dir(fixtures).expect("the fixtures must be there") {
        let path = entry.expect("an entry must be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name must be UTF-8");
        let mut text = std::fs::read_to_string(&path).expect("a fixture must be read");
        for (_, from, to) in changes.iter().filter(|(file, ..)| *file == name) {
            assert!(text.contains(from), "`{from}` must stand in {name}");
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join(name), text).expect("a file must be written");
    }
    Material::read(&flags(words), &mut Files { folder: folder.path(), stdin: None }, now())
}

fn now() -> Timestamp {
    "2026-03-02T09:30:00Z".parse().expect("must be a moment")
}

fn given(changes: &[Change<'_>], words: &str) -> Explained {
    chain(&material(changes, words).expect("the material must be taken"))
}

/// A mark a link: `+` holds, `x` broken, `.` not reached, `?` not checked.
fn marks(access: &Access) -> String {
    let mark = |state| match state {
        LinkState::Holds => '+',
        LinkState::Broken => 'x',
        LinkState::NotReached => '.',
        LinkState::NotChecked => '?',
    };
    access.chain.links.iter().map(|evidence| mark(evidence.state)).collect()
}

/// Marks, hints and fixes of the only access.
fn told(explained: &Explained) -> (String, String) {
    let [access] = &explained.accesses[..] else { panic!("{:?}", explained.accesses) };
    let hints =
        access.hints.iter().map(|hint| format!("{}: {} [{}]", hint.link, hint.what, hint.fix.as_deref().unwrap_or("")));
    (marks(access), hints.collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn check(changes: &[Change<'_>], words: &str, expected: &str, parts: &[&str]) {
    let explained = given(changes, words);
    let (marks, hints) = told(&explained);
    assert_eq!(marks, expected, "{changes:?} {words}\n{hints}");
    assert_eq!(explained.broken, expected.contains('x'));
    for part in parts {
        assert!(hints.contains(part), "`{part}` must be told by:\n{hints}");
    }
    if parts.is_empty() {
        assert_eq!(hints, "");
    }
}

#[test]
fn what_agrees_holds_and_what_no_file_says_is_not_checked() {
    check(&[], AWS, "+++?++++?+?", &[]);
    check(&[], AZURE, "+++?++++?+?", &[]);
    check(&[], "--token token-aws.jwt", "??+????????", &[]);
    check(&[], "--trust-policy trust-policy.json", "???????????", &[]);
    check(&[], "--pod pod-admitted.yaml --trust-policy trust-policy.json", "?++???++???", &[]);
    check(&[], "--service-account service-account.yaml --trust-policy trust-policy.json", "+??????+???", &[]);
    check(&[], &format!("--issuer {ISSUER} --trust-policy trust-policy.json"), "?????+?????", &[]);
    check(&[], "--identity identity.json", "???????????", &[]);
}

#[test]
fn material_for_both_clouds_gives_two_chains() {
    let both = given(&[], &format!("{AWS} --federated-credential federated-credential.json"));
    let all: Vec<String> = both.accesses.iter().map(|access| format!("{:?} {}", access.cloud, marks(access))).collect();
    // The token is that of AKS for AWS, the credential is for EKS: issuers differ, and the audience is not held against it.
    assert_eq!(all, ["Some(Aws) +++?++++?+?", "Some(Azure) ++??+x++.?."]);
}

#[test]
fn a_trust_policy_that_nearly_fits_gets_the_nearest_hint_and_a_policy_that_fits() {
    let trust = |from: &'static str, to: &'static str| vec![("trust-policy.json", from, to)];
    let subject = "system:serviceaccount:shop:reader";
    let both = "aws iam update-assume-role-policy --role-name shop-reader --policy-document '{";
    check(&trust("60/", "60"), AWS, "+++?+xxx.+.", &["differs by the slash at its end", both, "60/:sub"]);
    check(&trust("60/:sub", "60:sub"), AWS, "+++?+++x.+.", &["the condition's key differs by the slash", both]);
    check(
        &trust(subject, "system:serviceaccount:shop:Reader"),
        AWS,
        "+++?+++x.+.",
        &["upper and lower case", both, ":reader"],
    );
    check(
        &trust(subject, "system:serviceaccount:shop:*"),
        AWS,
        "+++?+++x.+.",
        &["use StringLike", "\"StringLike\":{", both],
    );
    check(
        &trust(subject, "system:serviceaccount:prod:reader"),
        AWS,
        "+++?+++x.+.",
        &["shop presented, prod required", both],
    );
    check(
        &trust(subject, "system:serviceaccount:shop:writer"),
        AWS,
        "+++?+++x.+.",
        &["reader presented, writer required", both],
    );
    check(&trust("AssumeRoleWithWebIdentity", "AssumeRole"), AWS, "+++?+++x.+.", &["pods with a token need", both]);
    check(&trust("\"StringEquals\"", "\"StringNotEquals\""), AWS, "+++?++xx.+.", &["audience"]);
    check(&trust("\"Allow\"", "\"Deny\""), AWS, "+++?+??x.+.", &["a Deny wins"]);
    let swapped = [
        ("trust-policy.json", "sts.amazonaws.com", "AUD"),
        ("trust-policy.json", subject, "sts.amazonaws.com"),
        ("trust-policy.json", "AUD", subject),
    ];
    check(&swapped, AWS, "+++?++xx.+.", &[":aud and :sub are swapped", both, ":sub\":\"system:"]);
    let account = [("trust-policy.json", "123456789012", "210987654321")];
    check(&account, AWS, "+++?+x++.+.", &["another account than the role", both]);
    let token = "--token token-azure.jwt --trust-policy trust-policy.json";
    check(
        &[],
        token,
        "??+??xxx.?.",
        &["the token for Azure", "kubectl create token reader -n shop --audience sts.amazonaws.com"],
    );
}

#[test]
fn the_fix_of_a_trust_policy_is_one_that_the_evaluator_takes() {
    let (_, hints) = told(&given(&[("trust-policy.json", "60/", "60")], AWS));
    let document = hints.split("--policy-document '").nth(1).and_then(|rest| rest.split('\'').next());
    let fixed = document.expect("a policy must be offered");
    let original =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain/trust-policy.json"));
    let original: Value = serde_json::from_str(&original.expect("must be read")).expect("must be JSON");
    assert_eq!(serde_json::from_str::<Value>(fixed).expect("must be JSON"), original);
}

#[test]
fn conditions_that_only_a_request_meets_are_named_and_not_judged() {
    let network = "\"StringEquals\": {";
    let with = "\"IpAddress\": {\"aws:SourceIp\": \"192.0.2.0/24\"}, \"StringEquals\": {";
    let explained = given(&[("trust-policy.json", network, with)], AWS);
    assert_eq!(marks(&explained.accesses[0]), "+++?++++?+?");
    let unchecked = &explained.accesses[0].unchecked;
    assert!(unchecked.iter().any(|one| one.why.contains("IpAddress on aws:SourceIp")), "{unchecked:?}");
    let conditional = [(
        "permission-policy.json",
        "\"Effect\"",
        "\"Condition\": {\"Bool\": {\"aws:SecureTransport\": \"true\"}}, \"Effect\"",
    )];
    check(&conditional, AWS, "+++?++++???", &[]);
}

#[test]
fn permission_policies_get_resources_and_actions_told_apart() {
    let policy = |from: &'static str, to: &'static str| vec![("permission-policy.json", from, to)];
    check(
        &policy("invoices/*", "invoices"),
        AWS,
        "+++?++++?x.",
        &["is the bucket alone", "put-role-policy --role-name shop-reader"],
    );
    check(&policy("invoices/*", "others/*"), AWS, "+++?++++?x.", &["the resource is another one", "shop-invoices/a"]);
    check(
        &policy("s3:GetObject", "s3:PutObject"),
        AWS,
        "+++?++++?x.",
        &["the policy lists s3:PutObject", "s3:GetObject"],
    );
    check(&policy("\"Allow\"", "\"Deny\""), AWS, "+++?++++?x.", &["a Deny wins"]);
    let list = AWS.replace("s3:GetObject", "s3:ListBucket").replace("invoices/a", "invoices");
    check(&policy("s3:GetObject", "s3:ListBucket"), &list, "+++?++++?x.", &["is the objects alone"]);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_file_and_place() {
    let check = |changes: &[Change<'_>], words: &str, exit: Exit, expected: &str| {
        let stop = material(changes, words).expect_err("must be refused");
        assert_eq!((stop.exit, stop.message.as_str()), (exit, expected));
    };
    let usage = |changes: &[Change<'_>], words: &str, expected: &str| check(changes, words, Exit::Usage, expected);
    usage(&[], "--token no.jwt", "no.jwt: the file does not exist");
    usage(&[], "--token pod.yaml", "pod.yaml: a token has three parts, this one has 5");
    usage(
        &[("trust-policy.json", "\"Effect\":", "Effect:")],
        "--trust-policy trust-policy.json",
        "trust-policy.json:5:7: it is no JSON: key must be a string",
    );
    usage(
        &[("trust-policy.json", "Principal", "Prinzipal")],
        "--trust-policy trust-policy.json",
        "trust-policy.json: unknown member `Prinzipal`; AWS would refuse the policy: Unknown field Prinzipal",
    );
    usage(
        &[("federated-credential.json", "issuer", "isuer")],
        "--federated-credential federated-credential.json",
        "federated-credential.json: federated credential 1: `issuer` is missing",
    );
    usage(&[], "--pod service-account.yaml", "service-account.yaml: a Pod is expected, and ServiceAccount is there");
    usage(
        &[("pod.yaml", "kind: Pod", "kind: [Pod")],
        "--pod pod.yaml",
        "pod.yaml:4:9: it is no YAML: illegal placement of ':' indicator",
    );
    usage(&[], "--token - --pod -", "`-` is given twice: standard input is read once");
    let nothing = "nothing is given: name a token, a policy, a credential, a pod, a service account or an issuer, or --run ID; see --help";
    check(&[], "", Exit::NothingSelected, nothing);
}

#[test]
fn what_the_aws_cli_prints_is_taken_as_the_document_inside() {
    let changes = [
        (
            "trust-policy.json",
            "{\n  \"Version\"",
            "{\"Role\": {\"RoleName\": \"r\", \"AssumeRolePolicyDocument\": {\n  \"Version\"",
        ),
        ("trust-policy.json", "\n}\n", "\n}}}"),
    ];
    check(&changes, AWS, "+++?++++?+?", &[]);
}

#[test]
fn examples_in_the_help_name_files_that_are_there() {
    let words = AFTER_HELP.split_whitespace().filter_map(|word| word.strip_prefix("fixtures/explain/"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain");
    let missing: Vec<&str> = words.clone().filter(|name| !folder.join(name).is_file()).collect();
    assert!(words.count() > 3 && missing.is_empty(), "{missing:?}");
}
