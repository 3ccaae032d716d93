//! What all processes of a container share: its program's own, those of its probes and of its hooks.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::namespace::{Room, Tool};
use crate::paths::PathMap;
use crate::process::Launch;
use crate::programs::{CommandError, Image, Words};

/// The surroundings of a container's processes. No `Debug`: the environment may hold secrets.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) image: Image,
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Where a program that is only named is looked for.
    pub(crate) search: String,
    pub(crate) folder: PathBuf,
    pub(crate) paths: PathMap,
    /// Its own mount namespace, if it has one.
    pub(crate) own: Option<(Tool, Room)>,
}

impl Inside {
    /// A process of these words.
    ///
    /// # Errors
    /// When the program is only named and is not on the search path.
    pub(crate) fn launch(&self, words: Words) -> io::Result<Launch> {
        let launch = Launch {
            program: self.program(&words.program)?,
            args: words.args.iter().map(|word| self.paths.rewrite(word).into()).collect(),
            env: self.env.clone(),
            folder: self.folder.clone(),
        };
        Ok(match &self.own {
            Some((tool, room)) => tool.inside(room, launch),
            None => launch,
        })
    }

    /// A process that a probe or a hook asks for.
    ///
    /// # Errors
    /// When the image does not let such a command be run, or it is not there.
    pub(crate) fn launch_command(&self, command: &[String]) -> Result<Launch, CommandFailure> {
        Ok(self.launch(self.image.command(command)?)?)
    }

    fn program(&self, program: &Path) -> io::Result<PathBuf> {
        let text = program.to_string_lossy();
        if text.contains('/') {
            if self.own.is_some() && self.paths.is_absent(program) {
                let message = format!("exec: {text:?}: stat {text}: no such file or directory");
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
            return Ok(PathBuf::from(self.paths.rewrite(&text)));
        }
        let found = self.search.split(':').filter(|folder| folder.starts_with('/'));
        found.map(|folder| Path::new(folder).join(program)).find(|path| path.is_file()).ok_or_else(|| {
            let message = format!("exec: {text:?}: executable file not found in $PATH");
            io::Error::new(io::ErrorKind::NotFound, message)
        })
    }
}

/// Why a command is not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandFailure {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Start(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_containers_own_search_path() {
        let inside = |search: &str| Inside {
            image: Image { any_command: true, ..Image::default() },
            env: Vec::new(),
            search: search.to_owned(),
            folder: "/".into(),
            paths: PathMap::new("/r".into(), Path::new("/"), &[]).expect("mounts must be accepted"),
            own: None,
        };
        let check = |search: &str, command: &str, expected: Result<&str, &str>| {
            let found = inside(search).launch_command(&[command.to_owned()]).map_err(|error| error.to_string());
            assert_eq!(
                found.as_ref().map(|launch| launch.program.as_path()).map_err(String::as_str),
                expected.map(Path::new)
            );
        };
        check("/nowhere:/bin", "sh", Ok("/bin/sh"));
        check("/nowhere", "/bin/sh", Ok("/bin/sh"));
        check("/nowhere", "sh", Err(r#"exec: "sh": executable file not found in $PATH"#));
        check("", "sh", Err(r#"exec: "sh": executable file not found in $PATH"#));
    }
}
