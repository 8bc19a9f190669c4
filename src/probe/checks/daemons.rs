//! Who keeps the lines: journald and rsyslog.

use crate::probe::facts::{Facts, Storage};

use super::Finding;

/// The level of ebtables lines with `--log-level info`, as tracecol prints them.
const EBTABLES_LEVEL: u8 = 6;
const RESTART: &str = "systemctl restart rsyslog";

/// The level of TRACE and LOG lines.
const LEVEL: u8 = 4;

pub(super) fn journald(facts: &Facts) -> Vec<Finding> {
    let Some(journald) = &facts.journald else { return Vec::new() };
    let mut findings = Vec::new();
    if !journald.reads_kernel {
        findings.push(set(
            Finding::warning("it does not read the kernel's log: ReadKMsg=no")
                .why("`journalctl -k` shows nothing; read /dev/kmsg or a syslog file instead"),
            "ReadKMsg=yes",
        ));
    }
    if journald.storage == Storage::None {
        findings.push(set(
            Finding::warning("it keeps nothing: Storage=none").why("`journalctl -k` shows nothing"),
            "Storage=persistent",
        ));
    }
    if journald.max_level < EBTABLES_LEVEL {
        let level = journald.max_level;
        let what = if level < LEVEL {
            "TRACE, LOG and ebtables lines"
        } else {
            "ebtables lines of level info"
        };
        findings.push(set(
            Finding::warning(format!("it throws away {what}: MaxLevelStore={level}"))
                .why("TRACE and LOG are of level warning, 4; ebtables of info, 6, or what --log-level says"),
            "MaxLevelStore=debug",
        ));
    }
    if findings.is_empty() {
        let how = match journald.storage {
            Storage::Volatile => "in memory, until the next boot",
            _ => "on disk",
        };
        findings.push(Finding::ok(format!(
            "it keeps kernel lines {how}; its rate limit is about services, not about the kernel"
        )));
    }
    findings
}

/// By a drop-in of our own, so that nothing of the host's is edited.
fn set(finding: Finding, setting: &str) -> Finding {
    const FOLDER: &str = "/etc/systemd/journald.conf.d";
    const RESTART: &str = "systemctl restart systemd-journald";
    let name = setting.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let file = format!("{FOLDER}/zz-tracecol-{name}.conf");
    finding
        .mend([
            format!("mkdir -p {FOLDER}"),
            format!(r"printf '[Journal]\n{setting}\n' > {file}"),
            RESTART.to_owned(),
        ])
        .undo([format!("rm {file}"), RESTART.to_owned()])
}

pub(super) fn rsyslog(facts: &Facts) -> Vec<Finding> {
    let Some(rsyslog) = &facts.rsyslog else { return Vec::new() };
    let mut findings = Vec::new();
    if rsyslog.inputs.is_empty() {
        let by_journald = facts.journald.as_ref().is_some_and(|journald| journald.forwards);
        if !by_journald {
            findings.push(
                Finding::note("it reads no kernel lines: neither imklog nor imjournal is loaded")
                    .why("its files will hold none; read the journal or /dev/kmsg instead"),
            );
        }
    }
    for input in &rsyslog.inputs {
        if let Some((lines, seconds)) = input.limit {
            findings.push(limited(
                &input.module,
                lines,
                seconds,
                &input.place.display().to_string(),
            ));
        }
    }
    if rsyslog.folds_repeats {
        findings.push(Finding::note("it folds repeated lines: $RepeatedMsgReduction is on").why(
            "ebtables lines of one flow are equal to the letter, and several of them become one",
        ));
    }
    if rsyslog.files.is_empty() {
        findings.push(
            Finding::note("no file gets kernel lines of level warning")
                .why("read the journal or /dev/kmsg instead")
                .mend([
                    r"printf 'kern.*\t-/var/log/kern.log\n' > /etc/rsyslog.d/tracecol.conf",
                    RESTART,
                ])
                .undo(["rm /etc/rsyslog.d/tracecol.conf", RESTART]),
        );
    }
    if findings.is_empty() {
        let files: Vec<_> = rsyslog.files.iter().map(|path| path.display().to_string()).collect();
        findings.push(Finding::ok(format!(
            "it writes kernel lines to {}, without a limit (imuxsock's is about programs)",
            files.join(", ")
        )));
    }
    findings
}

fn limited(module: &str, lines: u64, seconds: u64, place: &str) -> Finding {
    let found = format!("{module} passes {lines} lines in {seconds} s and drops the rest");
    let finding = Finding::warning(found)
        .why(format!("a traced packet leaves ten lines; {lines} lines are soon gone. Set the interval to 0 in {place}"));
    let parameter = if module == "imklog" { "RatelimitInterval" } else { "Ratelimit.Interval" };
    finding
        .mend([
            format!(
                r#"sed -i.before-tracecol 's/module(load="{module}"/& {parameter}="0"/' {place}"#
            ),
            RESTART.to_owned(),
        ])
        .undo([format!("mv {place}.before-tracecol {place}"), RESTART.to_owned()])
}
