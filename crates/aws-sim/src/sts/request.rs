//! The parameters of `AssumeRoleWithWebIdentity` and their bounds (STS API reference).

use trust::{AccountId, Arn, Secret};

use crate::error::ApiError;
use crate::query::{NAME, Parameters, Text, Validator};

const ROLE_ARN: Text = Text::of(20, 2048);
const SESSION_NAME: Text = Text::of(2, 64).within(NAME, r"[\w+=,.@-]*");
const TOKEN: Text = Text::of(4, 20_000).secret();
const DEFAULT_SECONDS: i64 = 3600;
const MAX_POLICY_ARNS: usize = 10;
pub(super) const MAX_POLICY: usize = 2048;

/// A request whose format is good.
#[derive(Debug)]
pub(super) struct ExchangeRequest {
    pub(super) role_arn: String,
    /// The partition and account inside the role's ARN: the provider is looked up there.
    pub(super) partition: String,
    pub(super) account: AccountId,
    pub(super) session_name: String,
    pub(super) token: Secret,
    pub(super) seconds: i64,
    pub(super) policy: Option<String>,
    pub(super) policy_arns: Vec<String>,
}

impl ExchangeRequest {
    pub(super) fn read(parameters: &Parameters) -> Result<ExchangeRequest, ApiError> {
        let mut check = Validator::new(parameters);
        let role_arn = check.required("RoleArn", ROLE_ARN);
        let session_name = check.required("RoleSessionName", SESSION_NAME);
        let token = check.required("WebIdentityToken", TOKEN);
        let seconds = check.integer("DurationSeconds", 900..=43200).unwrap_or(DEFAULT_SECONDS);
        let policy = check.optional("Policy", Text::of(1, MAX_POLICY));
        check.optional("ProviderId", Text::of(4, 2048));
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
        Ok(ExchangeRequest {
            role_arn: role_arn.to_owned(),
            partition: arn.partition,
            account,
            session_name: session_name.to_owned(),
            token: Secret::new(token),
            seconds,
            policy: policy.map(str::to_owned),
            policy_arns: policy_arns.into_iter().map(|(_, arn)| arn.to_owned()).collect(),
        })
    }
}
