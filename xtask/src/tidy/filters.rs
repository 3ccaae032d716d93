//! One table of snapshot filters: two that differ hide what the other shows.

use super::finding::{Finding, Source, numbered, word_end};

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let places: Vec<_> = sources.iter().filter_map(|source| Some((source, first_filter(source)?))).collect();
    if places.len() < 2 {
        return Vec::new();
    }
    let paths: Vec<_> = places.iter().map(|(source, _)| source.path.as_str()).collect();
    places
        .iter()
        .map(|(source, line)| {
            source.finding(
                *line,
                "filters",
                format!("insta filters are set in {} files: {}", paths.len(), paths.join(", ")),
                "keep one table and call it from the other tests",
            )
        })
        .collect()
}

/// The line of the first call or setting that gives insta a filter.
fn first_filter(source: &Source) -> Option<usize> {
    let code = &source.rust.as_ref()?.code;
    let settings = word_end(code, "with_settings").is_some();
    let calls = |line: &str, word| word_end(line, word).is_some_and(|end| line[end..].starts_with('('));
    numbered(code).find_map(|(number, line)| {
        let sets = settings && word_end(line, "filters").is_some_and(|end| line[end..].trim_start().starts_with("=>"));
        (sets || calls(line, "add_filter") || calls(line, "set_filters")).then_some(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_set_in_one_file() {
        let check_rule = |texts: [&str; 2], lines: &[usize]| {
            let sources = [Source::new("a.rs", texts[0]), Source::new("b.rs", texts[1])];
            let found: Vec<_> = check(&sources).iter().map(|finding| finding.line).collect();
            assert_eq!(found, lines, "{texts:?}");
        };
        let call = "settings.add_filter(\"x\", \"y\");";
        let setting = "insta::with_settings!({\n    filters => TABLE,\n}, {});";
        check_rule([call, "fn f() {}"], &[]);
        check_rule([call, setting], &[1, 2]);
        check_rule([call, "match a { filters => 1 }"], &[]);
        check_rule([call, "// settings.add_filter(x)"], &[]);
        check_rule([call, "s.set_filters(TABLE)"], &[1, 1]);
    }
}
