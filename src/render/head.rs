//! The head of a connection: who asked for what, where it really went, what became of it.

use crate::model::{
    Completeness, Connection, ConnectionState, EvidenceOf, NatChange, NatKind, Trust, Verdict,
    VerdictEvidence, VerdictKind,
};
use crate::render::phrase::verdict_style;
use crate::render::{Line, Style, Text, endpoint, escape, grouped, nat_name, site_name};

/// What the head tells beside the connection itself. All of it is printed escaped.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Its public id.
    pub id: String,
    /// The host's name.
    pub host: String,
    /// The `--netns` label.
    pub netns: Option<String>,
    /// When it began and ended, as the user wants times.
    pub time: String,
    /// Relations to others: what kind, to whom, and why we say so.
    pub links: Vec<(String, String, String)>,
}

/// Writes the head.
pub fn head(connection: &Connection, facts: &Facts, width: usize) -> Text {
    let mut text = Text::default();
    text.push_wrapped(Line::default(), summary(connection), 2, width);
    text.blank();
    let mut fact = |name: &str, chunks: Vec<Line>| {
        if !chunks.is_empty() {
            let start = (Style::Dim, format!("  {name:<12}")).into();
            text.push_wrapped(start, chunks, 14, width);
        }
    };
    fact("verdict", verdict(&connection.verdict));
    fact("state", state(connection));
    for change in &connection.nat {
        fact("nat", nat(change));
    }
    fact("packets", packets(connection));
    fact("interfaces", interfaces(connection));
    fact("log holds", completeness(connection.completeness));
    for (kind, other, evidence) in &facts.links {
        fact("link", link(kind, other, evidence));
    }
    fact("host", host(facts, connection));
    fact("time", by_word(Style::Plain, &escape(facts.time.as_bytes())));
    fact("id", by_word(Style::Plain, &escape(facts.id.as_bytes())));
    text
}

/// `tcp  client → asked for  ◆ DNAT → really went to   accepted`.
fn summary(connection: &Connection) -> Vec<Line> {
    let mut client = Line::default();
    client.push(Style::Dim, format!("{}  ", connection.protocol.name()));
    client.push(Style::Strong, endpoint(&connection.original.src));
    let mut chunks = vec![client];
    let target = endpoint(&connection.original.dst);
    let translated = connection.nat.iter().rfind(|change| is_destination(change.kind));
    let mut asked = Line::default();
    asked.push(Style::Original, " → ");
    asked.push(if translated.is_some() { Style::Former } else { Style::Strong }, target);
    if let Some(id) = connection.icmp_id {
        asked.push(Style::Dim, format!(" id {id}"));
    }
    chunks.push(asked);
    if let Some(change) = translated {
        let mut real = Line::default();
        real.push(Style::Nat, format!("  ◆ {} → {}", nat_name(change.kind), endpoint(&change.to)));
        chunks.push(real);
    }
    let kind = connection.verdict.kind;
    chunks.push((verdict_style(kind), format!("   {}", kind.name())).into());
    chunks
}

fn is_destination(kind: NatKind) -> bool {
    match kind {
        NatKind::Dnat | NatKind::Redirect | NatKind::Netmap => true,
        NatKind::Snat | NatKind::Masquerade => false,
    }
}

fn verdict(verdict: &Verdict) -> Vec<Line> {
    let mut chunks = vec![(verdict_style(verdict.kind), verdict.kind.name().to_owned()).into()];
    if let Some(hop) = &verdict.site {
        let word = if verdict.kind == VerdictKind::Unknown { " · last seen" } else { "" };
        chunks.push((Style::Plain, format!("{word} at {}", site_name(&hop.site))).into());
    }
    let reason = match verdict.evidence {
        Some(VerdictEvidence::Rule) => "a rule decided",
        Some(VerdictEvidence::Policy) => "the policy decided",
        Some(VerdictEvidence::Absence) => "what should follow is missing",
        Some(VerdictEvidence::Reply) => "the other side answered",
        None => "the log does not tell",
    };
    chunks.push((Style::Dim, format!(" · {reason}")).into());
    chunks
}

