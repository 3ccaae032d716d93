//! Where a new bucket goes. Pure.
//!
//! Source: S3 API reference, "CreateBucket" (LocationConstraint and Errors).

use super::address::HOME_REGION;
use super::refusal::Refusal;

/// The region of a bucket that is created at the endpoint of `endpoint` with `constraint`.
pub(super) fn region_of_new_bucket(endpoint: &str, constraint: Option<&str>) -> Result<String, Refusal> {
    // The name of eu-west-1 from before there were two regions in Europe.
    let wanted = constraint.map(|name| if name == "EU" { "eu-west-1" } else { name });
    if wanted.is_some_and(|name| name == HOME_REGION || !looks_like_region(name)) {
        return Err(Refusal::new(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
            .with("LocationConstraint", constraint.unwrap_or_default()));
    }
    match wanted {
        None if endpoint == HOME_REGION => Ok(HOME_REGION.to_owned()),
        Some(wanted) if endpoint == HOME_REGION || wanted == endpoint => Ok(wanted.to_owned()),
        other => Err(Refusal::new(
            400,
            "IllegalLocationConstraintException",
            format!(
                "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
                other.unwrap_or("unspecified")
            ),
        )),
    }
}

/// `eu-central-1`, `us-gov-west-1`: new regions need no new release.
fn looks_like_region(name: &str) -> bool {
    let words: Vec<&str> = name.split('-').collect();
    let [area, middle @ .., number] = words.as_slice() else {
        return false;
    };
    area.len() == 2
        && !middle.is_empty()
        && std::iter::once(area)
            .chain(middle)
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, constraint: Option<&str>, expected: &str) {
        let found = region_of_new_bucket(endpoint, constraint).unwrap_or_else(|refusal| refusal.code.into_owned());
        assert_eq!(found, expected);
    }

    #[test]
    fn places_a_new_bucket_where_endpoint_and_constraint_agree() {
        check("us-east-1", None, "us-east-1");
        check("us-east-1", Some("eu-central-1"), "eu-central-1");
        check("us-east-1", Some("EU"), "eu-west-1");
        check("eu-central-1", Some("eu-central-1"), "eu-central-1");
    }

    #[test]
    fn refuses_a_constraint_that_does_not_fit_the_endpoint() {
        check("eu-central-1", None, "IllegalLocationConstraintException");
        check("eu-central-1", Some("eu-west-1"), "IllegalLocationConstraintException");
        check("eu-central-1", Some("us-east-1"), "InvalidLocationConstraint");
        check("us-east-1", Some("us-east-1"), "InvalidLocationConstraint");
        check("us-east-1", Some("europe"), "InvalidLocationConstraint");
        check("us-east-1", Some("eu-central-"), "InvalidLocationConstraint");
        check("us-east-1", Some(""), "InvalidLocationConstraint");
    }
}
