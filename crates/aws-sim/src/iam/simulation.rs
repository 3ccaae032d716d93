//! What policies would say to a request that nobody makes: `SimulateCustomPolicy` and `SimulatePrincipalPolicy`.
//!
//! Only the context that is given counts, as in the real simulator. The positions of matched statements in their policy's text
//! are left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use trust::policy::{Context, Document, Kind, Policies, PrincipalFacts, Reason, Request, Ruling, combine};

use crate::account::Account;
use crate::error::ApiError;
use crate::managed;
use crate::query::{Answer, Parameters, Text, Validator, Xml};

use super::Call;
use super::documents::DOCUMENT;
use super::paging::Window;

const ACTION: Text = Text::of(3, 128);
const ARN: Text = Text::of(1, 2048);
/// More pairs of action and resource than a request of some size needs.
const MAX_PAIRS: usize = 10_000;

/// A policy and the name under which an answer refers to it.
struct Source {
    id: String,
    document: Arc<Document>,
}

/// What is asked, and the policies that are asked.
struct Simulation {
    identity: Vec<Source>,
    boundary: Option<Arc<Document>>,
    resource: Option<Document>,
    principal: PrincipalFacts,
    context: Context,
}

/// Policies that come with the request.
pub(super) fn custom(call: &Call<'_>) -> Result<Answer, ApiError> {
    let asked = Asked::read(call.parameters)?;
    call.authorize("*")?;
    let identity = given(call.parameters, "PolicyInputList")?;
    if identity.is_empty() {
        return Err(ApiError::validation(
            "1 validation error detected: Value at 'policyInputList' failed to satisfy constraint: Member must not be null",
        ));
    }
    let principal = asked.caller(
        call,
        PrincipalFacts::User { arn: call.arn("user/simulated"), account: call.caller.account.to_string() },
    )?;
    let boundary = boundary(call.parameters)?;
    asked.answer(call, Simulation::new(identity, boundary, principal))
}

/// Policies of a user or role, and those that come with the request.
pub(super) fn principal(call: &Call<'_>) -> Result<Answer, ApiError> {
    let asked = Asked::read(call.parameters)?;
    let mut check = Validator::new(call.parameters);
    let arn = check.required("PolicySourceArn", Text::of(20, 2048));
    check.finish()?;
    call.authorize(arn)?;
    let mut simulation = call.read(|account| held(account, arn))?;
    simulation.identity.extend(given(call.parameters, "PolicyInputList")?);
    simulation.principal = asked.caller(call, simulation.principal)?;
    simulation.boundary = boundary(call.parameters)?.or(simulation.boundary);
    asked.answer(call, simulation)
}

/// The policies that a user or role of `account` holds, its boundary, and itself.
fn held(account: &Account, arn: &str) -> Result<Simulation, ApiError> {
    let prefix = format!("arn:aws:iam::{}:", account.id);
    let resource = arn.strip_prefix(&prefix).unwrap_or_default();
    let name = resource.rsplit('/').next().unwrap_or_default();
    let managed = |arns: &BTreeSet<String>| -> Vec<Source> {
        let named =
            arns.iter().filter_map(|arn| Some((managed::name(account, arn)?, managed::document(account, arn)?)));
        named.map(|(id, document)| Source { id: id.to_owned(), document }).collect()
    };
    match resource.split_once('/') {
        Some(("user", _)) => {
            let user = account
                .users
                .get(name)
                .ok_or_else(|| ApiError::no_such_entity(format!("The user with name {name} cannot be found.")))?;
            let principal = PrincipalFacts::User { arn: arn.to_owned(), account: account.id.to_string() };
            Ok(Simulation::new(managed(&user.attached), None, principal))
        }
        Some(("role", _)) => {
            let role = account.role(name).filter(|role| role.arn == arn);
            let role = role.ok_or_else(|| super::roles::absent(name))?;
            let mut sources = managed(&role.attached);
            sources.extend(
                role.inline.iter().map(|(id, policy)| Source { id: id.clone(), document: policy.document.clone() }),
            );
            let boundary = role.boundary.as_deref();
            let boundary = boundary.map(|arn| managed::document(account, arn).unwrap_or_default());
            let principal = PrincipalFacts::AssumedRole {
                role: arn.to_owned(),
                session: arn.to_owned(),
                account: account.id.to_string(),
            };
            Ok(Simulation::new(sources, boundary, principal))
        }
        _ => Err(ApiError::invalid_input(format!(
            "Invalid Entity Arn: {arn} does not clearly define entity type and name."
        ))),
    }
}

