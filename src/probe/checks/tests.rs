//! Facts of hosts, and what is found of them.

use std::path::{Path, PathBuf};

use super::{Answer, Finding, Severity, answer, diagnose};
use crate::probe::facts::{
    Config, Conntrack, Facts, Journald, Kernel, LogFile, Logger, Release, Rsyslog, Seen, Storage,
};
use crate::probe::snapshot::BackEnd;
use crate::rulebook::{self, RuleSet};

const DOCKER: &str = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n\
    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 40000 -j DNAT --to-destination 172.17.0.5:6379\nCOMMIT\n";
const TRACE: &str = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE\nCOMMIT\n";

fn sets(texts: &[&str]) -> Seen<Vec<RuleSet>> {
    Seen::Is(texts.iter().flat_map(|text| rulebook::read(text, "rules").sets).collect())
}

fn logger(family: u8, current: &str, available: &[&str]) -> Logger {
    let available = available.iter().map(|name| (*name).to_owned()).collect();
    Logger { family, current: current.to_owned(), available }
}

/// A host on which all is well: legacy rules, TRACE, a large ring, root.
fn healthy() -> Facts {
    let mut facts = Facts { host: "gw1".to_owned(), ..Facts::default() };
    facts.programs =
        ["iptables", "iptables-legacy", "iptables-nft", "ip6tables-legacy", "update-alternatives"]
            .into();
    facts.iptables = Some(BackEnd::Nft);
    facts.ebtables = Some(BackEnd::Nft);
    facts.user.name = "root".to_owned();
    (facts.user.is_root, facts.user.may_syslog, facts.user.may_net_admin) = (true, true, true);
    facts.kernel = Kernel {
        release: Release::read("6.1.0-28-amd64"),
        command_line: "quiet log_buf_len=4M".to_owned(),
        config: Some(Config::read("CONFIG_IP_NF_RAW=m\n")),
        printk: Some([4, 4, 1, 7]),
        has_stamps: Some(true),
        clock_source: Some("tsc".to_owned()),
        ..Kernel::default()
    };
    (facts.namespace.is_first, facts.namespace.all_may_log) = (Some(true), Some(false));
    facts.loggers = vec![
        logger(2, "nf_log_ipv4", &["nf_log_ipv4", "nfnetlink_log"]),
        logger(10, "nf_log_ipv6", &["nf_log_ipv6"]),
    ];
    facts.rules.ip4.legacy = sets(&[DOCKER, TRACE]);
    facts.rules.ip4.nft = sets(&[]);
    facts.conntrack = Some(Conntrack { count: 12, max: 262_144, log_invalid: Some(255) });
    facts.journald = Some(Journald::default());
    facts.logs.kmsg = Seen::Is(());
    facts
}

fn of(facts: &Facts, check: &str) -> Vec<Finding> {
    diagnose(facts).into_iter().filter(|finding| finding.check == check).collect()
}

