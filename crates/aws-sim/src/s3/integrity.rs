//! Digests of a body: what the writer promised, compared and kept. Must not know buckets.
//!
//! Source: Amazon S3 user guide, "Checking object integrity for data uploads in Amazon S3".

mod parts;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto;

use super::refusal::Refusal;
use crate::sigv4::hex;

pub(super) use parts::{Algorithm, agrees, etag_of_parts, kind, of_part, of_parts};

/// The checksums that a request's own headers promise. Each kind of input of the library has these members, and nothing in common.
macro_rules! in_headers {
    ($input:expr) => {
        s3s::dto::Checksum {
            checksum_crc32: $input.checksum_crc32,
            checksum_crc32c: $input.checksum_crc32c,
            checksum_crc64nvme: $input.checksum_crc64nvme,
            checksum_sha1: $input.checksum_sha1,
            checksum_sha256: $input.checksum_sha256,
            checksum_type: None,
        }
    };
}
pub(super) use in_headers;

/// The hexadecimal MD5 that is the ETag of an object put in one piece.
pub(super) fn etag(bytes: &[u8]) -> String {
    hex(Md5::checksum(bytes))
}

/// Compares `Content-MD5`.
pub(super) fn check_md5(promised: Option<&str>, bytes: &[u8]) -> Result<(), Refusal> {
    let Some(promised) = promised else {
        return Ok(());
    };
    match STANDARD.decode(promised) {
        Ok(digest) if digest.len() == 16 => {
            if digest == Md5::checksum(bytes) {
                Ok(())
            } else {
                Err(Refusal::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
            }
        }
        _ => Err(Refusal::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")),
    }
}

/// The checksums promised in headers, completed from the trailer of a streaming upload.
pub(super) fn promised(mut headers: dto::Checksum, trailer: Option<&HeaderMap>) -> dto::Checksum {
    let from_trailer = |name: &str| {
        trailer.and_then(|trailer| trailer.get(name)).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let fill = |field: &mut Option<String>, name| {
        if field.is_none() {
            *field = from_trailer(name);
        }
    };
    fill(&mut headers.checksum_crc32, "x-amz-checksum-crc32");
    fill(&mut headers.checksum_crc32c, "x-amz-checksum-crc32c");
    fill(&mut headers.checksum_crc64nvme, "x-amz-checksum-crc64nvme");
    fill(&mut headers.checksum_sha1, "x-amz-checksum-sha1");
    fill(&mut headers.checksum_sha256, "x-amz-checksum-sha256");
    headers
}

/// Computes the promised checksums over the body and compares them. Without a promise S3 computes CRC-64/NVME.
pub(super) fn compute(promised: &dto::Checksum, bytes: &[u8]) -> Result<dto::Checksum, Refusal> {
    let mut hasher = ChecksumHasher {
        crc32: promised.checksum_crc32.is_some().then(Crc32::new),
        crc32c: promised.checksum_crc32c.is_some().then(Crc32c::new),
        sha1: promised.checksum_sha1.is_some().then(Sha1::new),
        sha256: promised.checksum_sha256.is_some().then(Sha256::new),
        crc64nvme: promised.checksum_crc64nvme.is_some().then(Crc64Nvme::new),
    };
    let none = *promised == dto::Checksum::default();
    if none {
        hasher.crc64nvme = Some(Crc64Nvme::new());
    }
    hasher.update(bytes);
    let mut computed = hasher.finalize();
    if !none {
        let pairs = [
            ("CRC32", &promised.checksum_crc32, &computed.checksum_crc32),
            ("CRC32C", &promised.checksum_crc32c, &computed.checksum_crc32c),
            ("CRC64NVME", &promised.checksum_crc64nvme, &computed.checksum_crc64nvme),
            ("SHA1", &promised.checksum_sha1, &computed.checksum_sha1),
            ("SHA256", &promised.checksum_sha256, &computed.checksum_sha256),
        ];
        if let Some((name, ..)) = pairs.into_iter().find(|(_, promised, computed)| promised != computed) {
            return Err(Refusal::new(
                400,
                "BadDigest",
                format!("The {name} you specified did not match the calculated checksum."),
            ));
        }
    }
    computed.checksum_type = Some(dto::ChecksumType::from_static(dto::ChecksumType::FULL_OBJECT));
    Ok(computed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc32(value: &str) -> dto::Checksum {
        dto::Checksum { checksum_crc32: Some(value.to_owned()), ..dto::Checksum::default() }
    }

    /// The check value of CRC-32 for "123456789" is cbf43926, that of CRC-64/NVME ae8b14860a799888.
    #[test]
    fn compares_with_what_was_promised() {
        let computed = compute(&crc32("y/Q5Jg=="), b"123456789").expect("the right checksum must be accepted");
        assert_eq!(computed.checksum_crc32.as_deref(), Some("y/Q5Jg=="));
        let refusal = compute(&crc32("y/Q5Jg=="), b"12345678").expect_err("another body must be refused");
        assert_eq!(refusal.code, "BadDigest");
    }

    #[test]
    fn computes_crc64_where_nothing_was_promised() {
        let computed = compute(&dto::Checksum::default(), b"123456789").expect("no promise must be accepted");
        assert_eq!(computed.checksum_crc64nvme.as_deref(), Some("rosUhgp5mIg="));
    }

    #[test]
    fn reads_the_promise_from_the_trailer() {
        let mut trailer = HeaderMap::new();
        trailer.insert("x-amz-checksum-crc32", http::HeaderValue::from_static("y/Q5Jg=="));
        assert!(promised(dto::Checksum::default(), Some(&trailer)) == crc32("y/Q5Jg=="));
        assert!(promised(dto::Checksum::default(), None) == dto::Checksum::default());
    }

    #[test]
    fn compares_the_md5() {
        let digest = "JfnnlDI7RTiF9RgfG2JNCw==";
        check_md5(Some(digest), b"123456789").expect("the right digest must be accepted");
        assert_eq!(check_md5(Some(digest), b"1").expect_err("must be refused").code, "BadDigest");
        assert_eq!(check_md5(Some("short"), b"1").expect_err("must be refused").code, "InvalidDigest");
    }
}
