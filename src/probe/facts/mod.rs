//! The facts that decide whether lines of TRACE, LOG and `ebtables` are printed, kept and readable. Data only:
//! `gather` fills it from a host, a test by hand.

mod gather;
mod journald;
mod kernel;
mod rsyslog;
pub(super) mod rules;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use gather::gather;
pub use journald::{Journald, Storage};
pub use kernel::{Config, Kernel, Release};
pub use rsyslog::{Input, Rsyslog};
pub use rules::{Pair, RuleSets};

use super::snapshot::BackEnd;

/// Something that may be out of our sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seen<T> {
    /// It is so.
    Is(T),
    /// It cannot be seen without more rights.
    Hidden,
    /// There is no such thing here.
    #[default]
    Absent,
}

impl<T> Seen<T> {
    /// What was seen.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Hidden | Self::Absent => None,
        }
    }

    /// Whether rights are lacking.
    pub fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }
}

/// All that is asked of a host.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Its name.
    pub host: String,
    /// Who asks.
    pub user: User,
    /// Its kernel.
    pub kernel: Kernel,
    /// The network namespace we are in.
    pub namespace: Namespace,
    /// The loggers of `/proc/net/netfilter/nf_log`.
    pub loggers: Vec<Logger>,
    /// The programs that are installed, of those that matter.
    pub programs: BTreeSet<&'static str>,
    /// What the plain `iptables` speaks.
    pub iptables: Option<BackEnd>,
    /// What the plain `ip6tables` speaks.
    pub ip6tables: Option<BackEnd>,
    /// What the plain `ebtables` speaks.
    pub ebtables: Option<BackEnd>,
    /// The rules in force.
    pub rules: RuleSets,
    /// Bridges.
    pub bridging: Bridging,
    /// Whether the host has a global IPv6 address.
    pub has_ip6: bool,
    /// conntrack; none when it is not loaded.
    pub conntrack: Option<Conntrack>,
    /// journald; none when it does not run.
    pub journald: Option<Journald>,
    /// rsyslog; none when it does not run.
    pub rsyslog: Option<Rsyslog>,
    /// Where kernel lines can be read.
    pub logs: Logs,
}

impl Facts {
    /// Whether a program is installed.
    pub fn has(&self, program: &str) -> bool {
        self.programs.contains(program)
    }

    /// The program that loads legacy rules of a family: `iptables` or `ip6tables`.
    pub fn legacy_tool(&self, family: &str) -> Option<&'static str> {
        let (own, plain, back_end) = match family {
            "ip6tables" => ("ip6tables-legacy", "ip6tables", self.ip6tables),
            _ => ("iptables-legacy", "iptables", self.iptables),
        };
        if self.has(own) {
            return Some(own);
        }
        (self.has(plain) && back_end == Some(BackEnd::Legacy)).then_some(plain)
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The name, or the number.
    pub name: String,
    /// Whether it is root.
    pub is_root: bool,
    /// Whether it has `CAP_SYSLOG`.
    pub may_syslog: bool,
    /// Whether it has `CAP_NET_ADMIN`.
    pub may_net_admin: bool,
}

/// The network namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Whether it is the first one, which may always log.
    pub is_first: Option<bool>,
    /// `nf_log_all_netns`, which only the first namespace can see.
    pub all_may_log: Option<bool>,
}

/// Which logger prints for a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logger {
    /// The family's number: 2 is IPv4, 7 the bridge, 10 IPv6.
    pub family: u8,
    /// `nf_log_ipv4`, `nfnetlink_log`, `NONE`.
    pub current: String,
    /// Those that are loaded.
    pub available: Vec<String>,
}

/// Bridges, and whether their frames meet the IP tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridging {
    /// The bridges' names.
    pub bridges: Vec<String>,
    /// `bridge-nf-call-iptables`, `-ip6tables`, `-arptables`; none while `br_netfilter` is not loaded.
    pub calls: Option<[bool; 3]>,
    /// Whether the kernel has the table `broute`, when that can be told.
    pub has_broute: Option<bool>,
}

/// conntrack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conntrack {
    /// Entries in its table.
    pub count: u64,
    /// How many it may have.
    pub max: u64,
    /// `nf_conntrack_log_invalid`.
    pub log_invalid: Option<u8>,
}

/// Where kernel lines can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logs {
    /// `/dev/kmsg`; hidden when it may not be opened.
    pub kmsg: Seen<()>,
    /// The journal's files.
    pub journal: Seen<PathBuf>,
    /// Files that may hold kernel lines.
    pub files: Vec<LogFile>,
}

/// A file that may hold kernel lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether we may read it.
    pub is_readable: bool,
    /// A group, other than root's, whose members may read it.
    pub group: Option<String>,
}
