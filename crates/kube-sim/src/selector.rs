//! Label and field selectors: their text form, their object form, and whether an object matches.
//!
//! Grammar and error texts are those of `k8s.io/apimachinery/pkg/labels` and `pkg/fields`.

use serde_json::Value;

use crate::names;
use crate::object::{self, Fields};

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
    Greater(String, i64),
    Less(String, i64),
}

/// Conditions that all must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// The form of the `labelSelector` parameter.
    ///
    /// # Errors
    /// The real server's words, from `unable to parse requirement:` on.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        parser.selector().map(Self).map_err(|error| format!("unable to parse requirement: {error}"))
    }

    /// The form of `metav1.LabelSelector`; anything that validation would refuse matches nothing.
    pub(crate) fn of(value: Option<&Value>) -> Self {
        let Some(value) = value else {
            return Self::default();
        };
        let mut requirements = Vec::new();
        for (key, wanted) in value.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            requirements.push(Requirement::In(key.clone(), vec![wanted.as_str().unwrap_or_default().to_owned()]));
        }
        for expression in object::list(value, "/matchExpressions") {
            let key = object::text(expression, "/key").to_owned();
            let values =
                || object::list(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            requirements.push(match object::text(expression, "/operator") {
                "NotIn" => Requirement::NotIn(key, values()),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::DoesNotExist(key),
                _ => Requirement::In(key, values()),
            });
        }
        Self(requirements)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, labels: Option<&Fields>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, wanted) => value(key).is_some_and(|value| wanted.iter().any(|one| one == value)),
            Requirement::NotIn(key, refused) => value(key).is_none_or(|value| refused.iter().all(|one| one != value)),
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::DoesNotExist(key) => value(key).is_none(),
            Requirement::Greater(key, bound) => {
                value(key).and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value > *bound)
            }
            Requirement::Less(key, bound) => {
                value(key).and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value < *bound)
            }
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(&'static str),
}

const SIGNS: [&str; 10] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<", ""];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| !sign.is_empty() && rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "=!(),><".contains(c)).unwrap_or(rest.len());
        found.push(Token::Word(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    found
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        if self.peek().is_none() {
            return Ok(requirements);
        }
        loop {
            requirements.push(self.requirement()?);
            match self.next() {
                None => return Ok(requirements),
                Some(Token::Sign(",")) => {
                    if !matches!(self.peek(), Some(Token::Word(_) | Token::Sign("!"))) {
                        return Err(format!("found '{}', expected: identifier after ','", shown(self.peek())));
                    }
                }
                other => {
                    return Err(format!("found '{}', expected: ',' or 'end of string'", shown(other.as_ref())));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = self.peek() == Some(&Token::Sign("!"));
        if negated {
            self.at += 1;
        }
        let key = match self.next() {
            Some(Token::Word(key)) => key,
            other => {
                return Err(format!("found '{}', expected: identifier", shown(other.as_ref())));
            }
        };
        if let Some(error) = names::qualified_name(&key).into_iter().next() {
            return Err(format!("key: Invalid value: {key:?}: {error}"));
        }
        if negated {
            return Ok(Requirement::DoesNotExist(key));
        }
        match self.peek().cloned() {
            None | Some(Token::Sign(",")) => Ok(Requirement::Exists(key)),
            Some(Token::Sign(sign @ ("=" | "==" | "!=" | ">" | "<"))) => {
                self.at += 1;
                let value = self.exact_value()?;
                match sign {
                    "!=" => self.checked(&key, &[&value]).map(|()| Requirement::NotIn(key, vec![value])),
                    ">" | "<" => {
                        let bound = value
                            .parse()
                            .map_err(|_| format!("values[0][{key}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"))?;
                        Ok(if sign == ">" { Requirement::Greater(key, bound) } else { Requirement::Less(key, bound) })
                    }
                    _ => self.checked(&key, &[&value]).map(|()| Requirement::In(key, vec![value])),
                }
            }
            Some(Token::Word(word)) if word == "in" || word == "notin" => {
                self.at += 1;
                let values = self.values()?;
                self.checked(&key, &values.iter().map(String::as_str).collect::<Vec<_>>())?;
                Ok(if word == "in" { Requirement::In(key, values) } else { Requirement::NotIn(key, values) })
            }
            other => Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", shown(other.as_ref()))),
        }
    }

    fn checked(&self, key: &str, values: &[&str]) -> Result<(), String> {
        for (index, value) in values.iter().enumerate() {
            if let Some(error) = names::label_value(value).into_iter().next() {
                return Err(format!("values[{index}][{key}]: Invalid value: {value:?}: {error}"));
            }
        }
        Ok(())
    }

    fn exact_value(&mut self) -> Result<String, String> {
        match self.peek().cloned() {
            None | Some(Token::Sign(",")) => Ok(String::new()),
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            other => Err(format!("found '{}', expected: identifier", shown(other.as_ref()))),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        if self.next() != Some(Token::Sign("(")) {
            self.at -= 1;
            return Err(format!("found '{}' expected: '('", shown(self.peek())));
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Some(Token::Word(word)) => values.push(word),
                Some(Token::Sign(",")) => continue,
                Some(Token::Sign(")")) => return Ok(values),
                other => {
                    return Err(format!("found '{}', expected: ',' or ')'", shown(other.as_ref())));
                }
            }
        }
    }
}

fn shown(token: Option<&Token>) -> &str {
    match token {
        None => "",
        Some(Token::Word(word)) => word,
        Some(Token::Sign(sign)) => sign,
    }
}

/// Conditions on members of an object, as far as the server lets clients select by them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// # Errors
    /// The real server's words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for term in text.split(',').filter(|term| !term.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = term.split_once("==") {
                (field, true, value)
            } else if let Some((field, value)) = term.split_once('=') {
                (field, true, value)
            } else {
                return Err(format!("invalid selector: '{text}'; can't understand '{term}'"));
            };
            terms.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(Self(terms))
    }

    /// The first field by which this kind cannot be selected.
    pub(crate) fn unsupported<'a>(&'a self, plural: &str) -> Option<&'a str> {
        let extra: &[&str] = match plural {
            "pods" => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.podIPs",
                "status.nominatedNodeName",
            ],
            "events" => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source",
                "type",
            ],
            "secrets" => &["type"],
            "namespaces" => &["status.phase"],
            "nodes" => &["spec.unschedulable"],
            "jobs" => &["status.successful"],
            _ => &[],
        };
        self.0
            .iter()
            .map(|(field, ..)| field.as_str())
            .find(|field| !["metadata.name", "metadata.namespace"].contains(field) && !extra.contains(field))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one name that is asked for, if it is.
    pub(crate) fn single_name(&self) -> Option<&str> {
        self.0.iter().find(|(field, equal, _)| field == "metadata.name" && *equal).map(|(.., value)| value.as_str())
    }

    pub(crate) fn matches(&self, value: &Value) -> bool {
        self.0.iter().all(|(field, equal, wanted)| (read(value, field) == *wanted) == *equal)
    }
}

