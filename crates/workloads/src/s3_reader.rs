//! Credentials from the SDK's default chain, then one `GetObject`.
//!
//! The credentials are asked for first and by themselves: within an S3 call the SDK hides the code that STS gave.

mod args;
mod http;
mod refusal;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_lc_rs::digest::{Context, SHA256};
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trust::workload::{Outcome, Stage};

pub use args::{HELP, Object, parse};

/// How much of the content is shown. Length and digest are always of the whole.
const SHOWN: usize = 1024 * 1024;

/// Reads the object. Nothing is kept from one call to the next: each takes its credentials from the environment and the
/// token file as they are then, and makes a token exchange of its own.
pub async fn run(object: &Object) -> Outcome {
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http::client()).load().await;
    if config.region().is_none() {
        return failed(Stage::Configuration, "no region: set AWS_REGION".to_owned());
    }
    match credentials(&config).await {
        Ok(credentials) => read(&config, credentials, object).await,
        Err(outcome) => outcome,
    }
}

async fn credentials(config: &SdkConfig) -> Result<Credentials, Outcome> {
    let provider = config
        .credentials_provider()
        .ok_or_else(|| failed(Stage::Credentials, "the SDK has no credential chain".to_owned()))?;
    provider.provide_credentials().await.map_err(|error| refusal::of_credentials(&error))
}

async fn read(config: &SdkConfig, credentials: Credentials, object: &Object) -> Outcome {
    // The credentials that were just given, so that the token is exchanged once.
    let config = aws_sdk_s3::config::Builder::from(config).credentials_provider(credentials).build();
    let sent = aws_sdk_s3::Client::from_conf(config).get_object().bucket(&object.bucket).key(&object.key).send();
    let body = match sent.await {
        Ok(answer) => answer.body,
        Err(error) => return refusal::of_read(&error),
    };
    match Content::take(body).await {
        Ok(content) => Outcome::Read {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            bytes: content.bytes,
            sha256: content.sha256,
            content_base64: STANDARD.encode(content.shown),
        },
        Err(message) => failed(Stage::Read, message),
    }
}

struct Content {
    bytes: usize,
    sha256: String,
    shown: Vec<u8>,
}

impl Content {
    async fn take(mut body: ByteStream) -> Result<Self, String> {
        let (mut bytes, mut digest, mut shown) = (0, Context::new(&SHA256), Vec::new());
        while let Some(part) = body.next().await {
            let part = part.map_err(|error| format!("the content broke off: {}", trust::causes(&error)))?;
            bytes += part.len();
            digest.update(&part);
            shown.extend_from_slice(&part[..part.len().min(SHOWN - shown.len())]);
        }
        let sha256 = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { bytes, sha256, shown })
    }
}

fn failed(stage: Stage, message: String) -> Outcome {
    Outcome::Failed { stage, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shows_a_bounded_part_and_digests_the_whole() {
        // SHA-256 of "abc" from FIPS 180-2; of a million times "a" from the same.
        let check = async |body: Vec<u8>, bytes: usize, shown: usize, sha256: &str| {
            let content = Content::take(ByteStream::from(body)).await.expect("content must be read");
            assert_eq!((content.bytes, content.shown.len()), (bytes, shown));
            assert!(content.sha256.starts_with(sha256), "{}", content.sha256);
        };
        check(b"abc".to_vec(), 3, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").await;
        check(
            vec![b'a'; 1_000_000],
            1_000_000,
            1_000_000,
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        )
        .await;
        check(vec![b'a'; SHOWN + 5], SHOWN + 5, SHOWN, "").await;
    }
}
