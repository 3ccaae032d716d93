//! All that a person brought, parsed, and what it presents to a cloud. It judges nothing and sends nothing.

use jiff::Timestamp;
use scenario::Cloud;
use serde_json::Value;
use trust::policy::{Document, Kind};
use trust::{Audience, IssuerUrl, Jwks, Secret, Subject, UnverifiedToken};

use super::credential::{Assignment, Credential, Identity};
use super::files::{Files, shell_word, wrong};
use super::flags::Flags;
use super::issuer::Discovery;
use super::manifest::Object;
use super::pod;
use crate::exit::{Exit, Stop};

/// What was given. Everything may be absent.
#[derive(Debug)]
pub struct Material {
    /// The present.
    pub(crate) now: Timestamp,
    pub(crate) token: Option<Token>,
    pub(crate) trust: Option<Policy>,
    pub(crate) permission: Option<Policy>,
    /// Action and resource.
    pub(crate) tried: Option<(String, trust::Arn)>,
    pub(crate) credentials: Option<Vec<Credential>>,
    pub(crate) identity: Option<Identity>,
    pub(crate) assignments: Option<Vec<Assignment>>,
    pub(crate) pod: Option<Object>,
    pub(crate) account: Option<Object>,
    pub(crate) issuer: Option<IssuerUrl>,
    pub(crate) jwks: Option<Jwks>,
    /// What the issuer answered, if it was asked.
    pub(crate) discovery: Option<Discovery>,
}

/// A token, taken apart. The whole is kept for its signature alone.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) parts: UnverifiedToken,
    pub(crate) whole: Secret,
}

/// A policy document.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The file's name.
    pub(crate) name: String,
    pub(crate) document: Document,
    pub(crate) json: Value,
}

/// A value that is presented, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) value: String,
    pub(crate) source: String,
}

fn shown(value: impl Into<String>, source: &str) -> Shown {
    Shown { value: value.into(), source: source.to_owned() }
}

impl Material {
    /// Reads everything that the flags name.
    ///
    /// # Errors
    /// Exit 2 with file and place, 4 when nothing is named.
    pub fn read(flags: &Flags, files: &mut Files<'_>, now: Timestamp) -> Result<Self, Stop> {
        let material = Self {
            now,
            token: flags.token.as_deref().map(|file| Token::read(files, file)).transpose()?,
            trust: flags.trust_policy.as_deref().map(|file| Policy::read(files, file, Kind::Trust)).transpose()?,
            permission: flags.policy.as_deref().map(|file| Policy::read(files, file, Kind::Identity)).transpose()?,
            tried: flags.action.clone().zip(flags.resource.clone()),
            credentials: flags.federated_credential.as_deref().map(|file| Credential::read(files, file)).transpose()?,
            identity: flags.identity.as_deref().map(|file| Identity::read(files, file)).transpose()?,
            assignments: flags.role_assignment.as_deref().map(|file| Assignment::read(files, file)).transpose()?,
            pod: flags.pod.as_deref().map(|file| Object::read(files, file, "Pod")).transpose()?,
            account: flags
                .service_account
                .as_deref()
                .map(|file| Object::read(files, file, "ServiceAccount"))
                .transpose()?,
            issuer: flags.issuer.clone(),
            jwks: flags.jwks.as_deref().map(|file| keys(files, file)).transpose()?,
            discovery: None,
        };
        if material.is_empty() {
            return Err(Stop::new(
                Exit::NothingSelected,
                "nothing is given: name a token, a policy, a credential, a pod, a service account or an issuer, or --run ID; see --help",
            ));
        }
        Ok(material)
    }

    /// With the issuer's answer.
    #[must_use]
    pub fn with_discovery(mut self, discovery: Option<Discovery>) -> Self {
        self.discovery = discovery;
        self
    }

    fn is_empty(&self) -> bool {
        let policies = self.trust.is_some() || self.permission.is_some();
        let azure = self.credentials.is_some() || self.identity.is_some();
        let cluster = self.pod.is_some() || self.account.is_some();
        let issuer = self.issuer.is_some() || self.jwks.is_some();
        !(self.token.is_some() || policies || azure || cluster || issuer)
    }

    /// The clouds that it is about: those whose own objects are there, or else those that pod, service account or token name.
    pub(crate) fn clouds(&self) -> Vec<Cloud> {
        let own = [
            (Cloud::Aws, self.trust.is_some() || self.permission.is_some()),
            (Cloud::Azure, self.credentials.is_some() || self.identity.is_some()),
        ];
        let in_cluster = [Cloud::Aws, Cloud::Azure].map(|cloud| (cloud, pod::concerns(self, cloud)));
        let of_token =
            [Cloud::Aws, Cloud::Azure].map(|cloud| (cloud, self.token_audiences().contains(&audience(cloud))));
        let named = |these: [(Cloud, bool); 2]| -> Vec<Cloud> {
            these.into_iter().filter(|(_, named)| *named).map(|(cloud, _)| cloud).collect()
        };
        [own, in_cluster, of_token].map(named).into_iter().find(|clouds| !clouds.is_empty()).unwrap_or_default()
    }

