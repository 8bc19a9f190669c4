//! `show`: lanes, lines, JSON.

use super::bench::{Bench, PROXY, REMOTE};

fn first_id(bench: &Bench) -> String {
    bench.ids(&["ls", "--oldest"]).remove(0)
}

#[test]
fn lanes_tell_the_whole_way() {
    let bench = Bench::with(&[REMOTE]);
    let id = first_id(&bench);
    let ran = bench.run(&["show", &id]);
    ran.code(0)
        .out_has("10.146.22.21:40000  ◆ DNAT → 172.17.0.5:6379   accepted")
        .out_has("→ SYN 60 B")
        .out_has("← SYN·ACK 60 B")
        .out_has("› DOCKER rule 1 +")
        .out_has("ARP is-at")
        .out_has("172.17.0.5 is at 9e:93:85:3f:24:b5")
        .out_has("packet 1 in words");
    assert_eq!(ran.stderr(), "");
}

#[test]
fn lanes_fit_into_eighty_columns() {
    let bench = Bench::with(&[REMOTE, PROXY]);
    for id in bench.ids(&["ls"]) {
        let output = bench.command(&["show", &id]).env("COLUMNS", "80").output().unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn lines_are_given_back_as_the_kernel_printed_them() {
    let bench = Bench::with(&[REMOTE]);
    let shown = bench.run(&["show", &first_id(&bench), "--as", "lines"]).stdout();
    let log = std::fs::read_to_string(REMOTE).unwrap();
    let mut checked = 0;
    for line in shown.lines() {
        let (place, payload) = line.split_once("  ").unwrap();
        let offset: usize = place.rsplit_once(':').unwrap().1.parse().unwrap();
        let original = log[offset..].lines().next().unwrap();
        assert!(original.trim_end().ends_with(payload.trim()), "{original}\n{payload}");
        checked += 1;
    }
    assert!(checked >= 49, "{checked} lines");
}

#[test]
fn json_has_the_packets_under_packet_list() {
    let bench = Bench::with(&[REMOTE]);
    let value = bench.run(&["show", &first_id(&bench), "--output", "json"]).json();
    let packets = value["packet_list"].as_array().unwrap();
    assert_eq!(value["packets"]["original"], 6);
    assert_eq!(packets[0]["tcp"]["flags"][0], "SYN");
    assert_eq!(packets[0]["steps"][0]["at"], "raw:PREROUTING:policy:3");
    assert_eq!(packets[0]["steps"][0]["offset_us"], 0);
}

#[test]
fn a_packet_can_be_shown_by_itself() {
    let bench = Bench::with(&[REMOTE]);
    let id = bench.ids(&["packets", "--oldest"]).remove(0);
    assert!(id.starts_with('p'));
    bench.run(&["show", &id]).code(0).out_has(&id).out_has("raw:PREROUTING:policy:3");
}

#[test]
fn another_packet_can_be_told_in_words() {
    let bench = Bench::with(&[REMOTE]);
    bench.run(&["show", &first_id(&bench), "--packet", "2"]).code(0).out_has("packet 2 in words");
}

#[test]
fn ascii_draws_without_other_characters() {
    let bench = Bench::with(&[REMOTE]);
    let text = bench.run(&["show", &first_id(&bench), "--ascii"]).stdout();
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn an_unknown_id_is_one_and_no_id_is_two() {
    let bench = Bench::with(&[REMOTE]);
    bench.run(&["show", "c0000000000000"]).code(1).err_has("has the id c0000000000000");
    bench.run(&["show", "nonsense"]).code(2).err_has("`nonsense` is no id").err_has("hint:");
}

#[test]
fn a_limit_is_never_silent() {
    let bench = Bench::with(&[REMOTE]);
    bench
        .run(&["show", &first_id(&bench), "--limit", "3"])
        .code(0)
        .err_has("not drawn; use --limit");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let bench = Bench::with(&[REMOTE]);
    let id = first_id(&bench);
    assert!(!bench.run(&["show", &id]).stdout().contains('\x1b'), "not a terminal");
    assert!(bench.run(&["show", &id, "--color", "always"]).stdout().contains('\x1b'));
    assert!(bench.run(&["ls", "--color", "always"]).stdout().contains('\x1b'));
    assert!(!bench.run(&["ls", "--color", "never"]).stdout().contains('\x1b'));
    let output = bench.command(&["show", &id]).env("NO_COLOR", "1").output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains('\x1b'));
}
