//! Calls of the provisioning that a cloud refused: the end of one cell where it was made for that cell alone, and of the run
//! where others need it too. It must not know whether the cell expects it.

use std::sync::Arc;

use federation::{Kind, aws, azure};
use report::Observed;
use scenario::CONTROL;

use super::LiveCell;

/// What a cloud refused, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Such as `CreateRole of role reader`.
    call: String,
    code: String,
    status: Option<u16>,
    message: String,
}

impl Refusal {
    /// What is seen of a cell that ends so.
    pub(crate) fn observed(&self) -> Observed {
        Observed::NotCreated {
            resource: self.call.clone(),
            code: self.code.clone(),
            status: self.status,
            message: self.message.clone(),
        }
    }

    /// An answer that says no; `None` where nobody answered, or where it may have been done all the same.
    pub(super) fn of_aws(error: &aws::ProvisionError) -> Option<Self> {
        let aws::ProvisionError { kind, operation, resource, code, status, message, maybe_done, .. } = error;
        Self::of(*kind, *maybe_done, format!("{operation} of {resource}"), code.as_ref(), *status, message)
    }

    /// The same of Azure.
    pub(super) fn of_azure(error: &azure::ProvisionError) -> Option<Self> {
        let azure::ProvisionError { kind, operation, resource, code, status, message, maybe_done, .. } = error;
        Self::of(*kind, *maybe_done, format!("{operation} of {resource}"), code.as_ref(), *status, message)
    }

    fn of(
        kind: Kind,
        maybe_done: bool,
        call: String,
        code: Option<&String>,
        status: Option<u16>,
        message: &str,
    ) -> Option<Self> {
        let answered = status.is_some() && kind != Kind::Unavailable && !maybe_done;
        answered.then(|| Self { call, code: code.cloned().unwrap_or_default(), status, message: message.to_owned() })
    }
}

/// The one cell for which alone something is made, unless that is the control.
pub(super) fn only_for<'a>(cells: &'a [Arc<LiveCell>], owners: &[usize]) -> Option<&'a LiveCell> {
    let [owner] = owners else { return None };
    cells.get(*owner).map(|cell| &**cell).filter(|cell| cell.cell.id != CONTROL)
}
