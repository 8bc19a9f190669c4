//! Programs that run beside a scenario: started, waited for without sending a packet, ended by pid.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);

/// A running program; ended when this is dropped.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts `command` and waits until it listens on `port`, for IPv4 or IPv6.
    pub(crate) fn listening(command: &mut Command, protocol: &str, port: u16) -> Self {
        let wanted = format!(":{port:04X}");
        let listening = |line: &str| {
            let mut columns = line.split_whitespace().skip(1);
            columns.next().is_some_and(|local| local.ends_with(&wanted))
                && (protocol == "udp" || columns.nth(1) == Some("0A"))
        };
        Self::when(command, &[protocol, &format!("{protocol}6")], listening)
    }

    /// Starts `command` and waits until it is subscribed to a netfilter group.
    pub(crate) fn subscribed(command: &mut Command) -> Self {
        Self::when(command, &["netlink"], |line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            columns.get(1) == Some(&"12")
                && columns.get(3).is_some_and(|groups| *groups != "00000000")
        })
    }

    /// Starts `command` and waits until a line of a table in `/proc/<pid>/net` says that it is ready.
    fn when(command: &mut Command, tables: &[&str], ready: impl Fn(&str) -> bool) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut server = Self { child };
        let process = Path::new("/proc").join(server.child.id().to_string());
        let inside = || namespace_of(&process) != namespace_of(Path::new("/proc/self"));
        let tables = || tables.iter().map(|table| process.join("net").join(table));
        let end = Instant::now() + PATIENCE;
        loop {
            let text: String =
                tables().filter_map(|table| std::fs::read_to_string(table).ok()).collect();
            if inside() && text.lines().any(&ready) {
                return server;
            }
            let ended = server.child.try_wait().expect("the child can be asked");
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            assert!(Instant::now() < end, "{command:?} was not ready in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The network namespace of a process: before it has entered ours, its tables are the machine's.
fn namespace_of(process: &Path) -> Option<PathBuf> {
    std::fs::read_link(process.join("ns/net")).ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
