//! Laws of the operators, and wildcards against their plainest definition.

use trust::policy::{Context, Document, Kind, Outcome, PrincipalFacts, Request};

use super::case::{json, opposites, values};
use super::random::for_each_case;

fn holds(operator: &str, required: &[&str], context: &Context) -> bool {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{"{operator}":{{"k":{}}}}}}}}}"#,
        json(required)
    );
    let document = Document::parse(&text, Kind::Identity).unwrap_or_else(|error| panic!("{text}: {error}"));
    let principal = PrincipalFacts::Anonymous;
    let request = Request { principal: &principal, action: "s3:GetObject", resource: "arn:aws:s3:::b", context };
    document.evaluate(&request).outcome == Outcome::Allowed
}

fn presented(values: &[&str]) -> Context {
    let mut context = Context::new().with("aws:username", "ann");
    context.set_all("k", values.iter().copied());
    context
}

#[test]
fn an_operator_and_its_negation_never_agree() {
    for_each_case(|random| {
        let (positive, negative) = opposites(random);
        let (required, given) = (values(random), values(random));
        let check = |one: String, other: String| {
            let context = presented(&given);
            assert_ne!(
                holds(&one, &required, &context),
                holds(&other, &required, &context),
                "{one}, {other}: {required:?} given {given:?}"
            );
        };
        check(positive.to_owned(), negative.to_owned());
        // Some value fits, or all do not.
        check(format!("ForAnyValue:{positive}"), format!("ForAllValues:{negative}"));
        check(format!("ForAllValues:{positive}"), format!("ForAnyValue:{negative}"));
    });
}

#[test]
fn if_exists_matters_only_where_the_key_is_missing() {
    for_each_case(|random| {
        let (positive, negative) = opposites(random);
        let (required, given) = (values(random), values(random));
        let quantifier = random.pick(&["", "ForAllValues:", "ForAnyValue:"]);
        let operator = format!("{quantifier}{}", random.pick(&[positive, negative]));
        let lenient = format!("{operator}IfExists");
        let context = presented(&given);
        let (strict, loose) = (holds(&operator, &required, &context), holds(&lenient, &required, &context));
        assert_eq!(strict, loose, "{operator}: {required:?} given {given:?}");
        assert!(holds(&lenient, &required, &Context::new()), "{lenient}");
    });
}

/// `*` stands for any text, `?` for one character: slow, and plainly so.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => fits(rest, text) || !text.is_empty() && fits(pattern, &text[1..]),
        ([first, pattern @ ..], [char, text @ ..]) => (*first == '?' || first == char) && fits(pattern, text),
        _ => false,
    }
}

#[test]
fn wildcards_mean_what_they_say() {
    for_each_case(|random| {
        let pattern: String = random.some(&['a', 'b', 'ä', '*', '?'], 0, 8).into_iter().collect();
        let text: String = random.some(&['a', 'b', 'ä', '*'], 0, 8).into_iter().collect();
        let expected = fits(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>());
        let context = Context::new().with("k", &text);
        assert_eq!(holds("StringLike", &[&pattern], &context), expected, "{pattern} against {text}");
    });
}

#[test]
fn no_value_of_a_request_is_ever_a_wildcard() {
    for_each_case(|random| {
        let name: String = random.some(&['a', '*', '?', '$', '{', '}'], 0, 4).into_iter().collect();
        let given: String = random.some(&['a', 'b', '*', '?', '$', '{', '}'], 0, 4).into_iter().collect();
        let context = Context::new().with("k", &given).with("aws:username", &name);
        let same = holds("StringLike", &["${aws:username}"], &context);
        assert_eq!(same, name == given, "{name} filled in, against {given}");
    });
}
