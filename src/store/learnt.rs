//! Parts of a reply tuple that the log does not tell and conntrack's own record does.
//!
//! They stand in the connection's own columns, so that everything that asks for addresses finds them; the column
//! `connection.learnt` tells which they are, so that the log's own can be given back.

use crate::model::Tuple;

const SRC_ADDR: i64 = 1;
const SRC_PORT: i64 = 2;
const DST_ADDR: i64 = 4;
const DST_PORT: i64 = 8;

/// The tuple with what it lacks taken from the record, and which parts these are.
pub(crate) fn learn(own: Tuple, record: &Tuple) -> (Tuple, Option<i64>) {
    let mut tuple = own;
    let mut learnt = 0;
    take(&mut tuple.src.addr, record.src.addr, SRC_ADDR, &mut learnt);
    take(&mut tuple.src.port, record.src.port, SRC_PORT, &mut learnt);
    take(&mut tuple.dst.addr, record.dst.addr, DST_ADDR, &mut learnt);
    take(&mut tuple.dst.port, record.dst.port, DST_PORT, &mut learnt);
    (tuple, (learnt != 0).then_some(learnt))
}

fn take<T>(part: &mut Option<T>, record: Option<T>, bit: i64, learnt: &mut i64) {
    if part.is_none() && record.is_some() {
        *part = record;
        *learnt |= bit;
    }
}

/// The tuple without the parts that were learnt.
pub(crate) fn unlearn(tuple: Tuple, learnt: Option<i64>) -> Tuple {
    let is_own = |bit| learnt.unwrap_or_default() & bit == 0;
    let Tuple { mut src, mut dst } = tuple;
    src.addr = src.addr.filter(|_| is_own(SRC_ADDR));
    src.port = src.port.filter(|_| is_own(SRC_PORT));
    dst.addr = dst.addr.filter(|_| is_own(DST_ADDR));
    dst.port = dst.port.filter(|_| is_own(DST_PORT));
    Tuple { src, dst }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Endpoint;

    #[test]
    fn what_was_learnt_can_be_unlearnt() {
        let addr = |text: &str| Some(text.parse().unwrap());
        let record = Tuple {
            src: Endpoint { addr: addr("10.0.0.1"), port: Some(80) },
            dst: Endpoint { addr: addr("10.0.0.2"), port: Some(4000) },
        };
        for known in 0..16 {
            let own = unlearn(record, Some(15 - known));
            let (tuple, learnt) = learn(own, &record);
            assert_eq!(tuple, record);
            assert_eq!(learnt.unwrap_or(0), 15 - known);
            assert_eq!(unlearn(tuple, learnt), own);
        }
        let nothing = Endpoint { addr: None, port: None };
        assert_eq!(learn(record, &Tuple { src: nothing, dst: nothing }), (record, None));
    }
}
