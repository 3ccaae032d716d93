//! OpenAPI v3 as far as clients need it: `kubectl` reads from it which options a path takes, how lists are merged, and what `explain` prints.
//!
//! Made from the tables of resources and members on request. Descriptions are not kept here, so there are none.
//! Version 2 names no kind: a client that falls back to it learns that it has to do without.

use serde_json::{Value, json};

use crate::custom::Kinds;
use crate::object::Fields;
use crate::resources::Resource;
use crate::schema::{self, List, Member, Struct, Type};

/// Where documents lie: the index, and one a group and version.
const ROOT: &str = "/openapi/v3";

/// The media type in which `kubectl` asks for version 2: gnostic's `openapi.v2.Document` as protobuf.
pub(crate) const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// Its older spelling, which clients still send; no answer has it, as it is no valid media type.
pub(crate) const OLD_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// Version 2, without kinds.
pub(crate) fn version_2() -> Value {
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": crate::discovery::RELEASE}, "paths": {}, "definitions": {}})
}

/// The same in protobuf: `swagger` is member 1, `info` 2 with `title` 1 and `version` 2, `paths` 8, `definitions` 9.
pub(crate) fn version_2_in_protobuf() -> Vec<u8> {
    let member = |number: u8, content: &[u8]| {
        // All is shorter than 128 bytes: a length is one byte.
        [&[number << 3 | 2, content.len().min(127) as u8], content].concat()
    };
    let info = [member(1, b"Kubernetes"), member(2, crate::discovery::RELEASE.as_bytes())].concat();
    [member(1, b"2.0"), member(2, &info), member(8, &[]), member(9, &[])].concat()
}

/// The document of a path below [`ROOT`].
pub(crate) fn document(kinds: &Kinds, path: &str) -> Option<Value> {
    let rest = path.strip_prefix(ROOT)?;
    if rest.is_empty() {
        return Some(index(kinds));
    }
    let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
    let (group, version) = match parts[..] {
        ["api", version] => ("", version),
        ["apis", group, version] => (group, version),
        _ => return None,
    };
    let served: Vec<_> = kinds.all().into_iter().filter(|one| one.group == group && one.version == version).collect();
    (!served.is_empty()).then(|| of_version(&served))
}

fn base(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}", resource.api_version())
    }
}

fn index(kinds: &Kinds) -> Value {
    let mut texts: Vec<(String, String)> = Vec::new();
    for resource in kinds.all() {
        let path = base(resource);
        let text = resource.custom.map(|custom| custom.schema.to_string()).unwrap_or_default();
        match texts.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) => known.push_str(&text),
            None => texts.push((path, text)),
        }
    }
    let mut paths = Fields::new();
    for (path, text) in texts {
        // Clients keep documents by this address; it changes with what the document says.
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let hash: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02X}")).collect();
        paths.insert(path.clone(), json!({"serverRelativeURL": format!("{ROOT}/{path}?hash={hash}")}));
    }
    json!({"paths": paths})
}

fn of_version(served: &[&'static Resource]) -> Value {
    let mut paths = Fields::new();
    let mut schemas = Fields::new();
    for resource in served {
        let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
        let scope = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
        let all = format!("/{}/{scope}{}", base(resource), resource.plural);
        let one = format!("{all}/{{name}}");
        let name = component(resource);
        let mut path = |path: String, methods: &[(&str, &str)]| {
            let mut item = Fields::new();
            for (verb, method) in methods.iter().filter(|(verb, _)| resource.verbs.contains(verb)) {
                item.insert((*method).to_owned(), operation(verb, &kind, &name));
            }
            paths.insert(path, item.into());
        };
        path(all, &[("list", "get"), ("create", "post"), ("deletecollection", "delete")]);
        path(one, &[("get", "get"), ("update", "put"), ("patch", "patch"), ("delete", "delete")]);
        let mut schema = match resource.custom {
            Some(custom) => of_custom(&custom.schema, &mut schemas),
            None => schema::find(resource.kind).map(|known| structure(known, true, &mut schemas)).unwrap_or_default(),
        };
        schema["x-kubernetes-group-version-kind"] = json!([kind]);
        schemas.insert(name, schema);
    }
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": crate::discovery::RELEASE}, "paths": paths, "components": {"schemas": schemas}})
}

fn operation(verb: &str, kind: &Value, name: &str) -> Value {
    let parameter =
        |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    let mut parameters = Vec::new();
    if ["create", "update", "patch", "delete"].contains(&verb) {
        parameters.push(parameter("dryRun", "string"));
    }
    if ["create", "update", "patch"].contains(&verb) {
        parameters.push(parameter("fieldManager", "string"));
        parameters.push(parameter("fieldValidation", "string"));
    }
    if verb == "patch" {
        parameters.push(parameter("force", "boolean"));
    }
    let content = json!({"schema": {"$ref": reference(name)}});
    let mut operation = json!({"x-kubernetes-action": verb, "x-kubernetes-group-version-kind": kind, "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": {"application/json": content}}}});
    let media: &[&str] = match verb {
        "create" | "update" => &["*/*"],
        "patch" => &[
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
        ],
        _ => &[],
    };
    if !media.is_empty() {
        let content: Fields = media.iter().map(|media| ((*media).to_owned(), content.clone())).collect();
        operation["requestBody"] = json!({"content": content, "required": true});
    }
    operation
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The name of a kind's schema.
fn component(resource: &Resource) -> String {
    match resource.custom {
        None => named(resource.kind),
        Some(_) => {
            let reversed: Vec<&str> = resource.group.rsplit('.').collect();
            format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind)
        }
    }
}

