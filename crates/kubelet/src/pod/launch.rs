//! From a container's specification to what is started, or to why it cannot be.

use std::io;
use std::path::{Path, PathBuf};

use super::container::Supervisor;
use super::lifecycle::{base, home};
use super::messages;
use crate::atomic::create_folder;
use crate::environment::{self, CONTAINER_PATH, EnvironmentError};
use crate::events;
use crate::inside::Inside;
use crate::mounts::Shown;
use crate::namespace::{self, BIN, HOME, Room};
use crate::process::Launch;
use crate::programs::Image;
use crate::sources::{SourceError, Sources};

/// A container's program, ready to start.
pub(super) struct Start {
    /// The reason when its program is not there: the container fails then, as in a runtime.
    pub(super) launch: io::Result<Launch>,
    pub(super) inside: Inside,
}

/// Why a container cannot be started now.
pub(super) enum Refusal {
    /// The image stands for nothing here.
    Image { message: String },
    /// Nothing but a new pod helps.
    Final { reason: &'static str, message: String },
    /// An object is missing, or lacks a key.
    Source { error: SourceError, seen: Option<String> },
}

impl Refusal {
    fn create(message: String) -> Self {
        Self::Final { reason: "CreateContainerError", message }
    }
}

impl Supervisor {
    /// What the specification asks for. Lays the container's mounts.
    pub(super) fn start(&mut self, sources: &Sources) -> Result<Start, Refusal> {
        let context = self.context.clone();
        let reference = self.container.image.as_deref().unwrap_or_default();
        let programs = &context.node.programs;
        let image = programs.image(reference).ok_or_else(|| Refusal::Image { message: programs.refusal(reference) })?;
        let mut base = base(&context, &self.container.name);
        if image.any_command {
            let folder = own_programs(&context.folder, &self.container.name, image)
                .map_err(|error| Refusal::create(format!("failed to link the image's program: {error}")))?;
            let folder = if self.tool.is_some() { Path::new(BIN) } else { &folder };
            base.path = format!("{}:{CONTAINER_PATH}", folder.display());
        }
        if self.tool.is_some() {
            base.home = HOME.to_owned();
        }
        let environment =
            environment::build(&context.pod(), &self.container, sources, &self.paths, &base).map_err(|error| {
                match error {
                    EnvironmentError::Source(error) => {
                        let seen = sources.version(error.source_key()).map(str::to_owned);
                        Refusal::Source { error, seen }
                    }
                    error => Refusal::Final { reason: "CreateContainerConfigError", message: error.to_string() },
                }
            })?;
        let words = |words: &Option<Vec<String>>| -> Vec<String> {
            words.iter().flatten().map(|word| environment.expand(word)).collect()
        };
        let words = image
            .words(&words(&self.container.command), &words(&self.container.args))
            .map_err(|error| Refusal::create(error.to_string()))?;
        let shown = self
            .shelf
            .place(&self.container.name, &self.paths, |text| environment.expand(text))
            .map_err(|error| Refusal::Final { reason: "CreateContainerConfigError", message: error.to_string() })?;
        let working_dir = self.container.working_dir.as_deref().filter(|folder| !folder.is_empty());
        let working_dir = working_dir.or(image.working_dir.as_deref()).unwrap_or("/");
        let in_working_dir = |error: &dyn std::fmt::Display| Refusal::create(format!("workingDir: {error}"));
        let folder = self.paths.working_dir(working_dir).map_err(|error| in_working_dir(&error))?;
        if let Some((_, file)) = self.paths.file() {
            messages::begin(file)
                .map_err(|error| Refusal::create(format!("failed to make its termination log: {error}")))?;
        }
        let own = match &self.tool {
            Some(tool) => {
                let room = self.room(shown, &folder);
                let room =
                    room.map_err(|error| Refusal::create(format!("failed to lay out its file system: {error}")))?;
                Some((tool.clone(), room))
            }
            None => {
                create_folder(&folder, 0o755).map_err(|error| in_working_dir(&error))?;
                None
            }
        };
        self.record.image_id = image.id();
        self.tell_skipped(&environment.skipped);
        let inside = Inside {
            image: image.clone(),
            search: environment.variables.get("PATH").cloned().unwrap_or_default(),
            env: environment.variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            folder,
            paths: self.paths.clone(),
            own,
        };
        Ok(Start { launch: inside.launch(words), inside })
    }

    /// The container's file system. What it wrote beside its volumes goes with its last run, as in a container.
    fn room(&self, mut shown: Vec<Shown>, working_dir: &Path) -> io::Result<Room> {
        let pod_folder = &self.context.folder;
        let container = &self.container.name;
        let own = [(home(pod_folder, container), HOME), (bin(pod_folder, container), BIN)];
        for (source, path) in own {
            create_folder(&source, 0o755)?;
            shown.push(Shown { source, mount_path: path.to_owned() });
        }
        shown.extend(self.paths.file().map(|(path, file)| Shown { source: file.clone(), mount_path: path.clone() }));
        let folder = pod_folder.join("rooms").join(container);
        namespace::remove(&folder)?;
        Room::build(folder, &shown, working_dir)
    }

    fn tell_skipped(&self, skipped: &[String]) {
        if skipped.is_empty() {
            return;
        }
        let message = format!(
            "keys that no environment variable can be named after were skipped in container {}: {}",
            self.container.name,
            skipped.join(", ")
        );
        let context = self.context.clone();
        tokio::spawn(async move {
            events::warn(&context.node, &context.bound, "InvalidEnvironmentVariableNames", &message).await;
        });
    }
}

fn bin(pod_folder: &Path, container: &str) -> PathBuf {
    pod_folder.join("bin").join(container)
}

/// A folder that has the image's own program, for commands that name it: it may lie on no usual search path.
fn own_programs(pod_folder: &Path, container: &str, image: &Image) -> io::Result<PathBuf> {
    let folder = bin(pod_folder, container);
    create_folder(&folder, 0o755)?;
    if let Some((program, name)) =
        image.entrypoint.as_ref().and_then(|(program, _)| Some((program, program.file_name()?)))
    {
        match std::os::unix::fs::symlink(program, folder.join(name)) {
            // A container that starts again.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(folder)
}
