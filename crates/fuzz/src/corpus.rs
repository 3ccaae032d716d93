//! The inputs that are kept: one folder a target, one file an input. Knows no target.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where the corpus lies, from the root of the workspace.
pub const FOLDER: &str = "fixtures/fuzz";
/// What the name of a caught input begins with.
pub const CAUGHT: &str = "crash-";

/// The folder of one target.
pub fn folder(root: &Path, target: &str) -> PathBuf {
    root.join(FOLDER).join(target)
}

/// Name and content of every input, by name.
///
/// # Errors
/// When the folder cannot be read, or holds nothing: a hunt from nothing finds nothing.
pub fn read(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?));
    }
    if inputs.is_empty() {
        bail!("no input in {}", folder.display());
    }
    inputs.sort();
    Ok(inputs)
}

/// Keeps a caught input, under a name made of its content.
///
/// # Errors
/// When it cannot be written.
pub fn keep(folder: &Path, input: &[u8]) -> Result<PathBuf> {
    let path = folder.join(format!("{CAUGHT}{:016x}", hash(input)));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// FNV-1a: the same on every machine.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caught_input_is_read_again_and_one_of_the_same_content_is_the_same_file() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(read(folder.path()).is_err(), "an empty corpus is no corpus");
        let first = keep(folder.path(), b"\xff").expect("must be kept");
        assert_eq!(keep(folder.path(), b"\xff").expect("must be kept"), first);
        keep(folder.path(), b"{").expect("must be kept");
        let names: Vec<String> = read(folder.path()).expect("must be read").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["crash-af63f64c860218ba", "crash-af64724c8602eb6e"]);
    }
}