fn parse(text: &str, kind: Kind) -> Result<Document, ApiError> {
    Document::parse(text, kind).map_err(|error| ApiError::invalid_input(error.aws_message()))
}

fn given(parameters: &Parameters, list: &str) -> Result<Vec<Source>, ApiError> {
    let mut check = Validator::new(parameters);
    let texts = check.list(list, DOCUMENT);
    check.finish()?;
    let parsed = (1..).zip(texts).map(|(number, text)| {
        Ok(Source { id: format!("{list}.{number}"), document: Arc::new(parse(text, Kind::Identity)?) })
    });
    parsed.collect()
}

fn boundary(parameters: &Parameters) -> Result<Option<Arc<Document>>, ApiError> {
    let given = given(parameters, "PermissionsBoundaryPolicyInputList")?;
    Ok(given.into_iter().next().map(|source| source.document))
}

/// The parameters that both actions have.
struct Asked<'a> {
    actions: Vec<&'a str>,
    resources: Vec<&'a str>,
    policy: Option<&'a str>,
    caller: Option<&'a str>,
    window: Window,
}

impl<'a> Asked<'a> {
    fn read(parameters: &'a Parameters) -> Result<Asked<'a>, ApiError> {
        let window = Window::of(parameters)?;
        let mut check = Validator::new(parameters);
        let actions = check.list("ActionNames", ACTION);
        let mut resources = check.list("ResourceArns", ARN);
        let policy = check.optional("ResourcePolicy", DOCUMENT);
        let caller = check.optional("CallerArn", ARN);
        check.finish()?;
        if actions.is_empty() {
            return Err(ApiError::validation(
                "1 validation error detected: Value at 'actionNames' failed to satisfy constraint: Member must not be null",
            ));
        }
        if let Some(action) = actions.iter().find(|action| !action.contains(':')) {
            return Err(ApiError::invalid_input(format!("Invalid Action: {action}")));
        }
        if resources.is_empty() {
            resources.push("*");
        }
        if actions.len() * resources.len() > MAX_PAIRS {
            return Err(ApiError::invalid_input("Too many actions and resources in one request"));
        }
        Ok(Asked { actions, resources, policy, caller, window })
    }

    /// Who would make the request: `CallerArn`, which must be a user (IAM API reference), or else `otherwise`.
    fn caller(&self, call: &Call<'_>, otherwise: PrincipalFacts) -> Result<PrincipalFacts, ApiError> {
        match self.caller {
            None => Ok(otherwise),
            Some(arn) if arn.starts_with("arn:aws:iam::") && arn.contains(":user/") => {
                let account = arn.split(':').nth(4).unwrap_or(call.caller.account.as_str());
                Ok(PrincipalFacts::User { arn: arn.to_owned(), account: account.to_owned() })
            }
            Some(arn) => Err(ApiError::invalid_input(format!("Invalid Entity Arn: {arn} is not a user."))),
        }
    }

    fn answer(&self, call: &Call<'_>, mut simulation: Simulation) -> Result<Answer, ApiError> {
        simulation.context = context(call.parameters);
        simulation.resource = self.policy.map(|text| parse(text, Kind::Resource)).transpose()?;
        let missing = simulation.missing();
        let pairs =
            self.actions.iter().flat_map(|action| self.resources.iter().map(move |resource| (action, resource)));
        // Markers hide a name, so that each pair has one, in the order of the request.
        let numbered = (0_usize..).zip(pairs).map(|(number, pair)| (format!("{number:06}"), pair));
        let page = self.window.cut(numbered, |(name, _)| name);
        Ok(Answer::of(|xml| {
            xml.members("EvaluationResults", &page.items, |xml, (_, (action, resource))| {
                simulation.write(xml, action, resource, &missing);
            });
            page.write_end(xml);
        }))
    }
}

/// `ContextEntries.member.N`.
fn context(parameters: &Parameters) -> Context {
    let mut context = Context::new();
    for (number, name) in parameters.fields("ContextEntries", "ContextKeyName") {
        let values = parameters.list(&format!("ContextEntries.member.{number}.ContextKeyValues"));
        context.set_all(name, values.unwrap_or_default());
    }
    context
}

impl Simulation {
    fn new(identity: Vec<Source>, boundary: Option<Arc<Document>>, principal: PrincipalFacts) -> Simulation {
        Simulation { identity, boundary, resource: None, principal, context: Context::new() }
    }

