//! Tables: what `kubectl get` prints, computed by the server (`meta.k8s.io/v1` Table).
//!
//! Which columns a kind has is data in `columns`; it knows objects and a time, no request.

mod cells;
mod columns;
mod pods;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::object;
use crate::resources::Resource;
use cells::Cell;

/// What a row shows of its object besides the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    None,
    Metadata,
    Object,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: &'static str,
    format: &'static str,
    description: String,
    /// 1 for those of `-o wide`.
    priority: i64,
    cell: Cell,
}

/// A kind's columns, ready to make rows.
#[derive(Debug)]
pub(crate) struct Table {
    resource: &'static Resource,
    columns: Vec<Column>,
    include: Include,
}

impl Table {
    pub(crate) fn of(resource: &'static Resource, include: Include) -> Self {
        Self { resource, columns: columns::of(resource), include }
    }

    /// A table of objects. A watch names the columns only with its first row.
    pub(crate) fn of_rows<'a>(
        &self,
        objects: impl Iterator<Item = &'a Value>,
        metadata: &Value,
        has_header: bool,
        now: Timestamp,
    ) -> Value {
        let header: Vec<Value> = self
            .columns
            .iter()
            .map(|column| {
                json!({"name": column.name, "type": column.kind, "format": column.format, "description": column.description, "priority": column.priority})
            })
            .collect();
        let rows: Vec<Value> = objects.map(|object| self.row(object, now)).collect();
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": if has_header { Value::Array(header) } else { Value::Null }, "rows": rows})
    }

    fn row(&self, object: &Value, now: Timestamp) -> Value {
        let cells: Vec<Value> = self.columns.iter().map(|column| column.cell.of(object, now)).collect();
        let shown = match self.include {
            Include::None => Value::Null,
            Include::Metadata => metadata_of(object),
            Include::Object => object::typed(self.resource, object),
        };
        json!({"cells": cells, "object": shown})
    }
}

/// An object without all but its metadata.
pub(crate) fn metadata_of(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources;

    fn row(group: &str, plural: &str, object: Value) -> Vec<String> {
        let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let table = Table::of(resources::known(group, plural), Include::None);
        let made = table.of_rows([&object].into_iter(), &json!({}), true, now);
        let names = made["columnDefinitions"].as_array().expect("columns").iter();
        let cells = made["rows"][0]["cells"].as_array().expect("cells").iter();
        names
            .zip(cells)
            .map(|(column, cell)| {
                format!(
                    "{}={}",
                    column["name"].as_str().expect("a name"),
                    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
                )
            })
            .collect()
    }

    #[test]
    fn every_stored_kind_has_a_name_and_columns_that_can_be_read() {
        for resource in resources::all().iter().filter(|one| one.is_stored()) {
            assert!(columns::of(resource).len() > 1, "{}", resource.kind);
        }
    }

    #[test]
    fn workloads_show_how_far_they_are() {
        let template = json!({"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]}});
        let metadata = json!({"name": "web", "creationTimestamp": "2026-01-01T23:55:00Z"});
        let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template});
        let deployment =
            json!({"metadata": metadata, "spec": spec, "status": {"readyReplicas": 1, "updatedReplicas": 2}});
        assert_eq!(
            row("apps", "deployments", deployment),
            [
                "Name=web",
                "Ready=1/3",
                "Up-to-date=2",
                "Available=0",
                "Age=5m",
                "Containers=a,b",
                "Images=x:1,y:1",
                "Selector=app=web"
            ]
        );
        let job = json!({"metadata": metadata, "spec": {"completions": 2, "template": template}, "status": {"succeeded": 2,
            "startTime": "2026-01-01T23:55:00Z", "completionTime": "2026-01-01T23:56:01Z", "conditions": [{"type": "Complete", "status": "True"}]}});
        assert_eq!(
            row("batch", "jobs", job)[..5],
            ["Name=web", "Status=Complete", "Completions=2/2", "Duration=61s", "Age=5m"]
        );
    }

    #[test]
    fn services_and_nodes_show_addresses() {
        let service = json!({"metadata": {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1",
            "ports": [{"port": 80, "protocol": "TCP"}, {"port": 443, "nodePort": 30000, "protocol": "TCP"}]}});
        assert_eq!(
            row("", "services", service),
            [
                "Name=s",
                "Type=ClusterIP",
                "Cluster-IP=10.0.0.1",
                "External-IP=<none>",
                "Port(s)=80/TCP,443:30000/TCP",
                "Age=24h",
                "Selector=<none>"
            ]
        );
        let node = json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}}, "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.36.2"}}});
        assert_eq!(
            row("", "nodes", node)[..5],
            ["Name=n", "Status=Ready,SchedulingDisabled", "Roles=control-plane", "Age=<unknown>", "Version=v1.36.2"]
        );
    }
}
