//! Text into facts: tells the form by its content, line by line.
//!
//! Every line of every form has a shape of its own, so that several outputs may follow one another and lines may be missing.
//! JSON is first written as the lines the tool would have printed: one reader serves both, and what is cited
//! reads the same.

mod bridge;
mod device;
mod docker;
mod hint;
mod ifconfig;
mod json;
mod neighbour;
mod route;
mod rule;
mod setting;
mod track;
mod words;

use smallvec::SmallVec;

use self::hint::Hint;
use super::facts::{HostContext, Kind, Route};
use crate::model::IfName;

/// What a text gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What it is about; of several outputs one after the other, the first. None when nothing was understood.
    pub kind: Option<Kind>,
    /// The facts of this text alone.
    pub facts: HostContext,
    /// What could not be read.
    pub remarks: Vec<Remark>,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Its number from 1.
    pub line: usize,
    /// What is wrong with it.
    pub sentence: String,
}

/// Reads the output of a command, or of several one after the other. `name` is the file's name; it helps where the
/// text does not tell (the bridge of `brctl-showmacs-docker0.txt`, the table of `ip-route-table-100.txt`).
pub fn read(text: &str, name: &str) -> Reading {
    let mut reader = Reader::new(Hint::of_name(name));
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut number = 1;
    while !rest.is_empty() {
        let used = reader.json(number, rest).unwrap_or_else(|| {
            let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
            reader.line(number, &rest[..end]);
            end
        });
        number += rest[..used].matches('\n').count();
        rest = &rest[used..];
    }
    reader.finish()
}

/// How the lines below a device begin, when a paste has lost their blanks.
const DETAILS: &[&str] = &[
    "RX",
    "TX",
    "RX:",
    "TX:",
    "alias",
    "altname",
    "bridge",
    "collisions",
    "collisions:0",
    "loop",
    "macvlan",
    "tun",
    "unspec",
    "veth",
    "vlan",
    "vxlan",
];

/// How many lines a reader complains about.
const REMARKS: usize = 20;

/// The words of a line; most have fewer than this.
type Words<'a> = SmallVec<[&'a str; 32]>;

/// Reads a text, a line after the other.
struct Reader {
    hint: Hint,
    section: Section,
    kinds: SmallVec<[Kind; 4]>,
    facts: HostContext,
    remarks: Vec<Remark>,
    /// Lines that were not understood, beyond those that have a remark.
    unread: usize,
    /// Published ports so far.
    ports: usize,
}

/// What the lines before say of the next one.
#[derive(Debug, Clone, PartialEq)]
enum Section {
    /// Nothing.
    Open,
    /// Details of a device follow.
    Device(IfName),
    /// `nexthop` lines follow.
    NextHops {
        /// The route without a next hop.
        route: Route,
        /// Whether no next hop was read yet: the route stands in the facts as it is.
        is_first: bool,
    },
    /// Rows of `brctl show` follow; of a bridge, when there was one.
    BridgeShow(Option<IfName>),
    /// Rows of `docker ps` follow.
    ContainerList {
        /// Whether a column follows the names.
        has_size: bool,
    },
    /// Rows of `route -n` follow, which have a metric.
    KernelRoutes,
    /// Rows of `ip -br neigh` follow.
    BriefNeighbours,
    /// Somebody else's output follows, up to the next command.
    Foreign,
}

impl Reader {
    fn new(hint: Hint) -> Self {
        Self {
            hint,
            section: Section::Open,
            kinds: SmallVec::new(),
            facts: HostContext::default(),
            remarks: Vec::new(),
            unread: 0,
            ports: 0,
        }
    }

    fn line(&mut self, number: usize, raw: &str) {
        // `ip -o` writes one line for several, with backslashes between.
        if raw.contains('\\') && raw.split_once(':').is_some_and(|(index, _)| is_number(index)) {
            for part in raw.split('\\') {
                self.plain_line(number, part);
            }
        } else {
            self.plain_line(number, raw);
        }
    }

    fn plain_line(&mut self, number: usize, raw: &str) {
        let words: Words<'_> = raw.split_ascii_whitespace().collect();
        let Some(first) = words.first() else { return };
        if self.section == Section::Foreign {
            self.command(number, &words);
            return;
        }
        if self.entry(number, &words)
            || self.continuation(raw, &words)
            || self.command(number, &words)
        {
            return;
        }
        if !first.starts_with(['#', ';']) && !first.starts_with("```") {
            self.not_understood(number, raw);
        }
    }

    /// A line whose own shape tells what it is. The first word chooses who looks at it.
    fn entry(&mut self, number: usize, words: &[&str]) -> bool {
        let first = words[0];
        match first.as_bytes()[0] {
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':'
                if self.fdb_line(words)
                    || self.numbered(number, words)
                    || self.neighbour_line(words)
                    || self.arp_row(words)
                    || self.kernel_route(words) =>
            {
                return true;
            }
            b'[' | b'i' | b't' | b'u' | b'g' | b's' | b'd' if self.track_line(number, words) => {
                return true;
            }
            _ => {}
        }
        self.route_line(number, words)
            || self.device_detail(number, words)
            || self.setting_line(words)
            || self.brief_device(words)
            || self.ifconfig_heading(words)
            || self.arp_sentence(words)
            || self.heading(words)
            || self.container_part(words)
    }

