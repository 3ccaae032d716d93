//! What annotations say, read with the quirks of the Go functions that upstream reads them with. It must
//! not know what they lead to.

use trust::Audience;

use super::config::{Config, MIN_TOKEN_EXPIRATION};
use crate::ServiceAccountView;
use crate::pod::Pod;

/// What a service account, or an entry of the ConfigMap, asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccountSettings {
    /// Empty: no role.
    pub(crate) role_arn: String,
    pub(crate) audience: Audience,
    pub(crate) regional_sts: bool,
    pub(crate) token_expiration: i64,
}

impl AccountSettings {
    /// Annotations first, then flags. A value that cannot be parsed counts as absent.
    pub(crate) fn read(config: &Config, account: &ServiceAccountView) -> Self {
        let annotation =
            |name: &str| account.annotations.get(&format!("{}/{name}", config.annotation_prefix)).map(String::as_str);
        Self {
            role_arn: annotation("role-arn").map(|value| role_arn(config, value)).unwrap_or_default(),
            audience: annotation("audience").map_or_else(|| config.token_audience.clone(), Audience::new),
            regional_sts: annotation("sts-regional-endpoints")
                .and_then(parse_bool)
                .unwrap_or(config.sts_regional_endpoint),
            token_expiration: annotation("token-expiration")
                .and_then(parse_expiration)
                .unwrap_or_else(|| config.effective_token_expiration()),
        }
    }
}

/// What a pod asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodSettings {
    pub(crate) token_expiration: Option<i64>,
    pub(crate) skipped_containers: Vec<String>,
}

impl PodSettings {
    pub(crate) fn read(config: &Config, pod: &Pod<'_>) -> Self {
        let annotation = |name: &str| pod.annotation(&format!("{}/{name}", config.annotation_prefix));
        Self {
            token_expiration: annotation("token-expiration").and_then(parse_expiration),
            skipped_containers: annotation("skip-containers").and_then(first_csv_record).unwrap_or_default(),
        }
    }
}

fn role_arn(config: &Config, value: &str) -> String {
    let arn = match &config.compose_role_arn {
        Some(composition) if !value.contains("arn:") => composition.role_arn(value),
        _ => value.to_owned(),
    };
    if !arn.is_empty() && !looks_like_role_arn(&arn) {
        // Upstream only warns, too: the pod gets the bad ARN and STS refuses it.
        tracing::warn!(arn, "role-arn annotation is no ARN of a role");
    }
    arn
}

/// `^arn:aws[a-z0-9-]*:iam::\d{12}:role/[\w-/.@+=,]+$`
fn looks_like_role_arn(text: &str) -> bool {
    let Some((partition, rest)) = text.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::")) else {
        return false;
    };
    let Some((account, name)) = rest.split_once(":role/") else {
        return false;
    };
    partition.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.@+=,".contains(&b))
}

/// Go's `strconv.ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `strconv.ParseInt(text, 10, 64)`, which Rust's agrees with, then raised to the minimum. Seconds.
fn parse_expiration(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().map(|seconds| seconds.max(MIN_TOKEN_EXPIRATION))
}

/// The first record, as Go's `encoding/csv` reads it: no trimming, quotes honoured, empty lines passed over.
/// `None` when there is no record or when it is malformed.
fn first_csv_record(text: &str) -> Option<Vec<String>> {
    let mut rest = text;
    let mut line = loop {
        let line = next_line(&mut rest)?;
        if !line.trim_end_matches('\n').is_empty() {
            break line;
        }
    };
    let mut fields = Vec::new();
    loop {
        let Some(quoted) = line.strip_prefix('"') else {
            let (field, more) = match line.split_once(',') {
                Some((field, more)) => (field.to_owned(), Some(more.to_owned())),
                None => (line.strip_suffix('\n').unwrap_or(&line).to_owned(), None),
            };
            // A quote in a field that did not begin with one.
            if field.contains('"') {
                return None;
            }
            fields.push(field);
            match more {
                Some(more) => line = more,
                None => return Some(fields),
            }
            continue;
        };
        line = quoted.to_owned();
        let mut field = String::new();
        let more = loop {
            let Some((before, after)) = line.split_once('"') else {
                // The field goes on in the next line; a text that ends within it is malformed.
                field.push_str(&line);
                line = next_line(&mut rest)?;
                continue;
            };
            field.push_str(before);
            if let Some(after) = after.strip_prefix('"') {
                field.push('"');
                line = after.to_owned();
            } else if let Some(after) = after.strip_prefix(',') {
                break Some(after.to_owned());
            } else if after.is_empty() || after == "\n" {
                break None;
            } else {
                return None;
            }
        };
        fields.push(field);
        match more {
            Some(more) => line = more,
            None => return Some(fields),
        }
    }
}

