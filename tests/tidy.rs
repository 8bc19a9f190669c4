//! The architecture as a fact: who may name whom, what the pure rooms may not do, how files begin.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room (folder or file of `src/`), and the rooms it may name.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("envelope", &["model"]),
    ("parse", &["model"]),
    ("correlate", &["model"]),
    ("stitch", &["model", "envelope", "parse", "correlate"]),
    ("filter", &["model"]),
    ("rulebook", &["model"]),
    ("context", &["model"]),
    ("explain", &["model", "rulebook", "context"]),
    ("render", &["model", "explain"]),
    ("wire", &["model", "explain", "rulebook"]),
    ("store", &["model", "filter"]),
    ("library", &["model", "rulebook", "context", "explain", "store"]),
    ("annotate", &["model", "rulebook", "context", "explain", "store", "library"]),
    ("query", &["model", "filter", "rulebook", "context", "explain", "wire", "store", "library"]),
    ("probe", &["model", "rulebook"]),
    ("source", &[]),
    ("pipeline", &["model", "envelope", "correlate", "stitch", "source", "store"]),
    (
        "cli",
        &[
            "model",
            "envelope",
            "correlate",
            "stitch",
            "filter",
            "rulebook",
            "context",
            "explain",
            "render",
            "wire",
            "store",
            "annotate",
            "query",
            "probe",
            "source",
            "pipeline",
        ],
    ),
    ("main", &["cli"]),
];

/// The rooms that think: no input or output, no clock, no threads, no chance.
const PURE: &[&str] = &[
    "model",
    "envelope",
    "parse",
    "correlate",
    "stitch",
    "filter",
    "rulebook",
    "context",
    "explain",
    "render",
    "wire",
];

/// What a pure room may not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::Read",
    "std::io::BufRead",
    "std::process",
    "std::thread",
    "std::time",
    "std::sync::mpsc",
    "tokio",
    "sqlx",
    "async fn",
    ".await",
    "chrono::Utc::now",
    "chrono::Local",
    "tracing::",
    "println!",
    "eprintln!",
    "Mutex",
];

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path(), &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The room a file belongs to: its folder under `src/`, or its own name.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code without comments and without what only tests see.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rooms_named(code: &str, root: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for part in code.split(root).skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if EDGES.iter().any(|(room, _)| *room == name) {
            named.insert(name);
        }
    }
    named
}

#[test]
fn rooms_name_only_what_lies_upstream() {
    let mut wrong = Vec::new();
    for path in sources() {
        let room = room(&path);
        if room == "lib" {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == room) else {
            wrong.push(format!("{}: no such room in the table of tests/tidy.rs", path.display()));
            continue;
        };
        let code = code(&path);
        for named in rooms_named(&code, "crate::").union(&rooms_named(&code, "tracecol::")) {
            if *named != room && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{} names {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_thinking_part_has_no_hands() {
    let mut wrong = Vec::new();
    for path in sources() {
        if !PURE.contains(&room(&path).as_str()) {
            continue;
        }
        let code = code(&path);
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            wrong.push(format!("{} has `{word}`", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_its_purpose() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with `//! `", path.display());
    }
}

#[test]
fn no_file_grows_beyond_a_sitting() {
    for path in sources() {
        let lines = code(&path).lines().count();
        assert!(lines <= 600, "{} has {lines} lines of code: split it by meaning", path.display());
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let all = fs::read_to_string(folder.join("tests.rs")).unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_module = path.extension().is_some_and(|extension| extension == "rs")
            || path.join("mod.rs").exists();
        if is_module && name != "tests" {
            assert!(all.contains(&format!("mod {name};")), "tests/tests.rs does not name `{name}`");
        }
    }
}

#[test]
fn the_tree_speaks_of_itself_only() {
    let output = std::process::Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let Ok(output) = output else { return };
    let machine_path = ["/wo", "rk/"].concat();
    for name in output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(String::from_utf8_lossy(name).as_ref());
        let Ok(bytes) = fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains(&machine_path),
            "{} names a path of the machine it was made on",
            path.display()
        );
    }
}
