//! A plain reading of a capture, on purpose independent of the product's own.
//!
//! It knows just enough of a line to count packets and to name the places one packet passed.

use super::capture::records;
use super::conntrack::Tuple;

/// One kernel line, with torn ebtables lines put together.
pub(crate) struct Line {
    /// The place as the contract writes it: `raw:PREROUTING:policy:3`, `eb:nat:OUTPUT`.
    pub(crate) at: String,
    /// The protocol as conntrack names it.
    pub(crate) protocol: &'static str,
    /// Addresses and ports, as this place saw them; none for ARP, fragments, ICMP errors.
    pub(crate) tuple: Option<Tuple>,
    text: String,
}

/// Every TRACE and ebtables line of a capture, in order.
pub(crate) fn lines(kmsg: &str) -> Vec<Line> {
    let mut texts: Vec<String> = Vec::new();
    let mut open = None;
    for record in records(kmsg) {
        // At most one ebtables line is unfinished in the whole kernel.
        if let Some(head) = open.filter(|_| record.is_continuation) {
            let head: &mut String = &mut texts[head];
            head.push_str(record.text);
            continue;
        }
        if record.text.starts_with("TRACE: eb:") {
            open = Some(texts.len());
        }
        texts.push(record.text.to_owned());
    }
    texts.into_iter().map(Line::read).collect()
}

impl Line {
    fn read(text: String) -> Self {
        let at = text.strip_prefix("TRACE: ").and_then(|rest| rest.split(' ').next());
        let number = |key| field(&text, key);
        let protocol = match number("PROTO=").or(number("proto=")).or(number("Header=")) {
            Some("TCP" | "6") => "tcp",
            Some("UDP" | "17") => "udp",
            Some("ICMP" | "1") => "icmp",
            Some("ICMPv6" | "58") => "icmpv6",
            _ => "",
        };
        let (at, tuple) = (at.unwrap_or_default().to_owned(), tuple(&text));
        Self { at, protocol, tuple, text }
    }

    /// What all IP lines of one packet have in common.
    pub(crate) fn identity(&self) -> String {
        let keys = ["LEN=", "ID=", "FLOWLBL=", "SEQ=", "ACK="];
        keys.map(|key| field(&self.text, key).unwrap_or_default()).join(" ")
    }

    /// Whether this is the one line with which a packet ends its way through the raw table.
    ///
    /// On its second pass, back from the loopback device, a packet is not counted again.
    pub(crate) fn ends_raw(&self) -> bool {
        self.at.starts_with("raw:")
            && self.at.contains(":policy:")
            && !self.text.contains(" IN=lo ")
    }

    /// Whether it comes from ebtables.
    pub(crate) fn is_bridge(&self) -> bool {
        self.at.starts_with("eb:")
    }
}

/// The value after the first `key` that stands at the start of a word, before any quoted inner packet.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let outer = text.split(" [").next().unwrap_or_default();
    let word = outer.split([' ', ',']).find_map(|word| word.strip_prefix(key))?;
    Some(word)
}

fn tuple(text: &str) -> Option<Tuple> {
    // An ICMP echo has its identifier behind its type.
    let echo = text.split_once(" TYPE=").and_then(|(_, rest)| field(rest, "ID="));
    let port = |key| field(text, key).or(echo)?.parse().ok();
    if text.contains(" proto = 0x0806") {
        return None;
    }
    Some(Tuple {
        src: field(text, "SRC=")?.parse().ok()?,
        sport: port("SPT=")?,
        dst: field(text, "DST=")?.parse().ok()?,
        dport: port("DPT=")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_whole_again() {
        let kmsg = "\
6,1,10,-;TRACE: eb:nat:OUTPUT IN= OUT=veth0 MAC source = fe:bb:ce:6d:95:40 MAC dest = 9e:93:85:3f:24:b5 proto = 0x0800
4,2,11,-;TRACE: raw:OUTPUT:policy:1 IN= OUT=lo SRC=127.0.0.1 DST=127.0.0.1 LEN=64 TOS=0x00 PREC=0x00 TTL=64 ID=9 PROTO=ICMP TYPE=8 CODE=0 ID=30 SEQ=1 
4,3,12,c; IP SRC=10.0.0.1 IP DST=10.0.0.2, IP tos=0x00, IP proto=17
4,4,13,c; SPT=53 DPT=54
";
        let lines = lines(kmsg);
        let seen: Vec<_> = lines.iter().map(|line| (line.at.as_str(), line.protocol)).collect();
        assert_eq!(seen, [("eb:nat:OUTPUT", "udp"), ("raw:OUTPUT:policy:1", "icmp")]);
        assert_eq!(lines[0].tuple.map(|tuple| (tuple.sport, tuple.dport)), Some((53, 54)));
        assert_eq!(lines[1].tuple.map(|tuple| (tuple.sport, tuple.dport)), Some((30, 30)));
        assert!(lines[1].ends_raw() && lines[0].is_bridge());
    }
}
