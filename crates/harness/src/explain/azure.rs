//! Links 6 to 8 in Azure: a federated credential against issuer, subject and audience. Everything is compared exactly.

use scenario::Cloud;
use trust::{Evidence, Link, LinkState};

use super::credential::Credential;
use super::links::{Links, compared};
use super::material::{Material, Shown, audience};
use super::near;

/// Explains the nearest of the credentials.
pub(crate) fn explain(material: &Material, links: &mut Links) {
    let Some(credentials) = &material.credentials else {
        for link in [Link::IssuerTrusted, Link::AudienceAccepted, Link::SubjectAccepted] {
            links.unchecked(link, "needs --federated-credential FILE");
        }
        return;
    };
    let (issuer, subject) = (material.issuer(), material.subject());
    let presented = material.audience(Cloud::Azure);
    let agrees = |shown: &Option<Shown>, required: &str| shown.as_ref().is_some_and(|shown| shown.value == required);
    // What nearly agrees is nearer than what does not at all.
    let nearly = |shown: &Option<Shown>, required: &str| {
        shown.as_ref().is_some_and(|shown| near::miss(&shown.value, required).is_some())
    };
    let score = |credential: &&Credential| {
        let required = credential.subject.as_deref().unwrap_or_default();
        let audience = credential.audiences.iter().any(|one| agrees(&presented, one));
        let exact = usize::from(agrees(&issuer, &credential.issuer)) + usize::from(agrees(&subject, required));
        let close = nearly(&issuer, &credential.issuer) || nearly(&subject, required);
        4 * exact + 2 * usize::from(audience) + usize::from(close)
    };
    // Of equals the first.
    let Some(nearest) = credentials.iter().rev().max_by_key(score) else {
        let evidence =
            compared(Link::IssuerTrusted, false, "no federated credential", "one for this issuer and subject");
        links.found(evidence.source("federated credentials").note("there is no federated credential"));
        return;
    };
    let credential =
        Compared { material, credential: nearest, fix: fix(nearest, &issuer, &subject, presented.as_ref()) };
    credential.check(
        Link::IssuerTrusted,
        "the issuer",
        issuer.as_ref(),
        &nearest.issuer,
        "needs --token or --issuer",
        links,
    );
    match &nearest.subject {
        Some(required) => {
            let why = "needs --token, or --service-account with its namespace";
            credential.check(Link::SubjectAccepted, "the subject", subject.as_ref(), required, why, links);
        }
        None => links.unchecked(
            Link::SubjectAccepted,
            "the credential has an expression in place of a subject, which is not evaluated here",
        ),
    }
    credential.audience(presented.as_ref(), links);
}

/// The command that gives the credential what is presented; the audience only where it is not the usual one that it asks for.
fn fix(credential: &Credential, issuer: &Option<Shown>, subject: &Option<Shown>, presented: Option<&Shown>) -> String {
    let value = |shown: &Option<Shown>, otherwise: &str| {
        shown.as_ref().map_or_else(|| otherwise.to_owned(), |shown| shown.value.clone())
    };
    let usual = credential.audiences.iter().any(|one| one == audience(Cloud::Azure));
    let audience = match presented {
        Some(shown) if !usual && shown.value != audience(Cloud::Aws) => shown.value.clone(),
        _ => audience(Cloud::Azure).to_owned(),
    };
    credential.update(
        &value(issuer, &credential.issuer),
        &value(subject, credential.subject.as_deref().unwrap_or("SUBJECT")),
        &audience,
    )
}

struct Compared<'a> {
    material: &'a Material,
    credential: &'a Credential,
    fix: String,
}

impl Compared<'_> {
    fn check(&self, link: Link, what: &str, shown: Option<&Shown>, required: &str, why: &str, links: &mut Links) {
        let Some(shown) = shown else {
            return links.unchecked(link, why);
        };
        let source = format!("{} and {}", shown.source, self.credential.title());
        if shown.value == required {
            links.found(Evidence::new(link, LinkState::Holds).presented(&shown.value).source(source));
            return;
        }
        let evidence = compared(link, false, &shown.value, required).source(source);
        links.found(evidence.note(format!("{what} is not the credential's")));
        let hint = near::sentence(what, &shown.value, required);
        let swapped = self
            .credential
            .audiences
            .contains(&shown.value)
            .then(|| format!("{what} stands in the credential's audiences"));
        links.hint(link, swapped.or(hint).unwrap_or_else(|| format!("{what} is another one")), Some(self.fix.clone()));
    }

    fn audience(&self, shown: Option<&Shown>, links: &mut Links) {
        let link = Link::AudienceAccepted;
        let required = self.credential.audiences.join(", ");
        let several = self.material.token_for(Some(Cloud::Azure)).map_or(0, |token| token.parts.audiences().len()) > 1;
        let Some(shown) = shown else {
            let why = if several { "the token has several audiences" } else { "needs --token, or --pod as admitted" };
            return links.unchecked(link, why);
        };
        let source = format!("{} and {}", shown.source, self.credential.title());
        if self.credential.audiences.contains(&shown.value) {
            links.found(Evidence::new(link, LinkState::Holds).presented(&shown.value).source(source));
            return;
        }
        let evidence = compared(link, false, &shown.value, &required).source(source);
        links.found(evidence.note("the audience is not the credential's"));
        if self.credential.audiences.iter().any(|one| one == audience(Cloud::Azure)) {
            let what = super::audience::misused(&shown.value, self.material.issuer().as_ref());
            links.hint(link, what, Some(super::audience::fresh(self.material, Cloud::Azure)));
        } else {
            let what = near::sentence("the audience", &shown.value, &required);
            let what = what.unwrap_or_else(|| "the credential asks for an unusual audience".to_owned());
            links.hint(link, what, Some(self.fix.clone()));
        }
    }
}
