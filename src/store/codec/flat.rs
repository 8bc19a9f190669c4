//! A header as a flat list of numbered fields, so that two headers can be compared and a difference stored.
//!
//! The values of most fields differ from packet to packet or from flow to flow (addresses, ID, SEQ …).
//! These are the packet's *own*. What remains is the same for thousands of packets.

/// How a field's value is stored.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Width {
    /// So many bytes.
    Fixed(usize),
    /// A varint.
    Varint,
    /// A length and bytes.
    Bytes,
}

macro_rules! fields {
    ($($name:ident $width:ident $(($bytes:literal))? $place:ident, $sentence:literal;)*) => {
        /// The fields. A number never changes its meaning: it is part of the stored form.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $(#[doc = $sentence] $name,)*
        }

        pub(super) const FIELDS: &[(Field, Width)] = &[$((Field::$name, Width::$width $(($bytes))?)),*];

        /// The fields whose values are the packet's own.
        pub(super) const OWN: u64 = 0 $(| (Field::$name.bit() * $place))*;
    };
}

const OWNED: u64 = 1;
const SHARED: u64 = 0;

fields! {
    Link Varint SHARED, "Index into the packet's list of frames.";
    Ttl Fixed(1) OWNED, "TTL or hop limit.";
    Dst4 Fixed(4) OWNED, "IPv4 destination.";
    Dport Fixed(2) OWNED, "Destination port.";
    Src4 Fixed(4) OWNED, "IPv4 source.";
    Sport Fixed(2) OWNED, "Source port.";
    Mark Varint OWNED, "MARK=.";
    Owner Varint SHARED, "UID in the upper, GID in the lower 32 bits.";
    Tos Fixed(1) SHARED, "TOS or traffic class.";
    Length Varint OWNED, "IP length.";
    Id Fixed(2) OWNED, "IPv4 identification.";
    Flags Fixed(1) SHARED, "CE, DF, MF.";
    Protocol Fixed(1) SHARED, "IP protocol.";
    Transport Fixed(1) SHARED, "Which transport header.";
    Seq Fixed(4) OWNED, "TCP sequence.";
    Ack Fixed(4) OWNED, "TCP acknowledgement.";
    Window Fixed(2) OWNED, "TCP window.";
    TcpFlags Varint OWNED, "TCP flags.";
    TcpOptions Bytes OWNED, "TCP options, unless they are time stamps alone.";
    UdpLength Fixed(2) OWNED, "UDP length.";
    Network Fixed(1) SHARED, "Which network header.";
    Src6High Fixed(8) OWNED, "IPv6 source, upper half.";
    Src6Low Fixed(8) OWNED, "IPv6 source, lower half.";
    Dst6High Fixed(8) OWNED, "IPv6 destination, upper half.";
    Dst6Low Fixed(8) OWNED, "IPv6 destination, lower half.";
    FlowLabel Varint OWNED, "IPv6 flow label.";
    IcmpType Fixed(1) SHARED, "ICMP type.";
    IcmpCode Fixed(1) SHARED, "ICMP code.";
    EchoId Fixed(2) OWNED, "ICMP echo identifier.";
    EchoSeq Fixed(2) OWNED, "ICMP echo sequence.";
    Urgent Fixed(2) OWNED, "TCP urgent pointer when not zero.";
    Reserved Fixed(1) SHARED, "TCP reserved bits when not zero.";
    Inner Bytes OWNED, "The packet an ICMP error quotes.";
    Mtu Varint OWNED, "ICMP MTU.";
    IcmpExtra Bytes OWNED, "Parameter, gateway or pointer.";
    FragmentOffset Varint OWNED, "Fragment offset.";
    FragmentMore Fixed(0) SHARED, "More fragments follow.";
    FragmentId Varint OWNED, "IPv6 fragment identification.";
    IpOptions Bytes OWNED, "IPv4 options.";
    ExtensionHeaders Fixed(1) SHARED, "Extension header groups when not zero.";
    AhSpi Fixed(4) OWNED, "SPI of an AH extension header.";
    IpTruncated Fixed(0) SHARED, "The IP header could not be read to its end.";
    TransportNumber Varint OWNED, "Bytes of an incomplete transport header, or the SPI.";
    IcmpIncomplete Varint OWNED, "Bytes of an incomplete ICMP body.";
    Arp Bytes OWNED, "ARP body.";
    Tunnel Bytes OWNED, "SIT tunnel end points.";
    Unknown Bytes OWNED, "Unknown words.";
    Cut Fixed(0) SHARED, "The line was cut.";
    Devices Bytes OWNED, "Devices, when they are not the hop's.";
    TcpOptionsTruncated Fixed(0) SHARED, "TCP options not readable.";
    TcpStamps Fixed(8) OWNED, "The values of TCP options that are `NOP NOP Timestamp`, as nearly always.";
}

