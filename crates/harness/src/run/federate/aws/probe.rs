//! Calls that AWS must refuse once everything stands.

use federation::aws::{self, ApplyError, Desired};
use scenario::access::Probe;

use super::{AwsSide, refused};
use crate::exit::Stop;
use crate::run::federate::LiveCell;

impl AwsSide {
    /// Makes the call that a cell asks for. One that is not refused leaves the cell as it is: its pod then reads what it must not.
    pub(super) async fn probe(&self, cell: &LiveCell) -> Result<(), Stop> {
        let probe = cell.cell.access.aws.as_ref().and_then(|access| access.probe);
        let (Some(probe), Some(names), Some(rendered)) = (probe, &cell.names.aws, &cell.rendered.aws) else {
            return Ok(());
        };
        let account = names.account.as_str();
        let clients = self.clients(account)?;
        let answer = match (probe, &rendered.provider) {
            (Probe::CreateProviderAgain, None) => Ok(()),
            (Probe::CreateProviderAgain, Some((url, client_ids))) => {
                let (url, client_ids) = (url.clone(), client_ids.clone());
                // It stands in the journal already.
                let again = Desired::OidcProvider { url, client_ids, thumbprints: Vec::new() };
                aws::create(clients, &again, &self.tags).await
            }
            (Probe::DeleteAttachedRole, _) => {
                let undo = aws::Undo::Role { account: names.account.clone(), name: names.role.clone() };
                aws::undo(clients, &undo).await.map(drop)
            }
        };
        answer.or_else(|error| refused(account, Some(cell), ApplyError::Provision(error)))
    }
}
