//! Tags of roles, policies and providers: at most fifty, keys unique regardless of case.

use crate::account::Tags;
use crate::error::ApiError;
use crate::query::{Parameters, Text, Validator, Xml};

use super::paging::Window;

const MAX_TAGS: usize = 50;
const PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";

fn allowed(char: char) -> bool {
    char.is_alphanumeric() || char.is_whitespace() || "_.:/=+-@".contains(char)
}

/// `Tags.member.N.Key` with `Tags.member.N.Value`.
pub(super) fn given(parameters: &Parameters) -> Result<Tags, ApiError> {
    let keys = parameters.fields("Tags", "Key");
    let values = parameters.fields("Tags", "Value");
    let mut tags: Tags = Vec::with_capacity(keys.len());
    for (number, key) in keys {
        let value = values.iter().find(|(other, _)| *other == number);
        let Some((_, value)) = value else {
            return Err(constraint(number, "value", "Member must not be null"));
        };
        if key.is_empty() || key.chars().count() > 128 {
            return Err(constraint(number, "key", "Member must have length less than or equal to 128"));
        }
        if value.chars().count() > 256 {
            return Err(constraint(number, "value", "Member must have length less than or equal to 256"));
        }
        if !key.chars().chain(value.chars()).all(allowed) {
            let text = format!("Member must satisfy regular expression pattern: {PATTERN}");
            return Err(constraint(number, "key", &text));
        }
        if tags.iter().any(|(other, _)| other.eq_ignore_ascii_case(key)) {
            return Err(ApiError::invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        tags.push((key.to_owned(), (*value).to_owned()));
    }
    if tags.len() > MAX_TAGS {
        return Err(ApiError::validation(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
        ));
    }
    Ok(tags)
}

fn constraint(number: usize, member: &str, text: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value at 'tags.{number}.member.{member}' failed to satisfy constraint: {text}"
    ))
}

/// Adds tags, replacing values of keys that are there already.
pub(super) fn merge(tags: &mut Tags, added: Tags) -> Result<(), ApiError> {
    let fresh = |key: &str| !tags.iter().any(|(old, _)| old.eq_ignore_ascii_case(key));
    if tags.len() + added.iter().filter(|(key, _)| fresh(key)).count() > MAX_TAGS {
        return Err(ApiError::limit_exceeded("The number of tags has reached the maximum limit."));
    }
    for (key, value) in added {
        match tags.iter_mut().find(|(old, _)| old.eq_ignore_ascii_case(&key)) {
            Some(tag) => tag.1 = value,
            None => tags.push((key, value)),
        }
    }
    Ok(())
}

/// `TagKeys.member.N`; keys that are not there are no error.
pub(super) fn remove(tags: &mut Tags, parameters: &Parameters) -> Result<(), ApiError> {
    let mut check = Validator::new(parameters);
    let keys = check.list("TagKeys", Text::of(1, 128));
    check.finish()?;
    tags.retain(|(tag, _)| !keys.iter().any(|key| tag.eq_ignore_ascii_case(key)));
    Ok(())
}

pub(super) fn write(xml: &mut Xml, tags: &[(String, String)]) {
    xml.members("Tags", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

/// Writes the page of tags that is asked for.
pub(super) fn write_page(xml: &mut Xml, tags: &[(String, String)], window: &Window) {
    let mut sorted: Vec<&(String, String)> = tags.iter().collect();
    sorted.sort();
    let page = window.cut(sorted, |(key, _)| key);
    xml.members("Tags", &page.items, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
    page.write_end(xml);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_keys_are_one_key_whatever_their_case() {
        let given = |form: &str| super::given(&Parameters::parse(Some(form), b""));
        let twice = "Tags.member.1.Key=Run&Tags.member.1.Value=1&Tags.member.2.Key=run&Tags.member.2.Value=2";
        assert_eq!(given(twice).map_err(|error| error.code), Err("InvalidInput"));

        let mut tags = vec![("Run".to_owned(), "1".to_owned())];
        merge(&mut tags, vec![("run".to_owned(), "2".to_owned())]).expect("merge must work");
        assert_eq!(tags, [("Run".to_owned(), "2".to_owned())]);
        remove(&mut tags, &Parameters::parse(Some("TagKeys.member.1=RUN"), b"")).expect("must work");
        assert_eq!(tags, []);
    }

    #[test]
    fn stops_at_fifty_tags() {
        let tag = |number: usize| (format!("k{number}"), String::new());
        let mut tags: Tags = (0..50).map(tag).collect();
        assert!(merge(&mut tags, vec![tag(49)]).is_ok());
        let refused = merge(&mut tags, vec![tag(50)]).map_err(|error| error.code);
        assert_eq!(refused, Err("LimitExceeded"));
    }
}
