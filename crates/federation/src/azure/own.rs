//! Who provisions, as Azure calls them. Knows no resources.

use trust::UnverifiedToken;

use super::Kind;
use super::access::Clients;
use super::error::ProvisionError;
use super::id::MANAGEMENT_SCOPE;

impl Clients {
    /// The object id of the provisioning principal, which roles are given to: `oid` of its access token (Microsoft identity
    /// platform, "Access token claims reference"). The token is our own, and its signature is not looked at.
    ///
    /// # Errors
    /// When Entra gives no token, or one that does not name its bearer.
    pub async fn own_object_id(&self) -> Result<String, ProvisionError> {
        let token = self.credential().get_token(&[MANAGEMENT_SCOPE], None).await;
        let token = token.map_err(|error| ProvisionError::of_token(self.tenant(), &error))?;
        let claims = UnverifiedToken::decode(token.token.secret()).map(|token| token.claims).unwrap_or_default();
        let id = claims.get("oid").and_then(|id| id.as_str());
        id.map(str::to_owned).ok_or_else(|| {
            let resource = format!("tenant {}", self.tenant());
            ProvisionError::new(Kind::Unavailable, "GetToken", &resource, "the access token has no claim oid")
        })
    }
}
