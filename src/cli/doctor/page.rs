//! The diagnosis and the commands as text.

use crate::probe::checks::{Answer, Finding, Severity};
use crate::probe::facts::Facts;
use crate::probe::tracing::Plan;
use crate::render::{Line, Style, Text, escape_text};

/// `problem  `.
const SEVERITY: usize = 9;
/// `time stamps  `.
const TITLE: usize = 13;
/// `mend  `, under the title: commands are long.
const LABEL: usize = 6;

/// The answer, then every finding, the gravest first.
pub(super) fn diagnosis(facts: &Facts, findings: &[Finding], answer: Answer, width: usize) -> Text {
    let mut text = Text::default();
    text.push(headline(facts, answer));
    text.blank();
    for finding in findings {
        write(&mut text, finding, width);
    }
    if findings.iter().any(|finding| !finding.mend.is_empty()) && !facts.user.is_root {
        text.blank();
        text.push(Line::from((Style::Dim, "commands need root".to_owned())));
    }
    text
}

fn headline(facts: &Facts, answer: Answer) -> Line {
    let mut line = Line::default();
    let host = if facts.host.is_empty() { "this host" } else { &facts.host };
    line.push(Style::Plain, format!("Will TRACE lines of {} reach us?  ", escape_text(host)));
    match answer {
        Answer::Yes => line.push(Style::Good, "yes"),
        Answer::No => line.push(Style::Bad, "no"),
        Answer::Unknown => line.push(Style::Doubt, "not known"),
    };
    line
}

fn write(text: &mut Text, finding: &Finding, width: usize) {
    let style = match finding.severity {
        Severity::Ok => Style::Good,
        Severity::Note => Style::Original,
        Severity::Warning => Style::Doubt,
        Severity::Problem => Style::Bad,
    };
    let mut start = Line::default();
    start.push(style, finding.severity.name());
    start.pad_to(SEVERITY);
    start.push(Style::Strong, finding.title);
    start.pad_to(SEVERITY + TITLE);
    let indent = SEVERITY + TITLE;
    text.push_wrapped(start, words(Style::Plain, &finding.found), indent, width);
    if let Some(why) = &finding.why {
        let mut start = Line::default();
        start.pad_to(indent);
        text.push_wrapped(start, words(Style::Dim, why), indent, width);
    }
    for (label, commands) in [("mend", &finding.mend), ("undo", &finding.undo)] {
        for (at, command) in commands.iter().enumerate() {
            let mut line = Line::default();
            line.pad_to(SEVERITY);
            line.push(Style::Dim, if at == 0 { label } else { "" });
            line.pad_to(SEVERITY + LABEL);
            // Never broken: it is there to be copied.
            line.push(
                if label == "mend" { Style::Strong } else { Style::Plain },
                escape_text(command),
            );
            text.push(line);
        }
    }
}

/// Words, each with the blank behind it: lines are broken between them.
fn words(style: Style, text: &str) -> Vec<Line> {
    let word = |word: &str| Line::from((style, escape_text(word)));
    text.split_inclusive(' ').map(word).collect()
}

/// The commands as a script: what is no command is a comment.
pub(super) fn script(plan: &Plan) -> Text {
    let mut text = Text::default();
    let comment = |text: &mut Text, what: String| {
        text.push(Line::from((Style::Dim, format!("# {}", escape_text(&what)))));
    };
    let flows: Vec<String> = plan.flows.iter().map(ToString::to_string).collect();
    comment(&mut text, format!("switch tracing on: {}, and the answers", flows.join("; ")));
    for translation in &plan.translations {
        comment(&mut text, format!("becomes {}: {}", translation.flow, translation.rule));
    }
    for group in &plan.on {
        comment(&mut text, group.title.clone());
        for command in &group.commands {
            text.push(Line::from((Style::Strong, escape_text(command))));
        }
    }
    comment(
        &mut text,
        "then keep the rules by which the lines are explained: tracecol snapshot DIR".to_owned(),
    );
    text.blank();
    comment(&mut text, "switch it off again".to_owned());
    for command in &plan.off {
        text.push(Line::from((Style::Plain, escape_text(command))));
    }
    text
}