fn read(value: &Value, field: &str) -> String {
    if field == "source" {
        return object::text(value, "/source/component").to_owned();
    }
    match value.pointer(&format!("/{}", field.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(bit)) => bit.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ if field.ends_with("nschedulable") || field == "spec.hostNetwork" => "false".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(selector: &str, labels: Value, expected: bool) {
        let parsed = LabelSelector::parse(selector).expect("selector must parse");
        assert_eq!(parsed.matches(labels.as_object()), expected, "{selector} on {labels}");
    }

    #[test]
    fn text_selectors_match_as_the_grammar_says() {
        check("", json!({}), true);
        check("a=b", json!({"a": "b"}), true);
        check("a==b,c", json!({"a": "b"}), false);
        check("a!=b", json!({}), true);
        check("a in (b, c),!d", json!({"a": "c"}), true);
        check("a notin (b)", json!({"a": "b"}), false);
        check("!a", json!({"a": ""}), false);
        check("a=", json!({"a": ""}), true);
        check("n>3,n<5", json!({"n": "4"}), true);
        check("n>3", json!({"n": "x"}), false);
        check("example.com/in=in", json!({"example.com/in": "in"}), true);
    }

    #[test]
    fn wrong_selectors_are_refused_in_the_servers_words() {
        let check = |text: &str, expected: &str| assert_eq!(LabelSelector::parse(text).expect_err(text), expected);
        check("a===b", "unable to parse requirement: found '=', expected: identifier");
        check("a,", "unable to parse requirement: found '', expected: identifier after ','");
        check("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
        check("=b", "unable to parse requirement: found '=', expected: identifier");
    }

    #[test]
    fn object_selectors_match_as_documented() {
        let check = |selector: Value, labels: Value, expected| {
            assert_eq!(
                LabelSelector::of(Some(&selector)).matches(labels.as_object()),
                expected,
                "{selector} on {labels}"
            );
        };
        check(json!({}), json!({}), true);
        check(json!({"matchLabels": {"a": "b"}}), json!({"a": "c"}), false);
        let without = json!({"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]});
        check(without.clone(), json!({"skip": ""}), false);
        check(without, json!({}), true);
        check(
            json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}),
            json!({"a": "x"}),
            false,
        );
    }

    #[test]
    fn fields_select_by_what_the_kind_offers() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"phase": "Running"}, "spec": {}});
        let check = |text: &str, expected| {
            assert_eq!(FieldSelector::parse(text).expect("must parse").matches(&pod), expected, "{text}")
        };
        check("metadata.name=p,status.phase!=Pending", true);
        check("spec.nodeName=", true);
        check("spec.nodeName=n", false);
        assert_eq!(FieldSelector::parse("spec.image=x").expect("must parse").unsupported("pods"), Some("spec.image"));
        assert_eq!(FieldSelector::parse("x").expect_err("must fail"), "invalid selector: 'x'; can't understand 'x'");
    }
}
