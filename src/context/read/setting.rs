//! `sysctl` lines.

use super::Reader;
use crate::context::{Kind, Setting};

/// What the names of settings begin with.
const ROOTS: &[&str] =
    &["abi", "crypto", "debug", "dev", "fs", "kernel", "net", "sunrpc", "user", "vm"];

impl Reader {
    /// `net.ipv4.ip_forward = 1`, `net/ipv4/ip_forward=1`, `/proc/sys/net/ipv4/ip_forward:1`.
    pub(super) fn setting_line(&mut self, words: &[&str]) -> bool {
        let line = words.join(" ");
        let path = line.strip_prefix("/proc/sys/");
        let separator = if path.is_some() { ':' } else { '=' };
        let Some((name, value)) = path.unwrap_or(&line).split_once(separator) else { return false };
        let (name, value) = (name.trim(), value.trim());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let Some(first) = name.find(['.', '/']) else { return false };
        if !ROOTS.contains(&&name[..first]) || !name.chars().all(is_plain) {
            return false;
        }
        self.found(Kind::Settings);
        // The first separator tells which of the two the name is written with.
        let name = if name[first..].starts_with('/') { swapped(name) } else { name.to_owned() };
        let (name, value) = (name.into(), value.into());
        self.facts.settings.push(Setting { name, value, text: line.into() });
        true
    }
}

fn swapped(name: &str) -> String {
    let swap = |c| match c {
        '/' => '.',
        '.' => '/',
        other => other,
    };
    name.chars().map(swap).collect()
}
