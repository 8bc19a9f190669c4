//! What the lab stands on: root, tools, a kernel that logs for namespaces, and the machine to itself.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use super::namespace::{remove_stale, succeed};

/// Two labs on one kernel would hear each other; only root can write there.
const LOCK: &str = "/run/tracecol-lab.lock";
const ALL_NAMESPACES: &str = "net.netfilter.nf_log_all_netns";

/// The programs a scenario may call, and the Debian package each comes from.
const TOOLS: [(&str, &str); 12] = [
    ("ip", "iproute2"),
    ("sysctl", "procps"),
    ("setpriv", "util-linux"),
    ("iptables-legacy-restore", "iptables"),
    ("ip6tables-legacy-restore", "iptables"),
    ("ebtables", "ebtables"),
    ("conntrack", "conntrack"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("redis-benchmark", "redis-tools"),
    ("socat", "socat"),
    ("nc", "netcat-openbsd"),
];

/// The right to run a scenario: one at a time on this machine.
///
/// Namespaces log to the kernel's log for as long as this lives.
pub(crate) struct Ground {
    former: String,
    alone: File,
}

impl Ground {
    /// Takes the ground; `None`, with a loud word, where the lab cannot run.
    pub(crate) fn take() -> Option<Self> {
        if let Some(lack) = lack() {
            skip(&lack);
            return None;
        }
        let alone = File::options().read(true).write(true).create(true).truncate(false).open(LOCK);
        let alone = alone.expect("the lock file opens");
        alone.lock().expect("the lock is taken");
        remove_stale();
        Some(Self::open(alone))
    }

    /// Turns logging on. The former value is kept in the lock file, so that it outlives a killed run.
    fn open(mut alone: File) -> Self {
        let mut former = String::new();
        alone.read_to_string(&mut former).expect("the lock file is read");
        if former.is_empty() {
            former = succeed(Command::new("sysctl").args(["-n", ALL_NAMESPACES]));
            alone.write_all(former.as_bytes()).expect("the lock file is written");
        }
        set_all_namespaces("1");
        Self { former, alone }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        set_all_namespaces(self.former.trim());
        let _ = self.alone.set_len(0);
    }
}

fn set_all_namespaces(value: &str) {
    let _ = Command::new("sysctl").arg("-qw").arg(format!("{ALL_NAMESPACES}={value}")).status();
}

/// What is missing, as a sentence that says what to do.
fn lack() -> Option<String> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return Some("needs root for namespaces and /dev/kmsg".to_owned());
    }
    for (tool, package) in TOOLS {
        if !is_installed(tool) {
            return Some(format!("needs `{tool}` (Debian package `{package}`)"));
        }
    }
    if File::open("/dev/kmsg").is_err() {
        return Some("needs to read /dev/kmsg (CAP_SYSLOG)".to_owned());
    }
    if !Path::new("/proc/sys/net/netfilter/nf_log_all_netns").exists() {
        let _ = Command::new("modprobe").arg("nf_log_syslog").status();
    }
    if !Path::new("/proc/sys/net/netfilter/nf_log_all_netns").exists() {
        return Some("needs a kernel with nf_log_syslog".to_owned());
    }
    let probe =
        Command::new("unshare").args(["-n", "iptables-legacy", "-t", "raw", "-L", "-n"]).output();
    let works = probe.is_ok_and(|output| output.status.success());
    (!works).then(|| "needs namespaces and a kernel with the legacy raw table".to_owned())
}

/// Whether a program is on the path.
pub(crate) fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).exists())
}

/// Says loudly that the lab did not run; in CI that is a failure.
fn skip(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the lab must run in CI: it {reason}");
    say(&format!("skipped: {reason}"));
}

/// Speaks past the test harness, which swallows what a passing test prints.
pub(crate) fn say(message: &str) {
    let _ = std::io::stderr().write_all(format!("lab: {message}\n").as_bytes());
}
