//! Packed logs: told by content, joined from members, used as far as they go.

use std::io::Write;

use super::bench::{Bench, REMOTE};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn every_packing_gives_the_same_connection() {
    let log = std::fs::read(REMOTE).unwrap();
    let plain = Bench::with(&[REMOTE]).run(&["ls", "--output", "ndjson"]).stdout();
    for (name, packed) in
        [("gz", gzip(&log)), ("bz2", bzip2(&log)), ("xz", xz(&log)), ("zst", zstd(&log))]
    {
        let bench = Bench::new();
        let path = bench.file("log-without-an-ending", packed);
        bench.run(&["ingest", "--year", "2026", &path]).code(0);
        assert_eq!(bench.run(&["ls", "--output", "ndjson"]).stdout(), plain, "{name}");
    }
}

#[test]
fn a_packed_copy_of_a_known_log_adds_nothing() {
    let bench = Bench::with(&[REMOTE]);
    let path = bench.file("kern.log.1.gz", gzip(&std::fs::read(REMOTE).unwrap()));
    bench.run(&["ingest", &path]).code(0).err_has("is already ingested");
}

#[test]
fn members_are_one_log() {
    let log = std::fs::read(REMOTE).unwrap();
    let (front, back) = log.split_at(log.len() / 2);
    let bench = Bench::new();
    let path = bench.file("kern.log.gz", [gzip(front), gzip(back)].concat());
    let stats = bench.run(&["ingest", "--output", "json", &path]).json();
    assert_eq!(stats["lines"]["total"], String::from_utf8(log).unwrap().lines().count());
}

#[test]
fn packed_standard_input_is_unpacked() {
    let bench = Bench::new();
    let output = bench
        .command(&["ingest", "--output", "json", "-"])
        .write_stdin(zstd(&std::fs::read(REMOTE).unwrap()))
        .output()
        .unwrap();
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stats["connections"], 1);
}

#[test]
fn a_truncated_archive_is_used_as_far_as_it_goes_and_reported() {
    let log = std::fs::read(REMOTE).unwrap();
    let many = log.repeat(40);
    for packed in [gzip(&many), zstd(&many), xz(&many), bzip2(&many)] {
        let bench = Bench::new();
        let path = bench.file("cut", &packed[..packed.len() - 4]);
        let ran = bench.run(&["ingest", "--output", "json", &path]);
        ran.code(2).err_has("is damaged or cut off");
        assert!(ran.json()["lines"]["total"].as_u64().unwrap() > 0);
    }
}
