//! The target of an iptables rule and its options.

use super::values;
use super::words::{Word, joined};
use crate::rulebook::Target;

/// What `-j` and its options say.
pub(super) struct Read {
    pub(super) target: Target,
    pub(super) log_prefix: Option<Box<str>>,
    /// Whether it is a verdict, whose name no chain can have.
    pub(super) is_verdict: bool,
}

/// Targets after which the packet goes on to the next rule.
const PASSES: [&str; 25] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNSECMARK",
    "DNPT",
    "DSCP",
    "ECN",
    "HL",
    "IDLETIMER",
    "LED",
    "NFLOG",
    "RATEEST",
    "SECMARK",
    "SET",
    "SNPT",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TTL",
    "ULOG",
    "FLOWOFFLOAD",
    "ACCOUNT",
    "LOGMARK",
    "mangle",
];

/// Reads a target. `run` is its name with its options.
pub(super) fn iptables(name: &str, run: &[Word<'_>]) -> Read {
    let value = |options: &[&str]| -> Option<&str> {
        let place = run.iter().position(|word| options.contains(&word.raw))?;
        run.get(place + 1).map(|word| &*word.value)
    };
    let text = |options: &[&str]| value(options).map(Box::from);
    let mut log_prefix = None;
    let target = match name {
        "ACCEPT" => Target::Accept,
        "DROP" => Target::Drop,
        "RETURN" => Target::Return,
        "QUEUE" => Target::Queue,
        "CONTINUE" => Target::Continue,
        "REJECT" => Target::Reject { with: text(&["--reject-with"]) },
        "LOG" => {
            log_prefix = Some(value(&["--log-prefix"]).unwrap_or_default().into());
            Target::Log
        }
        "TRACE" => Target::Trace,
        "DNAT" => Target::Dnat { to: text(&["--to-destination"]) },
        "SNAT" => Target::Snat { to: text(&["--to-source"]) },
        "MASQUERADE" => Target::Masquerade,
        "REDIRECT" => Target::Redirect { to: text(&["--to-ports", "--to-port"]) },
        "NETMAP" => Target::Netmap { to: text(&["--to"]) },
        "MARK" => Target::Mark { set: mark(run) },
        "HMARK" => Target::Mark { set: None },
        "CONNMARK" => Target::Connmark,
        "TPROXY" => Target::Tproxy,
        "NFQUEUE" => Target::Nfqueue {
            number: match value(&["--queue-balance"]) {
                Some(_) => None,
                None => Some(value(&["--queue-num"]).map_or(Some(0), |text| text.parse().ok()))
                    .flatten(),
            },
            bypass: run.iter().any(|word| word.is("--queue-bypass")),
        },
        "CT" | "NOTRACK" => Target::Notrack,
        _ if PASSES.contains(&name) => {
            // What these log goes to a program, not to the kernel's log; it may come back as a line from there.
            log_prefix = text(&["--nflog-prefix", "--ulog-prefix"]);
            Target::Passes(joined(run).into())
        }
        _ => Target::Other(joined(run).into()),
    };
    Read { is_verdict: target.is_plain_verdict(), target, log_prefix }
}

/// New mark = (old & !mask) ^ value.
fn mark(run: &[Word<'_>]) -> Option<(u32, u32)> {
    let (place, option) = run.iter().enumerate().find(|(_, word)| word.raw.ends_with("mark"))?;
    let text = &run.get(place + 1)?.value;
    match option.raw {
        "--set-xmark" => values::masked(text),
        "--set-mark" => {
            let (value, mask) = values::masked(text)?;
            Some((value, mask | value))
        }
        "--or-mark" => values::number(text).map(|bits| (bits, bits)),
        "--and-mark" => values::number(text).map(|bits| (0, !bits)),
        "--xor-mark" => values::number(text).map(|bits| (bits, 0)),
        _ => None,
    }
}
