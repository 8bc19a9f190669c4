//! The folder of a snapshot: made, or taken over from an earlier snapshot, never from anything else.
//!
//! Everything is written into a folder inside of it first and then moved, so that whoever looks sees the old snapshot,
//! or the new one. The manifest goes first of the old and comes last of the new.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::manifest::{MANIFEST, Manifest};

/// Where the files are until all of them are there.
const STAGE: &str = ".tracecol-new";

/// Addresses, rules and connections are nobody's business but the owner's and the group's.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds something that no snapshot wrote.
    #[error("{folder} holds {name}, which is not of a snapshot; nothing was written", folder = folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        name: String,
    },
    /// The file system refuses.
    #[error("cannot write into {folder}: {error}", folder = folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

/// Says whether a snapshot may be written there, without touching anything.
pub fn check(folder: &Path) -> Result<(), FolderError> {
    former(folder).map(|_| ())
}

/// Writes a snapshot: `files` by name, then the manifest.
pub fn write(
    folder: &Path,
    files: &[(String, Vec<u8>)],
    manifest: &Manifest,
) -> Result<(), FolderError> {
    let former = former(folder)?;
    replace(folder, &former, files, manifest)
        .map_err(|error| FolderError::Io { folder: folder.to_owned(), error })
}

fn replace(
    folder: &Path,
    former: &BTreeSet<String>,
    files: &[(String, Vec<u8>)],
    manifest: &Manifest,
) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    let stage = folder.join(STAGE);
    forgive_absence(fs::remove_dir_all(&stage))?;
    fs::DirBuilder::new().mode(FOLDER_MODE).create(&stage)?;
    for (name, bytes) in files {
        write_new(&stage.join(name), bytes)?;
    }
    write_new(&stage.join(MANIFEST), &serde_json::to_vec_pretty(manifest)?)?;
    forgive_absence(fs::remove_file(folder.join(MANIFEST)))?;
    for name in former {
        forgive_absence(fs::remove_file(folder.join(name)))?;
    }
    for name in files.iter().map(|(name, _)| name.as_str()).chain([MANIFEST]) {
        fs::rename(stage.join(name), folder.join(name))?;
    }
    fs::remove_dir(&stage)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?.write_all(bytes)
}

fn forgive_absence(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The files of the snapshot that is there already, without the manifest. Anything else in the folder is an error.
fn former(folder: &Path) -> Result<BTreeSet<String>, FolderError> {
    let wrong = |error| FolderError::Io { folder: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(wrong)?,
    };
    // A run that was killed while it moved files has left its manifest on the stage.
    let mut known = BTreeSet::new();
    for place in [folder.join(MANIFEST), folder.join(STAGE).join(MANIFEST)] {
        let manifest = fs::read_to_string(place).ok().and_then(|text| Manifest::read(&text));
        known.extend(manifest.iter().flat_map(|manifest| manifest.files().map(ToOwned::to_owned)));
        if manifest.is_some() {
            known.insert(MANIFEST.to_owned());
        }
    }
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(wrong)?.file_name().to_string_lossy().into_owned();
        if known.contains(&name) {
            found.insert(name);
        } else if name != STAGE {
            return Err(FolderError::Foreign { folder: folder.to_owned(), name });
        }
    }
    found.remove(MANIFEST);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use chrono::DateTime;

    use super::*;
    use crate::probe::snapshot::manifest::Entry;

    fn manifest(files: &[&str]) -> Manifest {
        let at = DateTime::from_timestamp(1_795_352_867, 0).unwrap();
        let mut manifest = Manifest::new("h".to_owned(), None, at, "6.1".to_owned());
        manifest.pieces = files
            .iter()
            .map(|name| Entry { file: Some((*name).to_owned()), ..Entry::new("piece") })
            .collect();
        manifest
    }

    fn put(folder: &Path, names: &[&str]) -> Result<(), FolderError> {
        let files: Vec<_> =
            names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect();
        write(folder, &files, &manifest(names))
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_snapshot_replaces_an_earlier_one() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/snap");
        put(&folder, &["a.txt", "b.txt"]).unwrap();
        assert_eq!(names(&folder), ["a.txt", "b.txt", MANIFEST]);
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o750);
        let mode = folder.join("a.txt").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        put(&folder, &["b.txt", "c.txt"]).unwrap();
        assert_eq!(names(&folder), ["b.txt", "c.txt", MANIFEST]);
    }

    #[test]
    fn what_no_snapshot_wrote_is_not_touched() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let error = put(folder, &["a.txt"]).unwrap_err();
        assert!(error.to_string().contains("holds notes.txt"), "{error}");
        assert_eq!(names(folder), ["notes.txt"]);

        fs::remove_file(folder.join("notes.txt")).unwrap();
        put(folder, &["a.txt"]).unwrap();
        fs::write(folder.join("by-hand.txt"), "mine").unwrap();
        assert!(check(folder).is_err(), "a file beside a snapshot is somebody's own");
        assert_eq!(names(folder), ["a.txt", "by-hand.txt", MANIFEST]);
    }

    #[test]
    fn what_a_killed_run_left_is_taken_over() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path();
        // Killed while writing: a stage without a manifest.
        fs::create_dir(folder.join(STAGE)).unwrap();
        fs::write(folder.join(STAGE).join("a.txt"), "half").unwrap();
        put(folder, &["a.txt", "b.txt"]).unwrap();
        // Killed while moving: the manifest is still on the stage.
        fs::create_dir(folder.join(STAGE)).unwrap();
        fs::rename(folder.join(MANIFEST), folder.join(STAGE).join(MANIFEST)).unwrap();
        put(folder, &["c.txt"]).unwrap();
        assert_eq!(names(folder), ["c.txt", MANIFEST]);
    }

    #[test]
    fn a_manifest_of_somebody_else_is_foreign() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join(MANIFEST), r#"{"name":"an app"}"#).unwrap();
        assert!(check(parent.path()).is_err());
    }
}
