//! Two texts that had to be equal and are not: in what way they nearly are. It must not know what the texts are for.

/// The way in which a text nearly is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// One has a `/` at its end.
    Slash,
    /// Upper and lower case.
    Case,
    /// Blanks around one.
    Blanks,
    /// One has `https://` in front.
    Scheme,
    /// What is required is a pattern that would fit, where patterns are plain text.
    Wildcard,
    /// Service-account subjects that differ in the namespace.
    Namespace,
    /// Service-account subjects that differ in the name.
    Name,
}

/// How `presented` nearly is `required`.
pub(crate) fn miss(presented: &str, required: &str) -> Option<Miss> {
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    let plain = |text: &str| text.strip_prefix("https://").unwrap_or(text).to_owned();
    let (left, right) = (subject(presented), subject(required));
    if presented == required {
        None
    } else if presented.trim() == required.trim() {
        Some(Miss::Blanks)
    } else if bare(presented) == bare(required) {
        Some(Miss::Slash)
    } else if presented.eq_ignore_ascii_case(required) {
        Some(Miss::Case)
    } else if plain(presented) == plain(required) {
        Some(Miss::Scheme)
    } else if required.contains(['*', '?']) && fits(required, presented) {
        Some(Miss::Wildcard)
    } else {
        match (left, right) {
            (Some((_, name)), Some((_, other))) if name == other => Some(Miss::Namespace),
            (Some((namespace, _)), Some((other, _))) if namespace == other => Some(Miss::Name),
            _ => None,
        }
    }
}

/// A sentence about it.
pub(crate) fn sentence(what: &str, presented: &str, required: &str) -> Option<String> {
    let (left, right) = (subject(presented).unwrap_or_default(), subject(required).unwrap_or_default());
    let text = match miss(presented, required)? {
        Miss::Slash if presented.ends_with('/') => {
            format!("{what} differs by the slash at its end: it is presented with one and required without")
        }
        Miss::Slash => format!("{what} differs by the slash at its end: it is required with one and presented without"),
        Miss::Case => format!("{what} differs in upper and lower case only; it is compared exactly"),
        Miss::Blanks => format!("{what} differs in blanks around it only; it is compared exactly"),
        Miss::Scheme => format!("{what} differs by https:// in front"),
        Miss::Wildcard => format!("{what} is required as a pattern, and here * and ? are plain characters"),
        Miss::Namespace => format!("{what} is of another namespace: {} presented, {} required", left.0, right.0),
        Miss::Name => format!("{what} is of another service account: {} presented, {} required", left.1, right.1),
    };
    Some(text)
}

/// Namespace and name of a service account's subject.
pub(crate) fn subject(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// Whether all of `text` fits a pattern of `*` and `?`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .any(|at| fits(pattern.trim_start_matches('*'), &text[at..])),
        Some(first) => {
            let mut rest = text.chars();
            rest.next().is_some_and(|c| c == first || first == '?') && fits(&pattern[first.len_utf8()..], rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_how_two_texts_nearly_agree() {
        let check = |presented: &str, required: &str, expected: Option<Miss>| {
            assert_eq!(miss(presented, required), expected, "{presented} {required}");
        };
        check("a", "a", None);
        check("a", "b", None);
        check("https://h/i/", "https://h/i", Some(Miss::Slash));
        check("https://h/i", "https://h/i/", Some(Miss::Slash));
        check("https://h/I", "https://h/i", Some(Miss::Case));
        check("a ", "a", Some(Miss::Blanks));
        check("https://h", "h", Some(Miss::Scheme));
        let of = |namespace: &str, name: &str| format!("system:serviceaccount:{namespace}:{name}");
        check(&of("n", "s"), &of("n", "*"), Some(Miss::Wildcard));
        check(&of("n", "s"), &of("m*", "?"), None);
        check(&of("n", "s"), &of("m", "s"), Some(Miss::Namespace));
        check(&of("n", "s"), &of("n", "t"), Some(Miss::Name));
        check(&of("n", "s"), &of("m", "t"), None);
    }
}