    /// `2: eth0: …`, `100: from all …`, `1 02:42:… no 0.82`.
    fn numbered(&mut self, number: usize, words: &[&str]) -> bool {
        if !is_number(words[0].strip_suffix(':').unwrap_or(words[0])) {
            return false;
        }
        self.rule_line(number, words) || self.device_heading(words) || self.showmacs_row(words)
    }

    /// The headings of tables, and words around outputs that say nothing.
    fn heading(&mut self, words: &[&str]) -> bool {
        match words {
            ["bridge", "name", "bridge", "id", ..] => {
                self.found(Kind::BridgePorts);
                self.section = Section::BridgeShow(None);
            }
            ["port", "no", "mac", "addr", ..] => {
                self.found(Kind::Fdb);
                self.section = Section::Open;
            }
            ["CONTAINER", "ID", ..] => {
                self.found(Kind::Containers);
                let has_size = words.last() == Some(&"SIZE");
                self.section = Section::ContainerList { has_size };
            }
            ["Address", "HWtype", ..] | ["IP", "address", "HW", ..] => {
                self.found(Kind::Neighbours);
                self.section = Section::Open;
            }
            ["Kernel", "IP" | "IPv6", "routing", ..] => {
                self.found(Kind::Routes);
                self.section = Section::Open;
            }
            ["Destination", "Gateway", "Genmask", rest @ ..] => {
                self.found(Kind::Routes);
                let has_metric = rest.contains(&"Metric");
                self.section = if has_metric { Section::KernelRoutes } else { Section::Open };
            }
            // The last line of `conntrack -L`, the complaints of `sysctl -a`, the second line of `ip route get`.
            ["conntrack", version, ..] if version.starts_with('v') => {}
            ["sysctl:" | "cache", ..] => {}
            _ => return false,
        }
        true
    }

    /// A line that only the lines before explain.
    fn continuation(&mut self, raw: &str, words: &[&str]) -> bool {
        match &self.section {
            Section::BridgeShow(bridge) => {
                let bridge = *bridge;
                self.bridge_show_row(bridge, words)
            }
            Section::ContainerList { has_size } => {
                let has_size = *has_size;
                self.container_row(has_size, words)
            }
            Section::BriefNeighbours => self.brief_neighbour(words),
            Section::Open if self.hint.kind == Some(Kind::Neighbours) => {
                self.brief_neighbour(words)
            }
            // Counters, limits, kinds of devices: indented below their device, and nothing of it is asked for.
            Section::Device(_) => raw.starts_with([' ', '\t']) || DETAILS.contains(&words[0]),
            _ => false,
        }
    }

    fn command(&mut self, number: usize, words: &[&str]) -> bool {
        let Some(hint) = Hint::of_divider(words).or_else(|| Hint::of_command(words)) else {
            return is_prompt(words);
        };
        if hint.is_foreign {
            self.remark(number, "what follows was asked inside a container and is left out");
            self.section = Section::Foreign;
        } else {
            self.section = Section::Open;
        }
        self.hint = hint;
        true
    }

    fn found(&mut self, kind: Kind) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    fn remark(&mut self, line: usize, sentence: impl Into<String>) {
        if self.remarks.len() < REMARKS {
            self.remarks.push(Remark { line, sentence: sentence.into() });
        } else {
            self.unread += 1;
        }
    }

    fn not_understood(&mut self, number: usize, raw: &str) {
        self.remark(number, format!("not understood: {}", shortened(raw.trim())));
    }

    fn finish(mut self) -> Reading {
        let mut facts = HostContext::default();
        facts.merge(self.facts);
        let is_named = |kind: &Kind| self.hint.kind == Some(*kind);
        // A device's heading begins `ip addr` as well.
        let kind = match self.kinds.first() {
            Some(Kind::Devices) if self.kinds.contains(&Kind::Addresses) => Some(Kind::Addresses),
            Some(Kind::Devices) if is_named(&Kind::Addresses) => Some(Kind::Addresses),
            Some(kind) => Some(*kind),
            None if self.remarks.is_empty() => self.hint.kind,
            None => None,
        };
        if kind.is_none()
            && let Some(first) = self.remarks.first()
        {
            let sentence = "this is not the output of a command that is known here".to_owned();
            self.remarks = vec![Remark { line: first.line, sentence }];
        } else if self.unread > 0
            && let Some(last) = self.remarks.last()
        {
            let sentence = format!("{} more lines were not understood", self.unread);
            self.remarks.push(Remark { line: last.line + 1, sentence });
        }
        Reading { kind, facts, remarks: self.remarks }
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A prompt after which nothing was typed: `[root@host ~]#`.
fn is_prompt(words: &[&str]) -> bool {
    words.last().is_some_and(|word| word.ends_with(['$', '#'])) && words.len() <= 3
}

/// The beginning of a line, for a remark.
fn shortened(line: &str) -> String {
    const LENGTH: usize = 80;
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
