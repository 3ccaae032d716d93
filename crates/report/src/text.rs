//! Small text tools: what is safe to show, wrapping, durations, counts, a command line as a shell takes it.
//! It must not know what the text is about.

/// Makes characters that a terminal or an XML reader would act upon visible, and keeps line ends.
///
/// Text of a workload could else colour, erase or reorder what a person reads.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' => out.push('\n'),
            '\t' => out.push_str("    "),
            c if c.is_control() || is_reordering(c) || is_noncharacter(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Bidirectional marks, embeddings, overrides and isolates.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// What XML 1.0 excludes besides control characters.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// As [`visible`], on one line.
pub(crate) fn visible_line(text: &str) -> String {
    visible(text.trim()).replace('\n', " ")
}

/// As [`visible`], and without anything that a reader of XML or HTML takes for markup. Control characters cannot stand in XML 1.0, not
/// even as references, so they are shown instead.
pub(crate) fn escape_text(text: &str) -> String {
    visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// As [`escape_text`], between double quotes. A line end in an attribute would be read as a space.
pub(crate) fn escape_attribute(text: &str) -> String {
    escape_text(text).replace('"', "&quot;").replace('\n', "&#10;")
}

/// Columns that the text takes. Every character counts as one, which holds for all that this crate writes itself.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Breaks text into lines of at most `limit` columns: at spaces, else after a separator of a URL or ARN, else anywhere.
/// Line ends in the text stay; there is always at least one line.
pub(crate) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut rest: Vec<char> = line.trim_end().chars().collect();
        while rest.len() > limit {
            let at = break_at(&rest, limit);
            let tail = rest.split_off(at);
            lines.push(rest.iter().collect::<String>().trim_end().to_owned());
            rest = tail.into_iter().skip_while(|c| *c == ' ').collect();
        }
        lines.push(rest.into_iter().collect());
    }
    lines
}

/// How many characters go on this line. A break in the first third would leave a ragged hole, so it is not taken.
fn break_at(line: &[char], limit: usize) -> usize {
    let least = limit / 3;
    if let Some(at) = (least..=limit).rev().find(|at| *at > 0 && line[*at] == ' ') {
        return at;
    }
    let after_separator = |at: &usize| matches!(line[*at - 1], '/' | ':' | ',' | ';' | '=' | '&' | '?' | '-' | '.');
    (least.max(1)..=limit).rev().find(after_separator).unwrap_or(limit)
}

/// A duration in the coarsest unit that still tells something: `12 ms`, `1.24 s`, `2m 05s`, `1h 02m`; at most seven columns
/// below a hundred hours.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10),
        60_000..3_600_000 => format!("{}m {:02}s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{}h {:02}m", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// `1 check`, `2 checks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The words as one line that a POSIX shell takes apart into the same words.
pub(crate) fn shell_line(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    quoted.join(" ")
}

fn shell_word(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=' | ',' | '@' | '%' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Where two texts begin to differ, in characters; `None` if they are equal or share no beginning worth pointing behind.
pub(crate) fn first_difference(left: &str, right: &str) -> Option<usize> {
    let same = left.chars().zip(right.chars()).take_while(|(a, b)| a == b).count();
    (left != right && same > 0).then_some(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_characters_that_act_on_a_terminal_visible() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("plain, ünïcode ✓", "plain, ünïcode ✓");
        check("a\r\nb\tc", "a\nb    c");
        check("\u{1b}[31mred\u{7}", r"\u{1b}[31mred\u{7}");
        check("\u{9b}2J", r"\u{9b}2J");
        check("over\rwritten", r"over\u{d}written");
        check("txt\u{202e}exe", r"txt\u{202e}exe");
    }

    #[test]
    fn wraps_at_spaces_then_separators_then_anywhere() {
        let check =
            |text: &str, limit, expected: &[&str]| assert_eq!(wrap(text, limit), expected, "{text:?} at {limit}");
        check("", 10, &[""]);
        check("ten  chars", 10, &["ten  chars"]);
        check("one two three", 8, &["one two", "three"]);
        check("one\n\ntwo", 8, &["one", "", "two"]);
        check("https://host.example/path", 12, &["https://", "host.", "example/path"]);
        check("abcdefghij", 4, &["abcd", "efgh", "ij"]);
        check("ab", 0, &["a", "b"]);
    }

    #[test]
    fn wrapping_loses_no_word() {
        let text = "arn:aws:iam::123456789012:role/reader may not sts:AssumeRoleWithWebIdentity, says the trust policy";
        let squeeze = |text: &str| text.replace([' ', '\n'], "");
        for limit in 1..60 {
            let lines = wrap(text, limit);
            assert!(lines.iter().all(|line| width(line) <= limit), "at {limit}: {lines:?}");
            assert_eq!(squeeze(&lines.join("")), squeeze(text), "at {limit}");
        }
    }

    #[test]
    fn durations_keep_two_telling_digits() {
        let check = |ms, expected: &str| assert_eq!(duration(ms), expected);
        check(0, "0 ms");
        check(999, "999 ms");
        check(1_000, "1.00 s");
        check(59_999, "59.99 s");
        check(125_000, "2m 05s");
        check(3_720_000, "1h 02m");
    }

    #[test]
    fn quotes_what_a_shell_would_take_apart() {
        let check = |words: &[&str], expected: &str| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(shell_line(&words), expected);
        };
        check(&["cargo", "xtask", "e2e", "aks-to-aws"], "cargo xtask e2e aks-to-aws");
        check(&["a b", "", "it's", "$x"], r"'a b' '' 'it'\''s' '$x'");
    }
}
