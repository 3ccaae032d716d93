//! JSON objects that are read as objects. serde also fills a struct from a list, by position, which no other reader of these
//! documents does.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Error;

/// A type that is read from an object alone.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads a JSON object, and nothing but an object, into a type.
///
/// # Errors
/// When the text is no JSON, no object, or does not fit the type.
pub fn object<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Error> {
    serde_json::from_slice::<Object<T>>(text).map(|Object(read)| read)
}

/// Deserializes a list whose elements are objects.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let all = Vec::<Object<T>>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|Object(read)| read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Jwks;

    #[test]
    fn a_list_is_no_object() {
        let check = |text: &str, is_read: bool| assert_eq!(object::<Jwks>(text.as_bytes()).is_ok(), is_read, "{text}");
        check(r#"{"keys":[]}"#, true);
        check(r#"{"keys":[{"kty":"RSA"}]}"#, true);
        check(r#"[[]]"#, false);
        check(r#"[[{"kty":"RSA"}]]"#, false);
        check(r#"{"keys":[["RSA","k1"]]}"#, false);
        check(r#"{"keys":{}}"#, false);
        check(r#"{"keys":[],"keys":[]}"#, false);
        check("", false);
    }
}