fn state(connection: &Connection) -> Vec<Line> {
    let name = connection.state.name();
    let words = match connection.state {
        ConnectionState::Unreplied => " · nothing came back",
        ConnectionState::Tcp(_) | ConnectionState::Replied | ConnectionState::Assured => "",
    };
    let mut line = Line::default();
    line.push(Style::Plain, name).push(Style::Dim, words);
    vec![line]
}

fn nat(change: &NatChange) -> Vec<Line> {
    let mut chunks = vec![
        (Style::Nat, format!("◆ {} ", nat_name(change.kind))).into(),
        (Style::Former, endpoint(&change.from)).into(),
        (Style::Nat, format!(" → {}", endpoint(&change.to))).into(),
    ];
    if let Some(hop) = &change.site {
        chunks.push((Style::Plain, format!(" by {}", site_name(&hop.site))).into());
    }
    let how = match change.evidence {
        EvidenceOf::Observed => "seen in the log",
        EvidenceOf::Inferred => "inferred from other lines",
    };
    chunks.push((Style::Dim, format!(" · {how}")).into());
    chunks
}

fn packets(connection: &Connection) -> Vec<Line> {
    let mut line = Line::default();
    line.push(Style::Original, format!("{} →", grouped(connection.packets_original)));
    line.push(Style::Dim, " · ");
    line.push(Style::Reply, format!("{} ←", grouped(connection.packets_reply)));
    if connection.packets_related > 0 {
        line.push(Style::Dim, " · ");
        line.push(Style::Doubt, format!("{} ! (ICMP errors)", grouped(connection.packets_related)));
    }
    line.push(
        Style::Dim,
        format!(
            " · {} {}",
            grouped(connection.lines),
            if connection.lines == 1 { "line" } else { "lines" }
        ),
    );
    vec![line]
}

fn interfaces(connection: &Connection) -> Vec<Line> {
    let names: Vec<String> =
        connection.interfaces.iter().map(|name| escape(name.as_bytes())).collect();
    let last = names.len().saturating_sub(1);
    let comma = |at: usize| if at < last { ", " } else { "" };
    names
        .iter()
        .enumerate()
        .map(|(at, name)| (Style::Plain, format!("{name}{}", comma(at))).into())
        .collect()
}

fn completeness(completeness: Completeness) -> Vec<Line> {
    let style = if completeness == Completeness::Whole { Style::Plain } else { Style::Doubt };
    by_word(
        style,
        match completeness {
            Completeness::Whole => "the whole connection",
            Completeness::BeganBeforeLog => {
                "not its beginning: it was under way when the log began"
            }
            Completeness::Cut => "not its end: it was cut short",
            Completeness::Lossy => "not everything: lines are missing",
        },
    )
}

fn link(kind: &str, other: &str, evidence: &str) -> Vec<Line> {
    let mut chunks: Vec<Line> = vec![
        (Style::Plain, format!("{} ", escape(kind.as_bytes()))).into(),
        (Style::Strong, format!("{} ", escape(other.as_bytes()))).into(),
    ];
    chunks.extend(by_word(Style::Dim, &format!("· {}", escape(evidence.as_bytes()))));
    chunks
}

fn host(facts: &Facts, connection: &Connection) -> Vec<Line> {
    let name = if facts.host.is_empty() {
        "not named in the log".into()
    } else {
        escape(facts.host.as_bytes())
    };
    let mut line: Line = (Style::Plain, name).into();
    if let Some(netns) = &facts.netns {
        line.push(Style::Plain, format!(" netns {}", escape(netns.as_bytes())));
    }
    if connection.boot.0 > 0 {
        line.push(Style::Dim, format!(" · boot {}", connection.boot.0));
    }
    let trust = match connection.trust {
        Trust::Kernel => "the kernel's own records",
        Trust::Text => "from text: the origin cannot be proved",
        Trust::Suspect => "not from the kernel",
    };
    line.push(Style::Dim, format!(" · {trust}"));
    vec![line]
}

/// A sentence that may be broken between any two words.
fn by_word(style: Style, text: &str) -> Vec<Line> {
    text.split_inclusive(' ').map(|word| (style, word.to_owned()).into()).collect()
}
