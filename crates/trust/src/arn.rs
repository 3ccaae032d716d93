//! Amazon resource names and account ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Twelve digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AccountId(String);

/// Why a text is no ARN or account id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// Not twelve digits.
    #[error("`{0}` is no AWS account id: twelve digits are expected")]
    Account(String),
    /// Not `arn:partition:service:region:account:resource`.
    #[error("`{0}` is no ARN: arn:partition:service:region:account:resource is expected")]
    Shape(String),
}

impl AccountId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ArnError::Account(text.to_owned()))
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// `arn:partition:service:region:account:resource`; the resource may hold further colons and slashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// `iam`, `s3`, …
    pub service: String,
    /// May be empty.
    pub region: String,
    /// Twelve digits, or empty (S3), or `aws`.
    pub account: String,
    /// The rest.
    pub resource: String,
}

impl Arn {
    /// An IAM ARN in the `aws` partition, such as `role/name`.
    pub fn iam(account: &AccountId, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".into(),
            service: "iam".into(),
            region: String::new(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// Name of the role or policy: the last path segment of the resource.
    pub fn name(&self) -> &str {
        self.resource.rsplit('/').next().unwrap_or(&self.resource)
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned);
        let shape = || ArnError::Shape(text.to_owned());
        if next().as_deref() != Some("arn") {
            return Err(shape());
        }
        let arn = Self {
            partition: next().ok_or_else(shape)?,
            service: next().ok_or_else(shape)?,
            region: next().ok_or_else(shape)?,
            account: next().ok_or_else(shape)?,
            resource: next().ok_or_else(shape)?,
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(shape());
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl Serialize for Arn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Arn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_byte_of_the_resource() {
        let check = |text: &str, name: &str| {
            let arn: Arn = text.parse().expect("arn must parse");
            assert_eq!(arn.to_string(), text);
            assert_eq!(arn.name(), name);
        };
        check("arn:aws:iam::123456789012:role/path/reader", "reader");
        check("arn:aws:iam::123456789012:oidc-provider/h/t/g/", "");
        check("arn:aws-cn:s3:::bucket/a:b", "a:b");
    }

    #[test]
    fn refuses_other_shapes() {
        for text in ["", "arn:aws:iam", "role/reader", "arn::iam::1:role/x", "arn:aws:iam::1:"] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
        for text in ["", "12345678901", "1234567890123", "12345678901x"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }
}
