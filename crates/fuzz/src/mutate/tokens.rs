//! Changes to a text by its tokens: strings, words and numbers, punctuation, line breaks with their indentation.

use std::ops::Range;

use crate::random::Random;

pub(super) fn mutate(bytes: &[u8], other: &[u8], words: &[&str], random: &mut Random) -> Vec<u8> {
    let (tokens, others) = (split(bytes), split(other));
    let mut parts: Vec<&[u8]> = tokens.iter().map(|token| &bytes[token.clone()]).collect();
    let at = random.below(parts.len());
    let word = random.pick(words).unwrap_or_default().as_bytes();
    let nested;
    match random.below(8) {
        0 => parts.insert(random.below(parts.len() + 1), word),
        1 if !parts.is_empty() => parts[at] = word,
        2 if !parts.is_empty() => drop(parts.remove(at)),
        3 if !parts.is_empty() => {
            // A run of tokens again, elsewhere: a member twice, a list in a list.
            let run = parts[random.range(parts.len(), 12)].to_vec();
            let place = random.below(parts.len() + 1);
            parts.splice(place..place, run);
        }
        4 if !parts.is_empty() => drop(parts.drain(random.range(parts.len(), 12))),
        5 if !parts.is_empty() => {
            let with = random.below(parts.len());
            parts.swap(at, with);
        }
        6 if !others.is_empty() => {
            let run = others[random.range(others.len(), 24)].iter().map(|token| &other[token.clone()]);
            let place = random.range(parts.len(), 12);
            parts.splice(place, run.collect::<Vec<_>>());
        }
        _ if !parts.is_empty() => {
            let (open, close) = if random.once_in(2) { ("[", "]") } else { ("{\"Statement\":", "}") };
            let depth = if random.once_in(8) { 1 + random.below(2000) } else { 1 };
            nested = [open.repeat(depth).as_bytes(), parts[at], close.repeat(depth).as_bytes()].concat();
            parts[at] = &nested;
        }
        _ => parts.push(word),
    }
    parts.concat()
}

/// Where the tokens lie; together they are the whole text.
fn split(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let end = start + length(&bytes[start..]);
        tokens.push(start..end);
        start = end;
    }
    tokens
}

/// Length of the first token, never 0.
fn length(bytes: &[u8]) -> usize {
    let run = |holds: fn(u8) -> bool| bytes.iter().take_while(|byte| holds(**byte)).count();
    match bytes[0] {
        b'"' => {
            let mut escaped = false;
            let end = bytes[1..].iter().position(|byte| {
                let closes = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            });
            end.map_or(1, |end| end + 2)
        }
        b'\n' => 1 + bytes[1..].iter().take_while(|byte| **byte == b' ').count(),
        byte if is_word(byte) => run(is_word),
        _ => 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_text_apart_and_loses_nothing() {
        let check = |text: &str, expected: &[&str]| {
            let tokens: Vec<&str> = split(text.as_bytes()).into_iter().map(|token| &text[token]).collect();
            assert_eq!(tokens, expected);
        };
        check("", &[]);
        check(r#"{"a\"b":[1.5,true]}"#, &["{", r#""a\"b""#, ":", "[", "1.5", ",", "true", "]", "}"]);
        check("a: b\n  - c-d\n", &["a", ":", " ", "b", "\n  ", "-", " ", "c-d", "\n"]);
        check(r#""open"#, &["\"", "open"]);
        check("ä-ö€", &["ä-ö€"]);
    }
}
