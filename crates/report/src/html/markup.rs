//! Elements and text that write themselves as markup which HTML and XML readers take alike. Everything is escaped, so that no text
//! of a run can become an element. It must not know what a page says.

use crate::text::{escape_attribute, escape_text};

/// Elements that have no end tag in HTML.
const VOID: [&str; 1] = ["meta"];

#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Node>,
}

#[derive(Debug)]
enum Node {
    Element(Element),
    Text(String),
    /// Written as it is: HTML escapes nothing inside `style`.
    Fixed(&'static str),
}

pub(super) fn element(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), children: Vec::new() }
}

/// An element that holds nothing but text.
pub(super) fn text(name: &'static str, text: impl Into<String>) -> Element {
    element(name).text(text)
}

impl Element {
    pub(super) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(super) fn class(self, class: &'static str) -> Self {
        self.attribute("class", class)
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.children.push(Node::Text(text.into()));
        self
    }

    pub(super) fn fixed(mut self, text: &'static str) -> Self {
        self.children.push(Node::Fixed(text));
        self
    }

    pub(super) fn child(mut self, child: Element) -> Self {
        self.children.push(Node::Element(child));
        self
    }

    /// One child, several, or none.
    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    pub(super) fn markup(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{}\"", escape_attribute(value)));
        }
        if VOID.contains(&self.name) {
            out.push_str("/>");
            return;
        }
        out.push('>');
        // Line ends stand only where no text is: they would be seen inside text.
        let has_lines =
            !self.children.is_empty() && self.children.iter().all(|child| matches!(child, Node::Element(_)));
        for child in &self.children {
            if has_lines {
                out.push('\n');
            }
            match child {
                Node::Element(element) => element.write(out),
                Node::Text(text) => out.push_str(&escape_text(text)),
                Node::Fixed(text) => out.push_str(text),
            }
        }
        if has_lines {
            out.push('\n');
        }
        out.push_str(&format!("</{}>", self.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_cannot_become_markup() {
        let hostile = "</p><script>\"'&\u{7}\n";
        let check = |element: Element, expected: &str| assert_eq!(element.markup(), expected);
        check(text("p", hostile), "<p>&lt;/p&gt;&lt;script&gt;\"'&amp;\\u{7}\n</p>");
        check(
            element("a").attribute("href", hostile),
            "<a href=\"&lt;/p&gt;&lt;script&gt;&quot;'&amp;\\u{7}&#10;\"></a>",
        );
    }

    #[test]
    fn lines_end_only_where_no_text_is() {
        let cells = || [text("td", "a"), element("td")];
        assert_eq!(element("tr").children(cells()).markup(), "<tr>\n<td>a</td>\n<td></td>\n</tr>");
        assert_eq!(text("tr", "x").children(cells()).markup(), "<tr>x<td>a</td><td></td></tr>");
        assert_eq!(element("meta").attribute("charset", "utf-8").markup(), "<meta charset=\"utf-8\"/>");
    }
}
