//! Identity, boundary, session and resource policies together.

use std::sync::Arc;

use super::*;

const ALLOW: &str = r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#;
const DENY: &str = r#"{"Statement":{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}}"#;
const OTHER: &str = r#"{"Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}"#;

#[derive(Clone, Copy, Default)]
struct Case<'a> {
    identity: Option<&'a str>,
    boundary: Option<&'a str>,
    session: Option<&'a str>,
    /// Effect and AWS principal of the bucket policy.
    bucket: Option<(&'a str, &'a str)>,
    cross_account: bool,
}

fn reason(case: Case<'_>) -> Reason {
    let documents =
        |text: Option<&str>| -> Vec<Arc<Document>> { text.map(|text| Arc::new(identity(text))).into_iter().collect() };
    let (held, boundary) = (documents(case.identity), case.boundary.map(identity));
    let narrowed = case.session.map(|text| documents(Some(text)));
    let on_bucket = case.bucket.map(|(effect, principal)| {
        bucket(&format!(
            r#"{{"Statement":{{"Effect":"{effect}","Principal":{{"AWS":"{principal}"}},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}}}"#
        ))
    });
    let policies = Policies {
        identity: &held,
        boundary: boundary.as_ref(),
        session: narrowed.as_deref(),
        resource: on_bucket.as_ref(),
        cross_account: case.cross_account,
    };
    let (principal, context) = (session(), Context::new());
    let request =
        Request { principal: &principal, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", context: &context };
    let ruling = combine(&policies, &request);
    assert_eq!(ruling.is_allowed(), matches!(ruling.reason, Reason::Allowed(_)));
    ruling.reason
}

#[test]
fn within_one_account() {
    let none = Case::default();
    let allowed = Case { identity: Some(ALLOW), ..none };
    let (yes, no, denied) = (Reason::Allowed, Reason::NotAllowed, Reason::ExplicitDeny);
    let check = |case: Case<'_>, expected: Reason| assert_eq!(reason(case), expected);
    check(none, no(Layer::Identity));
    check(allowed, yes(Layer::Identity));
    check(Case { identity: Some(DENY), ..none }, denied(Layer::Identity));
    check(Case { identity: Some(OTHER), ..none }, no(Layer::Identity));

    check(Case { boundary: Some(ALLOW), ..allowed }, yes(Layer::Identity));
    check(Case { boundary: Some(OTHER), ..allowed }, no(Layer::Boundary));
    check(Case { boundary: Some(DENY), ..allowed }, denied(Layer::Boundary));
    check(Case { boundary: Some(ALLOW), ..none }, no(Layer::Identity));

    check(Case { session: Some(ALLOW), ..allowed }, yes(Layer::Identity));
    check(Case { session: Some(OTHER), ..allowed }, no(Layer::Session));
    check(Case { session: Some(DENY), ..allowed }, denied(Layer::Session));
    check(Case { session: Some(ALLOW), ..none }, no(Layer::Identity));
}

#[test]
fn bucket_policies_grant_by_whom_they_name() {
    let none = Case::default();
    let (yes, no) = (Reason::Allowed, Reason::NotAllowed);
    let check = |case: Case<'_>, expected: Reason| assert_eq!(reason(case), expected);
    let named = |principal| Case { bucket: Some(("Allow", principal)), ..none };
    check(named(SESSION), yes(Layer::Resource));
    check(named("*"), yes(Layer::Resource));
    check(named(ROLE), yes(Layer::Resource));
    check(named(ACCOUNT), no(Layer::Identity));
    check(Case { identity: Some(ALLOW), ..named(ACCOUNT) }, yes(Layer::Identity));

    check(Case { boundary: Some(OTHER), ..named(SESSION) }, yes(Layer::Resource));
    check(Case { boundary: Some(OTHER), ..named(ROLE) }, no(Layer::Boundary));
    check(Case { session: Some(OTHER), ..named(SESSION) }, yes(Layer::Resource));
    check(Case { session: Some(OTHER), ..named(ROLE) }, no(Layer::Session));
    check(Case { boundary: Some(DENY), ..named(SESSION) }, Reason::ExplicitDeny(Layer::Boundary));

    let denied = Case { bucket: Some(("Deny", "*")), identity: Some(ALLOW), ..none };
    check(denied, Reason::ExplicitDeny(Layer::Resource));
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let none = Case { cross_account: true, ..Case::default() };
    let (yes, no) = (Reason::Allowed, Reason::NotAllowed);
    let check = |case: Case<'_>, expected: Reason| assert_eq!(reason(case), expected);
    check(Case { identity: Some(ALLOW), ..none }, no(Layer::Resource));
    let named = Case { bucket: Some(("Allow", SESSION)), ..none };
    check(named, no(Layer::Identity));
    check(Case { identity: Some(ALLOW), ..named }, yes(Layer::Identity));
    check(Case { identity: Some(ALLOW), bucket: Some(("Allow", ACCOUNT)), ..none }, yes(Layer::Identity));
    check(Case { identity: Some(ALLOW), session: Some(OTHER), ..named }, no(Layer::Session));
}

#[test]
fn the_root_user_needs_no_policy_of_its_own() {
    let root = PrincipalFacts::Root { account: ACCOUNT.to_owned() };
    let check = |resource: Option<&str>, cross_account: bool, expected: Reason| {
        let on_bucket = resource.map(bucket);
        let policies =
            Policies { identity: &[], boundary: None, session: None, resource: on_bucket.as_ref(), cross_account };
        let context = Context::new();
        let request =
            Request { principal: &root, action: "s3:GetObject", resource: "arn:aws:s3:::b/k", context: &context };
        assert_eq!(combine(&policies, &request).reason, expected, "{resource:?}");
    };
    let statement = |effect: &str| {
        format!(
            r#"{{"Statement":{{"Effect":"{effect}","Principal":{{"AWS":"{ACCOUNT}"}},"Action":"*","Resource":"*"}}}}"#
        )
    };
    let (allow, deny) = (statement("Allow"), statement("Deny"));
    check(None, false, Reason::Allowed(Layer::Identity));
    check(Some(&deny), false, Reason::ExplicitDeny(Layer::Resource));
    check(None, true, Reason::NotAllowed(Layer::Resource));
    check(Some(&allow), true, Reason::Allowed(Layer::Identity));
}
