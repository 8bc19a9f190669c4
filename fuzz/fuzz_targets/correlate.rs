//! Any log goes through the whole chain, and every netfilter line is placed or counted as not placed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracecol::envelope::PeelOptions;
use tracecol::model::{Outcome, SourceId};
use tracecol::stitch::{Stitch, StitchOptions};

fuzz_target!(|bytes: &[u8]| {
    let mut stitch = Stitch::new(StitchOptions::default());
    stitch.add_source(SourceId(1), PeelOptions::default());
    let mut offset = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        stitch.line(SourceId(1), line, offset);
        offset += line.len() as u64 + 1;
    }
    stitch.finish();
    let counts = *stitch.counts();
    assert_eq!(counts.placed + counts.unplaced, counts.netfilter());
    for outcome in stitch.drain() {
        if let Outcome::Packet(packet) = outcome {
            assert!(!packet.steps.is_empty());
        }
    }
});
