//! Host context: outputs captured from the real tools, read and asked.

mod containers;
mod forms;
mod odd;
mod questions;
mod routing;
mod track;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tracecol::context::{HostContext, Reading, read};
use tracecol::model::{IfName, Mac};

/// A file of `tests/data/context/`, read.
fn reading(path: &str) -> Reading {
    let file = data().join(path);
    let text = fs::read_to_string(&file).unwrap();
    read(&text, &file.file_name().unwrap().to_string_lossy())
}

/// The facts of several files of one host.
fn merged(paths: &[&str]) -> HostContext {
    let mut all = HostContext::default();
    for path in paths {
        all.merge(reading(path).facts);
    }
    all
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/context")
}

/// The facts of a text that must be understood.
fn facts(text: &str) -> HostContext {
    let reading = read(text, "");
    assert!(reading.remarks.is_empty(), "{:?}", reading.remarks);
    reading.facts
}

fn device(name: &str) -> IfName {
    IfName::new(name.as_bytes()).unwrap()
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(text: &str) -> Mac {
    let octets: Vec<u8> = text.split(':').map(|o| u8::from_str_radix(o, 16).unwrap()).collect();
    Mac(octets.try_into().unwrap())
}
