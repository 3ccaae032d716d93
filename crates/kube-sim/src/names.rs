//! The syntax of names, labels and annotations, with the messages of `k8s.io/apimachinery/pkg/util/validation`.
//!
//! Pure: a text in, complaints out.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_PART: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Complaints about a text; none means that it is fine.
pub(crate) type Complaints = Vec<String>;

fn is_label_shaped(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && inner(bytes[0])
        && inner(bytes[bytes.len() - 1])
        && bytes.iter().all(|&byte| inner(byte) || byte == b'-')
}

fn is_name_shaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes[0].is_ascii_alphanumeric()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// RFC 1123 label: namespaces, containers, volumes.
pub(crate) fn dns_label(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > 63 {
        complaints.push("must be no more than 63 characters".to_owned());
    }
    if !is_label_shaped(text) {
        let is_subdomain = text.split('.').all(is_label_shaped);
        complaints.push(if is_subdomain { "must not contain dots".to_owned() } else { LABEL.to_owned() });
    }
    complaints
}

/// RFC 1123 subdomain: most objects.
pub(crate) fn dns_subdomain(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > 253 {
        complaints.push("must be no more than 253 characters".to_owned());
    }
    if !text.split('.').all(is_label_shaped) {
        complaints.push(SUBDOMAIN.to_owned());
    }
    complaints
}

/// What can stand in a path: roles and bindings.
pub(crate) fn path_segment(text: &str) -> Complaints {
    if [".", ".."].contains(&text) {
        return vec![format!("may not be '{text}'")];
    }
    ['/', '%']
        .iter()
        .filter(|&&illegal| text.contains(illegal))
        .map(|illegal| format!("may not contain '{illegal}'"))
        .collect()
}

/// A key of labels or annotations.
pub(crate) fn qualified_name(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                complaints.push("prefix part must be non-empty".to_owned());
            } else {
                complaints
                    .extend(dns_subdomain(prefix).into_iter().map(|complaint| format!("prefix part {complaint}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "a qualified name {NAME_PART} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        complaints.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        complaints.push("name part must be no more than 63 characters".to_owned());
    }
    if !is_name_shaped(name) {
        complaints.push(format!("name part {NAME_PART}"));
    }
    complaints
}

/// A value of a label.
pub(crate) fn label_value(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > 63 {
        complaints.push("must be no more than 63 characters".to_owned());
    }
    if !text.is_empty() && !is_name_shaped(text) {
        complaints.push(LABEL_VALUE.to_owned());
    }
    complaints
}

/// The name of a port.
pub(crate) fn port_name(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    let mut complain = |text: &str| complaints.push(text.to_owned());
    if text.len() > 15 {
        complain("must be no more than 15 characters");
    }
    if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        complain("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        complain("must contain at least one letter (a-z)");
    }
    if text.contains("--") {
        complain("must not contain consecutive hyphens");
    }
    if text.starts_with('-') || text.ends_with('-') {
        complain("must not begin or end with a hyphen");
    }
    complaints
}

/// A key of a ConfigMap's or Secret's data.
pub(crate) fn data_key(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > 253 {
        complaints.push("must be no more than 253 characters".to_owned());
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        complaints.push("a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')".to_owned());
    }
    if text == "." {
        complaints.push("must not be '.'".to_owned());
    } else if text == ".." {
        complaints.push("must not be '..'".to_owned());
    } else if text.starts_with("..") {
        complaints.push("must not start with '..'".to_owned());
    }
    complaints
}

/// A container's environment variable.
pub(crate) fn env_name(text: &str) -> Complaints {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=') {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_accepted_as_the_rules_say() {
        let check = |rule: fn(&str) -> Complaints, text: &str, fine: bool| {
            assert_eq!(rule(text).is_empty(), fine, "{text}: {:?}", rule(text))
        };
        check(dns_label, "a-1", true);
        check(dns_label, "-a", false);
        check(dns_label, &"a".repeat(64), false);
        check(dns_subdomain, "a.b-c.1", true);
        check(dns_subdomain, "a..b", false);
        check(dns_subdomain, "A", false);
        check(qualified_name, "eks.amazonaws.com/role-arn", true);
        check(qualified_name, "a/b/c", false);
        check(qualified_name, "/x", false);
        check(label_value, "", true);
        check(label_value, "a_b.C", true);
        check(label_value, "-a", false);
        check(data_key, "a.b_C-1", true);
        check(data_key, "..a", false);
        check(data_key, "a/b", false);
        check(env_name, "1 A", true);
        check(env_name, "1=A", false);
        check(path_segment, "system:a", true);
        check(path_segment, "a/b", false);
    }

    #[test]
    fn a_dotted_label_is_told_about_its_dots() {
        assert_eq!(dns_label("dot.ted"), ["must not contain dots"]);
        assert_eq!(dns_label("-dash"), [LABEL]);
        assert_eq!(qualified_name("/x"), ["prefix part must be non-empty"]);
    }
}
