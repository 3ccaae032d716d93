//! Wildcards and policy variables.

use super::context::Context;

/// A part of a pattern after its variables were filled in. A `*` that came out of a variable is a
/// plain character: values of the request never act as wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    One,
    Many,
}

/// A text with wildcards `*` and `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

impl Pattern {
    /// Reads wildcards only; `${…}` stays as it is written.
    pub(super) fn new(text: &str) -> Pattern {
        Pattern { pieces: text.chars().map(piece).collect() }
    }

    /// Fills in `${key}`, `${key, 'default'}`, `${*}`, `${?}` and `${$}`.
    ///
    /// `None` when a variable has no single value and no default: such an element matches nothing
    /// (IAM user guide, "Policy variables and tags").
    pub(super) fn with_variables(text: &str, context: &Context) -> Option<Pattern> {
        if !text.contains("${") {
            return Some(Pattern::new(text));
        }
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            pieces.extend(rest[..start].chars().map(piece));
            let end = rest[start..].find('}')? + start;
            let value = variable(rest[start + 2..end].trim(), context)?;
            pieces.extend(value.chars().map(Piece::Char));
            rest = &rest[end + 1..];
        }
        pieces.extend(rest.chars().map(piece));
        Some(Pattern { pieces })
    }

    /// The text for operators to which `*` and `?` mean nothing.
    pub(super) fn literal(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Char(char) => *char,
                Piece::One => '?',
                Piece::Many => '*',
            })
            .collect()
    }

    /// Whether the whole of `text` fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        glob(&self.pieces, &text)
    }

    /// Whether `arn` fits, each of the six components by itself: a wildcard does not reach across a
    /// colon, save in the last component. `*` alone fits everything.
    pub(super) fn matches_arn(&self, arn: &str) -> bool {
        if self.pieces == [Piece::Many] {
            return true;
        }
        let patterns: Vec<&[Piece]> = self.pieces.splitn(6, |piece| *piece == Piece::Char(':')).collect();
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        patterns.len() == 6
            && parts.len() == 6
            && patterns.iter().zip(parts).all(|(pattern, part)| {
                let part: Vec<char> = part.chars().collect();
                glob(pattern, &part)
            })
    }
}

fn piece(char: char) -> Piece {
    match char {
        '*' => Piece::Many,
        '?' => Piece::One,
        other => Piece::Char(other),
    }
}

fn variable<'a>(name: &'a str, context: &'a Context) -> Option<&'a str> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name);
    }
    let (key, default) = match name.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            (key.trim(), Some(default.strip_prefix('\'')?.strip_suffix('\'')?))
        }
        None => (name, None),
    };
    context.single(key).or(default)
}

/// Linear matching with one point of return, the usual way for `*`.
fn glob(pattern: &[Piece], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Piece::Many) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(Piece::One) => {
                p += 1;
                t += 1;
            }
            Some(Piece::Char(char)) if *char == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    retry = Some((after_star, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|piece| *piece == Piece::Many)
}
