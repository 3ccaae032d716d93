//! What can be wrong with an access: the vocabulary of diagnoses. It must not know how any of it is found.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $name:ident = $slug:literal, $title:literal;)*) => {
        /// What is wrong with an access, one word for each thing that a person would mend in another way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Cause {
            $($(#[doc = $doc])* #[doc = $title] #[serde(rename = $slug)] $name,)*
        }

        impl Cause {
            /// All causes, in the order of the chain.
            pub const ALL: &[Cause] = &[$(Cause::$name),*];

            /// The name in files.
            pub fn slug(self) -> &'static str {
                match self { $(Cause::$name => $slug),* }
            }

            /// In running text.
            pub fn title(self) -> &'static str {
                match self { $(Cause::$name => $title),* }
            }
        }
    };
}

causes! {
    WebhookNotInstalled = "webhook-not-installed", "no webhook has changed the pod";
    AccountNotAnnotated = "account-not-annotated", "the service account asks for no role";
    PodNotLabelled = "pod-not-labelled", "the pod has no label that asks for an identity";
    PodLabelValue = "pod-label-value", "the pod's label has another value than true";
    LabelOnServiceAccount = "label-on-service-account", "the pod's label is on the service account";
    PodSkipped = "pod-skipped", "a label keeps the pod from the webhook";
    ContainerSkipped = "container-skipped", "an annotation keeps the container from the webhook";
    ServiceAccountMissing = "service-account-missing", "the pod's service account does not exist";
    VolumeNamedTwice = "volume-named-twice", "two volumes of the pod have one name";
    TokenVolumeTaken = "token-volume-taken", "the pod has a volume or mount of its own where the webhook's would be";
    TokenLifetime = "token-lifetime", "the token's lifetime is annotated with a value that the webhook does not take";
    ProxyOnHostNetwork = "proxy-on-host-network", "a proxy sidecar is asked for on the host's network";
    ProxyPort = "proxy-port", "the proxy sidecar's port is no port";
    VariablesInPod = "variables-in-pod", "the pod sets one of the webhook's variables itself, so the webhook leaves out the other";
    ClientIdMissing = "client-id-missing", "the service account names no client id";
    TenantMissing = "tenant-missing", "the tenant is annotated as empty";
    AuthorityWithoutTls = "authority-without-tls", "the authority's URL is no HTTPS";
    TokenFilePath = "token-file-path", "the token's path is set by hand, and nothing lies there";
    OldTokenPath = "old-token-path", "the token's path is that of webhook v1.5";
    TokenExpired = "token-expired", "the token has expired";
    TokenNotYetValid = "token-not-yet-valid", "the token is not valid yet";
    TokenTooOld = "token-too-old", "the token was issued over 24 hours ago";
    TokenLivesTooLong = "token-lives-too-long", "the token lives longer than is taken";
    TokenMalformed = "token-malformed", "what is presented is no token";
    TokenClaimMissing = "token-claim-missing", "the token lacks a claim";
    TokenType = "token-type", "the token's header names another type";
    IssuerSlow = "issuer-slow", "the issuer does not answer in time";
    IssuerRefuses = "issuer-refuses", "the issuer's documents are not public";
    IssuerNotPublished = "issuer-not-published", "the issuer's documents are not there";
    IssuerThrottles = "issuer-throttles", "the issuer answers too many requests";
    IssuerUnavailable = "issuer-unavailable", "the issuer fails";
    IssuerCertificate = "issuer-certificate", "the issuer's certificate is not publicly trusted";
    ProviderThumbprint = "provider-thumbprint", "the provider's thumbprint is not that of the issuer's certificate";
    DiscoveryNamesAnotherIssuer = "discovery-names-another-issuer", "the discovery document names another issuer";
    DiscoveryIncomplete = "discovery-incomplete", "the discovery document lacks a member";
    KeySetUnreachable = "key-set-unreachable", "the key set cannot be fetched";
    KeySetEmpty = "key-set-empty", "the key set holds no key";
    KeySetTooLarge = "key-set-too-large", "the key set holds more keys than are taken";
    KeyNotPublished = "key-not-published", "the cluster's key is not in the published key set";
    TokenKeyGone = "token-key-gone", "the token is signed with a key that the cluster does not have";
    TokenNamesNoKey = "token-names-no-key", "the token names no key";
    SignatureInvalid = "signature-invalid", "the token's signature is not its issuer's";
    TokenOfAnotherIssuer = "token-of-another-issuer", "the token is of another issuer than this cluster";
    TokenOfEntra = "token-of-entra", "the token was issued by Entra ID";
    ProviderMissing = "provider-missing", "the account has no OIDC provider for the issuer";
    ProviderSlash = "provider-slash", "the provider differs from the issuer by the slash at its end";
    RoleInAnotherAccount = "role-in-another-account", "the role's ARN names another account";
    RoleInAnotherPartition = "role-in-another-partition", "the role's ARN names another partition";
    CredentialMissing = "credential-missing", "the identity has no federated credential";
    CredentialIssuer = "credential-issuer", "the federated credential is for another issuer";
    CredentialIssuerSlash = "credential-issuer-slash", "the federated credential differs from the issuer by the slash at its end";
    TokenAudience = "token-audience", "the token is made for another audience";
    DefaultToken = "default-token", "the token is the pod's own for the API server";
    TokenAudiencesSeveral = "token-audiences-several", "the token has several audiences";
    TokenAuthorizedParty = "token-authorized-party", "the token's azp names another party";
    ProviderAudience = "provider-audience", "the provider does not list the audience";
    CredentialAudience = "credential-audience", "the federated credential is for another audience";
    RoleMissing = "role-missing", "there is no role of that name";
    TrustPolicyAction = "trust-policy-action", "the trust policy allows another action";
    TrustPolicyAudience = "trust-policy-audience", "the trust policy asks for another audience";
    TrustPolicyKey = "trust-policy-key", "a condition of the trust policy has a key that the token does not have";
    TrustPolicyKeySlash = "trust-policy-key-slash", "a condition's key differs from the issuer by the slash at its end";
    TrustPolicyProvider = "trust-policy-provider", "the trust policy names another provider";
    TrustPolicyProviderSlash = "trust-policy-provider-slash", "the trusted provider differs from the issuer by the slash at its end";
    TrustPolicyDenies = "trust-policy-denies", "a statement of the trust policy denies";
    ClaimsSwapped = "claims-swapped", ":aud and :sub are swapped";
    WildcardIsPlain = "wildcard-is-plain", "a wildcard stands where it is a plain character";
    SubjectCase = "subject-case", "the subject differs in upper and lower case";
    SubjectNamespace = "subject-namespace", "the subject is of another namespace";
    SubjectAccount = "subject-account", "the subject is of another service account";
    SubjectMalformed = "subject-malformed", "the subject is not of the form system:serviceaccount:NAMESPACE:NAME";
    RoleArnMalformed = "role-arn-malformed", "what is annotated is no role's ARN";
    SessionName = "session-name", "the session's name is not one that STS takes";
    StaticCredentials = "static-credentials", "the pod has a static key, which goes first";
    ClientIdUnknown = "client-id-unknown", "no identity has the client id";
    ClientIdInPod = "client-id-in-pod", "the pod names a client id itself, which goes first";
    PrincipalIdAsClientId = "principal-id-as-client-id", "the principal id stands in place of the client id";
    TenantUnknown = "tenant-unknown", "the tenant is not one that has the identity";
    PolicyNotAttached = "policy-not-attached", "the policy is not attached to the role";
    PolicyAction = "policy-action", "the policy does not list the action";
    PolicyResource = "policy-resource", "the policy lists another resource";
    PolicyDenies = "policy-denies", "a policy of the role denies";
    PermissionsBoundary = "permissions-boundary", "the permissions boundary does not allow it";
    BucketPolicy = "bucket-policy", "the bucket's policy denies";
    WrongRegion = "wrong-region", "the bucket is asked in another region than its own";
    RoleAssignmentMissing = "role-assignment-missing", "the identity has no role on the vault";
    RoleWithoutValues = "role-without-values", "the identity's role reads no values";
    RoleToClientId = "role-to-client-id", "the role is assigned to the client id in place of the principal id";
    AccessPolicyMissing = "access-policy-missing", "the vault has no access policy for the identity";
    AccessPolicyWithoutGet = "access-policy-without-get", "the access policy lacks get";
    AccessPolicyToClientId = "access-policy-to-client-id", "the access policy names the client id in place of the principal id";
    PermissionModel = "permission-model", "the permission is of the model that the vault does not use";
    VaultFirewall = "vault-firewall", "the vault's firewall lets the address not in";
    VaultPrivate = "vault-private", "the vault has private endpoints alone";
    VaultUnknown = "vault-unknown", "there is no vault of that name";
    ObjectMissing = "object-missing", "the object is not in the bucket";
    SecretMissing = "secret-missing", "the secret is not in the vault";
    SecretDisabled = "secret-disabled", "the secret is disabled";
    TrustPolicyPrincipal = "trust-policy-principal", "the trust policy's principal is no provider's ARN";
    TrustPolicyMalformed = "trust-policy-malformed", "the trust policy has a member that such policies do not have";
    PolicyResourceMalformed = "policy-resource-malformed", "a policy's resource is no ARN";
    ProviderExists = "provider-exists", "the account has a provider for the issuer already";
    RoleHasPolicies = "role-has-policies", "the role still has policies";
    CredentialsTooMany = "credentials-too-many", "the identity has as many federated credentials as it may have";
    CredentialDuplicate = "credential-duplicate", "the identity has a credential for this issuer and subject already";
    CredentialName = "credential-name", "the federated credential's name is not one that Azure takes";
    CredentialAudiences = "credential-audiences", "the federated credential has not exactly one audience";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_read_as_it_is_written() {
        let mut seen = std::collections::BTreeSet::new();
        for cause in Cause::ALL {
            let json = serde_json::to_string(cause).expect("a cause must serialise");
            assert_eq!(json, format!("\"{cause}\""));
            assert_eq!(serde_json::from_str::<Cause>(&json).expect("a cause must be read"), *cause);
            assert!(seen.insert(cause.slug()), "{cause} stands twice");
        }
    }
}
