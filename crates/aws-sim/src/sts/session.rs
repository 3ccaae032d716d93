//! How long a session lasts, under which name, and what narrows it: the parameters that all ways to assume a role share.

use trust::{AccountId, Arn};

use crate::account::Account;
use crate::error::ApiError;
use crate::identity::{Inline, SessionPolicies};
use crate::managed;
use crate::query::{NAME, Parameters, Text, Validator};

const ROLE_ARN: Text = Text::of(20, 2048);
const SESSION_NAME: Text = Text::of(2, 64).within(NAME, r"[\w+=,.@-]*");
const DEFAULT_SECONDS: i64 = 3600;
const MAX_POLICY_ARNS: usize = 10;
const MAX_POLICY: usize = 2048;

/// What is asked for.
#[derive(Debug)]
pub(super) struct SessionRequest {
    pub(super) role_arn: String,
    /// The partition and account inside the role's ARN.
    pub(super) partition: String,
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) seconds: i64,
    policy: Option<String>,
    policy_arns: Vec<String>,
}

impl SessionRequest {
    /// Reads the parameters; `more` checks those of one action only, so that all faults are told at once.
    pub(super) fn read(
        parameters: &Parameters,
        more: impl FnOnce(&mut Validator<'_>),
    ) -> Result<SessionRequest, ApiError> {
        let mut check = Validator::new(parameters);
        let role_arn = check.required("RoleArn", ROLE_ARN);
        let name = check.required("RoleSessionName", SESSION_NAME);
        more(&mut check);
        let seconds = check.integer("DurationSeconds", 900..=43200).unwrap_or(DEFAULT_SECONDS);
        let policy = check.optional("Policy", Text::of(1, MAX_POLICY));
        check.finish()?;
        let policy_arns = parameters.fields("PolicyArns", "arn");
        if policy_arns.len() > MAX_POLICY_ARNS {
            return Err(ApiError::validation(
                "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10",
            ));
        }
        let invalid = || ApiError::validation("Request ARN is invalid");
        let arn: Arn = role_arn.parse().map_err(|_| invalid())?;
        let account: AccountId = arn.account.parse().map_err(|_| invalid())?;
        if arn.service != "iam" || !arn.resource.starts_with("role/") {
            return Err(invalid());
        }
        Ok(SessionRequest {
            role_arn: role_arn.to_owned(),
            partition: arn.partition,
            account,
            name: name.to_owned(),
            seconds,
            policy: policy.map(str::to_owned),
            policy_arns: policy_arns.into_iter().map(|(_, arn)| arn.to_owned()).collect(),
        })
    }

    /// The name at the end of the role's ARN.
    pub(super) fn role_name(&self) -> &str {
        self.role_arn.rsplit('/').next().unwrap_or_default()
    }

    /// Session policies narrow what the role allows. How STS refuses a managed policy that does not exist
    /// is not documented; it is treated as a malformed one.
    pub(super) fn policies(&self, account: &Account) -> Result<Option<SessionPolicies>, ApiError> {
        if self.policy.is_none() && self.policy_arns.is_empty() {
            return Ok(None);
        }
        let inline = self.policy.as_deref().map(Inline::parse).transpose()?;
        if let Some(arn) = self.policy_arns.iter().find(|arn| managed::name(account, arn).is_none()) {
            return Err(ApiError::malformed_policy(format!("Policy {arn} does not exist or is not attachable.")));
        }
        Ok(Some(SessionPolicies { inline, managed: self.policy_arns.clone() }))
    }

    /// Percent of the size that session policies may have, where there is one.
    pub(super) fn packed_size(&self) -> Option<i64> {
        let policy = self.policy.as_ref()?;
        i64::try_from(policy.chars().count() * 100 / MAX_POLICY).ok()
    }
}
