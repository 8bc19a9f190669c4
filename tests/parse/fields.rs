//! 331 captured lines, one of each shape, with every field of theirs.

use serde_json::Value;
use tracecol::model::{AnomalyKind, LineKind};

use super::rendered::rendered;
use super::{payload_of, read_lines};

#[test]
fn every_record_gives_the_expected_fields() {
    let records = include_str!("../data/lines.jsonl");
    let mut checked = 0;
    for record in records.lines() {
        let record: Value = serde_json::from_str(record).unwrap();
        let payload = payload_of(record["kmsg"].as_str().unwrap().as_bytes());
        let output = read_lines([payload.as_slice()]);
        let (id, expected) = (&record["id"], &record["expect"]);
        if expected["kind"] == "ebt-fragment" {
            check_fragment(&payload, output.kinds[0], &output.anomaly_kinds());
        } else {
            let [entry] = output.entries.as_slice() else { panic!("{id} is not one entry") };
            let mut fields = rendered(&entry.site, &entry.header);
            // Heads that were torn off before their ports are among the records.
            let cut = fields.as_object_mut().unwrap().remove("cut").is_some();
            assert_eq!(cut, payload.ends_with(b"IP proto=17"), "{id}");
            assert_eq!(&fields, expected, "{id}");
            let anomalies: &[_] = if cut { &[AnomalyKind::CutLine] } else { &[] };
            assert_eq!(output.anomaly_kinds(), anomalies, "{id}");
            let kind = match expected["kind"].as_str().unwrap() {
                "trace" => LineKind::Trace,
                "log" => LineKind::Log,
                _ => LineKind::Ebtables,
            };
            assert_eq!(output.kinds, [kind], "{id}");
        }
        checked += 1;
    }
    assert_eq!(checked, 331);
}

/// A piece whose head is elsewhere. The newline alone is nothing to miss.
fn check_fragment(payload: &[u8], kind: LineKind, anomalies: &[AnomalyKind]) {
    if payload.is_empty() {
        assert_eq!((kind, anomalies), (LineKind::Other, [].as_slice()));
    } else {
        let orphan = [AnomalyKind::OrphanFragment];
        assert_eq!((kind, anomalies), (LineKind::Ebtables, orphan.as_slice()));
    }
}
