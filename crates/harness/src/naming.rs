//! Names of what a run creates: they hold the run id, so that nothing is taken for somebody else's.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// Longest run id: with prefix and cell it must fit into 63 characters of a namespace or bucket.
const LONGEST: usize = 20;
const LONGEST_NAME: usize = 63;
/// Longest name of an Azure storage account.
const LONGEST_COMPACT: usize = 24;

/// Identifies a run: lower-case letters, digits and dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunId(String);

/// Why a text is no run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no run id: 1 to {LONGEST} lower-case letters, digits and dashes, beginning and ending with a letter or digit"
)]
pub struct BadRunId(String);

impl RunId {
    /// An id that sorts by time and is told apart by four random digits.
    pub fn mint(now: Timestamp, random: u32) -> Self {
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        Self(format!("{}-{:04x}", now.strftime("%m%d-%H%M%S"), random & 0xffff))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id under which one of several scenarios of a run goes: it names things apart from the others'.
    #[must_use]
    pub fn part(&self, number: usize) -> Self {
        Self(format!("{}-{number}", self.0))
    }

    /// Name of a resource of a cell: a namespace, bucket, role, policy, resource group or identity.
    pub fn name(&self, cell: &str) -> String {
        self.name_within(cell, LONGEST_NAME)
    }

    /// The same where names are shorter, such as a vault's.
    pub fn name_within(&self, cell: &str, longest: usize) -> String {
        let mut name = format!("cf-{}-{cell}", self.0);
        if name.len() > longest {
            // Cut, and told apart by a sum over the whole.
            let sum = sum(&name);
            name.truncate(longest - 9);
            name = format!("{}-{sum:08x}", name.trim_end_matches('-'));
        }
        name
    }

    /// A name of lower-case letters and digits alone, such as a storage account's.
    pub fn compact_name(&self, cell: &str) -> String {
        let whole = self.name(cell);
        let plain: String = whole.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{}{:08x}", &plain[..plain.len().min(LONGEST_COMPACT - 8)], sum(&whole))
    }
}

fn sum(name: &str) -> u32 {
    name.bytes().fold(5381_u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(byte))
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends = bytes.first().is_some_and(|&b| plain(b)) && bytes.last().is_some_and(|&b| plain(b));
        if ends && text.len() <= LONGEST && bytes.iter().all(|&b| plain(b) || b == b'-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadRunId(text.to_owned()))
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minted_ids_are_valid_and_names_fit() {
        let id = RunId::mint(Timestamp::UNIX_EPOCH, 0x1_2345);
        assert_eq!(id.as_str(), "0101-000000-2345");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.name("control"), "cf-0101-000000-2345-control");
        let (one, two) = (id.name(&"x".repeat(80)), id.name(&"x".repeat(81)));
        assert_eq!((one.len(), two.len()), (63, 63));
        assert_ne!(one, two);
        assert_eq!(id.part(2).name("control"), "cf-0101-000000-2345-2-control");
    }

    #[test]
    fn short_names_keep_apart() {
        let id: RunId = "0101-000000-2345".parse().expect("id");
        let (one, two) = (id.name_within("shared", 24), id.name_within("control", 24));
        assert!(one.len() <= 24 && one.starts_with("cf-0101-000000-") && !one.contains("--"), "{one}");
        assert_ne!(one, two);
        let (one, two) = (id.compact_name("issuer"), id.part(1).compact_name("issuer"));
        assert!(one.len() <= 24 && one.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{one}");
        assert_ne!(one, two);
    }

    #[test]
    fn refuses_what_no_cloud_takes_as_a_name() {
        for text in ["", "-a", "a-", "A", "a_b", "a.b", "123456789012345678901"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
