//! A container of the admitted pod, as far as identities go. Knows no cloud.

use serde_json::Value;
use trust::UnverifiedToken;

/// A container and the pod around it.
pub(super) struct Container<'a> {
    pub(super) pod: &'a Value,
    container: Option<&'a Value>,
}

/// What the pod shows of its token.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ShownToken {
    pub(super) audience: Option<String>,
    /// Where it comes from, for people.
    pub(super) source: Option<String>,
}

impl<'a> Container<'a> {
    pub(super) fn of(pod: &'a Value, name: &str) -> Self {
        let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
        Self { pod, container: containers.into_iter().flatten().find(|container| container["name"] == name) }
    }

    /// The value of a variable that is given as a text.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        let all = self.container?.get("env")?.as_array()?;
        all.iter().find(|one| one["name"] == name)?.get("value")?.as_str().map(str::to_owned)
    }

    /// A label of the pod.
    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        self.pod.get("metadata")?.get("labels")?.get(name)?.as_str()
    }

    /// The token behind `file`; `planted` is one that was put into a volume of the pod's own.
    pub(super) fn token(&self, file: Option<&str>, planted: Option<&UnverifiedToken>) -> ShownToken {
        if let Some(token) = planted {
            let expiry = token.numeric_date("exp").and_then(|at| jiff::Timestamp::from_second(at).ok());
            let expiry = expiry.map(|at| format!(", expires {at}")).unwrap_or_default();
            return ShownToken {
                audience: token.audiences().first().map(|&audience| audience.to_owned()),
                source: Some(format!("volume of the pod's own{expiry}")),
            };
        }
        let Some(projection) = file.and_then(|file| self.projection(file)) else {
            return ShownToken::default();
        };
        let seconds = projection.get("expirationSeconds").and_then(Value::as_i64).unwrap_or_default();
        ShownToken {
            audience: projection.get("audience").and_then(Value::as_str).map(str::to_owned),
            source: Some(format!("projected, {seconds} s")),
        }
    }

    /// The projected token whose file this is: by mount, volume and path.
    fn projection(&self, file: &str) -> Option<&'a Value> {
        let mounts = self.container?.get("volumeMounts")?.as_array()?;
        let volumes = self.pod.pointer("/spec/volumes")?.as_array()?;
        mounts.iter().find_map(|mount| {
            let path = file.strip_prefix(mount.get("mountPath")?.as_str()?)?.trim_start_matches('/');
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"])?;
            let sources = volume.pointer("/projected/sources")?.as_array()?;
            sources.iter().filter_map(|source| source.get("serviceAccountToken")).find(|token| token["path"] == path)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_projection_behind_a_file_by_mount_volume_and_path() {
        let token = |path: &str, audience: &str| json!({"serviceAccountToken": {"path": path, "audience": audience, "expirationSeconds": 3600}});
        let pod = json!({"spec": {
            "containers": [{"name": "a", "volumeMounts": [
                {"name": "one", "mountPath": "/t/one"}, {"name": "two", "mountPath": "/t/two"}, {"name": "own", "mountPath": "/t/own"}]},
                {"name": "b"}],
            "volumes": [
                {"name": "one", "projected": {"sources": [token("token", "first")]}},
                {"name": "two", "projected": {"sources": [token("other", "wrong"), token("token/file", "second")]}},
                {"name": "own", "secret": {}}]}});
        let check = |container: &str, file: &str, expected: Option<&str>| {
            let shown = Container::of(&pod, container).token(Some(file), None);
            assert_eq!(shown.audience.as_deref(), expected, "{file}");
        };
        check("a", "/t/one/token", Some("first"));
        check("a", "/t/two/token/file", Some("second"));
        check("a", "/t/own/token", None);
        check("a", "/elsewhere", None);
        check("b", "/t/one/token", None);
    }
}
