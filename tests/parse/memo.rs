//! The cache of recent tails: equal bytes have equal keys, and only they.

use super::{Output, read_lines};

const TAIL: &str =
    "IN=eth0 OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 ID=0 PROTO=2 ";

fn read(lines: &[&str]) -> Output {
    read_lines(lines.iter().map(|line| line.as_bytes()))
}

#[test]
fn the_same_tail_behind_another_prefix_has_the_same_key() {
    let first = format!("TRACE: raw:PREROUTING:policy:1 {TAIL}");
    let second = format!("TRACE: mangle:PREROUTING:policy:1 {TAIL}");
    let output = read(&[&first, &second]);
    let [one, two] = output.entries.as_slice() else { panic!() };
    assert!(one.tail.is_some());
    assert_eq!((one.tail, &one.header), (two.tail, &two.header));
    assert_ne!(one.site, two.site);
}

#[test]
fn one_changed_byte_gives_another_key_and_another_header() {
    for at in 0..TAIL.len() {
        let mut changed = TAIL.as_bytes().to_vec();
        changed[at] ^= 1;
        let output = read_lines([TAIL.as_bytes(), &changed, TAIL.as_bytes()]);
        for entry in output.entries.iter().filter(|entry| entry.position.offset == 1) {
            assert_ne!(entry.tail, output.entries[0].tail, "byte {at}");
        }
        let last = output.entries.last().unwrap();
        assert_eq!(last.header, output.entries[0].header, "byte {at}");
    }
}

/// More tails than the cache has slots: a slot that was filled anew has a new generation.
#[test]
fn a_refilled_slot_is_told_from_the_same_tail() {
    let lines: Vec<String> =
        (0..5000).map(|id| TAIL.replace("ID=0", &format!("ID={id}"))).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let output = read(&lines);
    let keys: std::collections::HashSet<_> = output
        .entries
        .iter()
        .map(|entry| entry.tail.map(|key| (key.slot, key.generation)))
        .collect();
    assert_eq!(keys.len(), 5000);
    assert!(keys.iter().all(|key| key.is_some_and(|(slot, _)| slot < 1024)));
    let slots: std::collections::HashSet<_> = keys.iter().flatten().map(|(slot, _)| slot).collect();
    assert!(slots.len() > 900, "the tails use {} of 1024 slots", slots.len());
}

#[test]
fn lines_read_the_tolerant_way_are_kept_as_well() {
    let odd = TAIL.replace("TTL", "VENDOR=1 TTL");
    let output = read(&[&odd, &odd]);
    assert!(output.entries[0].tail.is_some());
    assert_eq!(output.entries[0].tail, output.entries[1].tail);
    assert_eq!(output.anomalies.len(), 2);
}

#[test]
fn ebtables_lines_and_endless_lines_have_no_key() {
    let frame =
        "x IN= OUT=a MAC source = 02:00:00:00:00:01 MAC dest = 02:00:00:00:00:02 proto = 0x0026";
    let endless = format!("{TAIL}{}", "x".repeat(2000));
    let output = read(&[frame, &endless]);
    assert_eq!((output.entries[0].tail, output.entries[1].tail), (None, None));
    assert_eq!(output.entries[1].header.ip().unwrap().ttl, Some(1));
}
