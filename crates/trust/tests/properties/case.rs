//! Made-up documents and requests. The words are few, so that statements often apply, and some are hostile.

use trust::policy::{Context, Document, Kind, PrincipalFacts, Request};

use super::random::Random;

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/reader";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/reader/pod";
const USER: &str = "arn:aws:iam::111122223333:user/ann";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/h.example/t/g/";

const ACTIONS: &[&str] =
    &["s3:GetObject", "S3:getobject", "s3:Get*", "s3:?etObject", "s3:*", "*", "s3:PutObject", "iam:Get*"];
const STS_ACTIONS: &[&str] = &["sts:AssumeRoleWithWebIdentity", "sts:assumerole*", "sts:*", "STS:TagSession"];
const ASKED: &[&str] = &["s3:GetObject", "s3:PutObject", "iam:GetRole", "sts:AssumeRoleWithWebIdentity", ""];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::*/k",
    "arn:aws:s3:::b/${aws:username}",
    "arn:aws:s3:::b/${aws:PrincipalTag/team, 'k'}",
    "arn:aws:s3:::b/${*}",
    "arn:aws:s3:::b/${missing}",
    "arn:aws:s3:::b/${",
    "arn:aws:s3:::${x,y}",
    "arn:aws:iam::111122223333:role/?eader",
];
const WANTED: &[&str] = &[
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::b/ann",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::c",
    ROLE,
    "*",
    "",
    "no arn",
    "a:b:c:d:e:f:g",
];
const PRINCIPALS: &[(&str, &str)] = &[
    ("AWS", "*"),
    ("AWS", ACCOUNT),
    ("AWS", "arn:aws:iam::111122223333:root"),
    ("AWS", "444455556666"),
    ("AWS", ROLE),
    ("AWS", SESSION),
    ("AWS", USER),
    ("Federated", PROVIDER),
    ("Service", "ec2.amazonaws.com"),
];
const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
];
const DATE_OPERATORS: &[&str] = &["DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThanEquals"];
const DATES: &[&str] = &["2026-11-23T12:00:00Z", "2026-11-23", "1970-01", "0", "-1", "253402207200"];
const KEYS: &[&str] = &["k", "K", "aws:username", "aws:PrincipalTag/team", "h.example/t/g/:sub", "missing", ""];
/// As required and as presented.
const VALUES: &[&str] = &[
    "a",
    "A",
    "ann",
    "a*",
    "*",
    "?",
    "**a**",
    "",
    "true",
    "7",
    "-0.5",
    "1e308",
    "nan",
    "0.0.0.0/0",
    "203.0.113.9",
    "203.0.113.0/33",
    "::/0",
    "::1",
    "YQ==",
    "${aws:username}",
    "${aws:username, 'x'}",
    "${missing, 'a'}",
    "${missing}",
    "${*}",
    "${?}a${$}",
    "${",
    "${}",
    "$}{",
    "ÄÖ\u{0}\u{1F980}",
    "arn:aws:iam::*:role/*",
    ROLE,
    "::::::",
];

/// A request that owns what it is about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) principal: PrincipalFacts,
    action: &'static str,
    resource: &'static str,
    pub(super) context: Context,
}

impl Asked {
    pub(super) fn random(random: &mut Random) -> Asked {
        let principal = match random.below(6) {
            0 => PrincipalFacts::Anonymous,
            1 => PrincipalFacts::Root { account: ACCOUNT.to_owned() },
            2 => PrincipalFacts::User { arn: USER.to_owned(), account: ACCOUNT.to_owned() },
            3 => PrincipalFacts::AssumedRole {
                role: ROLE.to_owned(),
                session: SESSION.to_owned(),
                account: ACCOUNT.to_owned(),
            },
            4 => PrincipalFacts::WebIdentity { provider: PROVIDER.to_owned() },
            _ => PrincipalFacts::Service { name: "ec2.amazonaws.com".to_owned() },
        };
        let mut context = Context::new();
        for key in random.some(KEYS, 0, 4) {
            context.set_all(key, random.some(VALUES, 0, 3));
        }
        if random.once_in(2) {
            context.set("aws:username", "ann");
        }
        Asked { principal, action: random.pick(ASKED), resource: random.pick(WANTED), context }
    }

    /// The same caller asks for an exchange.
    pub(super) fn for_sts(self) -> Asked {
        Asked { action: "sts:AssumeRoleWithWebIdentity", ..self }
    }

    pub(super) fn request(&self) -> Request<'_> {
        Request { principal: &self.principal, action: self.action, resource: self.resource, context: &self.context }
    }
}

pub(super) fn kind(random: &mut Random) -> Kind {
    random.pick(&[Kind::Trust, Kind::Identity, Kind::Resource])
}

