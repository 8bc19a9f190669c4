//! The walk-throughs beside this file: prose, a log, and what the product makes of it.
//!
//! A `log` block is read by the pure chain. The blocks behind it, up to the next `log` block, are made from the result:
//!
//! - `lanes`: each connection with its packets as `tracecol show` draws them, then the packets without a connection;
//! - `facts`: one line for each packet, connection, link, anomaly and gap, and the tally of lines;
//! - `fields`: what was understood of each line;
//! - `story`: each connection told in words, with what the `rules NAME` and `context NAME` blocks since the log say.
//!
//! A `log` block may name the year of stamps that have none, and a namespace: `log year=2026 netns=web`.
//! `UPDATE_EXPECT=1 cargo test walkthroughs` writes the blocks anew. Commit them only if you understand the difference.

mod drawn;
mod result;
mod storied;
mod told;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use self::result::Reading;
use self::storied::Knowledge;

/// The cases of the story that the product was made for.
const CASES: [&str; 5] = [
    "case-1-remote",
    "case-2-localhost",
    "case-3-container-to-container",
    "case-3-icc-off-dropped",
    "case-3-icc-off-linked",
];
const TRAPS: usize = 20;

#[test]
fn every_walkthrough_shows_what_the_product_does() {
    let mut wrong = Vec::new();
    for path in walkthroughs().unwrap() {
        let text = fs::read_to_string(&path).unwrap();
        let expected = AssertUnwindSafe(expect_file![path.as_path()]);
        let check = || match remade(&text) {
            Ok(made) => expected.assert_eq(&made),
            Err(flaw) => panic!("{flaw}"),
        };
        if catch_unwind(check).is_err() {
            wrong.push(name(&path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?} differ; UPDATE_EXPECT=1 writes them anew");
}

#[test]
fn every_case_and_every_trap_has_its_walkthrough() {
    let names: Vec<String> = walkthroughs().unwrap().iter().map(|path| name(path)).collect();
    let missing: Vec<&str> =
        CASES.into_iter().filter(|case| !names.iter().any(|name| name == case)).collect();
    assert!(missing.is_empty(), "no walk-through of {missing:?}");
    for number in 1..=TRAPS {
        let start = format!("trap-{number:02}-");
        let found = names.iter().filter(|name| name.starts_with(&start)).count();
        assert_eq!(found, 1, "walk-throughs of trap {number}");
    }
}

fn walkthroughs() -> std::io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walkthroughs");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The text with its made blocks made anew; prose and logs stay as they are.
fn remade(text: &str) -> Result<String, String> {
    if !text.starts_with("# ") {
        return Err("does not begin with a title".into());
    }
    let mut out = String::with_capacity(text.len());
    let mut reading: Option<Reading> = None;
    let mut knowledge = Knowledge::default();
    let mut blocks_made = 0;
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        out.push_str(line);
        let Some(info) = line.trim_end().strip_prefix("```") else { continue };
        let old: String = lines.by_ref().take_while(|line| line.trim_end() != "```").collect();
        let (kind, options) = info.split_once(' ').unwrap_or((info, ""));
        if kind == "log" {
            reading = Some(Reading::of(&old, options)?);
            knowledge = Knowledge::default();
            out.push_str(&old);
        } else if let Some(make) = maker(kind) {
            let reading = reading.as_ref().ok_or(format!("`{kind}` comes before any log"))?;
            out.push_str(&make(reading, &knowledge));
            blocks_made += 1;
        } else {
            match kind {
                "rules" => knowledge.add_rules(&old, options)?,
                "context" => knowledge.add_context(&old, options)?,
                _ => {}
            }
            out.push_str(&old);
        }
        out.push_str("```\n");
    }
    if blocks_made == 0 { Err("shows nothing".into()) } else { Ok(out) }
}

fn maker(kind: &str) -> Option<fn(&Reading, &Knowledge) -> String> {
    match kind {
        "lanes" => Some(|reading, _| drawn::lanes(reading)),
        "facts" => Some(|reading, _| told::facts(reading)),
        "fields" => Some(|reading, _| told::fields(reading)),
        "story" => Some(storied::story),
        _ => None,
    }
}