/// The one finding of a check that is not ok.
fn one(facts: &Facts, check: &str) -> Finding {
    let mut found = of(facts, check);
    found.retain(|finding| finding.severity != Severity::Ok);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn severity(facts: &Facts, check: &str) -> Severity {
    of(facts, check).iter().map(|finding| finding.severity).max().unwrap()
}

#[test]
fn a_healthy_host_has_nothing_to_mend() {
    let findings = diagnose(&healthy());
    let wrong: Vec<_> =
        findings.iter().filter(|finding| finding.severity != Severity::Ok).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(answer(&findings), Answer::Yes);
    assert!(findings.iter().any(|finding| finding.found == "1 rule in the legacy tables"));
}

#[test]
fn every_check_is_well_formed() {
    let mut facts = healthy();
    facts.user.is_root = false;
    for finding in diagnose(&facts).iter().chain(&diagnose(&Facts::default())) {
        assert!(!finding.check.is_empty() && !finding.title.is_empty());
        assert!(!finding.found.ends_with('.'), "{}", finding.found);
        assert!(finding.undo.is_empty() == finding.mend.is_empty(), "{finding:?}");
        for command in finding.mend.iter().chain(&finding.undo) {
            assert!(!command.contains('\n') && !command.contains("tracecol doctor"), "{command}");
        }
    }
}

#[test]
fn rules_in_nf_tables_alone_leave_no_trace() {
    let mut facts = healthy();
    facts.rules.ip4.legacy = sets(&[]);
    facts.rules.ip4.nft = sets(&[DOCKER]);
    let finding = one(&facts, "back_end");
    assert_eq!(finding.severity, Severity::Problem);
    assert_eq!(finding.found, "1 rule in nf_tables, none in the legacy tables");
    assert_eq!(finding.mend[0], "update-alternatives --set iptables /usr/sbin/iptables-legacy");
    assert_eq!(finding.undo[0], "update-alternatives --set iptables /usr/sbin/iptables-nft");
    assert_eq!(answer(&diagnose(&facts)), Answer::No);

    facts.rules.ip4.legacy = sets(&[DOCKER]);
    assert_eq!(one(&facts, "back_end").severity, Severity::Warning);
}

#[test]
fn rules_of_nftables_itself_cannot_be_switched() {
    let mut facts = healthy();
    facts.rules.ip4.legacy = sets(&[]);
    facts.rules.native = sets(&[
        "table inet fw {\n\tchain in {\n\t\ttype filter hook input priority 0; policy drop;\n\t\ttcp dport 22 accept\n\t}\n}\n",
    ]);
    let finding = one(&facts, "back_end");
    assert_eq!((finding.severity, finding.mend.len()), (Severity::Problem, 0));
}

#[test]
fn a_host_without_the_legacy_tools_or_tables_cannot_trace() {
    let mut facts = healthy();
    facts.programs.remove("iptables-legacy");
    assert_eq!(one(&facts, "back_end").severity, Severity::Problem);
    facts.iptables = Some(BackEnd::Legacy);
    assert_eq!(severity(&facts, "back_end"), Severity::Ok, "the plain tool is legacy");
    facts.kernel.config = Some(Config::read("CONFIG_IP_NF_FILTER=m\n"));
    assert!(one(&facts, "back_end").found.contains("built without"));
}

#[test]
fn trace_rules_of_nf_tables_are_moved() {
    let mut facts = healthy();
    facts.rules.ip4.legacy = sets(&[DOCKER]);
    facts.rules.ip4.nft = sets(&[TRACE]);
    let finding = one(&facts, "trace_rules");
    assert_eq!(finding.severity, Severity::Problem);
    assert_eq!(
        finding.mend,
        [
            "iptables-legacy -t raw -A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE",
            "iptables-nft -t raw -D PREROUTING -p tcp -m tcp --dport 40000 -j TRACE",
        ]
    );
    assert_eq!(
        finding.undo,
        [
            "iptables-nft -t raw -A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE",
            "iptables-legacy -t raw -D PREROUTING -p tcp -m tcp --dport 40000 -j TRACE",
        ]
    );
    facts.rules.ip4.legacy = sets(&[DOCKER, TRACE]);
    assert_eq!(
        one(&facts, "trace_rules").severity,
        Severity::Note,
        "legacy ones are there as well"
    );
}

#[test]
fn a_comment_does_not_reach_a_shell() {
    let mut facts = healthy();
    facts.rules.ip4.legacy = sets(&[]);
    facts.rules.ip4.nft = sets(&[
        "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m comment --comment \"$(reboot)\" -j TRACE\nCOMMIT\n",
    ]);
    let finding = one(&facts, "trace_rules");
    assert_eq!((finding.severity, finding.mend.len()), (Severity::Problem, 0));
}

#[test]
fn no_trace_rule_is_worth_a_note_only() {
    let mut facts = healthy();
    facts.rules.ip4.legacy = sets(&[DOCKER]);
    assert_eq!(one(&facts, "trace_rules").found, "no rule traces anything yet");
    assert_eq!(answer(&diagnose(&facts)), Answer::Yes);
}

#[test]
fn what_root_alone_can_see_is_said() {
    let mut facts = healthy();
    facts.rules.ip4.legacy = Seen::Hidden;
    facts.rules.ip4.nft = Seen::Hidden;
    let finding = one(&facts, "back_end");
    assert!(finding.is_hidden && finding.found.ends_with("run `sudo tracecol doctor`"));
    assert_eq!(answer(&diagnose(&facts)), Answer::Unknown);
}

#[test]
fn loggers_by_family_and_age() {
    let mut facts = healthy();
    facts.loggers = vec![logger(2, "NONE", &["nf_log_ipv4", "nfnetlink_log"])];
    let finding = one(&facts, "loggers");
    assert_eq!(finding.severity, Severity::Problem);
    assert_eq!(finding.mend, ["sysctl -w net.netfilter.nf_log.2=nf_log_ipv4"]);
    assert_eq!(finding.undo, ["sysctl -w net.netfilter.nf_log.2=NONE"]);

    facts.loggers = vec![logger(2, "nfnetlink_log", &["nfnetlink_log"])];
    let finding = one(&facts, "loggers");
    assert_eq!(finding.severity, Severity::Problem);
    assert_eq!(finding.mend[0], "modprobe nf_log_syslog");
    assert_eq!(finding.undo, ["sysctl -w net.netfilter.nf_log.2=nfnetlink_log"]);

    // Not loaded yet: the first TRACE rule does it on kernels of today.
    facts.loggers = vec![logger(2, "NONE", &[])];
    assert_eq!(one(&facts, "loggers").severity, Severity::Warning);
    facts.kernel.release = Release::read("2.6.32-642.el6.x86_64");
    let mend = one(&facts, "loggers").mend;
    assert_eq!(mend, ["modprobe ipt_LOG", "sysctl -w net.netfilter.nf_log.2=ipt_LOG"]);
    facts.loggers = vec![logger(2, "ipt_LOG", &["ipt_LOG"])];
    assert_eq!(severity(&facts, "loggers"), Severity::Ok);

    facts.loggers = vec![logger(7, "NONE", &["nf_log_bridge"])];
    assert_eq!(one(&facts, "loggers").severity, Severity::Note);
}

#[test]
fn namespaces() {
    let mut facts = healthy();
    let mut told = |is_first, all_may_log| {
        (facts.namespace.is_first, facts.namespace.all_may_log) = (is_first, all_may_log);
        let found = diagnose(&facts);
        (severity(&facts, "namespace"), answer(&found))
    };
    assert_eq!(told(Some(true), None), (Severity::Ok, Answer::Yes));
    assert_eq!(told(Some(false), Some(true)), (Severity::Ok, Answer::Yes));
    assert_eq!(told(Some(false), Some(false)), (Severity::Problem, Answer::No));
    assert_eq!(told(Some(false), None), (Severity::Note, Answer::Unknown));
    assert_eq!(told(None, None), (Severity::Note, Answer::Unknown));
}

#[test]
fn bridged_frames() {
    let mut facts = healthy();
    assert_eq!(severity(&facts, "bridge_calls"), Severity::Ok);
    facts.bridging.bridges = vec!["docker0".to_owned()];
    assert_eq!(one(&facts, "bridge_calls").mend[0], "modprobe br_netfilter");
    facts.bridging.calls = Some([false, false, false]);
    let finding = one(&facts, "bridge_calls");
    assert_eq!(finding.found, "docker0: bridge-nf-call-iptables is 0");
    assert_eq!(finding.mend, ["sysctl -w net.bridge.bridge-nf-call-iptables=1"]);
    facts.bridging.calls = Some([true, false, false]);
    assert_eq!(severity(&facts, "bridge_calls"), Severity::Ok, "the host has no IPv6");
}

#[test]
fn rules_of_ebtables() {
    let mut facts = healthy();
    assert!(of(&facts, "ebtables").is_empty(), "there is no bridge");
    facts.bridging.bridges = vec!["docker0".to_owned()];
    facts.rules.bridge.nft = sets(&[]);
    assert_eq!(one(&facts, "ebtables").found, "no rule logs");
    let save = |rules: &str| format!("*nat\n:PREROUTING ACCEPT\n{rules}\n");
    facts.rules.bridge.nft = sets(&[&save(
        "-A PREROUTING --log-level info --log-prefix \"TRACE: eb:nat:PREROUTING\" --log-ip -j CONTINUE",
    )]);
    assert_eq!(severity(&facts, "ebtables"), Severity::Ok);
    facts.rules.bridge.nft =
        sets(&[&save("-A PREROUTING --log-level info --log-prefix \"pre\" -j CONTINUE")]);
    assert_eq!(of(&facts, "ebtables").len(), 3, "neither its place nor an address");
}

#[test]
fn the_ring_and_how_to_enlarge_it() {
    let mut facts = healthy();
    facts.kernel.command_line = String::new();
    facts.kernel.config = Some(Config::read("CONFIG_IP_NF_RAW=m\nCONFIG_LOG_BUF_SHIFT=17\n"));
    let finding = one(&facts, "ring");
    assert_eq!(finding.found, "128 KiB: about 524 TRACE lines, 52 packets");
    assert_eq!((finding.severity, finding.mend.len()), (Severity::Warning, 0));
    facts.programs.insert("update-grub");
    assert_eq!(one(&facts, "ring").mend.last().unwrap(), "update-grub");
    facts.programs.insert("grubby");
    assert_eq!(one(&facts, "ring").mend, ["grubby --update-kernel=ALL --args=log_buf_len=4M"]);
}

#[test]
fn a_slow_console() {
    let mut facts = healthy();
    facts.kernel.printk = Some([7, 4, 1, 7]);
    facts.kernel.consoles = vec!["tty0".to_owned()];
    assert_eq!(one(&facts, "console").severity, Severity::Note);
    facts.kernel.consoles.push("ttyS0".to_owned());
    let finding = one(&facts, "console");
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.mend, ["sysctl -w 'kernel.printk=4 4 1 7'"]);
    assert_eq!(finding.undo, ["sysctl -w 'kernel.printk=7 4 1 7'"]);
    facts.kernel.ignores_level = true;
    assert!(one(&facts, "console").mend[0].contains("ignore_loglevel"));
}

