//! Identifiers and secrets in the shapes that Azure gives them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `COUNT` random bytes in base64url.
pub(crate) fn text<const COUNT: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<COUNT>())
}

/// A client secret, which begins with a letter: `az login -p` takes one that begins with a hyphen for an option.
pub(crate) fn client_secret() -> String {
    let mut bytes = bytes::<30>();
    bytes[0] &= 0x7f;
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    // The system generator has no failure that a caller could handle; unfilled bytes would only make
    // an identifier predictable in a simulator, never a decision wrong.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!("the system's random generator failed");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_secrets_are_no_options_of_a_command() {
        for _ in 0..1000 {
            let secret = client_secret();
            assert!(secret.len() == 40 && secret.starts_with(|first: char| first.is_ascii_alphabetic()), "{secret}");
        }
    }
}
