//! Any payloads never break the parser, and everything it was given comes out once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracecol::model::{HostId, Position, SourceId, Stamp, Trust};
use tracecol::parse::{LineInput, Parser};

fuzz_target!(|bytes: &[u8]| {
    let mut parser = Parser::new();
    let mut offset = 0;
    for payload in bytes.split(|byte| *byte == b'\n') {
        let position = Position { source: SourceId(1), offset, seq: None, copy: 0 };
        let (stamp, trust) = (Stamp::default(), Trust::Kernel);
        let input =
            LineInput { host: HostId(0), position, stamp, trust, payload, tag: None, continuation: false };
        parser.push(&input, &mut |_| {});
        offset += payload.len() as u64 + 1;
    }
    parser.finish(&mut |_| {});
});
