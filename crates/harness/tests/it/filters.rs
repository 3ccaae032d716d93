//! The one table of what differs from run to run in texts that tests hold. Two tables would hide from each other what they cut out.

use std::path::Path;

use insta::Settings;
use insta::internals::SettingsBindDropGuard;

/// Pattern and replacement, in the order in which they are applied.
const TABLE: &[(&str, &str)] = &[
    // How long it took, at the end of a line.
    (r"(?m) +(\d+ ms|\d+\.\d\d s|\d+m \d\ds)$", " [time]"),
    (r#"( time=")[0-9.]+""#, r#"$1[time]""#),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z", "[moment]"),
    // The issuer of an embedded AKS, whole or broken over two lines.
    (r"(prod-aks\.azure\.com/)[0-9a-f-]+( \[time\])?\s+[0-9a-f-]+/[0-9a-f-]+/", "$1[tenant]/[cluster]/"),
    (r"(prod-aks\.azure\.com/)[0-9a-f-]{36}/[0-9a-f-]{36}", "$1[tenant]/[cluster]"),
    // That of an embedded EKS, too.
    (r"(amazonaws\.com/id/)( \[time\])?\s*[0-9A-F]{32}", "$1[id]"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
    (r"kube-api-access-[a-z0-9]{5}", "kube-api-access-[suffix]"),
    (r#"("resourceVersion": )"\d+""#, r#"$1"[version]""#),
    (r"\b\d{4}-\d{6}-[0-9a-f]{4}\b", "[run]"),
    // Seconds since 1970 in an answer of STS, and milliseconds in the name that an SDK gives its session.
    (r"\b1\d{9}\b", "[seconds]"),
    (r"web-identity-token-\d+", "web-identity-token-[milliseconds]"),
    // The id of a key, made of itself.
    (r"\bkey [A-Za-z0-9_-]{43}", "key [kid]"),
    // Variables of the service `kubernetes`, whose port is that of the embedded API server.
    (r"\bKUBERNETES_PORT_\d+_", "KUBERNETES_PORT_[port]_"),
    // The command line, with the way to a temporary folder in it.
    (r"127\.0\.0\.1:\d{2,5}", "127.0.0.1:[port]"),
    (r"\blocalhost:\d{2,5}", "localhost:[port]"),
    // The private folder of a sandbox.
    (r"/dev/shm/crossfed-sandbox-[0-9a-f]{8}", "[private]"),
];

/// Sets the filters for the rest of a test whose files lie in `folder`.
pub(crate) fn bind(folder: &Path, root: &Path) -> SettingsBindDropGuard {
    let mut settings = Settings::clone_current();
    for (path, name) in [(folder, "[folder]"), (root, "[repository]")] {
        settings.add_filter(&literal(path), name);
    }
    for (pattern, replacement) in TABLE {
        settings.add_filter(pattern, *replacement);
    }
    settings.bind_to_scope()
}

/// A path as a pattern that matches itself alone.
fn literal(path: &Path) -> String {
    let path = path.to_str().expect("a path of a test must be UTF-8");
    path.chars().map(|c| if c.is_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") }).collect()
}