    fn token_audiences(&self) -> Vec<&str> {
        self.token.as_ref().map(|token| token.parts.audiences()).unwrap_or_default()
    }

    /// The token, unless it is plainly the one for the other of two clouds.
    pub(crate) fn token_for(&self, cloud: Option<Cloud>) -> Option<&Token> {
        let token = self.token.as_ref()?;
        let clouds = self.clouds();
        let others = clouds.iter().filter(|other| Some(**other) != cloud);
        let is_others = others.map(|other| audience(*other)).any(|other| token.parts.audiences() == [other]);
        (!is_others).then_some(token)
    }

    /// `iss`, or the issuer that was named.
    pub(crate) fn issuer(&self) -> Option<Shown> {
        let of_token =
            self.token.as_ref().and_then(|token| token.parts.issuer()).map(|issuer| shown(issuer, "token, iss"));
        of_token.or_else(|| self.issuer.as_ref().map(|issuer| shown(issuer.as_str(), "--issuer")))
    }

    /// `sub`, or that of the service account.
    pub(crate) fn subject(&self) -> Option<Shown> {
        if let Some(token) = &self.token {
            return token.parts.subject().map(|subject| shown(subject, "token, sub"));
        }
        let of = |namespace: Option<&str>, name: &str, source: &str| {
            Some(shown(Subject::service_account(namespace?, name).as_str(), source))
        };
        let account = self.account.as_ref();
        let of_account = account.and_then(|account| of(account.namespace(), account.name()?, "service account"));
        of_account.or_else(|| {
            let pod = self.pod.as_ref()?;
            of(pod.namespace(), pod.service_account(), "pod")
        })
    }

    /// The audience that counts: `azp`, the only `aud`, or that of the token which the pod projects.
    pub(crate) fn audience(&self, cloud: Cloud) -> Option<Shown> {
        if let Some(token) = self.token_for(Some(cloud)) {
            let party = token.parts.authorized_party().filter(|_| cloud == Cloud::Aws);
            return match (party, &token.parts.audiences()[..]) {
                (Some(party), _) => Some(shown(party, "token, azp")),
                (None, [only]) => Some(shown(*only, "token, aud")),
                _ => None,
            };
        }
        let projection = pod::projection(self.pod.as_ref()?, cloud)?;
        Some(shown(projection.audience?, "pod, projected token"))
    }

    /// `NAME -n NAMESPACE` of the service account, as a command takes it.
    pub(crate) fn account_words(&self) -> String {
        let subject = self.subject();
        let of_subject = subject.as_ref().and_then(|subject| super::near::subject(&subject.value));
        let name = self.account.as_ref().and_then(Object::name).or(of_subject.map(|(_, name)| name));
        let name = name.or_else(|| self.pod.as_ref().map(Object::service_account));
        let namespace =
            self.account.as_ref().and_then(Object::namespace).or(of_subject.map(|(namespace, _)| namespace));
        let namespace = namespace.or_else(|| self.pod.as_ref().and_then(Object::namespace));
        format!("{} -n {}", shell_word(name.unwrap_or("NAME")), shell_word(namespace.unwrap_or("NAMESPACE")))
    }
}

/// The audience that a cloud's tokens usually have.
pub(crate) fn audience(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => Audience::AWS_STS,
        Cloud::Azure => Audience::AZURE_TOKEN_EXCHANGE,
    }
}

impl Token {
    fn read(files: &mut Files<'_>, file: &std::path::Path) -> Result<Self, Stop> {
        let text = files.read(file)?;
        let whole = text.text.trim();
        let parts = UnverifiedToken::decode(whole).map_err(|error| wrong(&text.name, error))?;
        Ok(Self { parts, whole: Secret::new(whole) })
    }

    #[cfg(test)]
    pub(crate) fn of(whole: &str) -> Self {
        Self { parts: UnverifiedToken::decode(whole).expect("must be a token"), whole: Secret::new(whole) }
    }
}

impl Policy {
    fn read(files: &mut Files<'_>, file: &std::path::Path, kind: Kind) -> Result<Self, Stop> {
        let (source, value) = files.json(file)?;
        // What the AWS CLI prints holds the document somewhere inside.
        let pointers = ["/Role/AssumeRolePolicyDocument", "/PolicyVersion/Document", "/PolicyDocument"];
        let inside = pointers.iter().find_map(|pointer| value.pointer(pointer)).cloned();
        let (text, json) = match inside {
            Some(document) => (document.to_string(), document),
            None => (source.text, value),
        };
        let name = source.name;
        let document = Document::parse(&text, kind)
            .map_err(|error| wrong(&name, format!("{error}; AWS would refuse the policy: {}", error.aws_message())))?;
        Ok(Self { name, document, json })
    }
}

fn keys(files: &mut Files<'_>, file: &std::path::Path) -> Result<Jwks, Stop> {
    let (text, value) = files.json(file)?;
    serde_json::from_value(value).map_err(|error| wrong(&text.name, format!("it is no key set: {error}")))
}
