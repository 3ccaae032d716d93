//! Identifiers and secrets in the shapes that Azure gives them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `COUNT` random bytes in base64url.
pub(crate) fn text<const COUNT: usize>() -> String {
    let mut bytes = [0; COUNT];
    // The system generator has no failure that a caller could handle; unfilled bytes would only make
    // an identifier predictable in a simulator, never a decision wrong.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!("the system's random generator failed");
    }
    URL_SAFE_NO_PAD.encode(bytes)
}
