//! Claims about reading, deciding and combining.

mod combining;
mod conditions;
mod operators;
mod reading;
mod statements;

use super::*;

const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/h.example/t/g/";
const ROLE: &str = "arn:aws:iam::111122223333:role/reader";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/reader/pod";
const USER: &str = "arn:aws:iam::111122223333:user/ann";
const ACCOUNT: &str = "111122223333";

fn web_identity() -> PrincipalFacts {
    PrincipalFacts::WebIdentity { provider: PROVIDER.to_owned() }
}

fn session() -> PrincipalFacts {
    PrincipalFacts::AssumedRole { role: ROLE.to_owned(), session: SESSION.to_owned(), account: ACCOUNT.to_owned() }
}

fn user() -> PrincipalFacts {
    PrincipalFacts::User { arn: USER.to_owned(), account: ACCOUNT.to_owned() }
}

fn identity(text: &str) -> Document {
    Document::parse(text, Kind::Identity).expect("identity policy must parse")
}

fn bucket(text: &str) -> Document {
    Document::parse(text, Kind::Resource).expect("resource policy must parse")
}
