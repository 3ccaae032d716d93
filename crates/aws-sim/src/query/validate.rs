//! Checks of parameters against the bounds of the service models. All faults of a request are
//! reported in one `ValidationError`, as the services do.

use std::ops::RangeInclusive;

use crate::error::ApiError;

use super::Parameters;

/// The characters that may occur, and the pattern that the message shows.
type Characters = (fn(char) -> bool, &'static str);

/// What a text parameter must look like.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    /// In characters, both ends included.
    pub(crate) length: (usize, usize),
    pub(crate) pattern: Option<Characters>,
    /// Keeps the value out of the message.
    pub(crate) secret: bool,
}

impl Text {
    pub(crate) const fn of(min: usize, max: usize) -> Text {
        Text { length: (min, max), pattern: None, secret: false }
    }

    pub(crate) const fn within(mut self, allowed: fn(char) -> bool, pattern: &'static str) -> Text {
        self.pattern = Some((allowed, pattern));
        self
    }

    pub(crate) const fn secret(mut self) -> Text {
        self.secret = true;
        self
    }
}

/// `[\w+=,.@-]`: names of roles, policies and sessions.
pub(crate) const NAME: fn(char) -> bool = |char| char.is_ascii_alphanumeric() || "_+=,.@-".contains(char);

/// Reads parameters and collects what is wrong with them; ask [`Validator::finish`] before using any.
#[derive(Debug)]
pub(crate) struct Validator<'a> {
    parameters: &'a Parameters,
    problems: Vec<String>,
    malformed: Option<String>,
}

impl<'a> Validator<'a> {
    pub(crate) fn new(parameters: &'a Parameters) -> Validator<'a> {
        Validator { parameters, problems: Vec::new(), malformed: None }
    }

    /// A parameter that must be there. The empty text stands in when it is not.
    pub(crate) fn required(&mut self, name: &str, rule: Text) -> &'a str {
        match self.optional(name, rule) {
            Some(value) => value,
            None => {
                self.problem(None, name, "Member must not be null");
                ""
            }
        }
    }

    pub(crate) fn optional(&mut self, name: &str, rule: Text) -> Option<&'a str> {
        let value = self.parameters.get(name)?;
        self.check(name, value, rule);
        Some(value)
    }

    /// Every member of a list parameter; empty when the parameter is absent.
    pub(crate) fn list(&mut self, name: &str, rule: Text) -> Vec<&'a str> {
        let values = self.parameters.list(name).unwrap_or_default();
        for value in &values {
            self.check(name, value, rule);
        }
        values
    }

    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.parameters.get(name)?;
        let Ok(value) = text.parse::<i64>() else {
            self.malformed = Some(format!("{name} is not an integer"));
            return None;
        };
        if value < *range.start() {
            let bound = format!("Member must have value greater than or equal to {}", range.start());
            self.problem(Some(text), name, &bound);
        }
        if value > *range.end() {
            let bound = format!("Member must have value less than or equal to {}", range.end());
            self.problem(Some(text), name, &bound);
        }
        Some(value)
    }

    /// # Errors
    /// `ValidationError` with every problem found.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if let Some(message) = self.malformed {
            return Err(ApiError::malformed_input(message));
        }
        match self.problems.len() {
            0 => Ok(()),
            count => Err(ApiError::validation(format!(
                "{count} validation error{} detected: {}",
                if count == 1 { "" } else { "s" },
                self.problems.join("; ")
            ))),
        }
    }

    fn check(&mut self, name: &str, value: &str, rule: Text) {
        let shown = (!rule.secret).then_some(value);
        let (min, max) = rule.length;
        let length = value.chars().count();
        if length > max {
            let bound = format!("Member must have length less than or equal to {max}");
            self.problem(shown, name, &bound);
        }
        if length < min {
            let bound = format!("Member must have length greater than or equal to {min}");
            self.problem(shown, name, &bound);
        }
        if let Some((allowed, pattern)) = rule.pattern
            && !value.chars().all(allowed)
        {
            let bound = format!("Member must satisfy regular expression pattern: {pattern}");
            self.problem(shown, name, &bound);
        }
    }

    fn problem(&mut self, value: Option<&str>, name: &str, constraint: &str) {
        let shown = value.map(|value| format!("'{value}' ")).unwrap_or_default();
        let mut letters = name.chars();
        let first = letters.next().map(|char| char.to_ascii_lowercase());
        let member: String = first.into_iter().chain(letters).collect();
        self.problems.push(format!("Value {shown}at '{member}' failed to satisfy constraint: {constraint}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(form: &str) -> String {
        let parameters = Parameters::parse(None, form.as_bytes());
        let mut validator = Validator::new(&parameters);
        validator.required("RoleSessionName", Text::of(2, 4).within(NAME, "[\\w+=,.@-]*"));
        validator.required("WebIdentityToken", Text::of(4, 8).secret());
        validator.integer("DurationSeconds", 900..=43200);
        validator.finish().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn joins_all_problems_of_a_request() {
        insta::assert_snapshot!(report("RoleSessionName=ab&WebIdentityToken=abcd"), @"");
        insta::assert_snapshot!(
            report("RoleSessionName=a:bcd&DurationSeconds=899"),
            @r"ValidationError: 4 validation errors detected: Value 'a:bcd' at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 4; Value 'a:bcd' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*; Value at 'webIdentityToken' failed to satisfy constraint: Member must not be null; Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
        );
        insta::assert_snapshot!(
            report("RoleSessionName=ab&WebIdentityToken=abc"),
            @"ValidationError: 1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4"
        );
    }
}