#[test]
fn journald_may_throw_lines_away() {
    let mut facts = healthy();
    facts.journald = Some(Journald {
        storage: Storage::None,
        reads_kernel: false,
        max_level: 3,
        forwards: true,
    });
    assert_eq!(of(&facts, "journald").len(), 3);
    facts.journald = Some(Journald { max_level: 5, ..Journald::default() });
    let finding = one(&facts, "journald");
    assert!(finding.found.contains("ebtables lines"), "{}", finding.found);
    assert_eq!(
        finding.mend[1],
        r"printf '[Journal]\nMaxLevelStore=debug\n' > /etc/systemd/journald.conf.d/zz-tracecol-maxlevelstore.conf"
    );
    facts.journald = None;
    assert!(of(&facts, "journald").is_empty());
}

#[test]
fn rsyslog_may_hold_lines_back() {
    let mut facts = healthy();
    let settings =
        "module(load=\"imjournal\" StateFile=\"imjournal.state\")\n*.info /var/log/messages\n";
    facts.rsyslog = Some(Rsyslog::read([(Path::new("/etc/rsyslog.conf"), settings)].into_iter()));
    let finding = one(&facts, "rsyslog");
    assert_eq!(finding.found, "imjournal passes 20000 lines in 600 s and drops the rest");
    assert!(finding.mend[0].contains(r#"& Ratelimit.Interval="0"/' /etc/rsyslog.conf"#));
    facts.rsyslog = Some(Rsyslog::default());
    facts.journald = None;
    assert_eq!(of(&facts, "rsyslog").len(), 2, "nothing comes in, nothing goes out");
}

#[test]
fn somebody_who_may_read_nothing() {
    let mut facts = healthy();
    facts.user.name = "eve".to_owned();
    facts.logs.kmsg = Seen::Hidden;
    let path = PathBuf::from("/var/log/kern.log");
    facts.logs.files = vec![LogFile { path, is_readable: false, group: Some("adm".to_owned()) }];
    let finding = one(&facts, "reading");
    assert_eq!(finding.severity, Severity::Problem);
    assert_eq!(finding.mend, ["usermod -aG adm eve"]);
    assert_eq!(finding.undo, ["gpasswd -d eve adm"]);
    facts.logs.files[0].is_readable = true;
    assert_eq!(severity(&facts, "reading"), Severity::Ok);
}

#[test]
fn a_full_table() {
    let mut facts = healthy();
    facts.conntrack = Some(Conntrack { count: 250_000, max: 262_144, log_invalid: Some(0) });
    let found = of(&facts, "conntrack");
    assert_eq!(found[0].mend, ["sysctl -w net.netfilter.nf_conntrack_max=524288"]);
    assert_eq!(found[1].mend, ["sysctl -w net.netfilter.nf_conntrack_log_invalid=255"]);
}

#[test]
fn stamps() {
    let mut facts = healthy();
    facts.kernel.has_stamps = Some(false);
    assert_eq!(one(&facts, "stamps").severity, Severity::Warning);
}

/// Runs a command of ours on files in a folder of its own.
fn run(command: &str) {
    let ran = std::process::Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn the_mending_of_rsyslog_mends_and_can_be_undone() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("rsyslog.conf");
    let settings = "module(load=\"imuxsock\")\nmodule(load=\"imjournal\"             # the journal\n\
                    \t UsePid=\"system\"\n\t StateFile=\"imjournal.state\") # position\n*.info\t/var/log/messages\n";
    std::fs::write(&place, settings).unwrap();
    let limit = || {
        let text = std::fs::read_to_string(&place).unwrap();
        let rsyslog = Rsyslog::read([(place.as_path(), text.as_str())].into_iter());
        (rsyslog.inputs[0].limit, Facts { rsyslog: Some(rsyslog), ..healthy() })
    };
    let finding = one(&limit().1, "rsyslog");
    run(&finding.mend[0]);
    assert_eq!(limit().0, None);
    run(&finding.undo[0]);
    assert_eq!(std::fs::read_to_string(&place).unwrap(), settings);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn the_mending_of_journald_mends_and_can_be_undone() {
    let folder = tempfile::tempdir().unwrap();
    let journald = Journald { max_level: 3, ..Journald::default() };
    let finding = one(&Facts { journald: Some(journald), ..healthy() }, "journald");
    let here =
        |command: &String| command.replace("/etc/", &format!("{}/etc/", folder.path().display()));
    let commands = |list: &[String]| {
        let files = list.iter().filter(|command| !command.starts_with("systemctl")).map(here);
        files.collect::<Vec<_>>().join(" && ")
    };
    run(&commands(&finding.mend));
    let file = folder.path().join("etc/systemd/journald.conf.d/zz-tracecol-maxlevelstore.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, "[Journal]\nMaxLevelStore=debug\n");
    assert_eq!(Journald::read(["MaxLevelStore=err", &text].into_iter(), true).max_level, 7);
    run(&commands(&finding.undo));
    assert!(!file.exists());
}
