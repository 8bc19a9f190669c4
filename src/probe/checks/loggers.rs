//! Who prints, and whether it may: loggers, the namespace, conntrack.

use crate::probe::facts::{Facts, Logger};

use super::Finding;

/// TRACE asks the logger of its family where to print; LOG and `ebtables` print into the kernel log whatever it is.
pub(super) fn loggers(facts: &Facts) -> Vec<Finding> {
    const MATTER: &str = "TRACE prints by this logger; LOG and ebtables do without";
    let mut good = Vec::new();
    let mut findings = Vec::new();
    for logger in &facts.loggers {
        let name = family(logger.family);
        let setting = format!("net.netfilter.nf_log.{}", logger.family);
        let current = logger.current.as_str();
        if prints(current) {
            good.push(format!("{name} {current}"));
            continue;
        }
        let is_loaded = logger.available.iter().any(|logger| prints(logger));
        let found = match current {
            "NONE" if is_loaded => format!("{name} has no logger: {setting} is NONE"),
            "NONE" => format!("{name} has no logger: none is loaded"),
            other => format!("{name} goes to `{other}`: {setting}"),
        };
        let finding = match logger.family {
            // Nothing but LOG in nftables' bridge family asks for it.
            7 => Finding::note(found)
                .why("LOG rules of nftables on a bridge print nothing; ebtables prints without"),
            _ if current == "NONE" && !is_loaded => Finding::warning(found).why(format!(
                "{MATTER}. Newer kernels load one with the first TRACE rule, older ones do not"
            )),
            2 => Finding::problem(found).why(MATTER),
            _ => Finding::warning(found).why(MATTER),
        };
        findings.push(mended(finding, facts, logger, &setting));
    }
    if facts.loggers.is_empty() {
        findings.push(Finding::note("this kernel does not show its loggers").why(MATTER));
    }
    if !good.is_empty() {
        findings.insert(0, Finding::ok(good.join(", ")));
    }
    findings
}

fn mended(finding: Finding, facts: &Facts, logger: &Logger, setting: &str) -> Finding {
    if let Some(name) = logger.available.iter().find(|logger| prints(logger)) {
        return finding.setting(setting, name, &logger.current);
    }
    let (module, name) = logger_of(facts.kernel.release.number, logger.family);
    finding.mend([format!("modprobe {module}")]).setting(setting, name, &logger.current)
}

/// The module and the logger's own name, which changed over the years.
fn logger_of(release: (u32, u32), family: u8) -> (&'static str, &'static str) {
    let name = match family {
        2 if release < (3, 16) => "ipt_LOG",
        10 if release < (3, 16) => "ip6t_LOG",
        2 => "nf_log_ipv4",
        7 => "nf_log_bridge",
        _ => "nf_log_ipv6",
    };
    let module = match name {
        _ if release >= (5, 13) => "nf_log_syslog",
        "ipt_LOG" | "ip6t_LOG" if release >= (3, 4) => "xt_LOG",
        name => name,
    };
    (module, name)
}

/// Whether a logger prints into the kernel log.
fn prints(logger: &str) -> bool {
    logger.starts_with("nf_log_") || logger.ends_with("_LOG")
}

fn family(number: u8) -> &'static str {
    match number {
        2 => "IPv4",
        7 => "bridge",
        _ => "IPv6",
    }
}

pub(super) fn namespace(facts: &Facts) -> Vec<Finding> {
    const SETTING: &str = "net.netfilter.nf_log_all_netns";
    let outside = |value: u8| [format!("nsenter -t 1 -n sysctl -w {SETTING}={value}")];
    let namespace = facts.namespace;
    vec![match (namespace.is_first, namespace.all_may_log) {
        (Some(true), Some(true)) => Finding::ok("the first one, and all others may log too"),
        (Some(true), Some(false)) => Finding::ok(format!(
            "the first one, which may always log; others, such as containers' own, may not while {SETTING} is 0"
        )),
        (Some(true), None) => Finding::ok("the first one, which may always log"),
        (_, Some(true)) => Finding::ok("not the first one, but all may log")
            .why("the lines do not say which namespace they are from"),
        (Some(false), Some(false)) => Finding::problem("not the first one, and others may not log")
            .why("TRACE, LOG and ebtables of this namespace print nothing. Lines do not say which namespace they are from")
            .mend(outside(1))
            .undo(outside(0)),
        (Some(false), None) => Finding {
            is_hidden: true,
            ..Finding::note("not the first one; whether it may log is only seen from there")
                .why("without the switch TRACE, LOG and ebtables of this namespace print nothing. Set it in the first one")
.setting(SETTING, "1", "0")

        },
        (None, _) => Finding::hidden("whether this is the first network namespace"),
    }]
}

pub(super) fn conntrack(facts: &Facts) -> Vec<Finding> {
    let Some(conntrack) = facts.conntrack else {
        return vec![Finding::ok("not loaded: no translation, no states")];
    };
    let (count, max) = (conntrack.count, conntrack.max);
    let found = format!("{count} of {max} entries");
    let mut findings = vec![if max > 0 && count.saturating_mul(10) >= max.saturating_mul(9) {
        Finding::warning(format!("the table is nearly full: {found}"))
            .why("when it is full, packets vanish between raw and mangle, with no line but `table full, dropping packet`")
            .setting("net.netfilter.nf_conntrack_max", &max.saturating_mul(2).to_string(), &max.to_string())
    } else {
        Finding::ok(found)
    }];
    if conntrack.log_invalid == Some(0) {
        findings.push(
            Finding::note("it does not say which packets it holds for invalid")
                .why("such packets match rules of state INVALID and are never translated; a line can say why")
                .setting("net.netfilter.nf_conntrack_log_invalid", "255", "0"),
        );
    }
    findings
}
