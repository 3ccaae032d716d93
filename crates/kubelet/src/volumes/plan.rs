//! What a volume shows: read from its specification, and made of what was fetched. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Pod, Volume};
use serde_json::Value;

use super::VolumeError;
use crate::atomic::{Payload, Payloads};
use crate::downward;
use crate::resources::{self, Capacity};
use crate::sources::{SourceKey, Sources};
use crate::token::ProjectedToken;

const DEFAULT_MODE: i32 = 0o644;

#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// An empty folder that the pod may write to.
    Empty,
    Files {
        mode: i32,
        parts: Vec<Part>,
    },
}

#[derive(Debug, PartialEq)]
pub(super) enum Part {
    Token {
        audience: Option<String>,
        lifetime_seconds: Option<i64>,
        path: String,
    },
    /// All keys if `items` is empty.
    Keys {
        source_key: SourceKey,
        items: Vec<KeyToPath>,
        optional: bool,
    },
    Downward(Vec<DownwardAPIVolumeFile>),
}

pub(super) fn plan(volume: &Volume) -> Result<Plan, VolumeError> {
    let unsupported = |kind: &str| VolumeError::Unsupported { volume: volume.name.clone(), kind: kind.to_owned() };
    let files = |mode: Option<i32>, part| Plan::Files { mode: mode.unwrap_or(DEFAULT_MODE), parts: vec![part] };
    let keys = |source_key, items: &Option<Vec<KeyToPath>>, optional: Option<bool>| Part::Keys {
        source_key,
        items: items.clone().unwrap_or_default(),
        optional: optional.unwrap_or(false),
    };
    let config_map = |name: &String| SourceKey::ConfigMap(name.clone());
    let secret = |name: &String| SourceKey::Secret(name.clone());
    let downward = |items: &Option<Vec<DownwardAPIVolumeFile>>| Part::Downward(items.clone().unwrap_or_default());
    if volume.empty_dir.is_some() {
        return Ok(Plan::Empty);
    }
    if let Some(source) = &volume.config_map {
        return Ok(files(source.default_mode, keys(config_map(&source.name), &source.items, source.optional)));
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.clone().unwrap_or_default();
        return Ok(files(source.default_mode, keys(secret(&name), &source.items, source.optional)));
    }
    if let Some(source) = &volume.downward_api {
        return Ok(files(source.default_mode, downward(&source.items)));
    }
    let Some(projected) = &volume.projected else {
        let spelled = serde_json::to_value(volume).unwrap_or_default();
        let kind = spelled.as_object().and_then(|fields| fields.keys().find(|key| *key != "name"));
        return Err(unsupported(kind.map_or("this kind of volume", String::as_str)));
    };
    let mut parts = Vec::new();
    for source in projected.sources.iter().flatten() {
        parts.push(if let Some(token) = &source.service_account_token {
            Part::Token {
                audience: token.audience.clone(),
                lifetime_seconds: token.expiration_seconds,
                path: token.path.clone(),
            }
        } else if let Some(source) = &source.config_map {
            keys(config_map(&source.name), &source.items, source.optional)
        } else if let Some(source) = &source.secret {
            keys(secret(&source.name), &source.items, source.optional)
        } else if let Some(source) = &source.downward_api {
            downward(&source.items)
        } else {
            let spelled = serde_json::to_value(source).unwrap_or(Value::Null);
            let kind = spelled.as_object().and_then(|fields| fields.keys().next());
            return Err(unsupported(kind.map_or("this kind of projection", String::as_str)));
        });
    }
    Ok(Plan::Files { mode: projected.default_mode.unwrap_or(DEFAULT_MODE), parts })
}

/// A token's place: volume and part.
pub(super) type TokenKey = (usize, usize);