impl Field {
    pub(super) const fn bit(self) -> u64 {
        1 << self as u64
    }
}

/// How many fields there are.
pub(super) const COUNT: usize = 51;

/// The fields of a mask in the order of their numbers.
pub(super) fn fields(mut mask: u64) -> impl Iterator<Item = (Field, Width)> {
    std::iter::from_fn(move || {
        let found = FIELDS.get(usize::try_from(mask.trailing_zeros()).ok()?).copied();
        mask &= mask.wrapping_sub(1);
        found
    })
}

/// A set of fields with their values. A value that is not present is whatever it was before.
#[derive(Debug, Clone)]
pub(super) struct Flat {
    present: u64,
    /// One for each bit of a mask, so that no place is out of range.
    numbers: [u64; 64],
    strings: Vec<(Field, Vec<u8>)>,
}

impl Default for Flat {
    fn default() -> Self {
        Self { present: 0, numbers: [0; 64], strings: Vec::new() }
    }
}

impl PartialEq for Flat {
    fn eq(&self, other: &Self) -> bool {
        self.present == other.present && self.unlike(other) == 0
    }
}

impl Flat {
    /// Takes all fields out.
    pub(super) fn reset(&mut self) {
        self.present = 0;
        self.strings.clear();
    }

    /// Which fields are present.
    pub(super) fn present(&self) -> u64 {
        self.present
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.present & field.bit() != 0
    }

    pub(super) fn number(&self, field: Field) -> Option<u64> {
        self.has(field).then(|| self.numbers[field as usize])
    }

    pub(super) fn string(&self, field: Field) -> Option<&[u8]> {
        if !self.has(field) {
            return None;
        }
        let found = self.strings.iter().find(|(name, _)| *name == field);
        Some(found.map_or(&[], |(_, bytes)| bytes))
    }

    pub(super) fn set(&mut self, field: Field, value: u64) {
        self.numbers[field as usize] = value;
        self.present |= field.bit();
    }

    pub(super) fn set_some(&mut self, field: Field, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.set(field, value.into());
        }
    }

    pub(super) fn set_nonzero(&mut self, field: Field, value: impl Into<u64>) {
        let value = value.into();
        if value != 0 {
            self.set(field, value);
        }
    }

    pub(super) fn flag(&mut self, field: Field, on: bool) {
        if on {
            self.set(field, 0);
        }
    }

    pub(super) fn set_string(&mut self, field: Field, bytes: Vec<u8>) {
        self.strings.retain(|(name, _)| *name != field);
        self.strings.push((field, bytes));
        self.set(field, 0);
    }

    pub(super) fn clear(&mut self, mask: u64) {
        self.strings.retain(|(field, _)| mask & field.bit() == 0);
        self.present &= !mask;
    }

    /// The fields that must be set in `base` to get `self`.
    pub(super) fn set_in(&self, base: &Self) -> u64 {
        self.present & !base.present | self.unlike(base)
    }

    /// The fields that both have and that are not the same.
    pub(super) fn unlike(&self, other: &Self) -> u64 {
        let both = self.present & other.present;
        let mut unlike = 0;
        let mut rest = both;
        while rest != 0 {
            let place = (rest.trailing_zeros() & 63) as usize;
            rest &= rest - 1;
            unlike |= u64::from(self.numbers[place] != other.numbers[place]) << place;
        }
        for (field, bytes) in &self.strings {
            if both & field.bit() != 0 && other.string(*field) != Some(bytes) {
                unlike |= field.bit();
            }
        }
        unlike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_numbers_are_the_table_order() {
        assert_eq!(FIELDS.len(), COUNT);
        for (number, (field, _)) in FIELDS.iter().enumerate() {
            assert_eq!(*field as usize, number);
        }
    }

    #[test]
    fn only_what_is_present_counts() {
        let mut one = Flat::default();
        one.set(Field::Ttl, 64);
        one.set_string(Field::Arp, vec![1]);
        let mut other = one.clone();
        assert!(one == other);
        other.set(Field::Mark, 3);
        other.clear(Field::Mark.bit());
        assert!(one == other, "an absent value is of no account");
        other.set(Field::Ttl, 63);
        other.set_string(Field::Arp, vec![2]);
        assert_eq!(one.unlike(&other), Field::Ttl.bit() | Field::Arp.bit());
        other.clear(Field::Arp.bit());
        assert_eq!(one.set_in(&other), Field::Ttl.bit() | Field::Arp.bit());
        other.reset();
        assert!(other == Flat::default());
    }
}
