//! Which local program stands for which image, and what a container's command makes of it.
//! Pure: it does not look whether a program is there; [`image_map`] does, for the file that a person writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod image_map;

pub use image_map::ImageMapError;

/// What runs in place of an image: as a Dockerfile's `ENTRYPOINT` and `CMD`, with local programs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Image {
    /// The program and the arguments in front of the pod's own.
    pub(crate) entrypoint: Option<(PathBuf, Vec<String>)>,
    /// What follows when the pod has neither command nor arguments.
    pub(crate) cmd: Vec<String>,
    /// A pod may start any program that its search path finds, as with an image that has a shell.
    pub(crate) any_command: bool,
    /// Where it starts when the pod does not say; `/` if unset.
    pub(crate) working_dir: Option<String>,
    /// Its mounts lie where the pod says, if the system permits.
    pub(crate) real_paths: bool,
}

/// Image references and the local executables that stand for them.
///
/// A reference with a tag or digest is matched exactly; one without matches every tag and digest of
/// that repository. The exact one wins. Docker Hub's short names are the same as its long ones:
/// `amazon/aws-cli` is `docker.io/amazon/aws-cli`, and `busybox` is `docker.io/library/busybox`.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    by_image: BTreeMap<String, Image>,
    /// Images that a map names, and the program that was not found for each.
    missing: BTreeMap<String, String>,
}

impl Programs {
    /// No image is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `program` (an absolute path) stand for `image`; a later call for the same image wins.
    pub fn insert(&mut self, image: impl Into<String>, program: impl Into<PathBuf>) {
        let entrypoint = Some((program.into(), Vec::new()));
        self.insert_image(&image.into(), Image { entrypoint, ..Image::default() });
    }

    fn insert_image(&mut self, name: &str, image: Image) {
        let name = normal(name);
        self.missing.remove(name);
        self.by_image.insert(name.to_owned(), image);
    }

    /// [`insert`](Self::insert), chained.
    #[must_use]
    pub fn with(mut self, image: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        self.insert(image, program);
        self
    }

    /// The program for an image reference, as a pod spells it. `None` also where an image map lets the pod's command choose.
    pub fn lookup(&self, image: &str) -> Option<&Path> {
        self.image(image)?.entrypoint.as_ref().map(|(program, _)| program.as_path())
    }

    /// Whether pods with this image reference can be run.
    pub fn knows(&self, image: &str) -> bool {
        self.image(image).is_some()
    }

    /// Why an image cannot be run, and how to map it; also fit for a preflight check.
    pub fn refusal(&self, image: &str) -> String {
        let name = normal(image);
        match self.missing.get(name).or_else(|| self.missing.get(repository(name))) {
            Some(program) => format!(
                "the local program {program:?} that stands for image {image:?} was not found: \
                 install it, or map another with --image {image}=PROGRAM"
            ),
            None => format!(
                "no program stands for image {image:?} on this process node: map it with --image {image}=PROGRAM"
            ),
        }
    }

