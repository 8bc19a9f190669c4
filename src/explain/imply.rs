//! What follows from conditions that are known to hold.

use std::ops::RangeInclusive;

use crate::rulebook::{Match, Test};

/// States of conntrack that exclude each other.
const STATES: [&str; 5] = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"];

/// Conditions of which the answer changes from one asking to the next.
const FICKLE: [&str; 10] = [
    "limit",
    "hashlimit",
    "recent",
    "statistic",
    "quota",
    "quota2",
    "random",
    "nth",
    "connlimit",
    "rateest",
];

/// Whether a condition holds for a packet for which `known` holds. `None`: that does not follow.
pub(super) fn follows(known: &Match, asked: &Match) -> Option<bool> {
    if is_fickle(&asked.test) {
        return None;
    }
    if known.test == asked.test {
        return Some(known.negated == asked.negated);
    }
    let inside = contains(&asked.test, &known.test);
    if known.negated {
        // It is outside of the known range, and so outside of every range within that.
        return (contains(&known.test, &asked.test) == Some(true)).then_some(asked.negated);
    }
    inside.map(|inside| inside != asked.negated)
}

/// Whether a condition must be asked anew each time.
fn is_fickle(test: &Test) -> bool {
    match test {
        Test::Other(asked) => asked
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| FICKLE.contains(&word)),
        _ => false,
    }
}

/// Whether all that meets `inner` meets `outer` (`Some(true)`), or nothing that does (`Some(false)`).
fn contains(outer: &Test, inner: &Test) -> Option<bool> {
    match (outer, inner) {
        (Test::Source(outer), Test::Source(inner))
        | (Test::Destination(outer), Test::Destination(inner)) => ranges(outer, inner),
        (Test::SourcePort(outer), Test::SourcePort(inner))
        | (Test::DestinationPort(outer), Test::DestinationPort(inner)) => ranges(outer, inner),
        (Test::Length(outer), Test::Length(inner)) => {
            ranges(std::slice::from_ref(outer), std::slice::from_ref(inner))
        }
        (Test::Ttl(outer), Test::Ttl(inner)) => {
            ranges(std::slice::from_ref(outer), std::slice::from_ref(inner))
        }
        (Test::Protocol(outer), Test::Protocol(inner)) => Some(outer == inner),
        (Test::EtherType(outer), Test::EtherType(inner)) => Some(outer == inner),
        (Test::Mark { value, mask }, Test::Mark { value: other, mask: other_mask })
            if mask & other_mask == *mask =>
        {
            Some(other & mask == *value)
        }
        (Test::ConnectionState(outer), Test::ConnectionState(inner)) => states(outer, inner),
        _ => None,
    }
}

fn ranges<T: PartialOrd>(outer: &[RangeInclusive<T>], inner: &[RangeInclusive<T>]) -> Option<bool> {
    let lies_in = |one: &RangeInclusive<T>| {
        outer.iter().any(|range| range.contains(one.start()) && range.contains(one.end()))
    };
    let meets = |one: &RangeInclusive<T>| {
        outer.iter().any(|range| range.start() <= one.end() && one.start() <= range.end())
    };
    if inner.iter().all(lies_in) {
        Some(true)
    } else if inner.iter().any(meets) {
        None
    } else {
        Some(false)
    }
}

fn states(outer: &[Box<str>], inner: &[Box<str>]) -> Option<bool> {
    let exclusive = |names: &[Box<str>]| names.iter().all(|name| STATES.contains(&&**name));
    if inner.iter().all(|name| outer.contains(name)) {
        Some(true)
    } else if exclusive(outer) && exclusive(inner) && !inner.iter().any(|name| outer.contains(name))
    {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(test: Test) -> Match {
        Match { negated: false, test }
    }

    fn no(test: Test) -> Match {
        Match { negated: true, test }
    }

    fn ports(range: RangeInclusive<u16>) -> Test {
        Test::DestinationPort(vec![range])
    }

    fn state(names: &[&str]) -> Test {
        Test::ConnectionState(names.iter().map(|name| Box::from(*name)).collect())
    }

    #[test]
    fn ranges_hold_what_lies_in_them() {
        assert_eq!(follows(&yes(ports(22..=22)), &yes(ports(1..=1023))), Some(true));
        assert_eq!(follows(&yes(ports(22..=22)), &no(ports(1..=1023))), Some(false));
        assert_eq!(follows(&yes(ports(22..=22)), &yes(ports(80..=80))), Some(false));
        assert_eq!(follows(&yes(ports(1..=1023)), &yes(ports(22..=22))), None);
        // not below 1024 is not 22 either; not 22 says nothing of the rest
        assert_eq!(follows(&no(ports(1..=1023)), &yes(ports(22..=22))), Some(false));
        assert_eq!(follows(&no(ports(22..=22)), &yes(ports(1..=1023))), None);
        assert_eq!(follows(&no(ports(22..=22)), &yes(ports(80..=80))), None);
    }

    #[test]
    fn the_same_condition_has_the_same_answer_unless_it_is_fickle() {
        let set = Test::Other("-m set --match-set bad src".into());
        assert_eq!(follows(&yes(set.clone()), &yes(set.clone())), Some(true));
        assert_eq!(follows(&yes(set.clone()), &no(set)), Some(false));
        let limit = Test::Other("-m limit --limit 3/min".into());
        assert_eq!(follows(&yes(limit.clone()), &yes(limit)), None);
    }

    #[test]
    fn states_exclude_each_other() {
        assert_eq!(follows(&yes(state(&["INVALID"])), &yes(state(&["NEW"]))), Some(false));
        assert_eq!(
            follows(&yes(state(&["ESTABLISHED"])), &yes(state(&["RELATED", "ESTABLISHED"]))),
            Some(true)
        );
        assert_eq!(follows(&yes(state(&["NEW", "RELATED"])), &yes(state(&["NEW"]))), None);
        assert_eq!(follows(&yes(state(&["DNAT"])), &yes(state(&["NEW"]))), None);
    }
}
