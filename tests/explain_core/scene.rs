//! A log and its rule sets, read as the product reads them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tracecol::context::{self, HostContext};
use tracecol::envelope::PeelOptions;
use tracecol::explain::{
    Contradiction, Distrust, Inferred, Lore, ToldStep, ToldVerdict, Trail, fit, infer, judge, tell,
};
use tracecol::model::{
    Connection, Direction, Hop, Link, LinkKind, LinkTarget, Outcome, Packet, SourceId, WallTime,
};
use tracecol::rulebook::{self, Book, Moment, Revision};
use tracecol::stitch::{Stitch, StitchOptions};

/// A log, its rule sets, and what is known of the host.
pub(super) struct Scene {
    pub(super) packets: Vec<Packet>,
    pub(super) connections: Vec<Connection>,
    pub(super) links: Vec<Link>,
    pub(super) moment: Moment,
    pub(super) distrust: Distrust,
    pub(super) context: Option<HostContext>,
}

impl Scene {
    /// A folder of `sample-logs`.
    pub(super) fn sample(name: &str) -> Self {
        let text = |file: &str| sample(name, file);
        Self::of(&text("kern.log"), &[&text("iptables.rules"), &text("ebtables.rules")])
    }

    /// Lines and rule sets as they stand.
    pub(super) fn of(log: &str, rules: &[&str]) -> Self {
        let mut stitch = Stitch::new(StitchOptions::default());
        let source = SourceId(1);
        stitch.add_source(source, PeelOptions { year: Some(2026), ..PeelOptions::default() });
        let mut offset = 0;
        for line in log.split_inclusive('\n') {
            stitch.line(source, line.trim_end_matches('\n').as_bytes(), offset);
            offset += line.len() as u64;
        }
        stitch.finish();
        let mut scene = Self {
            packets: Vec::new(),
            connections: Vec::new(),
            links: Vec::new(),
            moment: moment(rules),
            distrust: Distrust::default(),
            context: None,
        };
        for outcome in stitch.drain() {
            match outcome {
                Outcome::Packet(packet) => scene.packets.push(*packet),
                Outcome::Connection(connection) => {
                    scene.connections.retain(|known| known.key != connection.key);
                    scene.connections.push(*connection);
                }
                Outcome::Link(link) => scene.links.push(link),
                Outcome::Host { .. } | Outcome::Anomaly(_) | Outcome::Gap(_) => {}
            }
        }
        scene.packets.sort_by_key(|packet| packet.key);
        scene.connections.sort_by_key(|connection| connection.key);
        scene
    }

    /// The same with the context files of a folder of `sample-logs`.
    pub(super) fn with_context(mut self, name: &str, files: &[&str]) -> Self {
        let mut whole = HostContext::default();
        for file in files {
            whole.merge(context::read(&sample(name, file), file).facts);
        }
        self.context = Some(whole);
        self
    }

    /// One more piece of context.
    pub(super) fn add_context(&mut self, text: &str, name: &str) {
        let facts = context::read(text, name).facts;
        self.context.get_or_insert_default().merge(facts);
    }

    pub(super) fn is_reply(&self, packet: usize) -> bool {
        self.packets[packet].direction == Some(Direction::Reply)
    }

