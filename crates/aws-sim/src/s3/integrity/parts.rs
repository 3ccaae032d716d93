//! Checksums of an upload in parts: one over the whole object, or one over the checksums of its parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto;

use super::super::refusal::Refusal;
use super::compute;
use crate::sigv4::hex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::s3) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

    /// The one that is asked for, or else what S3 computes unasked.
    pub(in crate::s3) fn of(asked: Option<&dto::ChecksumAlgorithm>) -> Result<Algorithm, Refusal> {
        let Some(asked) = asked else { return Ok(Algorithm::Crc64Nvme) };
        Algorithm::ALL.into_iter().find(|one| one.name() == asked.as_str()).ok_or_else(|| {
            invalid(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, \
                 CRC32C, CRC64NVME, SHA1, SHA256]",
            )
        })
    }

    pub(in crate::s3) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    /// Whether the checksum is one over the whole object. Digests cannot be put together from those of parts, and CRC-64 is never
    /// one over checksums.
    pub(in crate::s3) fn is_whole(self, asked: Option<&dto::ChecksumType>) -> Result<bool, Refusal> {
        let refused = |kind: &str| {
            invalid(format!(
                "The {kind} checksum type cannot be used with the {} checksum algorithm.",
                self.name().to_ascii_lowercase()
            ))
        };
        match (asked.map(dto::ChecksumType::as_str), self) {
            (Some(dto::ChecksumType::FULL_OBJECT), Algorithm::Sha1 | Algorithm::Sha256) => Err(refused("FULL_OBJECT")),
            (Some(dto::ChecksumType::COMPOSITE), Algorithm::Crc64Nvme) => Err(refused("COMPOSITE")),
            (Some(dto::ChecksumType::FULL_OBJECT), _) | (None, Algorithm::Crc64Nvme) => Ok(true),
            (Some(dto::ChecksumType::COMPOSITE) | None, _) => Ok(false),
            (Some(_), _) => Err(invalid("Value for x-amz-checksum-type header is invalid.")),
        }
    }

    fn hash(self, bytes: &[u8]) -> dto::Checksum {
        let mut hasher = ChecksumHasher {
            crc32: (self == Algorithm::Crc32).then(Crc32::new),
            crc32c: (self == Algorithm::Crc32c).then(Crc32c::new),
            crc64nvme: (self == Algorithm::Crc64Nvme).then(Crc64Nvme::new),
            sha1: (self == Algorithm::Sha1).then(Sha1::new),
            sha256: (self == Algorithm::Sha256).then(Sha256::new),
        };
        hasher.update(bytes);
        hasher.finalize()
    }

    fn value(self, checksum: &dto::Checksum) -> Option<&String> {
        match self {
            Algorithm::Crc32 => checksum.checksum_crc32.as_ref(),
            Algorithm::Crc32c => checksum.checksum_crc32c.as_ref(),
            Algorithm::Crc64Nvme => checksum.checksum_crc64nvme.as_ref(),
            Algorithm::Sha1 => checksum.checksum_sha1.as_ref(),
            Algorithm::Sha256 => checksum.checksum_sha256.as_ref(),
        }
    }

    fn set(self, checksum: &mut dto::Checksum, value: String) {
        let field = match self {
            Algorithm::Crc32 => &mut checksum.checksum_crc32,
            Algorithm::Crc32c => &mut checksum.checksum_crc32c,
            Algorithm::Crc64Nvme => &mut checksum.checksum_crc64nvme,
            Algorithm::Sha1 => &mut checksum.checksum_sha1,
            Algorithm::Sha256 => &mut checksum.checksum_sha256,
        };
        *field = Some(value);
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(400, "InvalidRequest", message)
}

/// The name of one or the other kind.
pub(in crate::s3) fn kind(whole: bool) -> dto::ChecksumType {
    dto::ChecksumType::from_static(if whole { dto::ChecksumType::FULL_OBJECT } else { dto::ChecksumType::COMPOSITE })
}

/// The checksum of a part by the upload's algorithm, after what was promised of the part has been compared.
pub(in crate::s3) fn of_part(
    promised: &dto::Checksum,
    algorithm: Algorithm,
    bytes: &[u8],
) -> Result<dto::Checksum, Refusal> {
    if *promised != dto::Checksum::default() {
        compute(promised, bytes)?;
    }
    Ok(algorithm.hash(bytes))
}

