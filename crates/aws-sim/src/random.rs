//! Identifiers and secrets in the shapes that AWS gives them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sigv4::hex;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The system generator has no failure that a caller could handle; unfilled bytes would only make
    // an identifier predictable in a simulator, never a decision wrong.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!("the system's random generator failed");
    }
    bytes
}

/// A unique id: `prefix`, then upper-case base-32 up to `length` characters in all (at most 32 random ones).
pub(crate) fn id(prefix: &str, length: usize) -> String {
    let tail = length.saturating_sub(prefix.len());
    let random = bytes::<32>();
    let letters = random.iter().take(tail).map(|byte| char::from(BASE32[usize::from(byte & 31)]));
    prefix.chars().chain(letters).collect()
}

/// `count` random bytes (at most 96) in base 64.
pub(crate) fn secret(count: usize) -> String {
    let random = bytes::<96>();
    STANDARD.encode(&random[..count.min(random.len())])
}

/// A request id: a version 4 UUID.
pub(crate) fn request_id() -> String {
    let mut b = bytes::<16>();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let mut text = hex(b);
    [20, 16, 12, 8].into_iter().for_each(|at| text.insert(at, '-'));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_version_4_uuids() {
        let id = request_id();
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        assert_ne!(id, request_id());
    }
}
