//! The product in a folder of its own, asked through its command line.

use serde_json::Value;

use super::scene::{Run, Scene};
use crate::cli::bench::{Bench, text};

/// A database of one scene's log and one run's rules.
pub(super) struct Product(Bench);

impl Product {
    /// Reads the log with the rules; what went wrong, as a sentence, if it did not work.
    pub(super) fn ingest(scene: &Scene, run: &Run) -> Result<Self, String> {
        let product = Self(Bench::new());
        let path = |name: &str| text(&scene.folder.join(name));
        let mut words = vec!["ingest".to_owned(), "--year".to_owned(), "2026".to_owned()];
        for file in &run.rules {
            words.extend(["--rules".to_owned(), path(file)]);
        }
        if let Some(context) = &run.context {
            words.extend(["--context".to_owned(), path(context)]);
        }
        words.push(path("kern.log"));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        product.ask(&words).map(|_| product)
    }

    /// Standard output, or how it failed.
    fn ask(&self, words: &[&str]) -> Result<String, String> {
        let output = self.0.command(words).output().unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " | ");
        Err(format!("`{}` ended with {}: {complaint}", words[0], output.status))
    }

    pub(super) fn connections(&self) -> Result<Vec<Value>, String> {
        let text =
            self.ask(&["connections", "--oldest", "--limit", "1000", "--output", "ndjson"])?;
        text.lines()
            .map(|line| serde_json::from_str(line).map_err(|error| error.to_string()))
            .collect()
    }

    /// The rules with their hits.
    pub(super) fn rules(&self) -> Result<Value, String> {
        serde_json::from_str(&self.ask(&["rules", "--output", "json"])?)
            .map_err(|error| error.to_string())
    }

    /// A connection with its packets.
    pub(super) fn show(&self, id: &str) -> Result<Value, String> {
        serde_json::from_str(&self.ask(&["show", id, "--output", "json"])?)
            .map_err(|error| error.to_string())
    }

    /// Its story; only words and their order count.
    pub(super) fn story(&self, id: &str) -> Result<String, String> {
        let text = self.ask(&["show", id, "--as", "story"])?;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
    }
}
