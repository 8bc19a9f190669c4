//! What stands between a syslog stamp and its message: host, facility, tag.
//!
//! ```text
//!  vm kernel: P                          rsyslog, syslog-ng, sysklogd, journalctl -o short
//!  vm kernel[30931]: P                   a program that calls itself kernel
//!  vm kern.warn kernel: P                busybox
//!  kernel: P                             busybox -S, routers without a host name
//!  [kernel] P                            metalog
//!  UDM-Pro UDM-Pro [WAN_IN-RET-3006] P   UniFi: the host twice, no tag
//!  vm TRACE: raw:PREROUTING:policy:4  P  ulogd: no tag
//! ```
//!
//! A log prefix that ends in a colon looks like a tag. It is one of a program unless
//! the words after it are netfilter's and it does not look like a program's name.

use super::facility::{Priority, dotted};
use super::message::after_blank;
use super::scan::{skip_blanks, token};

/// A header taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header<'a> {
    pub(super) host: Option<&'a [u8]>,
    pub(super) priority: Option<Priority>,
    pub(super) tag: Option<&'a [u8]>,
    /// The tag has a process id, which the kernel has not.
    pub(super) has_pid: bool,
    /// The message, behind its separating blank.
    pub(super) message: &'a [u8],
}

/// A tag and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a [u8],
    pub(super) has_pid: bool,
    /// What follows the colon, separating blank included.
    pub(super) message: &'a [u8],
}

/// Reads the header; `text` starts at the blank behind the stamp.
pub(super) fn read(text: &[u8]) -> Header<'_> {
    if let Some(header) = host_and_kernel(text) {
        return header;
    }
    let mut header = Header::default();
    let text = header.take_priority(skip_blanks(text));
    if header.take_tag(text) {
        return header;
    }
    let (host, rest) = token(text);
    if !is_host(host) {
        header.message = text;
        return header;
    }
    header.host = Some(host);
    let mut text = skip_blanks(rest);
    if let (again, rest) = token(text)
        && again == host
    {
        text = skip_blanks(rest);
    }
    let text = header.take_priority(text);
    if !header.take_tag(text) {
        header.message = text;
    }
    header
}

/// ` vm kernel: P`, which nearly all lines have, in one pass.
fn host_and_kernel(text: &[u8]) -> Option<Header<'_>> {
    let text = text.strip_prefix(b" ")?;
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-' || **byte == b'_';
    let length = text.iter().take_while(plain).count();
    let (host, rest) = text.split_at_checked(length)?;
    let message = rest.strip_prefix(b" kernel:").filter(|_| length > 0)?;
    Some(Header {
        host: Some(host),
        priority: None,
        tag: Some(b"kernel"),
        has_pid: false,
        message: after_blank(message),
    })
}

impl<'a> Header<'a> {
    fn take_priority(&mut self, text: &'a [u8]) -> &'a [u8] {
        let (word, rest) = token(text);
        let Some(priority) = dotted(word) else { return text };
        self.priority = Some(priority);
        skip_blanks(rest)
    }

    fn take_tag(&mut self, text: &'a [u8]) -> bool {
        let Some(tag) = tag(text) else { return false };
        self.tag = Some(tag.name);
        self.has_pid = tag.has_pid;
        self.message = after_blank(tag.message);
        true
    }
}

/// Reads a tag at the start of `text`.
pub(super) fn tag(text: &[u8]) -> Option<Tag<'_>> {
    kernel_tag(text).or_else(|| program_tag(text))
}

/// `kernel:`, `kernel[pid]:`, `[kernel]` or a bare `kernel`.
pub(super) fn kernel_tag(text: &[u8]) -> Option<Tag<'_>> {
    let (name, rest) = text.split_at_checked(6)?;
    if !name.eq_ignore_ascii_case(b"kernel") {
        let message = text.strip_prefix(b"[kernel]").filter(|rest| rest.first() == Some(&b' '))?;
        return Some(Tag { name: b"kernel", has_pid: false, message });
    }
    match rest.split_first() {
        Some((b':', message)) => Some(Tag { name, has_pid: false, message }),
        // A host may be called kernel, too.
        Some((b' ', next)) if !next.starts_with(b"kernel") => {
            Some(Tag { name, has_pid: false, message: rest })
        }
        Some((b'[', _)) => {
            let end = memchr::memchr(b']', rest)?;
            let message = rest.get(end + 1..)?;
            Some(Tag {
                name,
                has_pid: true,
                message: message.strip_prefix(b":").unwrap_or(message),
            })
        }
        _ => None,
    }
}

/// `name:` or `name[pid]:` of any program, followed by a blank or nothing.
fn program_tag(text: &[u8]) -> Option<Tag<'_>> {
    let (word, message) = token(text);
    let word = word.strip_suffix(b":")?;
    if word.ends_with(b":") && tag(skip_blanks(message)).is_some() {
        // An IPv6 address of a host.
        return None;
    }
    let (name, has_pid) = match word.strip_suffix(b"]") {
        Some(inner) => match memchr::memrchr(b'[', inner) {
            Some(open) if open > 0 => (inner.get(..open)?, true),
            _ => return None,
        },
        None => (word, false),
    };
    let plausible = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'=' | b'"' | b'['));
    (plausible && (has_pid || !is_log_prefix(name, message))).then_some(Tag {
        name,
        has_pid,
        message,
    })
}

/// Whether `name:` is rather the log prefix of a line that has no tag.
fn is_log_prefix(name: &[u8], message: &[u8]) -> bool {
    if name == b"TRACE" || name == b"PACKET" {
        return true;
    }
    let devices = [b"IN=".as_slice(), b"OUT=", b"SRC=", b"PHYSIN="];
    let near = message.get(..message.len().min(64)).unwrap_or_default();
    let netfilter = near
        .split(|byte| *byte == b' ' || *byte == b':')
        .any(|word| devices.iter().any(|start| word.starts_with(start)));
    netfilter && !is_program_name(name)
}

