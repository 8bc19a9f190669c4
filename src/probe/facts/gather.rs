//! Fills the facts from the host we run on. Reads, asks, and changes nothing: whatever would load a module is not asked.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::journald::Journald;
use super::kernel::{Config, Kernel, Release};
use super::rsyslog::Rsyslog;
use super::rules::{Pair, RuleSets, is_native};
use super::{Bridging, Conntrack, Facts, LogFile, Logger, Logs, Namespace, Seen, User};
use crate::probe::program::Programs;
use crate::probe::snapshot::BackEnd;
use crate::rulebook::{self, RuleSet};

/// Programs that may mend something, or that rules are loaded with.
const PROGRAMS: [&str; 11] = [
    "ebtables",
    "ebtables-legacy",
    "ebtables-nft",
    "grubby",
    "ip6tables",
    "ip6tables-legacy",
    "iptables",
    "iptables-legacy",
    "iptables-nft",
    "update-alternatives",
    "update-grub",
];

/// Files that usually hold kernel lines.
const LOG_FILES: [&str; 3] = ["/var/log/kern.log", "/var/log/messages", "/var/log/syslog"];

/// Asks the host.
pub fn gather(programs: &Programs) -> Facts {
    let user = user();
    let kernel = kernel();
    let installed: BTreeSet<&'static str> =
        PROGRAMS.into_iter().filter(|name| programs.find(name).is_some()).collect();
    let root = Path::new("/");
    let rsyslog = if is_running("rsyslogd") { Rsyslog::gather(root) } else { None };
    let back_end = |tool| {
        let answer = programs.run(tool, &["-V"]).ok()?;
        Some(BackEnd::of_version(&answer.text()))
    };
    let ebtables = back_end("ebtables");
    let mut facts = Facts {
        host: line("/proc/sys/kernel/hostname").unwrap_or_default(),
        namespace: namespace(programs, &user, &kernel.release),
        loggers: loggers(),
        iptables: back_end("iptables"),
        ip6tables: back_end("ip6tables"),
        ebtables,
        bridging: bridging(&kernel, ebtables),
        has_ip6: has_ip6(),
        conntrack: conntrack(),
        journald: Path::new("/run/systemd/journal/socket").exists().then(|| Journald::gather(root)),
        logs: logs(rsyslog.as_ref()),
        rsyslog,
        programs: installed,
        user,
        kernel,
        rules: RuleSets::default(),
    };
    facts.rules = rules(programs, &facts);
    facts
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn line(path: &str) -> Option<String> {
    Some(text(path)?.trim().to_owned())
}

fn number<T: std::str::FromStr>(path: &str) -> Option<T> {
    line(path)?.parse().ok()
}

fn flag(path: &str) -> Option<bool> {
    line(path).map(|text| !matches!(text.as_str(), "0" | "N"))
}

fn user() -> User {
    const NET_ADMIN: u64 = 12;
    const SYSLOG: u64 = 34;
    let status = text("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        // Real, effective, saved: the second one counts for ids.
        let mut words = line.trim_start_matches(':').split_whitespace();
        let first = words.next()?.to_owned();
        Some(words.next().map_or(first, ToOwned::to_owned))
    };
    let capabilities = field("CapEff").and_then(|text| u64::from_str_radix(&text, 16).ok());
    let may = |bit: u64| capabilities.is_some_and(|set| set & (1 << bit) != 0);
    let id = field("Uid").unwrap_or_default();
    User {
        is_root: id == "0",
        may_syslog: may(SYSLOG),
        may_net_admin: may(NET_ADMIN),
        name: name_in("/etc/passwd", &id).unwrap_or(id),
    }
}

/// The name of a number in `/etc/passwd` or `/etc/group`.
fn name_in(list: &str, id: &str) -> Option<String> {
    let users = text(list)?;
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    };
    users.lines().find_map(of)
}

fn kernel() -> Kernel {
    let release = line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let consoles = text("/proc/consoles").unwrap_or_default();
    let consoles = consoles.lines().filter_map(|line| line.split_whitespace().next());
    let modules = text("/proc/modules").map(|text| {
        text.lines().filter_map(|line| line.split(' ').next()).map(ToOwned::to_owned).collect()
    });
    Kernel {
        config: config(&release),
        release: Release::read(&release),
        modules,
        command_line: line("/proc/cmdline").unwrap_or_default(),
        processors: line("/sys/devices/system/cpu/possible").and_then(|text| {
            let last = text.rsplit(['-', ',']).next()?.parse::<u32>().ok()?;
            Some(last + 1)
        }),
        printk: line("/proc/sys/kernel/printk").and_then(|text| {
            let levels: Vec<u8> =
                text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            levels.try_into().ok()
        }),
        ignores_level: flag("/sys/module/printk/parameters/ignore_loglevel").unwrap_or(false),
        has_stamps: flag("/sys/module/printk/parameters/time"),
        consoles: consoles.map(ToOwned::to_owned).collect(),
        restricts_dmesg: flag("/proc/sys/kernel/dmesg_restrict"),
        clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    }
}