fn named(name: &str) -> String {
    format!("io.k8s.{}", name.replace(':', "."))
}

fn structure(known: &'static Struct, is_object: bool, schemas: &mut Fields) -> Value {
    let mut properties = Fields::new();
    if is_object {
        properties.insert("apiVersion".into(), json!({"type": "string"}));
        properties.insert("kind".into(), json!({"type": "string"}));
    }
    let mut members: Vec<_> = known.members().collect();
    members.sort_by_key(|(name, _)| *name);
    let required: Vec<&str> = members.iter().filter(|(_, member)| member.required).map(|(name, _)| *name).collect();
    for (name, kind) in members {
        properties.insert(name.to_owned(), member(kind, schemas));
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if known.is_atomic() {
        schema["x-kubernetes-map-type"] = "atomic".into();
    }
    schema
}

fn member(member: &Member, schemas: &mut Fields) -> Value {
    let one = typed(member.kind, schemas);
    let Some(list) = member.list else { return one };
    let mut schema = json!({"type": "array", "items": one});
    match list {
        List::Atomic => schema["x-kubernetes-list-type"] = "atomic".into(),
        List::Set => {
            schema["x-kubernetes-list-type"] = "set".into();
            schema["x-kubernetes-patch-strategy"] = "merge".into();
        }
        List::Map(keys) => {
            let keys: Vec<&str> = keys.split(',').collect();
            schema["x-kubernetes-list-type"] = "map".into();
            schema["x-kubernetes-patch-strategy"] = "merge".into();
            schema["x-kubernetes-patch-merge-key"] = keys[0].into();
            schema["x-kubernetes-list-map-keys"] = json!(keys);
        }
    }
    schema
}

fn typed(kind: Type, schemas: &mut Fields) -> Value {
    let map = |value: Value| json!({"type": "object", "additionalProperties": value});
    let text = json!({"type": "string"});
    let quantity = json!({"oneOf": [{"type": "string"}, {"type": "number"}]});
    match kind {
        Type::Text => text,
        Type::Int => json!({"type": "integer", "format": "int32"}),
        Type::Long => json!({"type": "integer", "format": "int64"}),
        Type::Bool => json!({"type": "boolean"}),
        Type::Time => json!({"type": "string", "format": "date-time"}),
        Type::IntOrText => json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        Type::Quantity => quantity,
        Type::Bytes => json!({"type": "string", "format": "byte"}),
        Type::Any => json!({"type": "object"}),
        Type::TextMap => map(text),
        Type::BytesMap => map(json!({"type": "string", "format": "byte"})),
        Type::QuantityMap => map(quantity),
        Type::StructMap(name) => map(struct_reference(name, schemas)),
        Type::Struct(name) => struct_reference(name, schemas),
    }
}

/// Refers to a struct, and describes it the first time.
fn struct_reference(name: &'static str, schemas: &mut Fields) -> Value {
    let key = named(name);
    if !schemas.contains_key(&key)
        && let Some(known) = schema::find(name)
    {
        // Held before it is described: structs may contain themselves.
        schemas.insert(key.clone(), Value::Null);
        let described = structure(known, false, schemas);
        schemas.insert(key.clone(), described);
    }
    json!({"allOf": [{"$ref": reference(&key)}]})
}

fn of_custom(schema: &Value, schemas: &mut Fields) -> Value {
    let mut schema = schema.clone();
    split_keys(&mut schema);
    let properties = crate::object::section(&mut schema, "properties");
    properties.insert("apiVersion".into(), json!({"type": "string"}));
    properties.insert("kind".into(), json!({"type": "string"}));
    properties.insert("metadata".into(), struct_reference("ObjectMeta", schemas));
    schema
}

/// Keys of lists are held as one text.
fn split_keys(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(keys)) = fields.get("x-kubernetes-list-map-keys") {
                let keys: Vec<String> = keys.split(',').map(str::to_owned).collect();
                fields.insert("x-kubernetes-list-map-keys".into(), json!(keys));
            }
            fields.values_mut().for_each(split_keys);
        }
        Value::Array(items) => items.iter_mut().for_each(split_keys),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_and_version_has_a_document_without_loose_ends() {
        let kinds = Kinds::default();
        let index = document(&kinds, ROOT).expect("an index");
        for path in index["paths"].as_object().expect("paths").keys() {
            let document = document(&kinds, &format!("{ROOT}/{path}")).expect("a document");
            let schemas = document["components"]["schemas"].as_object().expect("schemas");
            let text = document.to_string();
            for name in text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(schemas.get(name).is_some_and(Value::is_object), "{path}: {name}");
            }
        }
        assert_eq!(document(&kinds, "/openapi/v3/apis/nope/v1"), None);
    }

    #[test]
    fn lists_say_how_they_are_merged() {
        let core = document(&Kinds::default(), "/openapi/v3/api/v1").expect("a document");
        let containers = &core["components"]["schemas"]["io.k8s.PodSpec"]["properties"]["containers"];
        assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
        let patch = &core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Pod");
    }
}