    fn documents(&self) -> impl Iterator<Item = &Document> {
        let own = self.identity.iter().map(|source| &*source.document);
        own.chain(self.boundary.as_deref()).chain(self.resource.as_ref())
    }

    /// The condition keys that the policies ask for and the request does not give.
    fn missing(&self) -> BTreeSet<&str> {
        let conditions = self.documents().flat_map(|document| &document.statements).flat_map(|one| &one.conditions);
        conditions.map(|condition| condition.key.as_str()).filter(|key| self.context.get(key).is_none()).collect()
    }

    fn write(&self, xml: &mut Xml, action: &str, resource: &str, missing: &BTreeSet<&str>) {
        let identity: Vec<Arc<Document>> = self.identity.iter().map(|source| source.document.clone()).collect();
        let policies = Policies {
            identity: &identity,
            boundary: self.boundary.as_deref(),
            session: None,
            resource: self.resource.as_ref(),
            cross_account: false,
        };
        let request = Request { principal: &self.principal, action, resource, context: &self.context };
        let ruling = combine(&policies, &request);
        xml.text("EvalActionName", action);
        xml.text("EvalResourceName", resource);
        let decision = match ruling.reason {
            Reason::Allowed(_) => "allowed",
            Reason::ExplicitDeny(_) => "explicitDeny",
            Reason::NotAllowed(_) => "implicitDeny",
        };
        xml.text("EvalDecision", decision);
        let denied = matches!(ruling.reason, Reason::ExplicitDeny(_));
        xml.members("MatchedStatements", self.matched(&ruling, denied), |xml, source| {
            xml.text("SourcePolicyId", source);
            xml.text("SourcePolicyType", "IAM Policy");
        });
        xml.texts("MissingContextValues", missing.iter().copied());
        if let Some(boundary) = &self.boundary {
            let allowed = boundary.evaluate(&request).outcome == trust::policy::Outcome::Allowed;
            xml.element("PermissionsBoundaryDecisionDetail", |xml| {
                xml.boolean("AllowedByPermissionsBoundary", allowed);
            });
        }
    }

    /// The policy of every statement that decided; only those that deny where one does.
    fn matched<'a>(&'a self, ruling: &'a Ruling, denied: bool) -> Vec<&'a str> {
        let names = self.identity.iter().map(|source| source.id.as_str());
        let names = names.chain(self.resource.iter().map(|_| "ResourcePolicy"));
        let effect = if denied { trust::policy::Effect::Deny } else { trust::policy::Effect::Allow };
        // The decisions come in the order of the policies: identity, resource, then what only narrows.
        names
            .zip(&ruling.decisions)
            .flat_map(|(name, (_, decision))| {
                let deciding = decision.statements.iter().filter(|one| one.applies && one.effect == effect);
                deciding.map(move |_| name)
            })
            .collect()
    }
}
