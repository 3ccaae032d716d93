//! Everything that stands in the simulator, in words. Must not know what is whose or why it is there.

use crate::directory::Directory;

/// A line for each, in order; owners of whole subscriptions are left out, since every subscription is opened with one.
pub(crate) fn of(directory: &Directory) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, subscription) in &directory.subscriptions {
        for group in subscription.groups.values() {
            let base = format!("/subscriptions/{id}/resourceGroups/{}", group.name);
            lines.extend(group.identities.values().map(|identity| format!("{base} identity {}", identity.name)));
            lines.push(base);
        }
    }
    for (tenant, held) in &directory.tenants {
        for (client, held) in &held.clients {
            lines.extend(
                held.federated.values().map(|one| format!("{tenant} {client} federated credential {}", one.name)),
            );
        }
    }
    lines.extend(directory.vaults.values().map(|vault| vault.id()));
    lines.extend(directory.deleted_vaults.values().map(|deleted| format!("deleted {}", deleted.vault.id())));
    for account in directory.storage.values() {
        lines.push(format!("storage account {}", account.name));
        for container in account.containers.values() {
            let base = format!("storage container {}/{}", account.name, container.name);
            lines.extend(container.blobs.keys().map(|blob| format!("{base}/{blob}")));
            lines.push(base);
        }
    }
    let assignments = directory.assignments.iter().filter(|one| one.scope.matches('/').count() > 2);
    lines.extend(assignments.map(|one| format!("{} role assignment {}", one.scope, one.name)));
    lines
}
