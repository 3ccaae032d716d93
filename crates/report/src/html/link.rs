//! Anchors within a page and links out of it. It must not know what they lead to.

use super::markup::{Element, element, text};
use crate::text::visible_line;

/// `scenario/check-id`, where a link to a check leads; a scenario's own is its id.
pub(super) fn anchor(scenario: &str, check: Option<&str>) -> String {
    let parts: Vec<String> = [Some(scenario), check].into_iter().flatten().map(visible_line).collect();
    // HTML takes every character in an id but blanks.
    parts.join("/").replace(char::is_whitespace, "-")
}

/// A link to an anchor of the same page.
pub(super) fn to_anchor(anchor: &str, said: impl Into<String>) -> Element {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte);
    let fragment: String = anchor
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    text("a", said).attribute("href", format!("#{fragment}"))
}

/// A source as it is written, its address a link where it begins with one. Nothing but the web is linked: no other scheme can be
/// made to run anything.
pub(super) fn source(name: &'static str, source: &str) -> Element {
    let source = visible_line(source);
    let (address, rest) = source.split_at(source.find(char::is_whitespace).unwrap_or(source.len()));
    if !["https://", "http://"].iter().any(|scheme| address.starts_with(scheme)) {
        return text(name, source);
    }
    let link = text("a", address).attribute("href", address).attribute("rel", "noreferrer");
    element(name).child(link).text(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_have_no_blanks_and_links_lead_to_them() {
        let check = |scenario, check, id: &str, href: &str| {
            let anchor = anchor(scenario, check);
            assert_eq!(anchor, id);
            assert_eq!(to_anchor(&anchor, "x").markup(), format!("<a href=\"#{href}\">x</a>"));
        };
        check("aks-to-aws", None, "aks-to-aws", "aks-to-aws");
        check("both-clouds", Some("control/aws"), "both-clouds/control/aws", "both-clouds/control/aws");
        check("a b", Some("ü\t%"), "a-b/ü----%", "a-b/%C3%BC----%25");
    }

    #[test]
    fn links_to_the_web_only() {
        let check = |said: &str, expected: &str| assert_eq!(source("dd", said).markup(), expected);
        check(
            "https://host.example/a?b=1&c (Errors)",
            "<dd><a href=\"https://host.example/a?b=1&amp;c\" rel=\"noreferrer\">https://host.example/a?b=1&amp;c</a> (Errors)</dd>",
        );
        check("STS API reference, see https://host.example/", "<dd>STS API reference, see https://host.example/</dd>");
        check("javascript:alert(1)", "<dd>javascript:alert(1)</dd>");
        check("data:text/html,x", "<dd>data:text/html,x</dd>");
    }
}
