//! Which members the kinds have, of what type, and how lists and maps of them are merged: one table for decoding, patches, apply and OpenAPI.
//!
//! The table is derived from the OpenAPI document of Kubernetes 1.36, with Go's pointers marked where they decide whether a zero is written.
//! It knows types and no object.

mod decode;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

pub(crate) use decode::{decode, fold_string_data};
use serde_json::Value;

/// A line a struct: its name (with `~` in front: owned as a whole by whoever applies it), then members with their types.
///
/// `s` string, `i` int32, `l` int64, `b` bool, `t` time, `u` int or string, `q` quantity, `x` base64 bytes, `*` anything, `m` map of strings,
/// `M` map of base64 bytes, `Q` map of quantities, `{X}` map of structs, `[X]` a list, `X` a struct of this table. Behind it: `?` a pointer,
/// kept when empty; `!` required; `~` a map that is owned as a whole; `@` a set; `@a,b` a list of which each item is known by these members.
/// Last, behind a `#`: its number in protobuf, with that of the embedded struct in front where it has one.
/// A name that several groups use has the group in front of a colon.
const TYPES: &str = include_str!("schema/types.txt");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Int,
    Long,
    Bool,
    Time,
    IntOrText,
    Quantity,
    Bytes,
    Any,
    TextMap,
    BytesMap,
    QuantityMap,
    StructMap(&'static str),
    Struct(&'static str),
}

/// How a list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List<'a> {
    /// Replaced as a whole.
    Atomic,
    Set,
    /// Items are known by these members; a strategic merge patch uses the first.
    Map(&'a str),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) kind: Type,
    pub(crate) list: Option<List<'static>>,
    pub(crate) required: bool,
    /// Kept when empty.
    pointer: bool,
    atomic: bool,
    /// Number in protobuf, that of the embedded struct first; zeros where it is not known.
    number: (u32, u32),
}

#[derive(Debug)]
pub(crate) struct Struct {
    name: &'static str,
    atomic: bool,
    members: HashMap<&'static str, Member>,
}

type Lines = HashMap<&'static str, (&'static str, OnceLock<Struct>)>;

/// Lines are read when they are first asked for, so that a server starts without reading them all.
static LINES: LazyLock<Lines> = LazyLock::new(|| {
    let lines = TYPES.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, _)| name.trim_start_matches('~'))
        .zip(TYPES.lines())
        .map(|(name, line)| (name, (line, OnceLock::new())))
        .collect()
});

/// A struct by its name in the table.
pub(crate) fn find(name: &str) -> Option<&'static Struct> {
    let (line, known) = LINES.get(name)?;
    Some(known.get_or_init(|| parse(line)))
}

fn parse(line: &'static str) -> Struct {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    Struct {
        name: name.trim_start_matches('~'),
        atomic: name.starts_with('~'),
        members: words.filter_map(|word| word.split_once('=')).map(|(name, kind)| (name, member(kind))).collect(),
    }
}

fn member(text: &'static str) -> Member {
    let (text, number) = text.split_once('#').unwrap_or((text, "0"));
    let (outer, inner) = number.split_once('.').unwrap_or(("0", number));
    let number = (outer.parse().unwrap_or(0), inner.parse().unwrap_or(0));
    let required = text.ends_with('!');
    let text = text.trim_end_matches('!');
    let (pointer, atomic) = (text.ends_with('?'), text.ends_with('~'));
    let (text, keys) = match text.trim_end_matches(['?', '~']).split_once('@') {
        Some((text, keys)) => (text, Some(keys)),
        None => (text.trim_end_matches(['?', '~']), None),
    };
    let list = text.starts_with('[').then_some(match keys {
        None => List::Atomic,
        Some("") => List::Set,
        Some(keys) => List::Map(keys),
    });
    let kind = match text.trim_matches(['[', ']']) {
        "s" => Type::Text,
        "i" => Type::Int,
        "l" => Type::Long,
        "b" => Type::Bool,
        "t" => Type::Time,
        "u" => Type::IntOrText,
        "q" => Type::Quantity,
        "x" => Type::Bytes,
        "*" => Type::Any,
        "m" => Type::TextMap,
        "M" => Type::BytesMap,
        "Q" => Type::QuantityMap,
        map if map.starts_with('{') => Type::StructMap(map.trim_matches(['{', '}'])),
        name => Type::Struct(name),
    };
    Member { kind, list, required, pointer, atomic, number }
}

impl Struct {
    /// The name in Go.
    pub(crate) fn go_name(&self) -> &'static str {
        plain(self.name)
    }

    /// True when it is owned as a whole.
    pub(crate) fn is_atomic(&self) -> bool {
        self.atomic
    }

    /// The member of a number, within an embedded struct if that has one.
    pub(crate) fn numbered(&'static self, number: u32, embedded: u32) -> Option<(&'static str, &'static Member)> {
        let found = self.members.iter().find(|(_, member)| member.number == (embedded, number) && number > 0);
        found.map(|(name, member)| (*name, member))
    }

    /// True when numbers are known at all.
    pub(crate) fn is_numbered(&self) -> bool {
        self.members.values().any(|member| member.number.1 > 0)
    }

    /// Members by name, in no order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'static str, &Member)> {
        self.members.iter().map(|(name, member)| (*name, member))
    }
}