    pub(crate) fn image(&self, image: &str) -> Option<&Image> {
        let name = normal(image);
        self.by_image.get(name).or_else(|| self.by_image.get(repository(name)))
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

/// The reference as Docker Hub's short names spell it; others as they are.
fn normal(image: &str) -> &str {
    let hub = ["docker.io/", "index.docker.io/", "registry-1.docker.io/"];
    match hub.iter().find_map(|host| image.strip_prefix(host)) {
        Some(name) => name.strip_prefix("library/").unwrap_or(name),
        None => image.strip_prefix("library/").unwrap_or(image),
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
pub(crate) enum CommandError {
    #[error(
        "command {command:?} is not the program {program:?} that stands for the image: \
         a process node runs only mapped programs"
    )]
    NotMapped { command: String, program: String },
    #[error("no command specified")]
    Empty,
}

/// A program to run: its path, or a name for the container's search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

impl Image {
    /// What the container's `command` and `args` make of the image. A command replaces entry point and default arguments;
    /// its first word must name the program itself (by file name, with or without folders) unless any will do.
    pub(crate) fn words(&self, command: &[String], args: &[String]) -> Result<Words, CommandError> {
        if !command.is_empty() {
            return self.command(&[command, args].concat());
        }
        let args = if args.is_empty() { &self.cmd } else { args };
        match &self.entrypoint {
            Some((program, front)) => {
                Ok(Words { program: program.clone(), args: front.iter().chain(args).cloned().collect() })
            }
            None => self.command(args),
        }
    }

    /// A command that is run in the container, whatever its entry point: of the pod, a probe or a hook.
    pub(crate) fn command(&self, words: &[String]) -> Result<Words, CommandError> {
        let (first, rest) = words.split_first().ok_or(CommandError::Empty)?;
        let args = rest.to_vec();
        let program = self.entrypoint.as_ref().map(|(program, _)| program);
        match program.filter(|program| program.file_name() == Path::new(first).file_name()) {
            Some(program) => Ok(Words { program: program.clone(), args }),
            None if self.any_command => Ok(Words { program: PathBuf::from(first), args }),
            None => Err(CommandError::NotMapped {
                command: first.clone(),
                program: program
                    .and_then(|program| program.file_name())
                    .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            }),
        }
    }

    /// What the status calls the image.
    pub(crate) fn id(&self) -> String {
        match &self.entrypoint {
            Some((program, _)) => format!("process://{}", program.display()),
            None => "process://PATH".to_owned(),
        }
    }
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
    fn short_and_long_names_of_docker_hub_are_the_same() {
        let programs = Programs::new().with("amazon/aws-cli", "/aws").with("docker.io/library/busybox", "/sh");
        let check = |image: &str, known: bool| assert_eq!(programs.knows(image), known, "{image}");
        check("amazon/aws-cli:2.15.0", true);
        check("docker.io/amazon/aws-cli", true);
        check("index.docker.io/amazon/aws-cli:latest", true);
        check("busybox:1.36", true);
        check("library/busybox", true);
        check("example.com/amazon/aws-cli", false);
        check("aws-cli", false);
    }

    fn mk_words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn command_must_name_the_mapped_program() {
        let programs = Programs::new().with("i", "/opt/s3-reader");
        let image = programs.image("i").expect("image");
        let check = |command: &[&str], args: &[&str], expected: Option<&[&str]>| {
            let found = image.words(&mk_words(command), &mk_words(args)).ok().map(|words| words.args);
            assert_eq!(found, expected.map(mk_words), "{command:?} {args:?}");
        };
        check(&[], &["a", "b"], Some(&["a", "b"]));
        check(&["s3-reader", "-v"], &["a"], Some(&["-v", "a"]));
        check(&["/usr/bin/s3-reader"], &[], Some(&[]));
        check(&["sh", "-c", "s3-reader"], &[], None);
        check(&["/"], &[], None);
    }

    #[test]
    fn entry_point_and_command_work_as_in_an_image() {
        let aws = Image {
            entrypoint: Some(("/opt/aws".into(), mk_words(&["--no-cli-pager"]))),
            cmd: mk_words(&["help"]),
            any_command: true,
            ..Image::default()
        };
        let shell = Image { cmd: mk_words(&["sh"]), any_command: true, ..Image::default() };
        let check = |image: &Image, command: &[&str], args: &[&str], expected: &[&str]| {
            let words = image.words(&mk_words(command), &mk_words(args)).expect("must be accepted");
            let found = [vec![words.program.to_string_lossy().into_owned()], words.args].concat();
            assert_eq!(found, expected, "{command:?} {args:?}");
        };
        check(&aws, &[], &[], &["/opt/aws", "--no-cli-pager", "help"]);
        check(&aws, &[], &["s3", "ls"], &["/opt/aws", "--no-cli-pager", "s3", "ls"]);
        check(&aws, &["aws", "s3"], &["ls"], &["/opt/aws", "s3", "ls"]);
        check(&aws, &["sleep", "9"], &[], &["sleep", "9"]);
        check(&shell, &[], &[], &["sh"]);
        check(&shell, &[], &["sleep", "9"], &["sleep", "9"]);
        check(&shell, &["/bin/cat"], &["f"], &["/bin/cat", "f"]);
        assert_eq!(Image::default().words(&[], &[]), Err(CommandError::Empty));
    }
}
