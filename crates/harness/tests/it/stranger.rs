//! Another user of a sandbox's account, who knows nothing of this program: plain calls with the administrator's keys.

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use serde_json::Value;
use transport::{Proxy, Roots};
use trust::Secret;

use crate::standing::Standing;

const TYPE: &str = "application/x-www-form-urlencoded";

pub(crate) struct Stranger {
    http: transport::Client,
    key: (String, String),
    pub(crate) account: String,
}

impl Stranger {
    pub(crate) fn of(standing: &Standing) -> Self {
        let text = |at: &str| {
            standing.pass.pointer(at).and_then(Value::as_str).unwrap_or_else(|| panic!("no {at}")).to_owned()
        };
        let url = text("/proxy");
        let (credentials, addr) = url.trim_start_matches("http://").split_once('@').expect("user and address");
        let (user, password) = credentials.split_once(':').expect("user and password");
        let addr = addr.trim_end_matches('/').parse().expect("an address");
        let proxy = Proxy { addr, user: user.to_owned(), password: Secret::new(password) };
        let roots = Roots::pem(&text("/root_pem")).expect("its root");
        Self {
            http: transport::Client::new(roots, std::time::Duration::from_secs(30)).through(proxy),
            key: (text("/aws/access_key_id"), text("/aws/secret_access_key")),
            account: text("/aws/id"),
        }
    }

    /// A call to IAM that must be done.
    pub(crate) async fn iam(&self, action: &str, parameters: &[(&str, &str)]) {
        let mut body = format!("Action={action}&Version=2010-05-08");
        for (name, value) in parameters {
            body += &format!("&{name}={}", escaped(value));
        }
        self.call(http::Method::POST, ("iam", "us-east-1"), "iam.amazonaws.com", "/", &body).await;
    }

    /// An object of their own in somebody's bucket.
    pub(crate) async fn object(&self, region: &str, bucket: &str, key: &str) {
        let host = format!("{bucket}.s3.{region}.amazonaws.com");
        self.call(http::Method::PUT, ("s3", region), &host, &format!("/{key}"), "theirs").await;
    }

    async fn call(&self, method: http::Method, of: (&str, &str), host: &str, path: &str, body: &str) {
        let signed = self.sign(&method, of, host, path, body);
        let headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = self.http.send(method, &format!("https://{host}{path}"), &headers, body).await;
        let answer = answer.expect("it must answer");
        assert_eq!(answer.status, 200, "{host}{path}: {}", String::from_utf8_lossy(&answer.body));
    }

    /// A role with these tags.
    pub(crate) async fn role(&self, name: &str, tags: &[(&str, &str)]) {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let numbered: Vec<(String, &str)> = tags
            .iter()
            .zip(1..)
            .flat_map(|((key, value), at)| {
                [(format!("Tags.member.{at}.Key"), *key), (format!("Tags.member.{at}.Value"), *value)]
            })
            .collect();
        let mut parameters = vec![("RoleName", name), ("AssumeRolePolicyDocument", trust)];
        parameters.extend(numbered.iter().map(|(name, value)| (name.as_str(), *value)));
        self.iam("CreateRole", &parameters).await;
    }

    /// An OIDC provider for the issuer of the sandbox's cluster; gives its ARN.
    pub(crate) async fn provider(&self, issuer: &str, client_id: &str) -> String {
        let parameters = [
            ("Url", issuer),
            ("ClientIDList.member.1", client_id),
            ("ThumbprintList.member.1", "990f4193972f2becf12ddeda5237f9c952f20d9e"),
        ];
        self.iam("CreateOpenIDConnectProvider", &parameters).await;
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, issuer.trim_start_matches("https://"))
    }

    /// Signature Version 4, as any client computes it.
    fn sign(
        &self,
        method: &http::Method,
        (service, region): (&str, &str),
        host: &str,
        path: &str,
        body: &str,
    ) -> Vec<(&'static str, String)> {
        let (id, secret) = &self.key;
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let payload = hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
        let names = "content-type;host;x-amz-content-sha256;x-amz-date";
        let headers = format!("content-type:{TYPE}\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{date}\n");
        let canonical = format!("{method}\n{path}\n\n{headers}\n{names}\n{payload}");
        let scope = format!("{}/{region}/{service}/aws4_request", &date[..8]);
        let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
        let keyed = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        let words = [&date[..8], region, service, "aws4_request", &to_sign];
        let key = format!("AWS4{secret}").into_bytes();
        let signature = words.iter().fold(key, |key, word| keyed(&key, word).as_ref().to_vec());
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={}", hex(&signature));
        vec![
            ("content-type", TYPE.to_owned()),
            ("x-amz-content-sha256", payload),
            ("x-amz-date", date),
            ("authorization", authorization),
        ]
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