fn config(release: &str) -> Option<Config> {
    let places = [format!("/boot/config-{release}"), format!("/lib/modules/{release}/config")];
    let packed = || {
        let mut text = String::new();
        let file = File::open("/proc/config.gz").ok()?;
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let plain = || places.iter().find_map(|path| text(path));
    packed().or_else(plain).map(|text| Config::read(&text))
}

fn namespace(programs: &Programs, user: &User, release: &Release) -> Namespace {
    const SWITCH: &str = "net.netfilter.nf_log_all_netns";
    if let Some(all_may_log) = flag("/proc/sys/net/netfilter/nf_log_all_netns") {
        return Namespace { is_first: Some(true), all_may_log: Some(all_may_log) };
    }
    // The first namespace shows the switch, on every kernel that has one.
    let has_switch =
        release.number >= (4, 11) && Path::new("/proc/sys/net/netfilter/nf_log").exists();
    let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    let is_first =
        if has_switch { Some(false) } else { of("1").map(|first| Some(first) == of("self")) };
    let all_may_log = (user.is_root && is_first == Some(false)).then(|| {
        let answer = programs.run("nsenter", &["-t", "1", "-n", "sysctl", "-n", SWITCH]).ok()?;
        answer.is_success().then(|| answer.text().trim() != "0")
    });
    Namespace { is_first, all_may_log: all_may_log.flatten() }
}

/// ` 2 nf_log_ipv4 (nf_log_ipv4,nfnetlink_log)`; where that is not shown, the settings.
fn loggers() -> Vec<Logger> {
    const FAMILIES: [u8; 3] = [2, 7, 10];
    let table = text("/proc/net/netfilter/nf_log").unwrap_or_default();
    let of = |family: u8| {
        let setting = line(&format!("/proc/sys/net/netfilter/nf_log/{family}"));
        let row = table.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()?.parse() == Ok(family)).then(|| (words.next(), words.next()))
        });
        let (shown, available) = row.unwrap_or_default();
        let available = available.unwrap_or_default().trim_matches(['(', ')']).split(',');
        Some(Logger {
            family,
            current: setting.or_else(|| shown.map(ToOwned::to_owned))?,
            available: available.filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect(),
        })
    };
    FAMILIES.into_iter().filter_map(of).collect()
}

fn bridging(kernel: &Kernel, ebtables: Option<BackEnd>) -> Bridging {
    let devices = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut bridges: Vec<String> = devices
        .filter(|device| device.path().join("bridge").is_dir())
        .map(|device| device.file_name().to_string_lossy().into_owned())
        .collect();
    bridges.sort();
    let call = |family: &str| flag(&format!("/proc/sys/net/bridge/bridge-nf-call-{family}"));
    let calls = call("iptables")
        .map(|ip| [ip, call("ip6tables").unwrap_or(false), call("arptables").unwrap_or(false)]);
    let has_broute = match ebtables {
        Some(BackEnd::Legacy) => kernel.has("BRIDGE_EBT_BROUTE", "ebtable_broute"),
        _ => Some(false),
    };
    Bridging { bridges, calls, has_broute }
}

fn has_ip6() -> bool {
    let addresses = text("/proc/net/if_inet6").unwrap_or_default();
    // The fourth field is the scope: 00 is global; host and link have others.
    addresses.lines().any(|line| line.split_whitespace().nth(3) == Some("00"))
}

fn conntrack() -> Option<Conntrack> {
    Some(Conntrack {
        count: number("/proc/sys/net/netfilter/nf_conntrack_count")?,
        max: number("/proc/sys/net/netfilter/nf_conntrack_max")?,
        log_invalid: number("/proc/sys/net/netfilter/nf_conntrack_log_invalid"),
    })
}

fn is_running(program: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| {
            entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())
        })
        .any(|entry| {
            fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.trim() == program)
        })
}