/// Programs have names in lower case; what speaks of a verdict or a firewall is a prefix all the same.
fn is_program_name(name: &[u8]) -> bool {
    const OF_FIREWALLS: [&[u8]; 14] = [
        b"drop",
        b"reject",
        b"accept",
        b"deny",
        b"denied",
        b"block",
        b"iptables",
        b"ip6tables",
        b"nft",
        b"firewall",
        b"ufw",
        b"fw",
        b"trace",
        b"log",
    ];
    let in_lower_case = !name.iter().any(|byte| byte.is_ascii_uppercase() || *byte == b':');
    in_lower_case
        && !name
            .split(|byte| !byte.is_ascii_alphanumeric())
            .any(|word| OF_FIREWALLS.contains(&word))
}

/// Whether a word behind a stamp can be a host: not the start of a message.
fn is_host(word: &[u8]) -> bool {
    let quoted =
        matches!(word.first(), None | Some(b'[' | b'<' | b'{')) && !is_bracketed_address(word);
    let repeated = matches!(word, b"last" | b"Last" | b"message" | b"--" | b"---");
    let ends_as_tag = word.ends_with(b":") && !word.ends_with(b"::");
    !(quoted || repeated || ends_as_tag || word.contains(&b'='))
}

/// `[fe80::1]`.
fn is_bracketed_address(word: &[u8]) -> bool {
    let inner = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]"));
    inner.is_some_and(|inner| {
        inner.contains(&b':')
            && inner.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
    })
}

/// Whether the words are `host kernel: ` (the host may be left out) or `host name[pid]: `, which
/// only journalctl puts behind a bracketed stamp.
pub(super) fn follows_uptime(text: &[u8]) -> Option<Header<'_>> {
    let text = text.strip_prefix(b" ")?;
    if let Some(message) = text.strip_prefix(b"kernel: ") {
        return Some(Header { tag: Some(b"kernel"), message, ..Header::default() });
    }
    let (host, rest) = token(text);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || !host.iter().all(is_name) {
        return None;
    }
    let tag = tag(rest.strip_prefix(b" ")?)?;
    let told = tag.has_pid
        || (tag.name == b"kernel"
            && tag.message.starts_with(b" ")
            && rest.starts_with(b" kernel:"));
    told.then_some(Header {
        host: Some(host),
        priority: None,
        tag: Some(tag.name),
        has_pid: tag.has_pid,
        message: after_blank(tag.message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<&str>, Option<&str>, bool, &str) {
        let header = read(text.as_bytes());
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        (header.host.map(text), header.tag.map(text), header.has_pid, text(header.message))
    }

    #[test]
    fn hosts_and_tags() {
        let kernel = Some("kernel");
        assert_eq!(parts(" vm kernel: P"), (Some("vm"), kernel, false, "P"));
        assert_eq!(parts(" vm kernel:P"), (Some("vm"), kernel, false, "P"));
        assert_eq!(parts(" kernel: P"), (None, kernel, false, "P"));
        assert_eq!(parts(" [kernel] P"), (None, kernel, false, "P"));
        assert_eq!(parts(" vm kernel[12]: P"), (Some("vm"), kernel, true, "P"));
        assert_eq!(parts(" 2001:db8:: kernel: P"), (Some("2001:db8::"), kernel, false, "P"));
        assert_eq!(parts(" vm sshd[1]: P"), (Some("vm"), Some("sshd"), true, "P"));
        assert_eq!(parts(" vm su(pam)[1]: P"), (Some("vm"), Some("su(pam)"), true, "P"));
        assert_eq!(
            parts(" vm logger: TRACE: x IN="),
            (Some("vm"), Some("logger"), false, "TRACE: x IN=")
        );
        assert_eq!(parts(" vm root: IN=eth0"), (Some("vm"), Some("root"), false, "IN=eth0"));
        assert_eq!(
            parts(" h last message repeated"),
            (Some("h"), None, false, "last message repeated")
        );
    }

    #[test]
    fn lines_without_a_tag_keep_their_prefix() {
        for text in [
            "TRACE: raw:PREROUTING:policy:4  IN=tketh0 OUT=",
            "DROP: IN=eth0 OUT=",
            "logPrefix: SRC=11.111.11.111 DST=22.222.22.222",
            "Shorewall:net2fw:DROP:IN=eth1 OUT=",
            "[WAN_LOCAL-D-2147483647] DESCR=\"[WAN_LOCAL]Block All Traffic\" IN=eth8",
            "iptables denied: IN=eth0",
            "fw-drop: IN=eth0",
            "FW: new host IN=eth0",
        ] {
            assert_eq!(parts(&format!(" vm {text}")), (Some("vm"), None, false, text));
        }
        assert_eq!(parts(" UDMP UDMP [X] IN="), (Some("UDMP"), None, false, "[X] IN="));
        assert_eq!(parts(" IN=eth0 OUT="), (None, None, false, "IN=eth0 OUT="));
        assert_eq!(parts(" [UFW BLOCK] IN="), (None, None, false, "[UFW BLOCK] IN="));
    }

    #[test]
    fn the_facility_is_read_on_either_side_of_the_host() {
        for text in [" vm kern.warn kernel: P", " kern.warn vm kernel: P", " kern.warn kernel: P"] {
            let header = read(text.as_bytes());
            assert_eq!(header.priority, Some(Priority { facility: 0, level: 4 }));
            assert_eq!(header.tag, Some(b"kernel".as_slice()));
        }
    }
}