/// What a volume shows. `tokens` holds those of this volume, by part.
pub(super) fn payloads(
    volume: (usize, &str),
    (mode, parts): (i32, &[Part]),
    token_mode: Option<u32>,
    (pod, capacity): (&Pod, Capacity),
    sources: &Sources,
    tokens: &BTreeMap<TokenKey, ProjectedToken>,
) -> Result<Payloads, VolumeError> {
    let (index, name) = volume;
    let bits = |own: Option<i32>| u32::try_from(own.unwrap_or(mode)).unwrap_or(0o644);
    let mut files = Payloads::new();
    for (part_index, part) in parts.iter().enumerate() {
        match part {
            Part::Token { path, .. } => {
                if let Some(token) = tokens.get(&(index, part_index)) {
                    let bytes = token.value.expose().as_bytes().to_vec();
                    files.insert(path.clone(), Payload { bytes, mode: token_mode.unwrap_or_else(|| bits(None)) });
                }
            }
            Part::Keys { source_key, items, optional } => {
                let failed = |reason| VolumeError::Source { volume: name.to_owned(), reason };
                let Some(data) = sources.all(source_key, *optional).map_err(failed)? else {
                    continue;
                };
                if items.is_empty() {
                    for (key, bytes) in data {
                        files.insert(key.clone(), Payload { bytes: bytes.clone(), mode: bits(None) });
                    }
                }
                for item in items {
                    if let Some(bytes) = sources.key(source_key, &item.key, *optional).map_err(failed)? {
                        files.insert(item.path.clone(), Payload { bytes: bytes.to_vec(), mode: bits(item.mode) });
                    }
                }
            }
            Part::Downward(items) => {
                for item in items {
                    let volume = name.to_owned();
                    let text = match &item.resource_field_ref {
                        Some(field) => resources::value(&downward::containers(pod), None, field, capacity)
                            .map_err(|reason| VolumeError::Resource { volume, reason })?,
                        None => {
                            let path = item.field_ref.as_ref().map_or("", |reference| reference.field_path.as_str());
                            downward::field(pod, path).map_err(|reason| VolumeError::Field { volume, reason })?
                        }
                    };
                    files.insert(item.path.clone(), Payload { bytes: text.into_bytes(), mode: bits(item.mode) });
                }
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use trust::Secret;

    use super::*;

    fn mk_volume(volume: Value) -> Volume {
        serde_json::from_value(volume).expect("volume must parse")
    }

    const CAPACITY: Capacity = Capacity { cpus: 2, memory_bytes: 1 << 30 };

    fn listed(volume: Value) -> Result<String, String> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "1500m"}}}]},
        }))
        .expect("pod must parse");
        let sources = Sources::of(&[
            (SourceKey::ConfigMap("c".into()), &[("ca.crt", "CA"), ("x", "X")]),
            (SourceKey::Secret("s".into()), &[("key", "K")]),
        ]);
        let token = ProjectedToken { value: Secret::new("T"), refresh_at: Timestamp::UNIX_EPOCH };
        let tokens = BTreeMap::from([((0, 0), token)]);
        let plan = plan(&mk_volume(volume)).map_err(|error| error.to_string())?;
        let Plan::Files { mode, parts } = plan else {
            return Ok("empty".to_owned());
        };
        let files = payloads((0, "v"), (mode, &parts), None, (&pod, CAPACITY), &sources, &tokens)
            .map_err(|error| error.to_string())?;
        Ok(files
            .iter()
            .map(|(path, file)| format!("{path} {:o} {}\n", file.mode, String::from_utf8_lossy(&file.bytes)))
            .collect())
    }

    #[test]
    fn projects_what_the_service_account_plugin_asks_for() {
        let files = listed(json!({"name": "v", "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "c", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ]}}));
        insta::assert_snapshot!(files.expect("files"), @r"
        ca.crt 644 CA
        namespace 644 n
        token 644 T
        ");
    }

    #[test]
    fn modes_and_optional_sources() {
        let check = |volume: Value, expected: Result<&str, &str>| {
            assert_eq!(listed(volume).as_deref().map_err(String::as_str), expected);
        };
        check(json!({"name": "v", "emptyDir": {}}), Ok("empty"));
        check(json!({"name": "v", "secret": {"secretName": "s", "defaultMode": 256}}), Ok("key 400 K\n"));
        check(
            json!({"name": "v", "configMap": {"name": "c", "items": [{"key": "x", "path": "d/x", "mode": 384}]}}),
            Ok("d/x 600 X\n"),
        );
        check(
            json!({"name": "v", "downwardAPI": {"items": [
                {"path": "cpu", "mode": 256, "resourceFieldRef": {"containerName": "a", "resource": "limits.cpu", "divisor": "1m"}},
            ]}}),
            Ok("cpu 400 1500\n"),
        );
        check(json!({"name": "v", "configMap": {"name": "no", "optional": true}}), Ok(""));
        check(
            json!({"name": "v", "configMap": {"name": "no"}}),
            Err(r#"MountVolume.SetUp failed for volume "v" : configmap "no" not found"#),
        );
        check(
            json!({"name": "v", "configMap": {"name": "c", "items": [{"key": "no", "path": "x"}]}}),
            Err(r#"MountVolume.SetUp failed for volume "v" : couldn't find key no in configmap "c""#),
        );
        check(
            json!({"name": "v", "hostPath": {"path": "/"}}),
            Err(r#"volume "v": hostPath is not supported by a process node"#),
        );
        check(
            json!({"name": "v", "projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}}),
            Err(r#"volume "v": clusterTrustBundle is not supported by a process node"#),
        );
    }
}