/// A name without its group.
fn plain(name: &'static str) -> &'static str {
    name.rsplit(':').next().unwrap_or(name)
}

/// A place in an object, as far as its type is known: of a built-in kind, or of a custom one by its structural schema.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'a> {
    Struct(&'static Struct),
    Member(&'static Member),
    /// An item of a list or a value of a map.
    Item(&'static Member),
    Custom(&'a Value),
    /// An object of a custom kind: its metadata is that of every kind.
    CustomObject(&'a Value),
    /// Objects are merged member by member, lists replaced.
    Untyped,
}

impl<'a> Shape<'a> {
    /// The shape of a custom kind's objects.
    pub(crate) fn of_custom(schema: &'a Value) -> Self {
        Shape::CustomObject(schema)
    }

    /// The shape of a member.
    pub(crate) fn field(self, key: &str) -> Self {
        match self {
            Shape::Struct(known) => known.members.get(key).map_or(Shape::Untyped, Shape::Member),
            Shape::CustomObject(_) if key == "metadata" => find("ObjectMeta").map_or(Shape::Untyped, Shape::Struct),
            Shape::CustomObject(schema) => Shape::Custom(schema).field(key),
            Shape::Member(Member { list: None, kind: Type::StructMap(_), .. }) => self.item(),
            Shape::Member(Member { kind: Type::Struct(name), list: None, .. })
            | Shape::Item(Member { kind: Type::Struct(name) | Type::StructMap(name), .. }) => {
                find(name).map_or(Shape::Untyped, |known| Shape::Struct(known).field(key))
            }
            Shape::Custom(schema) => {
                let found = schema
                    .pointer("/properties")
                    .and_then(|all| all.get(key))
                    .or_else(|| schema.get("additionalProperties"));
                found.filter(|one| one.is_object()).map_or(Shape::Untyped, Shape::Custom)
            }
            _ => Shape::Untyped,
        }
    }

    /// The shape of a list's items.
    pub(crate) fn item(self) -> Self {
        match self {
            Shape::Member(member) => Shape::Item(member),
            Shape::Custom(schema) => schema.get("items").map_or(Shape::Untyped, Shape::Custom),
            _ => Shape::Untyped,
        }
    }

    /// How a list at this place is merged.
    pub(crate) fn list(self) -> List<'a> {
        match self {
            Shape::Member(member) => member.list.unwrap_or(List::Atomic),
            Shape::Custom(schema) => match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
                Some("set") => List::Set,
                Some("map") => {
                    schema.get("x-kubernetes-list-map-keys").and_then(Value::as_str).map_or(List::Atomic, List::Map)
                }
                _ => List::Atomic,
            },
            _ => List::Atomic,
        }
    }

    /// True for a map with keys of the user's: it is owned itself, beside its members.
    pub(crate) fn is_map(self) -> bool {
        match self {
            Shape::Member(Member { kind, list: None, .. }) => {
                matches!(kind, Type::TextMap | Type::BytesMap | Type::QuantityMap | Type::StructMap(_))
            }
            Shape::Custom(schema) => schema.get("additionalProperties").is_some(),
            Shape::Untyped => true,
            _ => false,
        }
    }

    /// True where an object is owned as a whole.
    pub(crate) fn is_atomic(self) -> bool {
        match self {
            Shape::Struct(known) => known.atomic,
            Shape::Member(member) => member.atomic || is_atomic(member.kind),
            Shape::Item(member) => is_atomic(member.kind),
            Shape::Custom(schema) => schema.get("x-kubernetes-map-type").is_some_and(|kind| kind == "atomic"),
            Shape::CustomObject(_) | Shape::Untyped => false,
        }
    }
}

fn is_atomic(kind: Type) -> bool {
    match kind {
        Type::Struct(name) => find(name).is_some_and(|known| known.atomic),
        Type::Any => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_struct_that_is_named_is_described() {
        for (name, _) in LINES.iter() {
            for (member, kind) in find(name).expect("must be there").members() {
                if let Type::Struct(inner) | Type::StructMap(inner) = kind.kind {
                    assert!(find(inner).is_some(), "{name}.{member} is a {inner}");
                }
                if let Some(List::Map(keys)) = kind.list
                    && let Type::Struct(inner) = kind.kind
                {
                    let inner = find(inner).expect("must be there");
                    assert!(keys.split(',').all(|key| inner.members.contains_key(key)), "{name}.{member}");
                }
            }
        }
    }

    #[test]
    fn every_stored_kind_is_described() {
        for resource in crate::resources::all() {
            assert!(find(resource.kind).is_some(), "{}", resource.kind);
        }
    }

    #[test]
    fn shapes_follow_the_members() {
        let pod = Shape::Struct(find("Pod").expect("must be there"));
        let containers = pod.field("spec").field("containers");
        assert_eq!(containers.list(), List::Map("name"));
        assert_eq!(containers.item().field("ports").list(), List::Map("containerPort,protocol"));
        assert_eq!(pod.field("metadata").field("finalizers").list(), List::Set);
        assert!(
            pod.field("spec").field("nodeSelector").is_atomic() && !pod.field("metadata").field("labels").is_atomic()
        );
        assert!(
            pod.field("spec")
                .field("affinity")
                .field("nodeAffinity")
                .field("requiredDuringSchedulingIgnoredDuringExecution")
                .is_atomic()
        );
        let limits = containers.item().field("resources").field("limits");
        assert!(!limits.is_atomic() && !limits.field("cpu").is_atomic());
    }
}
