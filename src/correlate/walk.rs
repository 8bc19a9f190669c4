//! The walk through the chains of one table, as TRACE prints it.
//!
//! Inside one table a packet's rule numbers only grow; a user chain is entered
//! by the line of the jumping rule and left for its caller. A line that breaks
//! this belongs to another packet, even when the headers are equal.

use crate::model::SiteKind;

/// The chains entered so far in one table, outermost first.
#[derive(Debug, Clone, Default)]
pub(super) struct Walk {
    frames: Vec<Frame>,
    finished: bool,
}

#[derive(Debug, Clone)]
struct Frame {
    chain: Box<[u8]>,
    number: u32,
    jumped: bool,
}

impl Walk {
    /// Whether the line `chain:kind` can come next.
    pub(super) fn accepts(&self, chain: &[u8], kind: SiteKind) -> bool {
        if self.finished {
            return false;
        }
        let Some(last) = self.frames.last() else {
            return true;
        };
        match self.frames.iter().find(|frame| *frame.chain == *chain) {
            // An end of chain follows its own last rule with a greater number too.
            Some(frame) => number(kind) > frame.number,
            None => last.jumped,
        }
    }

    /// Takes the line in. Call only after `accepts`.
    pub(super) fn step(&mut self, chain: &[u8], kind: SiteKind) {
        if let Some(depth) = self.frames.iter().position(|frame| *frame.chain == *chain) {
            self.frames.truncate(depth + 1);
        } else {
            self.frames.push(Frame { chain: chain.into(), number: 0, jumped: false });
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.number = number(kind);
            frame.jumped = matches!(kind, SiteKind::Rule(_));
        }
        match kind {
            SiteKind::Policy(_) => self.finished = true,
            // A chain that returned can be entered again only by a new jump of its caller.
            SiteKind::Return(_) => {
                self.frames.pop();
                if let Some(caller) = self.frames.last_mut() {
                    caller.jumped = false;
                }
            }
            SiteKind::Rule(_) => {}
        }
    }
}

fn number(kind: SiteKind) -> u32 {
    match kind {
        SiteKind::Rule(number) | SiteKind::Return(number) | SiteKind::Policy(number) => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SiteKind::{Policy, Return, Rule};

    fn walks(lines: &[(&str, SiteKind)]) -> bool {
        let mut walk = Walk::default();
        lines.iter().all(|(chain, kind)| {
            let ok = walk.accepts(chain.as_bytes(), *kind);
            walk.step(chain.as_bytes(), *kind);
            ok
        })
    }

    #[test]
    fn jumps_returns_and_policies() {
        assert!(walks(&[
            ("PREROUTING", Rule(1)),
            ("DOCKER", Return(2)),
            ("PREROUTING", Policy(2))
        ]));
        assert!(walks(&[
            ("FORWARD", Rule(1)),
            ("A", Rule(2)),
            ("B", Return(1)),
            ("A", Return(3)),
            ("FORWARD", Rule(4))
        ]));
        // the same chain called from two rules
        assert!(walks(&[
            ("FORWARD", Rule(1)),
            ("A", Return(1)),
            ("FORWARD", Rule(2)),
            ("A", Return(1))
        ]));
        // -j RETURN with a match: no return line of its own
        assert!(walks(&[("FORWARD", Rule(1)), ("A", Rule(2)), ("FORWARD", Policy(3))]));
    }

    #[test]
    fn a_repeat_is_another_packet() {
        assert!(!walks(&[("FORWARD", Rule(1)), ("FORWARD", Rule(1))]));
        assert!(!walks(&[("FORWARD", Policy(2)), ("FORWARD", Rule(1))]));
        assert!(!walks(&[("FORWARD", Rule(1)), ("A", Return(2)), ("A", Return(2))]));
    }
}