    pub(super) fn lore(&self) -> Lore<'_> {
        Lore { rules: &self.moment, distrust: &self.distrust, context: self.context.as_ref() }
    }

    pub(super) fn tell(&self, packet: usize) -> Vec<ToldStep<'_>> {
        tell(&self.packets[packet], self.lore())
    }

    /// One line a step: `  filter:FORWARD:rule:2 · -A FORWARD … -j ACCEPT`.
    pub(super) fn told(&self, packet: usize) -> Vec<String> {
        self.tell(packet).iter().map(line).collect()
    }

    pub(super) fn judge(&self, packet: usize) -> ToldVerdict {
        let packet = &self.packets[packet];
        let path: Vec<Hop> = packet.steps.iter().map(|step| step.hop.clone()).collect();
        judge(&path, &packet.verdict, self.lore())
    }

    /// `accepted (policy) filter:FORWARD:policy:4 · -P FORWARD ACCEPT`
    pub(super) fn verdict(&self, packet: usize) -> String {
        let told = self.judge(packet);
        let evidence = told.verdict.evidence.map_or("-", |evidence| evidence.name());
        let site = told.verdict.site.map_or_else(|| "-".to_owned(), |hop| hop.site.label());
        let kind = told.verdict.kind.name();
        let rule = told.rule.map_or_else(|| "-".into(), String::from);
        format!("{kind} ({evidence}) {site} · {rule}")
    }

    /// `2 route · routed to docker0: …`
    pub(super) fn inferred(&self, packet: usize) -> Vec<String> {
        self.infer(packet)
            .iter()
            .map(|one| format!("{} {} · {}", one.before, one.at.name(), one.sentence.plain()))
            .collect()
    }

    pub(super) fn infer(&self, packet: usize) -> Vec<Inferred> {
        // What is stored, and given here, is the told verdict.
        let told_verdict = self.judge(packet).verdict;
        let packet = Packet { verdict: told_verdict, ..self.packets[packet].clone() };
        let connection = self.connections.iter().find(|one| Some(one.key) == packet.connection);
        let has_waited = self.links.iter().any(|link| {
            link.kind == LinkKind::ArpWait && link.from == LinkTarget::Packet(packet.key)
        });
        let told = tell(&packet, self.lore());
        infer(&packet, connection, has_waited, &told, self.lore())
    }

    /// What the packets contradict.
    pub(super) fn fit(&self) -> Vec<Contradiction> {
        let paths: Vec<Vec<Hop>> = self
            .packets
            .iter()
            .map(|packet| packet.steps.iter().map(|step| step.hop.clone()).collect())
            .collect();
        let trails: Vec<Trail<'_>> = self
            .packets
            .iter()
            .zip(&paths)
            .map(|(packet, path)| Trail {
                path,
                verdict: &packet.verdict,
                confidence: packet.confidence,
                packets: 1,
                is_lossy: false,
                samples: std::slice::from_ref(packet),
            })
            .collect();
        self.moment.revisions.iter().flat_map(|revision| fit(&trails, revision)).collect()
    }

    /// The contradictions as text: `filter FORWARD: the chain had 4 rules, the snapshot has 3`.
    pub(super) fn misfits(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .fit()
            .iter()
            .map(|one| format!("{} {}: {}", one.table, one.chain, one.sentence))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// A told step as a line, indented by its depth.
fn line(told: &ToldStep<'_>) -> String {
    let indent = "  ".repeat(told.depth);
    let site = told.step.hop.site.label();
    let text = match (&told.rule, &told.misfit, told.is_chain_end) {
        (Some(rule), None, false) => rule.to_string(),
        (None, None, true) => "end".to_owned(),
        (None, Some(why), false) => format!("? {why}"),
        (None, None, false) => "-".to_owned(),
        other => panic!("a step of two sorts: {other:?}"),
    };
    format!("{indent}{site} · {text}")
}

pub(super) fn sample(name: &str, file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("sample-logs").join(name).join(file)).unwrap()
}

/// The rule sets of some texts as they hold from the beginning.
pub(super) fn moment(texts: &[&str]) -> Moment {
    let mut book = Book::default();
    for text in texts {
        let reading = rulebook::read(text, "rules");
        assert_eq!(reading.remarks, [], "every line is understood");
        for rules in reading.sets {
            let id = i64::try_from(book.revisions.len()).unwrap() + 1;
            let rules = Arc::new(rules);
            book.revisions.push(Revision { id, from: None, name: "rules".into(), rules });
        }
    }
    book.at(Some(WallTime(0)))
}

/// A log made line by line: the place of each line, its devices, and the packet it shows.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
    count: u32,
}

impl Lines {
    /// A TRACE line of a packet: `filter:FORWARD:rule:2`, `IN=eth0 OUT=eth1`, and what comes after the devices.
    pub(super) fn trace(&mut self, site: &str, devices: &str, packet: &str) -> &mut Self {
        self.line(&format!("TRACE: {site} "), devices, packet)
    }

    /// A line with a prefix.
    pub(super) fn line(&mut self, prefix: &str, devices: &str, packet: &str) -> &mut Self {
        self.count += 10;
        let (seconds, micros) = (100 + self.count / 1_000_000, self.count % 1_000_000);
        let _ = writeln!(
            self.text,
            "Nov 22 10:00:00 gw kernel: [  {seconds}.{micros:06}] {prefix}{devices} {packet}"
        );
        self
    }

    /// Time goes by, in microseconds.
    pub(super) fn wait(&mut self, us: u32) -> &mut Self {
        self.count += us;
        self
    }

    pub(super) fn scene(&self, rules: &[&str]) -> Scene {
        Scene::of(&self.text, rules)
    }
}

/// A UDP datagram: `10.0.0.2:5000 > 10.0.0.1:53`, and its identification.
pub(super) fn udp(from: &str, to: &str, id: u32) -> String {
    let ((src, sport), (dst, dport)) = (from.split_once(':').unwrap(), to.split_once(':').unwrap());
    format!(
        "SRC={src} DST={dst} LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID={id} DF PROTO=UDP SPT={sport} DPT={dport} LEN=20 "
    )
}

/// An iptables-save text of one table.
pub(super) fn table(name: &str, lines: &[&str]) -> String {
    format!(
        "# Generated by iptables-save v1.8.9 on Sun Nov 22 10:00:00 2026\n*{name}\n{}\nCOMMIT\n",
        lines.join("\n")
    )
}
