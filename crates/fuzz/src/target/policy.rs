//! Policies: read as each kind, and asked a handful of requests.

use trust::policy::{
    Context, Decision, Document, Effect, Kind, Match, Outcome, PrincipalFacts, PrincipalMatch, PrincipalSet,
    PrincipalType, Request, Statement,
};

use super::{Broken, Seen, ensure};

pub(super) fn run(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok("no text".to_owned());
    };
    let mut seen = Vec::new();
    for kind in [Kind::Trust, Kind::Identity, Kind::Resource] {
        match Document::parse(text, kind) {
            Ok(document) => seen.push(decide(&document)?),
            Err(error) => {
                ensure(!error.aws_message().is_empty(), || format!("{error:?} has no sentence"))?;
                let fault = format!("{:?}", error.fault);
                seen.push(fault.split(['(', ' ']).next().unwrap_or_default().to_owned());
            }
        }
    }
    Ok(seen.join("; "))
}

fn decide(document: &Document) -> Seen {
    let account = "111122223333".to_owned();
    let provider = "arn:aws:iam::111122223333:oidc-provider/h.example/t/g/".to_owned();
    let callers = [
        PrincipalFacts::Anonymous,
        PrincipalFacts::WebIdentity { provider },
        PrincipalFacts::AssumedRole {
            role: "arn:aws:iam::111122223333:role/reader".to_owned(),
            session: "arn:aws:sts::111122223333:assumed-role/reader/pod".to_owned(),
            account,
        },
    ];
    let mut context = Context::new().with("aws:username", "ann").with("aws:SourceIp", "203.0.113.9");
    context.set("h.example/t/g/:sub", "system:serviceaccount:shop:reader");
    context.set("h.example/t/g/:aud", "sts.amazonaws.com");
    context.set("aws:CurrentTime", "2026-11-23T12:00:00Z");
    context.set_all("aws:TagKeys", ["a", "b*", ""]);
    let asked = [
        ("sts:AssumeRoleWithWebIdentity", "arn:aws:iam::111122223333:role/reader"),
        ("s3:GetObject", "arn:aws:s3:::b/ann"),
    ];
    let mut seen = format!("{:?}", document.version);
    for principal in &callers {
        for (action, resource) in asked {
            let request = Request { principal, action, resource, context: &context };
            seen += &format!(" {}", promises(document, &request)?);
        }
    }
    Ok(seen)
}

/// The outcome, after what must hold for it.
fn promises(document: &Document, request: &Request<'_>) -> Result<String, Broken> {
    let decision = document.evaluate(request);
    let mut backwards = document.clone();
    backwards.statements.reverse();
    let other = backwards.evaluate(request);
    ensure((decision.outcome, decision.grant) == (other.outcome, other.grant), || {
        format!("the order of statements decides: {:?} or {:?}", decision.outcome, other.outcome)
    })?;
    let denied = decision.statements.iter().any(|trace| trace.applies && trace.effect == Effect::Deny);
    ensure(denied == (decision.outcome == Outcome::ExplicitDeny), || format!("a denial does not win: {decision:?}"))?;
    let mut denying = document.clone();
    denying.statements.push(deny_all());
    ensure(denying.evaluate(request).outcome == Outcome::ExplicitDeny, || {
        "a denial of everything does not win".to_owned()
    })?;
    ensure(serde_json::to_string(&decision).is_ok(), || "the trace cannot be written down".to_owned())?;
    Ok(shape(&decision))
}

/// The outcome, and which parts of the first statements held.
fn shape(decision: &Decision) -> String {
    let flag = |holds: bool| if holds { '+' } else { '-' };
    let mut shape = format!("{:?}", decision.outcome);
    for trace in decision.statements.iter().take(3) {
        shape.push(' ');
        let parts = [trace.principal.as_ref(), Some(&trace.action), trace.resource.as_ref()];
        shape.extend(parts.into_iter().flatten().map(|check| flag(check.holds)));
        shape.extend(trace.conditions.iter().take(4).map(|condition| flag(condition.holds)));
    }
    shape
}

fn deny_all() -> Statement {
    let everyone = PrincipalSet { entries: vec![(PrincipalType::Aws, "*".to_owned())] };
    Statement {
        sid: None,
        effect: Effect::Deny,
        principal: Some(PrincipalMatch::Any(everyone)),
        action: Match::Any(vec!["*".to_owned()]),
        resource: None,
        conditions: Vec::new(),
    }
}