/// Whether what is said of a part when the upload is completed is so, as far as it was computed.
pub(in crate::s3) fn agrees(given: &dto::CompletedPart, checksum: &dto::Checksum) -> bool {
    let pairs = [
        (&given.checksum_crc32, &checksum.checksum_crc32),
        (&given.checksum_crc32c, &checksum.checksum_crc32c),
        (&given.checksum_crc64nvme, &checksum.checksum_crc64nvme),
        (&given.checksum_sha1, &checksum.checksum_sha1),
        (&given.checksum_sha256, &checksum.checksum_sha256),
    ];
    pairs.into_iter().all(|(given, computed)| given.is_none() || computed.is_none() || given == computed)
}

/// The checksum of the object that `parts` make, whose bytes are `bytes`, compared with what was promised.
pub(in crate::s3) fn of_parts<'a>(
    promised: &dto::Checksum,
    algorithm: Algorithm,
    whole: bool,
    parts: impl ExactSizeIterator<Item = &'a dto::Checksum>,
    bytes: &[u8],
) -> Result<dto::Checksum, Refusal> {
    let mut checksum = if whole {
        algorithm.hash(bytes)
    } else {
        let count = parts.len();
        let values = parts.filter_map(|part| STANDARD.decode(algorithm.value(part)?).ok());
        let mut checksum = algorithm.hash(&values.collect::<Vec<_>>().concat());
        let value = algorithm.value(&checksum).map(|value| format!("{value}-{count}")).unwrap_or_default();
        algorithm.set(&mut checksum, value);
        checksum
    };
    let computed = algorithm.value(&checksum).map(String::as_str).unwrap_or_default();
    if let Some(promised) = algorithm.value(promised)
        && promised != computed
        && Some(promised.as_str()) != computed.split_once('-').map(|(value, _)| value)
    {
        let name = algorithm.name();
        return Err(Refusal::new(
            400,
            "BadDigest",
            format!("The {name} you specified did not match the calculated checksum."),
        ));
    }
    checksum.checksum_type = Some(kind(whole));
    Ok(checksum)
}

/// The entity tag of an object in parts: the MD5 of the MD5s of its parts, and their number.
pub(in crate::s3) fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = etags.len();
    let digits = |text: &'a str| text.as_bytes().chunks_exact(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let digests: Vec<u8> = etags.flat_map(digits).filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    format!("{}-{count}", hex(Md5::checksum(&digests)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hashlib and zlib over the parts `123` and `456789`.
    #[test]
    fn puts_checksums_of_parts_together() {
        let etags = [super::super::etag(b"123"), super::super::etag(b"456789")];
        let etag = etag_of_parts(etags.iter().map(String::as_str));
        assert_eq!(etag, "3c943ca016e7090c544c70bd0145d625-2");
        let check = |algorithm: Algorithm, whole: bool, expected: &str| {
            let parts = [algorithm.hash(b"123"), algorithm.hash(b"456789")];
            let none = dto::Checksum::default();
            let found = of_parts(&none, algorithm, whole, parts.iter(), b"123456789").expect("no promise must hold");
            assert_eq!(algorithm.value(&found).map(String::as_str), Some(expected), "{algorithm:?}");
            let mut wrong = found.clone();
            algorithm.set(&mut wrong, "AAAAAA==".to_owned());
            let refused = of_parts(&wrong, algorithm, whole, parts.iter(), b"123456789");
            assert_eq!(refused.map_err(|refusal| refusal.code), Err("BadDigest".into()));
            of_parts(&found, algorithm, whole, parts.iter(), b"123456789").expect("what is so must hold");
        };
        check(Algorithm::Crc32, true, "y/Q5Jg==");
        check(Algorithm::Crc32, false, "SQYdeQ==-2");
        check(Algorithm::Sha256, false, "DexpLC4Bh2HCnZHIZ1962EzxCIjdbx1ce2as88c0QIg=-2");
        check(Algorithm::Crc64Nvme, true, "rosUhgp5mIg=");
    }

    #[test]
    fn knows_which_kinds_go_with_which_algorithm() {
        let check = |algorithm: Algorithm, asked: Option<&'static str>, expected: Option<bool>| {
            let asked = asked.map(dto::ChecksumType::from_static);
            assert_eq!(algorithm.is_whole(asked.as_ref()).ok(), expected, "{algorithm:?} {asked:?}");
        };
        check(Algorithm::Crc32, None, Some(false));
        check(Algorithm::Crc32, Some("FULL_OBJECT"), Some(true));
        check(Algorithm::Crc64Nvme, None, Some(true));
        check(Algorithm::Crc64Nvme, Some("COMPOSITE"), None);
        check(Algorithm::Sha1, Some("FULL_OBJECT"), None);
        check(Algorithm::Sha1, Some("COMPOSITE"), Some(false));
        check(Algorithm::Sha1, Some("OTHER"), None);
    }
}
