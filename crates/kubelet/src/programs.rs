//! Which local program stands for which image, and what a container's command makes of it.
//! Pure: it does not look whether a program is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Image references and the local executables that stand for them.
///
/// A reference with a tag or digest is matched exactly; one without matches every tag and digest of
/// that repository. The exact one wins.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    by_image: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// No image is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `program` (an absolute path) stand for `image`; a later call for the same image wins.
    pub fn insert(&mut self, image: impl Into<String>, program: impl Into<PathBuf>) {
        self.by_image.insert(image.into(), program.into());
    }

    /// [`insert`](Self::insert), chained.
    #[must_use]
    pub fn with(mut self, image: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        self.insert(image, program);
        self
    }

    /// The program for an image reference, as a pod spells it.
    pub fn lookup(&self, image: &str) -> Option<&Path> {
        self.by_image.get(image).or_else(|| self.by_image.get(repository(image))).map(PathBuf::as_path)
    }
}

impl<I: Into<String>, P: Into<PathBuf>> FromIterator<(I, P)> for Programs {
    fn from_iter<T: IntoIterator<Item = (I, P)>>(pairs: T) -> Self {
        let mut programs = Self::new();
        for (image, program) in pairs {
            programs.insert(image, program);
        }
        programs
    }
}

/// The reference without digest and tag. A colon before the last slash is a registry's port.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let name_at = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[name_at..].find(':') {
        Some(colon) => &image[..name_at + colon],
        None => image,
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "command {command:?} is not the program {program:?} that stands for the image: \
     a process node runs only mapped programs"
)]
pub(crate) struct CommandError {
    command: String,
    program: String,
}

/// The arguments for `program`: a container's `command` replaces the image's entry point, so its first
/// word must name the program itself (by file name, with or without folders).
pub(crate) fn arguments(program: &Path, command: &[String], args: &[String]) -> Result<Vec<String>, CommandError> {
    let Some((first, rest)) = command.split_first() else {
        return Ok(args.to_vec());
    };
    if Path::new(first).file_name() != program.file_name() {
        return Err(CommandError {
            command: first.clone(),
            program: program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        });
    }
    Ok(rest.iter().chain(args).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_reference_beats_repository() {
        let programs = Programs::new().with("reg:5000/a/reader", "/bin/any").with("reg:5000/a/reader:2", "/bin/two");
        let check = |image: &str, program: Option<&str>| {
            assert_eq!(programs.lookup(image), program.map(Path::new), "{image}");
        };
        check("reg:5000/a/reader", Some("/bin/any"));
        check("reg:5000/a/reader:1", Some("/bin/any"));
        check("reg:5000/a/reader:2", Some("/bin/two"));
        check("reg:5000/a/reader@sha256:00", Some("/bin/any"));
        check("reg:5000/a/reader:2@sha256:00", Some("/bin/any"));
        check("a/reader:2", None);
        check("reg", None);
    }

    #[test]
    fn command_must_name_the_mapped_program() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let check = |command: &[&str], args: &[&str], expected: Option<&[&str]>| {
            let found = arguments(Path::new("/opt/s3-reader"), &words(command), &words(args)).ok();
            assert_eq!(found, expected.map(words), "{command:?} {args:?}");
        };
        check(&[], &["a", "b"], Some(&["a", "b"]));
        check(&["s3-reader", "-v"], &["a"], Some(&["-v", "a"]));
        check(&["/usr/bin/s3-reader"], &[], Some(&[]));
        check(&["sh", "-c", "s3-reader"], &[], None);
        check(&["/"], &[], None);
    }
}
