//! Which stop can come after which, as a table of what rules it out.
//!
//! The orders the kernel can produce (formats 7), `e:` for bridge stops:
//!
//! | traversal | stops |
//! |---|---|
//! | routed | PRE · FORWARD · POST [· e:OUTPUT · e:POST] |
//! | local in | PRE · INPUT |
//! | local out | OUTPUT · POST [· e:OUTPUT · e:POST] |
//! | loopback | OUTPUT · POST · PRE · INPUT (second pass) |
//! | bridge to IP, call-iptables=1 | e:PRE · PRE · e:INPUT · FORWARD or INPUT … |
//! | bridge to IP, call-iptables=0 | e:PRE · e:INPUT · PRE · FORWARD or INPUT … |
//! | bridged, call-iptables=1 | e:PRE · PRE · e:FORWARD · FORWARD · e:POST · POST |
//! | bridged, call-iptables=0 | e:PRE · e:FORWARD · e:POST |
//! | brouted | e:BROUTING · PRE · … |
//!
//! Tables that are not loaded, chains without a log rule and lines that got
//! lost leave stops out, so the table says only what can never come before.

use super::{Stop, StopSet};

/// The stops after which `stop` cannot come within one pass of one packet.
pub fn ruled_out_by(stop: Stop) -> StopSet {
    RULED_OUT[stop as usize]
}

const RULED_OUT: [StopSet; 11] = {
    use Stop::{
        BridgeForward, BridgeInput, BridgeOutput, BridgePostrouting, BridgePrerouting, Forward,
        Input, Output, Postrouting, Prerouting,
    };
    [
        // BridgeBrouting comes first of all
        StopSet::of(&Stop::ALL),
        // BridgePrerouting
        StopSet::of(&[
            BridgePrerouting,
            BridgeInput,
            BridgeForward,
            BridgeOutput,
            BridgePostrouting,
            Prerouting,
            Input,
            Forward,
            Output,
            Postrouting,
        ]),
        // BridgeInput
        StopSet::of(&[
            BridgeInput,
            BridgeForward,
            BridgeOutput,
            BridgePostrouting,
            Input,
            Forward,
            Output,
            Postrouting,
        ]),
        // BridgeForward
        StopSet::of(&[
            BridgeInput,
            BridgeForward,
            BridgeOutput,
            BridgePostrouting,
            Input,
            Forward,
            Output,
            Postrouting,
        ]),
        // BridgeOutput (two tables: the repeat is judged by table)
        StopSet::of(&[BridgeForward, BridgePostrouting, Input]),
        // BridgePostrouting
        StopSet::of(&[BridgePostrouting, Input]),
        // Prerouting
        StopSet::of(&[
            BridgeForward,
            BridgeOutput,
            BridgePostrouting,
            Prerouting,
            Input,
            Forward,
            Output,
            Postrouting,
        ]),
        // Input
        StopSet::of(&[
            BridgeForward,
            BridgeOutput,
            BridgePostrouting,
            Input,
            Forward,
            Output,
            Postrouting,
        ]),
        // Forward
        StopSet::of(&[BridgeOutput, BridgePostrouting, Input, Forward, Output, Postrouting]),
        // Output comes first of all
        StopSet::of(&Stop::ALL),
        // Postrouting
        StopSet::of(&[BridgeOutput, Input, Postrouting]),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks a traversal and says whether each stop may follow those before it.
    fn possible(stops: &[Stop]) -> bool {
        let mut seen = StopSet::EMPTY;
        stops.iter().all(|stop| {
            let ok = !ruled_out_by(*stop).meets(seen);
            seen.insert(*stop);
            ok
        })
    }

    #[test]
    fn every_traversal_of_the_table_is_possible() {
        use Stop::{
            BridgeBrouting as EB, BridgeForward as EF, BridgeInput as EI, BridgeOutput as EO,
            BridgePostrouting as EPo, BridgePrerouting as EPr, Forward as F, Input as I,
            Output as O, Postrouting as Po, Prerouting as Pr,
        };
        for traversal in [
            &[Pr, F, Po, EO, EPo][..],
            &[Pr, I],
            &[O, Po, EO, EPo],
            &[EPr, Pr, EI, F, Po],
            &[EPr, Pr, EI, I],
            &[EPr, EI, Pr, F, Po, EO, EPo],
            &[EPr, Pr, EF, F, EPo, Po],
            &[EPr, EF, EPo],
            &[EB, Pr, F, Po],
            &[EB, EPr, EI],
        ] {
            assert!(possible(traversal), "{traversal:?}");
        }
    }

    #[test]
    fn a_hook_never_comes_twice_or_backwards() {
        use Stop::{Forward, Input, Output, Postrouting, Prerouting};
        for impossible in [
            &[Prerouting, Prerouting][..],
            &[Forward, Prerouting],
            &[Input, Forward],
            &[Input, Postrouting],
            &[Postrouting, Forward],
            &[Prerouting, Output],
            &[Postrouting, Output],
        ] {
            assert!(!possible(impossible), "{impossible:?}");
        }
    }
}
