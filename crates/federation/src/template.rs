//! Fills `${variable}` in the policy files of a scenario. Knows nothing of what the text means, save that
//! IAM policies use the same notation for variables of their own.

use std::collections::BTreeMap;

/// A variable that has no value, or a `${` that ends nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}{}", hint(.nearest))]
pub struct TemplateError {
    /// The file, as it was named by the caller.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What stands between the braces.
    pub variable: String,
    /// The known variable that looks most like it.
    pub nearest: Option<String>,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("no variable is called `{0}`")]
    Unknown(String),
    #[error("`{0}` is no variable name: letters, digits, `_` and `-` are allowed, or write `$${{` for a plain `${{`")]
    Malformed(String),
    #[error("`${{` is not closed on its line; write `$${{` for a plain one")]
    Unclosed,
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Replaces each `${variable}` in `text` by its value.
///
/// `$${` stands for a plain `${`. IAM policy variables pass untouched: every name with a colon (`${aws:username}`,
/// also with a default value) and the three escapes `${*}`, `${?}`, `${$}` (IAM User Guide, "IAM policy elements:
/// Variables and tags"). Values are inserted as they are and not looked at again.
///
/// ```
/// # use std::collections::BTreeMap;
/// let vars = BTreeMap::from([("bucket", "demo".to_owned())]);
/// let text = federation::template::render("arn:aws:s3:::${bucket}/${aws:userid}", "read.json", &vars).unwrap();
/// assert_eq!(text, "arn:aws:s3:::demo/${aws:userid}");
/// ```
///
/// # Errors
/// The first variable without a value, with file, line and the nearest known name.
pub fn render(text: &str, name: &str, vars: &BTreeMap<&str, String>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let error = |problem, variable: &str, nearest| TemplateError {
            file: name.to_owned(),
            line: 1 + text[..text.len() - inside.len()].matches('\n').count(),
            variable: variable.to_owned(),
            nearest,
            problem,
        };
        let end = inside
            .find(['}', '\n'])
            .filter(|&end| inside.as_bytes()[end] == b'}')
            .ok_or_else(|| error(Problem::Unclosed, inside.lines().next().unwrap_or_default(), None))?;
        let variable = &inside[..end];
        match vars.get(variable) {
            Some(value) => out.push_str(value),
            None if is_iam_variable(variable) => out.push_str(&rest[at..at + end + 3]),
            None if is_name(variable) => {
                return Err(error(Problem::Unknown(variable.into()), variable, nearest(variable, vars)));
            }
            None => return Err(error(Problem::Malformed(variable.into()), variable, None)),
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn is_iam_variable(variable: &str) -> bool {
    variable.contains(':') || matches!(variable, "*" | "?" | "$")
}

fn is_name(variable: &str) -> bool {
    !variable.is_empty() && variable.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// The best likeness, if it is a likely slip of the pen.
fn nearest(variable: &str, vars: &BTreeMap<&str, String>) -> Option<String> {
    vars.keys()
        .map(|known| (strsim::jaro_winkler(variable, known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| (*known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, TemplateError> {
        let vars = BTreeMap::from([
            ("issuer", "h/t/g/".to_owned()),
            ("namespace", "demo".to_owned()),
            ("odd", "${issuer}$".to_owned()),
        ]);
        render(text, "trust-policy.json", &vars)
    }

    #[test]
    fn fills_variables_and_leaves_everything_else() {
        let check = |text: &str, expected: &str| assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        check("", "");
        check("no variable, $5, {}, $issuer", "no variable, $5, {}, $issuer");
        check("${issuer}:sub", "h/t/g/:sub");
        check("${namespace}${issuer}", "demoh/t/g/");
        check("é${namespace}é", "édemoé");
        check("$${namespace}", "${namespace}");
        check("$$${namespace}", "$${namespace}");
        check("${odd}", "${issuer}$");
        check("a$", "a$");
    }

    #[test]
    fn lets_policy_variables_of_iam_pass() {
        let check = |text: &str| assert_eq!(rendered(text).as_deref(), Ok(text), "{text}");
        check("home/${aws:username}/*");
        check("${aws:PrincipalTag/team, 'none'}");
        check("${saml:sub} ${*} ${?} ${$}");
    }

    #[test]
    fn names_file_line_and_nearest_variable() {
        let check = |text: &str, expected: &str| match rendered(text) {
            Ok(done) => panic!("{text} must fail, gave {done}"),
            Err(error) => assert_eq!(error.to_string(), expected),
        };
        check("\n{\n ${isuer}", "trust-policy.json:3: no variable is called `isuer`; did you mean `issuer`?");
        check("${zzz}", "trust-policy.json:1: no variable is called `zzz`");
        check("${namespace", "trust-policy.json:1: `${` is not closed on its line; write `$${` for a plain one");
        check(
            "${issuer}\n${names\npace}",
            "trust-policy.json:2: `${` is not closed on its line; write `$${` for a plain one",
        );
        check(
            "${name space}",
            "trust-policy.json:1: `name space` is no variable name: letters, digits, `_` and `-` are allowed, or write `$${` for a plain `${`",
        );
        check(
            "${}",
            "trust-policy.json:1: `` is no variable name: letters, digits, `_` and `-` are allowed, or write `$${` for a plain `${`",
        );
    }
}
