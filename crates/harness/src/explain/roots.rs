//! The certificates that the system trusts, from where systems keep them. It must not know who is asked.

use std::path::Path;

use transport::Roots;

use crate::exit::{Exit, Stop};

/// Debian and Alpine, Fedora, openSUSE, macOS and FreeBSD.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Reads the bundle that is named, or the system's.
///
/// # Errors
/// Exit 2 when the one that is named cannot be read, 96 when none is named and the system has none.
pub(super) fn read(named: Option<&Path>) -> Result<Roots, Stop> {
    let none = || Stop::new(Exit::Preflight, "the system's certificates are not found: name a bundle with --ca-file");
    let file = match named {
        Some(file) => file,
        None => BUNDLES.iter().map(Path::new).find(|file| file.is_file()).ok_or_else(none)?,
    };
    let wrong = |error: String| Stop::new(Exit::Usage, format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    Roots::pem(&text).map_err(|error| wrong(error.to_string()))
}
