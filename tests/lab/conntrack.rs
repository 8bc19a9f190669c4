//! The kernel's own word on connections: their tuples, and packets per direction.
//!
//! ```text
//! tcp      6 119 TIME_WAIT src=10.110.124.185 dst=10.146.22.21 sport=51736 dport=40000 packets=6 bytes=366
//!   src=172.17.0.5 dst=10.110.124.185 sport=6379 dport=51736 packets=4 bytes=221 [ASSURED] mark=0 use=1
//! icmp     1 29 src=10.110.124.185 dst=10.146.22.21 type=8 code=0 id=7 packets=1 bytes=84 src=… type=0 code=0 id=7 …
//! ```
//!
//! (one line each; an event has `[1795355057.690356] [DESTROY]` in front).
//! What has ended while a scenario ran stands in the DESTROY events, the rest in the final list.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::namespace::Namespace;
use super::server::Server;

/// One direction's addresses and ports; an ICMP echo has its identifier in both ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tuple {
    pub(crate) src: IpAddr,
    pub(crate) sport: u16,
    pub(crate) dst: IpAddr,
    pub(crate) dport: u16,
}

/// One connection as conntrack counts it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    pub(crate) protocol: String,
    pub(crate) original: Tuple,
    pub(crate) reply: Tuple,
    pub(crate) packets_original: u64,
    pub(crate) packets_reply: u64,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (o, r) = (&self.original, &self.reply);
        write!(
            f,
            "{} {}:{} → {}:{} ({} packets), reply {}:{} → {}:{} ({} packets)",
            self.protocol,
            o.src,
            o.sport,
            o.dst,
            o.dport,
            self.packets_original,
            r.src,
            r.sport,
            r.dst,
            r.dport,
            self.packets_reply
        )
    }
}

/// A running `conntrack -E`, writing to a file.
pub(crate) struct Watch {
    server: Server,
    file: PathBuf,
}

/// What the kernel said.
pub(crate) struct Account {
    /// The events as printed.
    pub(crate) events: String,
    /// The entries left at the end, as printed.
    pub(crate) list: String,
}

impl Watch {
    /// Subscribes to the namespace's events.
    pub(crate) fn start(namespace: &Namespace, file: PathBuf) -> Self {
        let output = File::create(&file).expect("the event file is created");
        let mut command = namespace.command("conntrack");
        command.args(["-E", "-o", "timestamp", "-b", "8388608"]);
        let server = Server::subscribed(command.stdout(output).stderr(std::process::Stdio::null()));
        Self { server, file }
    }

    /// Ends the subscription and lists what is left.
    pub(crate) fn finish(self, namespace: &Namespace) -> Account {
        let list = namespace.script(
            "conntrack -L -f ipv4 -o extended 2>/dev/null; conntrack -L -f ipv6 -o extended 2>/dev/null",
        );
        self.settle();
        drop(self.server);
        let events = std::fs::read_to_string(&self.file).expect("the event file is read");
        Account { events, list }
    }
}

impl Watch {
    /// Waits until nothing more is written: the tool reads behind the kernel.
    fn settle(&self) {
        let length = || std::fs::metadata(&self.file).map_or(0, |meta| meta.len());
        for _ in 0..50 {
            let before = length();
            std::thread::sleep(Duration::from_millis(60));
            if length() == before {
                return;
            }
        }
    }
}

impl Account {
    /// Every connection there was, sorted; with as many copies as there were incarnations.
    pub(crate) fn flows(&self) -> Vec<Flow> {
        let ended = self.events.lines().filter(|line| line.contains("[DESTROY]"));
        let mut flows: Vec<_> = ended.chain(self.list.lines()).filter_map(flow).collect();
        flows.sort();
        flows
    }

    /// The tuples that NEW events announced.
    pub(crate) fn announced(&self) -> BTreeSet<(Tuple, Tuple)> {
        let new = self.events.lines().filter(|line| line.contains("[NEW]"));
        new.filter_map(flow).map(|flow| (flow.original, flow.reply)).collect()
    }
}

/// Reads one line of either form; packets are 0 where the line does not count them.
fn flow(line: &str) -> Option<Flow> {
    let words = || line.split_whitespace();
    let known = |word: &&str| matches!(*word, "tcp" | "udp" | "icmp" | "icmpv6");
    let values = |key: &str| -> Vec<&str> {
        words().filter_map(|word| word.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    let (src, dst, packets) = (values("src"), values("dst"), values("packets"));
    let (sport, dport, id) = (values("sport"), values("dport"), values("id"));
    let tuple = |n: usize| {
        let port = |ports: &[&str]| ports.get(n).or(id.get(n))?.parse().ok();
        Some(Tuple {
            src: src.get(n)?.parse().ok()?,
            sport: port(&sport)?,
            dst: dst.get(n)?.parse().ok()?,
            dport: port(&dport)?,
        })
    };
    let count = |n: usize| packets.get(n).and_then(|text| text.parse().ok()).unwrap_or(0);
    Some(Flow {
        protocol: words().find(known)?.to_owned(),
        original: tuple(0)?,
        reply: tuple(1)?,
        packets_original: count(0),
        packets_reply: count(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icmp_entry_has_its_identifier_for_ports() {
        let line = "ipv4     2 icmp     1 29 src=10.110.124.185 dst=10.146.22.21 type=8 code=0 id=7 packets=2 bytes=168 \
                    src=10.146.22.21 dst=10.110.124.185 type=0 code=0 id=7 packets=1 bytes=84 mark=0 use=1";
        let flow = flow(line).unwrap();
        assert_eq!(
            flow.to_string(),
            "icmp 10.110.124.185:7 → 10.146.22.21:7 (2 packets), reply 10.146.22.21:7 → 10.110.124.185:7 (1 packets)"
        );
    }

    #[test]
    fn an_ended_entry_is_counted_and_a_new_one_announced() {
        let account = Account {
            events: "[1.5]\t    [NEW] tcp      6 120 SYN_SENT src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.3 dst=10.0.0.1 sport=4 dport=1\n\
                     [2.5]\t[DESTROY] tcp      6 CLOSE src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 packets=6 bytes=9 src=10.0.0.3 dst=10.0.0.1 sport=4 dport=1 packets=4 bytes=9 [ASSURED]\n"
                .to_owned(),
            list: String::new(),
        };
        assert_eq!(account.flows().len(), 1);
        assert_eq!((account.flows()[0].packets_original, account.flows()[0].packets_reply), (6, 4));
        let both = (account.flows()[0].original, account.flows()[0].reply);
        assert_eq!(account.announced().into_iter().collect::<Vec<_>>(), [both]);
    }
}