fn logs(rsyslog: Option<&Rsyslog>) -> Logs {
    let mut files: Vec<PathBuf> = LOG_FILES.into_iter().map(PathBuf::from).collect();
    files.extend(rsyslog.iter().flat_map(|rsyslog| &rsyslog.files).cloned());
    files.sort();
    files.dedup();
    files.retain(|path| path.is_file());
    let journals = ["/var/log/journal", "/run/log/journal"];
    let journal = journals.iter().filter_map(|folder| journal_file(Path::new(folder)));
    Logs {
        kmsg: open(Path::new("/dev/kmsg")),
        // One that may be read is better than one that may not.
        journal: journal
            .map(|path| match open(&path) {
                Seen::Is(()) => Seen::Is(path),
                Seen::Hidden => Seen::Hidden,
                Seen::Absent => Seen::Absent,
            })
            .max_by_key(|journal| journal.known().is_some())
            .unwrap_or_default(),
        files: files.into_iter().map(log_file).collect(),
    }
}

fn log_file(path: PathBuf) -> LogFile {
    const GROUP_READS: u32 = 0o040;
    let group = path.metadata().ok().filter(|facts| facts.mode() & GROUP_READS != 0);
    let group = group.map(|facts| facts.gid()).filter(|group| *group != 0);
    LogFile {
        is_readable: File::open(&path).is_ok(),
        group: group.and_then(|group| name_in("/etc/group", &group.to_string())),
        path,
    }
}

fn open(path: &Path) -> Seen<()> {
    match File::open(path) {
        Ok(_) => Seen::Is(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Seen::Hidden,
        Err(_) => Seen::Absent,
    }
}

fn journal_file(folder: &Path) -> Option<PathBuf> {
    let machines = fs::read_dir(folder).ok()?.flatten();
    let mut files = machines.map(|machine| machine.path().join("system.journal"));
    files.find(|path| path.exists())
}

fn rules(programs: &Programs, facts: &Facts) -> RuleSets {
    let read = |program: &str, arguments: &[&str]| -> Seen<Vec<RuleSet>> {
        if !facts.user.may_net_admin {
            return Seen::Hidden;
        }
        match programs.run(program, arguments) {
            Ok(answer) if answer.is_success() => {
                Seen::Is(rulebook::read(&answer.text(), program).sets)
            }
            _ => Seen::Absent,
        }
    };
    let tables = |tool: &str, plain: Option<BackEnd>, names: &str| {
        let save = |back_end: BackEnd, own: &str| {
            let own = format!("{tool}-{own}-save");
            if programs.find(&own).is_some() {
                read(&own, &[])
            } else if plain == Some(back_end) {
                read(&format!("{tool}-save"), &[])
            } else {
                Seen::Absent
            }
        };
        Pair {
            // Without it no legacy table is loaded, and asking for them would load some.
            legacy: if Path::new(names).exists() {
                save(BackEnd::Legacy, "legacy")
            } else {
                Seen::Is(Vec::new())
            },
            nft: save(BackEnd::Nft, "nft"),
        }
    };
    let native = read("nft", &["list", "ruleset"]);
    RuleSets {
        ip4: tables("iptables", facts.iptables, "/proc/net/ip_tables_names"),
        ip6: tables("ip6tables", facts.ip6tables, "/proc/net/ip6_tables_names"),
        bridge: Pair {
            legacy: legacy_bridge_rules(facts, &read),
            nft: if facts.has("ebtables-nft") {
                read("ebtables-nft-save", &[])
            } else if facts.ebtables == Some(BackEnd::Nft) {
                read("ebtables-save", &[])
            } else {
                Seen::Absent
            },
        },
        native: match native {
            Seen::Is(sets) => Seen::Is(only_native(sets)),
            other => other,
        },
    }
}

fn only_native(mut sets: Vec<RuleSet>) -> Vec<RuleSet> {
    for set in &mut sets {
        let tables = std::mem::take(&mut set.tables);
        set.tables = tables.into_iter().filter(|table| is_native(set, table)).collect();
    }
    sets.retain(|set| !set.tables.is_empty());
    sets
}

/// Table by table, and only those that are loaded: asking for one loads it.
fn legacy_bridge_rules(
    facts: &Facts,
    read: &impl Fn(&str, &[&str]) -> Seen<Vec<RuleSet>>,
) -> Seen<Vec<RuleSet>> {
    let tool = if facts.has("ebtables-legacy") { "ebtables-legacy" } else { "ebtables" };
    if !facts.has(tool) || (tool == "ebtables" && facts.ebtables == Some(BackEnd::Nft)) {
        return Seen::Absent;
    }
    let mut sets = Vec::new();
    for name in facts.kernel.modules.iter().flatten() {
        if let Some(table) = name.strip_prefix("ebtable_") {
            match read(tool, &["-t", table, "-L"]) {
                Seen::Is(more) => sets.extend(more),
                other => return other,
            }
        }
    }
    Seen::Is(sets)
}