/// A document of one to four statements.
pub(super) fn document(random: &mut Random, kind: Kind) -> Document {
    let statements: Vec<String> = (0..=random.below(4)).map(|_| statement(random, kind, None)).collect();
    let version = random.pick(&[r#""Version":"2012-10-17","#, r#""Version":"2008-10-17","#, ""]);
    parse(&format!(r#"{{{version}"Statement":[{}]}}"#, statements.join(",")), kind)
}

/// The document with one more statement of this effect, somewhere.
pub(super) fn with_another(document: &Document, random: &mut Random, kind: Kind, effect: &'static str) -> Document {
    let text = format!(r#"{{"Statement":{}}}"#, statement(random, kind, Some(effect)));
    let mut grown = document.clone();
    let place = random.below(grown.statements.len() + 1);
    grown.statements.splice(place..place, parse(&text, kind).statements);
    grown
}

/// A statement that denies everything to everyone.
pub(super) fn deny_all(kind: Kind) -> Document {
    let elements = match kind {
        Kind::Trust => r#""Principal":"*","Action":"sts:*""#,
        Kind::Identity => r#""Action":"*","Resource":"*""#,
        Kind::Resource => r#""Principal":"*","Action":"*","Resource":"*""#,
    };
    parse(&format!(r#"{{"Statement":{{"Effect":"Deny",{elements}}}}}"#), kind)
}

fn parse(text: &str, kind: Kind) -> Document {
    Document::parse(text, kind).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn statement(random: &mut Random, kind: Kind, effect: Option<&'static str>) -> String {
    let effect = effect.unwrap_or_else(|| random.pick(&["Allow", "Allow", "Deny"]));
    let mut members = vec![format!(r#""Effect":"{effect}""#)];
    if kind != Kind::Identity {
        // `NotPrincipal` is for denials, and not for trust policies.
        let negated = effect == "Deny" && kind == Kind::Resource && random.once_in(3);
        members.push(format!(r#""{}Principal":{}"#, if negated { "Not" } else { "" }, principals(random)));
    }
    let not = |random: &mut Random| if random.once_in(4) { "Not" } else { "" };
    let actions = random.some(if kind == Kind::Trust { STS_ACTIONS } else { ACTIONS }, 1, 3);
    members.push(format!(r#""{}Action":{actions:?}"#, not(random)));
    if kind != Kind::Trust {
        let resources = random.some(RESOURCES, 1, 3);
        members.push(format!(r#""{}Resource":{resources:?}"#, not(random)));
    }
    if random.once_in(2) {
        let (operator, key, values) = condition(random);
        members.push(format!(r#""Condition":{{"{operator}":{{"{key}":{}}}}}"#, json(&values)));
    }
    random.shuffle(&mut members);
    format!("{{{}}}", members.join(","))
}

fn principals(random: &mut Random) -> String {
    if random.once_in(4) {
        return r#""*""#.to_owned();
    }
    let (kind, _) = random.pick(PRINCIPALS);
    let of_kind: Vec<&str> = PRINCIPALS.iter().filter(|(name, _)| *name == kind).map(|(_, value)| *value).collect();
    format!(r#"{{"{kind}":{:?}}}"#, random.some(&of_kind, 1, 3))
}

/// Operator with or without quantifier and `IfExists`, key, required values.
fn condition(random: &mut Random) -> (String, &'static str, Vec<&'static str>) {
    let key = random.pick(KEYS);
    if random.once_in(12) {
        return ("Null".to_owned(), key, random.some(&["true", "false", "?"], 1, 2));
    }
    let (operator, values) = if random.once_in(6) {
        (random.pick(DATE_OPERATORS), random.some(DATES, 1, 2))
    } else {
        (random.pick(OPERATORS), random.some(VALUES, 0, 3))
    };
    let quantifier = random.pick(&["", "", "ForAllValues:", "ForAnyValue:"]);
    let if_exists = random.pick(&["", "", "IfExists"]);
    (format!("{quantifier}{operator}{if_exists}"), key, values)
}

pub(super) fn values(random: &mut Random) -> Vec<&'static str> {
    random.some(VALUES, 1, 3)
}

/// A pair of an operator and its negation.
pub(super) fn opposites(random: &mut Random) -> (&'static str, &'static str) {
    random.pick(&[
        ("StringEquals", "StringNotEquals"),
        ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        ("StringLike", "StringNotLike"),
        ("NumericEquals", "NumericNotEquals"),
        ("IpAddress", "NotIpAddress"),
        ("ArnLike", "ArnNotLike"),
        ("ArnEquals", "ArnNotEquals"),
    ])
}

/// A list of texts as JSON: Rust's `{:?}` writes other escapes.
pub(super) fn json(values: &[&str]) -> String {
    serde_json::to_string(values).expect("texts must be written")
}
