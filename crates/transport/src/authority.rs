//! The run's own certificate authority: a root, an intermediate under it, and leaves for any name.

use std::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use trust::{Clock, Secret};

/// How long certificates are valid: a run takes minutes, a sandbox may stand for days.
const VALID_DAYS: i64 = 30;
/// Certificates start this long before now, so that a client whose clock is a little behind accepts them.
const BACKDATED_HOURS: i64 = 2;

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The certificate library refused.
    #[error("a certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library does not take the key.
    #[error("a certificate's key was not accepted")]
    Key(#[from] rustls::Error),
}

/// A certificate with its private key, both in PEM. The certificate text holds the whole chain below the root.
#[derive(Debug, Clone)]
pub struct PemIdentity {
    /// Leaf, then intermediate.
    pub cert_pem: String,
    /// PKCS#8 private key.
    pub key_pem: Secret,
}

/// A root, an intermediate, and the time at which they were made.
pub struct Authority {
    root_pem: String,
    root_der: CertificateDer<'static>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
    made: time::OffsetDateTime,
}

impl Authority {
    /// Makes a root and an intermediate with P-256 keys, named after `name`.
    ///
    /// # Errors
    /// When the key generator or the certificate library fails.
    pub fn generate(name: &str, clock: &dyn Clock) -> Result<Self, AuthorityError> {
        let made = time::OffsetDateTime::from_unix_timestamp(clock.now().as_second())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        let authority = |common_name: String, depth: u8| {
            let mut params = base(common_name, made);
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(depth));
            params.key_usages =
                vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
            params
        };
        let root = CertifiedIssuer::self_signed(authority(format!("{name} root"), 1), KeyPair::generate()?)?;
        let mut below = authority(format!("{name} intermediate"), 0);
        below.use_authority_key_identifier_extension = true;
        let intermediate = CertifiedIssuer::signed_by(below, KeyPair::generate()?, &root)?;
        Ok(Self { root_pem: root.pem(), root_der: root.der().clone(), intermediate, made })
    }

    /// The root certificate: what clients are told to trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// The root certificate in DER.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.root_der
    }

    /// A server certificate for host names and IP addresses; the chain that is served is leaf, intermediate.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn server_identity(&self, names: &[&str]) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let mut params = base(names.first().copied().unwrap_or_default().to_owned(), self.made);
        params.subject_alt_names =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (chain, key) = self.sign(params)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)?;
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }

    /// A client certificate whose common name is the user and whose organization is the group, as Kubernetes reads them.
    ///
    /// # Errors
    /// When the certificate library fails.
    pub fn client_certificate(&self, user: &str, group: &str) -> Result<PemIdentity, AuthorityError> {
        let mut params = base(user.to_owned(), self.made);
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.intermediate)?;
        Ok(PemIdentity {
            cert_pem: format!("{}{}", leaf.pem(), self.intermediate.pem()),
            key_pem: Secret::new(key.serialize_pem()),
        })
    }

    fn sign(&self, mut params: CertificateParams) -> Result<(Vec<CertificateDer<'static>>, KeyPair), AuthorityError> {
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.intermediate)?;
        Ok((vec![leaf.der().clone(), self.intermediate.der().clone()], key))
    }
}

fn base(common_name: String, made: time::OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // X.520 bounds a common name at 64 characters; longer host names stand in the alternative names alone.
    params.distinguished_name.push(DnType::CommonName, common_name.chars().take(64).collect::<String>());
    params.not_before = made - time::Duration::hours(BACKDATED_HOURS);
    params.not_after = made + time::Duration::days(VALID_DAYS);
    params
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("made", &self.made).finish_non_exhaustive()
    }
}
