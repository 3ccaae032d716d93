//! A writer for the small XML documents of the query services.

use jiff::Timestamp;
use quick_xml::escape::escape;

/// Markup under construction; text is escaped on the way in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Xml {
    markup: String,
}

impl Xml {
    pub(crate) fn into_string(self) -> String {
        self.markup
    }

    pub(crate) fn append(&mut self, other: &Xml) {
        self.markup.push_str(&other.markup);
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.element(name, |xml| xml.markup.push_str(&escape(value)));
    }

    pub(crate) fn number(&mut self, name: &str, value: i64) {
        self.text(name, &value.to_string());
    }

    pub(crate) fn boolean(&mut self, name: &str, value: bool) {
        self.text(name, if value { "true" } else { "false" });
    }

    pub(crate) fn element(&mut self, name: &str, write: impl FnOnce(&mut Xml)) {
        self.element_with(name, &[], write);
    }

    pub(crate) fn element_with(&mut self, name: &str, attributes: &[(&str, &str)], write: impl FnOnce(&mut Xml)) {
        self.markup.push('<');
        self.markup.push_str(name);
        for (attribute, value) in attributes {
            self.markup.push(' ');
            self.markup.push_str(attribute);
            self.markup.push_str("=\"");
            self.markup.push_str(&escape(*value));
            self.markup.push('"');
        }
        self.markup.push('>');
        write(self);
        self.markup.push_str("</");
        self.markup.push_str(name);
        self.markup.push('>');
    }

    /// `<name><member>…</member>…</name>`.
    pub(crate) fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Xml, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element("member", |xml| write(xml, item));
            }
        });
    }

    /// A list of plain texts.
    pub(crate) fn texts<'a>(&mut self, name: &str, items: impl IntoIterator<Item = &'a str>) {
        self.members(name, items, |xml, item| xml.markup.push_str(&escape(item)));
    }
}

/// ISO 8601 in UTC, whole seconds.
pub(crate) fn timestamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Policy documents come back URL-encoded after RFC 3986 (IAM API reference, `GetRole`).
pub(crate) fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_documents_as_iam_does() {
        assert_eq!(url_encoded(r#"{"a": "b*~"}"#), "%7B%22a%22%3A%20%22b%2A~%22%7D");
        assert_eq!(url_encoded("ü"), "%C3%BC");
    }
}
