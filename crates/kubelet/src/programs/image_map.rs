//! The image map: a YAML file in which a person says which local programs stand for which images.
//! It looks whether programs are there, in the folders that it is given; it must not know what runs them.
//!
//! ```yaml
//! images:
//!   - names: [amazon/aws-cli, public.ecr.aws/aws-cli/aws-cli] # with a tag: that one alone
//!     entrypoint: [aws] # a name on the search path, or a path (with a slash) from this file's folder; then arguments in front
//!     cmd: [help] # what follows when the pod has neither command nor arguments
//!     commands: any # the pod may start any program that is on its search path; default: only the entry point
//!     workingDir: /aws
//!     paths: real # the default: mounts lie where the pod says, if the system permits; or `rewritten`
//! ```

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Image, Programs};

/// The images that public walk-throughs use, for who has the programs.
const USUAL: &str = include_str!("usual.yaml");

/// Why an image map cannot be used. The message says where in the file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ImageMapError {
    #[error("the image map is not what it should be: {0}")]
    Format(String),
    #[error("image map: {0:?} has neither entrypoint nor cmd")]
    Empty(String),
    #[error("image map: an entry has no names")]
    Nameless,
    #[error("image map: {0:?} has no entrypoint, so its cmd is a command of its own: it needs `commands: any`")]
    CmdAlone(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageMap {
    images: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    names: Vec<String>,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    commands: Commands,
    working_dir: Option<String>,
    #[serde(default)]
    paths: Paths,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Commands {
    #[default]
    Entrypoint,
    Any,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Paths {
    #[default]
    Real,
    Rewritten,
}

impl Programs {
    /// The usual images of walk-throughs, as far as `search` (the folders of a search path) has their programs:
    /// `amazon/aws-cli`, `busybox`, `alpine`, `curlimages/curl`, `python` and the like.
    ///
    /// # Caveats
    /// Most of them let a pod start any program of this machine, as their images have a shell. Use it only where nobody else makes pods.
    ///
    /// # Errors
    /// None, unless the built-in map is broken.
    pub fn usual(search: &[PathBuf]) -> Result<Self, ImageMapError> {
        let mut programs = Self::new();
        programs.read_map(USUAL, Path::new("/"), search)?;
        Ok(programs)
    }

    /// Adds what an image map says. `folder` is where its relative paths start, `search` are the folders of a search path.
    /// An entry whose program is not there is no error: it is told when a pod asks for it ([`refusal`](Self::refusal)).
    ///
    /// # Errors
    /// When the text is not an image map.
    pub fn read_map(&mut self, text: &str, folder: &Path, search: &[PathBuf]) -> Result<(), ImageMapError> {
        let map: ImageMap = serde_saphyr::from_str(text).map_err(|error| ImageMapError::Format(error.to_string()))?;
        for entry in map.images {
            let first = entry.names.first().ok_or(ImageMapError::Nameless)?;
            if entry.entrypoint.is_empty() && entry.cmd.is_empty() {
                return Err(ImageMapError::Empty(first.clone()));
            }
            if entry.entrypoint.is_empty() && entry.commands != Commands::Any {
                return Err(ImageMapError::CmdAlone(first.clone()));
            }
            let mut image = Image {
                entrypoint: None,
                cmd: entry.cmd,
                any_command: entry.commands == Commands::Any,
                working_dir: entry.working_dir,
                real_paths: entry.paths == Paths::Real,
            };
            let wanted = entry.entrypoint.first().or(image.cmd.first()).cloned().unwrap_or_default();
            let found = find(&wanted, folder, search);
            if let (Some((_, front)), Some(program)) = (entry.entrypoint.split_first(), &found) {
                image.entrypoint = Some((program.clone(), front.to_vec()));
            }
            for name in entry.names {
                match &found {
                    Some(_) => self.insert_image(&name, image.clone()),
                    None => self.miss(&name, &wanted),
                }
            }
        }
        Ok(())
    }

    /// Adds what `other` says; where both know an image, `other` wins.
    pub fn extend(&mut self, other: Self) {
        self.missing.extend(other.missing);
        for (name, image) in other.by_image {
            self.insert_image(&name, image);
        }
    }

    fn miss(&mut self, name: &str, program: &str) {
        self.missing.insert(super::normal(name).to_owned(), program.to_owned());
    }
}

/// The program of that name in one of the folders, or at that path if it has a slash.
fn find(program: &str, folder: &Path, search: &[PathBuf]) -> Option<PathBuf> {
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return Some(folder.join(program)).filter(is_program);
    }
    search.iter().filter(|folder| folder.is_absolute()).map(|folder| folder.join(program)).find(is_program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_folder(programs: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        for program in programs {
            let path = folder.path().join(program);
            std::fs::write(&path, "#!/bin/sh\n").expect("file must be written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode must be set");
        }
        folder
    }

    #[test]
    fn names_tags_and_arguments_of_an_entry() {
        let folder = mk_folder(&["mine", "aws"]);
        let search = [folder.path().to_owned()];
        let mut programs = Programs::new();
        let map = "images:\n- names: [a/b, c:2]\n  entrypoint: [./mine, -x]\n  workingDir: /w\n  paths: rewritten\n- {names: [d], entrypoint: [aws]}\n";
        programs.read_map(map, folder.path(), &search).expect("map must be read");
        let check = |image: &str, program: Option<&str>| {
            let expected = program.map(|program| folder.path().join(program));
            assert_eq!(programs.lookup(image), expected.as_deref(), "{image}");
        };
        check("a/b:9", Some("./mine"));
        check("c:2", Some("./mine"));
        check("c:3", None);
        check("d", Some("aws"));
        let image = programs.image("a/b").expect("image");
        assert_eq!(image.entrypoint.as_ref().map(|(_, front)| front.as_slice()), Some(["-x".to_owned()].as_slice()));
        assert_eq!((image.working_dir.as_deref(), image.real_paths, image.any_command), (Some("/w"), false, false));
    }

    #[test]
    fn a_program_that_is_not_there_is_named_when_it_is_asked_for() {
        let folder = mk_folder(&["aws"]);
        let check = |search: &Path, image: &str, refusal: &str| {
            let programs = Programs::usual(&[search.to_owned()]).expect("usual map must be read");
            match programs.knows(image) {
                true => assert_eq!(refusal, "", "{image}"),
                false => assert_eq!(programs.refusal(image), refusal),
            }
        };
        check(folder.path(), "amazon/aws-cli:latest", "");
        check(folder.path(), "public.ecr.aws/aws-cli/aws-cli", "");
        check(
            Path::new("/nowhere"),
            "amazon/aws-cli",
            r#"the local program "aws" that stands for image "amazon/aws-cli" was not found: install it, or map another with --image amazon/aws-cli=PROGRAM"#,
        );
        check(
            folder.path(),
            "nginx",
            r#"no program stands for image "nginx" on this process node: map it with --image nginx=PROGRAM"#,
        );
    }

    #[test]
    fn a_map_that_means_nothing_is_refused() {
        let check = |map: &str, part: &str| {
            let error = Programs::new().read_map(map, Path::new("/"), &[]).expect_err("map must be refused");
            assert!(error.to_string().contains(part), "{error}");
        };
        check("images:\n- {names: [a], entrypont: [x]}", "entrypont");
        check("images:\n- {names: [], entrypoint: [x]}", "no names");
        check("images:\n- {names: [a]}", "neither entrypoint nor cmd");
        check("images:\n- {names: [a], cmd: [x]}", "commands: any");
        assert!(
            Programs::new().read_map("images:\n- {names: [a], cmd: [x], commands: any}", Path::new("/"), &[]).is_ok()
        );
    }
}
