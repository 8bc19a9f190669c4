//! Network namespaces that vanish with their guard, and the commands run inside them.
//!
//! A namespace is named after the process that made it, so that whatever a
//! killed run left behind can be told from what a living one still needs.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const FAMILY: &str = "tracecol-";

/// One namespace; gone, with every process in it, when this is dropped.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes `tracecol-<pid>-<role>` with its loopback up and IPv6 off.
    pub(crate) fn new(role: &str) -> Self {
        let name = format!("{FAMILY}{}-{role}", std::process::id());
        succeed(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.sysctl("net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        namespace.ip("link set lo up");
        namespace
    }

    /// Its name, for commands that move a device into it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` on it; the words are separated by blanks.
    pub(crate) fn ip(&self, words: &str) {
        succeed(Command::new("ip").args(["-n", &self.name]).args(words.split_whitespace()));
    }

    /// Sets kernel parameters in it: `key=value`, separated by blanks.
    pub(crate) fn sysctl(&self, settings: &str) {
        succeed(self.command("sysctl").arg("-qw").args(settings.split_whitespace()));
    }

    /// Runs a shell script in it, stopping at the first command that fails; gives its output.
    pub(crate) fn script(&self, text: &str) -> String {
        succeed(self.command("sh").args(["-ec", text]))
    }

    /// Runs a shell script in it whose failure is part of the experiment.
    pub(crate) fn attempt(&self, text: &str) -> Output {
        self.command("sh").args(["-c", text]).output().expect("sh starts")
    }

    /// A command in it that cannot outlive the thread that starts it.
    ///
    /// Neither `setpriv` nor `ip netns exec` forks: the child's pid is the program's own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "ip", "netns", "exec", &self.name, program]);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes the namespaces of runs that were killed before they could tidy up.
pub(crate) fn remove_stale() {
    let listing = succeed(Command::new("ip").args(["netns", "list"]));
    for name in listing.lines().filter_map(|line| line.split_whitespace().next()) {
        let owner = name.strip_prefix(FAMILY).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(name);
        }
    }
}

/// Ends what still runs in a namespace of ours, by pid, and deletes it. Never panics: it runs in `drop`.
fn remove(name: &str) {
    if let Ok(output) = Command::new("ip").args(["netns", "pids", name]).output() {
        for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", pid]).output();
        }
    }
    let _ = Command::new("ip").args(["netns", "del", name]).output();
}

/// Runs a command to its end and gives its output; panics with its complaint when it fails.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {complaint}", output.status);
    String::from_utf8(output.stdout).expect("output is UTF-8")
}
