//! Any bytes, cut into lines, never break the envelope reader.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracecol::envelope::{PeelOptions, Peeler};
use tracecol::model::SourceId;

fuzz_target!(|bytes: &[u8]| {
    let mut peeler = Peeler::new(SourceId(1), PeelOptions::default());
    let mut offset = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        peeler.push(line, offset, &mut |_| {});
        offset += line.len() as u64 + 1;
    }
    peeler.finish(&mut |_| {});
});
