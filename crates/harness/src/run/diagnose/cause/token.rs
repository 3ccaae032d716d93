//! Links 3 and 7: the token itself and for whom it is made.

use scenario::Cloud;
use serde_json::Value;
use trust::{Audience, Cause, Denial};

use super::{Diagnosis, Sighting, because};

impl Sighting<'_> {
    /// The volume whose mount holds a path of the container that reads.
    pub(super) fn volume_of(&self, file: &str) -> Option<&Value> {
        let containers = self.pod.pointer("/spec/containers")?.as_array()?;
        let mounts = containers.iter().find(|one| one["name"] == self.container)?.get("volumeMounts")?.as_array()?;
        let holds =
            |path: &str| file.strip_prefix(path.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
        let mount = mounts.iter().find(|mount| mount["mountPath"].as_str().is_some_and(holds))?;
        self.pod.pointer("/spec/volumes")?.as_array()?.iter().find(|volume| volume["name"] == mount["name"])
    }

    fn token_variable(&self) -> &'static str {
        match self.cloud {
            Cloud::Aws => "AWS_WEB_IDENTITY_TOKEN_FILE",
            Cloud::Azure => "AZURE_FEDERATED_TOKEN_FILE",
        }
    }

    /// Whether the kubelet made the token.
    fn is_projected(&self) -> bool {
        let volume = self.env(self.token_variable()).and_then(|file| self.volume_of(file));
        volume.is_some_and(|volume| volume.get("projected").is_some())
    }

    /// Puts the kubelet's token in place of what lies there.
    pub(super) fn projected_instead(&self) -> String {
        let volume = self.env(self.token_variable()).and_then(|file| self.volume_of(file));
        let name = volume.and_then(|volume| volume["name"].as_str()).filter(|_| !self.is_projected());
        match name {
            Some(name) => format!(
                "take the volume {name} of the pod's own out of its template, and let the kubelet project the token"
            ),
            None => "make the pod anew, and let the kubelet project the token".to_owned(),
        }
    }
}

/// What is presented cannot be used, whoever it is for.
pub(super) fn unusable(seen: &Sighting<'_>, denial: &Denial) -> Option<Diagnosis> {
    let message = denial.message.as_deref().unwrap_or_default();
    let fix = seen.projected_instead();
    let Some(token) = seen.presented else {
        return because(Cause::TokenMalformed, fix);
    };
    let cause = match denial.code.as_str() {
        "AADSTS50027" => Cause::TokenMalformed,
        "AADSTS5002727" => Cause::TokenType,
        _ if message.contains("Missing a required claim") || token.iat.is_none() || token.exp.is_none() => {
            Cause::TokenClaimMissing
        }
        "AADSTS70023" => Cause::TokenLivesTooLong,
        // The same code for both ends of the lifetime: the token says which.
        "AADSTS700024" if token.exp.zip(moment(message)).is_some_and(|(exp, now)| now < exp) => Cause::TokenNotYetValid,
        "AADSTS700024" => Cause::TokenExpired,
        _ if message.contains("too old") => Cause::TokenTooOld,
        "ExpiredTokenException" => Cause::TokenExpired,
        _ => return None,
    };
    because(cause, fix)
}

/// The time that Entra ID says it is.
fn moment(message: &str) -> Option<i64> {
    let rest = message.split_once("Current time: ")?.1;
    rest.split([',', ' ']).next()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// The audience is not one that is taken: the token's fault, or that of what takes it.
pub(super) fn audience(seen: &Sighting<'_>) -> Option<Diagnosis> {
    let token = seen.presented?;
    let usual = match seen.cloud {
        Cloud::Aws => Audience::AWS_STS,
        Cloud::Azure => Audience::AZURE_TOKEN_EXCHANGE,
    };
    if seen.cloud == Cloud::Aws {
        if token.aud.len() > 1 && token.azp.is_none() {
            return because(Cause::TokenAudiencesSeveral, seen.projected_instead());
        }
        if token.azp.as_ref().is_some_and(|party| party != usual) {
            return because(Cause::TokenAuthorizedParty, seen.projected_instead());
        }
    }
    if token.aud.iter().any(|audience| audience == usual) {
        return match seen.cloud {
            Cloud::Aws => because(
                Cause::ProviderAudience,
                format!(
                    "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {} --client-id {usual}",
                    seen.provider_arn()
                ),
            ),
            Cloud::Azure => because(Cause::CredentialAudience, seen.update_credential()),
        };
    }
    if seen.reads_default_token() {
        return because(Cause::DefaultToken, default_token(seen));
    }
    let is_default = token.aud.iter().any(|one| one.starts_with("https://kubernetes.default.svc"));
    if !seen.is_projected() {
        let cause = if is_default { Cause::DefaultToken } else { Cause::TokenAudience };
        return because(cause, seen.projected_instead());
    }
    match seen.cloud {
        Cloud::Aws => because(Cause::TokenAudience, seen.annotate("eks.amazonaws.com/audience", usual)),
        Cloud::Azure => because(Cause::TokenAudience, seen.projected_instead()),
    }
}

fn default_token(seen: &Sighting<'_>) -> String {
    format!("{}: it names the token for the API server", seen.without_variable(seen.token_variable()))
}

impl Sighting<'_> {
    /// Whether the variable points at the token that every pod has.
    fn reads_default_token(&self) -> bool {
        self.env(self.token_variable()).is_some_and(|file| file.starts_with("/var/run/secrets/kubernetes.io/"))
    }

    /// The token is of an issuer that is not this cluster's.
    pub(super) fn foreign_issuer(&self) -> Option<Diagnosis> {
        let issuer = self.presented?.iss.as_deref()?;
        if self.issuers.iter().any(|known| known.as_str() == issuer) {
            return None;
        }
        let of_entra = ["https://login.microsoftonline.com/", "https://sts.windows.net/"];
        let is_entra = self.cloud == Cloud::Azure && of_entra.iter().any(|start| issuer.starts_with(start));
        let cause = if is_entra { Cause::TokenOfEntra } else { Cause::TokenOfAnotherIssuer };
        because(cause, self.projected_instead())
    }
}
