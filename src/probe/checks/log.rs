//! The kernel's log itself: its ring, its console, its stamps, and who may read it.

use crate::probe::facts::Facts;

use super::Finding;

/// A TRACE line with its head takes about this many bytes of the ring.
const LINE_BYTES: u64 = 250;
/// A packet leaves about this many lines.
const LINES_A_PACKET: u64 = 10;

/// The level of TRACE and LOG lines: warning.
const LEVEL: u8 = 4;

pub(super) fn ring(facts: &Facts) -> Vec<Finding> {
    const WHY: &str = "a burst overwrites what nobody has read yet, and nothing brings it back";
    let Some(bytes) = facts.kernel.ring_bytes() else {
        let found =
            "its size is not known: neither /proc/cmdline nor the kernel's configuration tells";
        return vec![
            Finding::note(found)
                .why(format!("{WHY}; `log_buf_len=4M` on the kernel's command line is enough")),
        ];
    };
    let lines = bytes / LINE_BYTES;
    let found = format!(
        "{} KiB: about {lines} TRACE lines, {} packets",
        bytes >> 10,
        lines / LINES_A_PACKET
    );
    if bytes >= 1 << 20 {
        return vec![Finding::ok(found)];
    }
    let finding = if bytes < 512 << 10 { Finding::warning(found) } else { Finding::note(found) };
    vec![enlarged(finding, facts, WHY)]
}

/// The ring is made at boot: its size is set where the kernel's command line is.
fn enlarged(finding: Finding, facts: &Facts, why: &str) -> Finding {
    const DROP_IN: &str = "/etc/default/grub.d/tracecol.cfg";
    if facts.has("grubby") {
        return finding
            .why(format!("{why}. It holds after the next boot"))
            .mend(["grubby --update-kernel=ALL --args=log_buf_len=4M"])
            .undo(["grubby --update-kernel=ALL --remove-args=log_buf_len"]);
    }
    if facts.has("update-grub") {
        return finding
            .why(format!("{why}. It holds after the next boot"))
            .mend([
                "mkdir -p /etc/default/grub.d".to_owned(),
                format!(
                    r#"echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX log_buf_len=4M"' > {DROP_IN}"#
                ),
                "update-grub".to_owned(),
            ])
            .undo([format!("rm {DROP_IN}"), "update-grub".to_owned()]);
    }
    finding.why(format!("{why}. Boot with `log_buf_len=4M` on the kernel's command line"))
}

pub(super) fn console(facts: &Facts) -> Vec<Finding> {
    let kernel = &facts.kernel;
    let Some(levels) = kernel.printk else { return Vec::new() };
    let level = if kernel.ignores_level { 8 } else { levels[0] };
    let found = format!("its level is {level}");
    if level <= LEVEL {
        return vec![Finding::ok(format!("{found}: TRACE and LOG, level {LEVEL}, stay off it"))];
    }
    let is_slow = |name: &&String| {
        !name.starts_with("tty") || name.starts_with("ttyS") || name.starts_with("ttyAMA")
    };
    let slow: Vec<&str> = kernel.consoles.iter().filter(is_slow).map(String::as_str).collect();
    let text = levels.map(|level| level.to_string()).join(" ");
    let quiet =
        format!("{LEVEL} {}", levels[1..].iter().map(u8::to_string).collect::<Vec<_>>().join(" "));
    let finding = if slow.is_empty() {
        Finding::note(format!("{found}: every line is drawn on it too"))
            .why("that costs time, but loses nothing")
    } else {
        Finding::warning(format!("{found}: every line goes out on {} too", slow.join(", ")))
            .why("at the speed of a serial line: packets wait while the kernel prints, and the stamps show that wait")
    };
    if kernel.ignores_level {
        return vec![
            finding
                .mend(["echo N > /sys/module/printk/parameters/ignore_loglevel"])
                .undo(["echo Y > /sys/module/printk/parameters/ignore_loglevel"]),
        ];
    }
    vec![finding.setting("kernel.printk", &quiet, &text)]
}

/// What people look for first, and in vain.
pub(super) fn rate_limits(_: &Facts) -> Vec<Finding> {
    vec![Finding::ok(
        "the kernel holds back no TRACE, LOG or ebtables line: kernel.printk_ratelimit and kernel.printk_devkmsg are about others",
    )]
}

pub(super) fn stamps(facts: &Facts) -> Vec<Finding> {
    let kernel = &facts.kernel;
    if kernel.has_stamps == Some(false) {
        return vec![
            Finding::warning("lines have none: printk.time is off")
                .why("without the kernel's own stamp lines are put in order by the daemon's clock, by seconds")
                .mend(["echo Y > /sys/module/printk/parameters/time"])
                .undo(["echo N > /sys/module/printk/parameters/time"]),
        ];
    }
    let source = kernel.clock_source.as_deref().unwrap_or("unknown");
    let coarse = matches!(source, "jiffies" | "refined-jiffies");
    vec![if coarse {
        Finding::note(format!("the clock source is {source}"))
            .why("stamps are coarse: many lines share one, and durations inside of a packet are not to be trusted")
    } else {
        Finding::ok(format!("on, the clock source is {source}"))
    }]
}

/// Whether we may read what was printed, anywhere.
pub(super) fn reading(facts: &Facts) -> Vec<Finding> {
    let logs = &facts.logs;
    let mut open = Vec::new();
    if logs.kmsg.known().is_some() {
        open.push("/dev/kmsg".to_owned());
    }
    if logs.journal.known().is_some() {
        open.push("the journal".to_owned());
    }
    open.extend(
        logs.files
            .iter()
            .filter(|file| file.is_readable)
            .map(|file| file.path.display().to_string()),
    );
    let user = &facts.user.name;
    let able = |may: bool, name: &str| format!("{name} {}", if may { "yes" } else { "no" });
    let rights = format!(
        "{}, {}",
        able(facts.user.may_syslog, "CAP_SYSLOG"),
        able(facts.user.may_net_admin, "CAP_NET_ADMIN")
    );
    if !open.is_empty() {
        return vec![Finding::ok(format!("{user} may read {} ({rights})", open.join(", ")))];
    }
    let group = readers(facts);
    let restricted = if facts.kernel.restricts_dmesg == Some(true) {
        "; kernel.dmesg_restrict is 1, so that /dev/kmsg needs CAP_SYSLOG"
    } else {
        ""
    };
    let finding = Finding::problem(format!("{user} may read nothing that holds kernel lines ({rights})"))
        .why(format!("lines that nobody can read reach nobody{restricted}. Run as root, or join a group that may read"));
    vec![match group {
        Some(group) => finding
            .mend([format!("usermod -aG {group} {user}")])
            .undo([format!("gpasswd -d {user} {group}")]),
        None => finding,
    }]
}

/// A group whose members may read the journal, or a log file.
fn readers(facts: &Facts) -> Option<String> {
    if facts.logs.journal.is_hidden() {
        return Some("systemd-journal".to_owned());
    }
    facts.logs.files.iter().find_map(|file| file.group.clone())
}
