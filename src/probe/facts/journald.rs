//! journald's settings: one file and its drop-ins, the last word counts.
//!
//! Its rate limit (`RateLimitIntervalSec=`, `RateLimitBurst=`) is kept per service; kernel lines belong to none and are never
//! held back by it. They are held back by `ReadKMsg=`, `Storage=` and `MaxLevelStore=`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What journald does with kernel lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journald {
    /// Where it keeps them.
    pub storage: Storage,
    /// Whether it reads them at all.
    pub reads_kernel: bool,
    /// The level of the least important lines that it keeps: 7 keeps everything.
    pub max_level: u8,
    /// Whether it hands lines on to a syslog daemon.
    pub forwards: bool,
}

impl Default for Journald {
    fn default() -> Self {
        Self { storage: Storage::Persistent, reads_kernel: true, max_level: 7, forwards: true }
    }
}

/// Where the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// On disk.
    Persistent,
    /// In memory: gone with the next boot.
    Volatile,
    /// Nowhere.
    None,
}

/// Where settings come from; a name in an earlier folder hides the same name in a later one.
const DROP_INS: [&str; 4] = [
    "etc/systemd/journald.conf.d",
    "run/systemd/journald.conf.d",
    "usr/local/lib/systemd/journald.conf.d",
    "usr/lib/systemd/journald.conf.d",
];
const MAIN: [&str; 2] = ["etc/systemd/journald.conf", "usr/lib/systemd/journald.conf"];

impl Journald {
    /// Reads the settings under a root folder.
    pub(super) fn gather(root: &Path) -> Self {
        let main = MAIN.iter().map(|name| root.join(name)).find(|path| path.exists());
        let texts = main.into_iter().chain(drop_ins(root));
        let texts: Vec<String> = texts.filter_map(|path| fs::read_to_string(path).ok()).collect();
        Self::read(texts.iter().map(String::as_str), root.join("var/log/journal").is_dir())
    }

    /// Reads settings in the order in which they count.
    pub fn read<'a>(texts: impl Iterator<Item = &'a str>, has_folder: bool) -> Self {
        let mut journald = Self::default();
        let mut storage = "auto";
        let lines = texts.flat_map(str::lines).filter_map(|line| line.trim().split_once('='));
        for (key, value) in lines.map(|(key, value)| (key.trim(), value.trim())) {
            match key {
                "Storage" => storage = value,
                "ReadKMsg" => journald.reads_kernel = is_yes(value),
                "ForwardToSyslog" => journald.forwards = is_yes(value),
                "MaxLevelStore" => journald.max_level = level(value).unwrap_or(7),
                _ => {}
            }
        }
        journald.storage = match storage {
            "none" => Storage::None,
            "volatile" => Storage::Volatile,
            "auto" if !has_folder => Storage::Volatile,
            _ => Storage::Persistent,
        };
        journald
    }
}

fn drop_ins(root: &Path) -> impl Iterator<Item = PathBuf> {
    let mut by_name = BTreeMap::new();
    for folder in DROP_INS {
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.extension().is_some_and(|extension| extension == "conf") {
                let name = path.file_name().unwrap_or_default().to_owned();
                by_name.entry(name).or_insert(path);
            }
        }
    }
    by_name.into_values()
}

fn is_yes(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "1" | "yes" | "y" | "true" | "t" | "on")
}

/// `warning` → 4.
pub(super) fn level(text: &str) -> Option<u8> {
    const NAMES: [&[&str]; 8] = [
        &["emerg", "panic"],
        &["alert"],
        &["crit"],
        &["err", "error"],
        &["warning", "warn"],
        &["notice"],
        &["info"],
        &["debug"],
    ];
    let by_name = NAMES.iter().position(|names| names.contains(&text));
    by_name.and_then(|at| u8::try_from(at).ok()).or_else(|| text.parse().ok().filter(|n| *n < 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let read = |texts: &[&str]| Journald::read(texts.iter().copied(), true);
        assert_eq!(read(&["[Journal]\n#Storage=none\n"]), Journald::default());
        let odd = read(&[
            "[Journal]\nStorage=none\nReadKMsg = no\n",
            "MaxLevelStore=warning\nStorage=volatile\n",
        ]);
        assert_eq!(odd.storage, Storage::Volatile);
        assert!(!odd.reads_kernel);
        assert_eq!(odd.max_level, 4);
        assert_eq!(Journald::read(std::iter::empty(), false).storage, Storage::Volatile);
    }

    #[test]
    fn a_drop_in_hides_its_namesake() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("etc/systemd/journald.conf", "[Journal]\nStorage=persistent\n");
        put("usr/lib/systemd/journald.conf.d/10-a.conf", "[Journal]\nReadKMsg=no\n");
        put("usr/lib/systemd/journald.conf.d/20-b.conf", "[Journal]\nMaxLevelStore=err\n");
        put("etc/systemd/journald.conf.d/10-a.conf", "[Journal]\nStorage=volatile\n");
        put("etc/systemd/journald.conf.d/10-a.conf.bak", "[Journal]\nStorage=none\n");
        let journald = Journald::gather(root.path());
        assert!(journald.reads_kernel);
        assert_eq!((journald.max_level, journald.storage), (3, Storage::Volatile));
    }
}