/// The next line with its `\n`, `\r\n` made `\n`, and a last `\r` dropped. `None` at the end.
fn next_line(rest: &mut &str) -> Option<String> {
    if rest.is_empty() {
        return None;
    }
    let (line, after) = match rest.find('\n') {
        Some(end) => rest.split_at(end + 1),
        None => (*rest, ""),
    };
    *rest = after;
    Some(match (line.strip_suffix("\r\n"), line.strip_suffix('\r')) {
        (Some(line), _) => format!("{line}\n"),
        (None, Some(line)) => line.to_owned(),
        (None, None) => line.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::config::RoleArnComposition;
    use super::*;

    fn account(annotations: &[(&str, &str)]) -> ServiceAccountView {
        let annotations = annotations.iter().map(|(k, v)| (format!("eks.amazonaws.com/{k}"), (*v).to_owned()));
        ServiceAccountView { annotations: annotations.collect() }
    }

    #[test]
    fn reads_the_skip_list_as_go_reads_csv() {
        let check = |text: &str, want: Option<&[&str]>| {
            let got = first_csv_record(text);
            assert_eq!(
                got.as_ref().map(|got| got.iter().map(String::as_str).collect()),
                want.map(<[_]>::to_vec),
                "{text:?}"
            );
        };
        check("a", Some(&["a"]));
        check("a,b", Some(&["a", "b"]));
        check("a, b", Some(&["a", " b"]));
        check("a,,b,", Some(&["a", "", "b", ""]));
        check(",", Some(&["", ""]));
        check("", None);
        check("\n\r\n", None);
        check("\r", None);
        check("\n\na\nb", Some(&["a"]));
        check("a\r\nb", Some(&["a"]));
        check("a\r", Some(&["a"]));
        check("a\rb", Some(&["a\rb"]));
        check(r#""a","b""#, Some(&["a", "b"]));
        check(r#""a,b",c"#, Some(&["a,b", "c"]));
        check(r#""a""b""#, Some(&[r#"a"b"#]));
        check("\"a\r\nb\",c\n", Some(&["a\nb", "c"]));
        check("\"a\"\n", Some(&["a"]));
        check(r#""","#, Some(&["", ""]));
        check(r#"a"b"#, None);
        check(r#" "a""#, None);
        check(r#""a"#, None);
        check("\"a\n", None);
        check(r#""a"b"#, None);
        check("a;b", Some(&["a;b"]));
    }

    #[test]
    fn raises_short_lifetimes_and_passes_over_what_is_no_number() {
        let check = |annotation: Option<&str>, want: i64| {
            let config = Config { token_expiration: 7200, ..Config::bare() };
            let annotations: Vec<_> = annotation.map(|value| ("token-expiration", value)).into_iter().collect();
            assert_eq!(AccountSettings::read(&config, &account(&annotations)).token_expiration, want, "{annotation:?}");
        };
        check(None, 7200);
        check(Some("3600"), 3600);
        check(Some("+3600"), 3600);
        check(Some("600"), 600);
        check(Some("599"), 600);
        check(Some("0"), 600);
        check(Some("-1"), 600);
        check(Some("604800"), 604_800);
        check(Some(""), 7200);
        check(Some(" 3600"), 7200);
        check(Some("1h"), 7200);
        check(Some("3_600"), 7200);
        check(Some("3600.0"), 7200);
        check(Some("9223372036854775808"), 7200);
    }

    #[test]
    fn raises_the_flag_too() {
        let config = Config { token_expiration: 60, ..Config::bare() };
        assert_eq!(AccountSettings::read(&config, &account(&[])).token_expiration, 600);
    }

    #[test]
    fn regional_annotation_beats_the_flag_when_go_can_parse_it() {
        let check = |value: &str, flag: bool, want: bool| {
            let config = Config { sts_regional_endpoint: flag, ..Config::bare() };
            let settings = AccountSettings::read(&config, &account(&[("sts-regional-endpoints", value)]));
            assert_eq!(settings.regional_sts, want, "{value:?} over {flag}");
        };
        for value in ["1", "t", "T", "TRUE", "true", "True"] {
            check(value, false, true);
        }
        for value in ["0", "f", "F", "FALSE", "false", "False"] {
            check(value, true, false);
        }
        for value in ["", "yes", "tRUE", " true"] {
            check(value, true, true);
            check(value, false, false);
        }
    }

    #[test]
    fn takes_role_and_audience_as_they_are_written() {
        let read = |annotations: &[(&str, &str)]| {
            let settings = AccountSettings::read(&Config::bare(), &account(annotations));
            (settings.role_arn, settings.audience.to_string())
        };
        let sts = || "sts.amazonaws.com".to_owned();
        assert_eq!(read(&[]), (String::new(), sts()));
        assert_eq!(read(&[("role-arn", "")]), (String::new(), sts()));
        assert_eq!(read(&[("role-arn", "no arn ")]), ("no arn ".into(), sts()));
        assert_eq!(read(&[("audience", "")]), (String::new(), String::new()));
    }

    #[test]
    fn completes_role_names_only_where_composition_is_on() {
        let account_id = "123456789012".parse().expect("account");
        let composition = RoleArnComposition::new("eu-central-1", account_id);
        let config = Config { compose_role_arn: Some(composition), ..Config::bare() };
        let check = |value: &str, want: &str| {
            assert_eq!(AccountSettings::read(&config, &account(&[("role-arn", value)])).role_arn, want);
        };
        check("reader", "arn:aws:iam::123456789012:role/reader");
        check("arn:aws:iam::210987654321:role/reader", "arn:aws:iam::210987654321:role/reader");
        check("x-arn:y", "x-arn:y");
        // Even an empty value is completed, and so turns mutation on.
        check("", "arn:aws:iam::123456789012:role/");
        assert_eq!(AccountSettings::read(&config, &account(&[])).role_arn, "");
    }

    #[test]
    fn tells_role_arns_from_others() {
        let check = |text: &str, want: bool| assert_eq!(looks_like_role_arn(text), want, "{text}");
        check("arn:aws:iam::123456789012:role/reader", true);
        check("arn:aws-us-gov:iam::123456789012:role/a/b.c@d+e=f,g_h", true);
        check("arn:aws:iam::12345678901:role/reader", false);
        check("arn:aws:iam::123456789012:user/reader", false);
        check("arn:aws:iam::123456789012:role/", false);
        check("arn:aws:iam::123456789012:role/a b", false);
        check("arn:azure:iam::123456789012:role/reader", false);
        check("reader", false);
    }
}
