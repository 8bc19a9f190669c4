//! From the verdicts of its packets to the verdict of a connection.

use super::VerdictKind;

/// The verdicts of a connection's packets, condensed: of each sort the first one, and who got through.
///
/// `T` is what comes with a verdict: the verdict itself, or its row.
#[derive(Debug, Clone)]
pub struct VerdictTally<T> {
    accepted: Option<T>,
    ended: Option<T>,
    unknown: Option<T>,
    accepted_both_ways: [bool; 2],
}

impl<T> Default for VerdictTally<T> {
    fn default() -> Self {
        Self { accepted: None, ended: None, unknown: None, accepted_both_ways: [false, false] }
    }
}

impl<T> VerdictTally<T> {
    /// Adds a packet's verdict; `is_reply` tells its direction. `what` is asked for the first of each sort only.
    pub fn add(&mut self, kind: VerdictKind, is_reply: bool, what: impl FnOnce() -> T) {
        let cell = match kind {
            VerdictKind::Accepted | VerdictKind::Consumed => {
                self.accepted_both_ways[usize::from(is_reply)] = true;
                &mut self.accepted
            }
            VerdictKind::Dropped | VerdictKind::Rejected => &mut self.ended,
            VerdictKind::Unknown => &mut self.unknown,
        };
        if cell.is_none() {
            *cell = Some(what());
        }
    }

    /// What decides the connection: the end of a packet, unless the two sides got through to each other
    /// (see [`ConnectionState::was_established`](super::ConnectionState::was_established)). None without packets.
    pub fn deciding(&self, was_established: bool) -> Option<&T> {
        let got_through = was_established && self.accepted_both_ways == [true, true];
        let decisive = if got_through { None } else { self.ended.as_ref() };
        decisive.or(self.accepted.as_ref()).or(self.ended.as_ref()).or(self.unknown.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConnectionState, TcpState};

    fn deciding(kinds: &[(VerdictKind, bool)], was_established: bool) -> Option<usize> {
        let mut tally = VerdictTally::default();
        for (n, (kind, is_reply)) in kinds.iter().enumerate() {
            tally.add(*kind, *is_reply, || n);
        }
        tally.deciding(was_established).copied()
    }

    #[test]
    fn an_end_decides_unless_both_sides_got_through() {
        use VerdictKind::{Accepted, Dropped, Rejected, Unknown};
        assert_eq!(deciding(&[], true), None);
        assert_eq!(deciding(&[(Unknown, false), (Unknown, true)], true), Some(0));
        assert_eq!(deciding(&[(Accepted, false), (Dropped, false)], true), Some(1));
        assert_eq!(
            deciding(&[(Accepted, false), (Accepted, true), (Dropped, true)], true),
            Some(0)
        );
        assert_eq!(
            deciding(&[(Accepted, false), (Accepted, true), (Dropped, true)], false),
            Some(2)
        );
        assert_eq!(
            deciding(&[(Unknown, false), (Rejected, false), (Dropped, false)], false),
            Some(1)
        );
    }

    #[test]
    fn only_tcp_says_that_it_was_not_established() {
        let not: Vec<_> =
            ConnectionState::ALL.iter().filter(|state| !state.was_established()).collect();
        let wanted = [TcpState::None, TcpState::SynSent, TcpState::SynRecv, TcpState::SynSent2];
        assert_eq!(not, wanted.map(ConnectionState::Tcp).iter().collect::<Vec<_>>());
    }
}
