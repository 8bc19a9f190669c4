//! A header as a flat list of numbered fields, so that two headers can be compared and a difference stored.
//!
//! A difference is `set mask, [clear mask,] [expected masks,] values`; the masks are varints with one bit a field.
//!
//! The values of most fields differ from packet to packet or from flow to flow (addresses, ID, SEQ …).
//! These are the packet's *own*: their bits stand in the difference, their values go elsewhere. What
//! remains is the same for thousands of packets. Own values that the first packet of the connection lets
//! expect (addresses, ports, TTL) are told by their bit in an expected mask and need no byte at all.

use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_bytes, put_fixed, put_varint};

/// How a field's value is stored.
#[derive(Clone, Copy, PartialEq)]
enum Width {
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

        const FIELDS: &[(Field, Width)] = &[$((Field::$name, Width::$width $(($bytes))?)),*];

        /// The fields whose values are the packet's own.
        const OWN: u64 = 0 $(| (Field::$name.bit() * $place))*;
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

const COUNT: usize = 51;

/// The fields of a mask in the order of their numbers.
fn fields(mut mask: u64) -> impl Iterator<Item = (Field, Width)> {
    std::iter::from_fn(move || {
        let found = FIELDS.get(usize::try_from(mask.trailing_zeros()).ok()?).copied();
        mask &= mask.wrapping_sub(1);
        found
    })
}

/// A set of fields with their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flat {
    present: u64,
    numbers: [u64; COUNT],
    strings: Vec<(Field, Vec<u8>)>,
}

impl Flat {
    pub(super) fn empty() -> Self {
        Self { present: 0, numbers: [0; COUNT], strings: Vec::new() }
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.present & field.bit() != 0
    }

    pub(super) fn number(&self, field: Field) -> Option<u64> {
        self.has(field).then(|| self.numbers.get(field as usize).copied()).flatten()
    }

    pub(super) fn string(&self, field: Field) -> Option<&[u8]> {
        if !self.has(field) {
            return None;
        }
        let found = self.strings.iter().find(|(name, _)| *name == field);
        Some(found.map_or(&[], |(_, bytes)| bytes))
    }

    pub(super) fn set(&mut self, field: Field, value: u64) {
        if let Some(number) = self.numbers.get_mut(field as usize) {
            *number = value;
            self.present |= field.bit();
        }
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
        if !bytes.is_empty() {
            self.strings.push((field, bytes));
            self.strings.sort_by_key(|(name, _)| *name as u8);
        }
        self.present |= field.bit();
    }

    pub(super) fn clear(&mut self, mask: u64) {
        for (field, _) in fields(self.present & mask) {
            if let Some(number) = self.numbers.get_mut(field as usize) {
                *number = 0;
            }
        }
        self.strings.retain(|(field, _)| mask & field.bit() == 0);
        self.present &= !mask;
    }

    fn differs(&self, other: &Self, field: Field, width: Width) -> bool {
        if width == Width::Bytes {
            self.string(field) != other.string(field)
        } else {
            self.number(field) != other.number(field)
        }
    }

    /// Appends what must be done to `base` to get `self`; tells whether a clear mask was needed.
    pub(super) fn put_difference(&self, base: &Self, out: &mut Parts) -> bool {
        let clear = base.present & !self.present;
        let mut set = 0;
        for (field, width) in fields(self.present) {
            if self.differs(base, field, width) {
                set |= field.bit();
            }
        }
        put_varint(&mut out.shared, set);
        if clear != 0 {
            put_varint(&mut out.shared, clear);
        }
        let expected = self.put_expected(set, out);
        for (field, width) in fields(set & !expected) {
            if out.elsewhere & field.bit() != 0 {
                out.elsewhere &= !field.bit();
            } else {
                self.put_value(field, width, out.part(field));
            }
        }
        clear != 0
    }

    /// Appends which fields of `set` have an expected value; tells all of them.
    fn put_expected(&self, set: u64, out: &mut Parts) -> u64 {
        let Some(expected) = &out.expected else { return 0 };
        let mut known = 0;
        for flat in expected {
            let fields = fields(set & flat.present & !known);
            let same = fields.filter(|(field, width)| !self.differs(flat, *field, *width));
            let same = same.fold(0, |mask, (field, _)| mask | field.bit());
            put_varint(&mut out.shared, same);
            known |= same;
        }
        known
    }

    fn put_value(&self, field: Field, width: Width, out: &mut Vec<u8>) {
        let number = self.number(field).unwrap_or_default();
        match width {
            Width::Fixed(width) => put_fixed(out, number, width),
            Width::Varint => put_varint(out, number),
            Width::Bytes => put_bytes(out, self.string(field).unwrap_or_default()),
        }
    }

    /// Undoes [`Flat::put_difference`].
    pub(super) fn changed(&self, from: &mut Sources<'_>, clears: bool) -> Result<Self, Damaged> {
        let set = from.shared.varint()?;
        let clear = if clears { from.shared.varint()? } else { 0 };
        if (set | clear) >> COUNT != 0 {
            return Err(Damaged("a field of a later version"));
        }
        let mut flat = self.clone();
        flat.clear(clear);
        let expected = flat.read_expected(set, from)?;
        for (field, width) in fields(set & !expected) {
            if from.elsewhere.has(field) {
                flat.set(field, from.elsewhere.number(field).unwrap_or_default());
                from.elsewhere.clear(field.bit());
            } else {
                flat.read_value(field, width, from.part(field))?;
            }
        }
        Ok(flat)
    }

    fn read_expected(&mut self, set: u64, from: &mut Sources<'_>) -> Result<u64, Damaged> {
        let Some(expected) = &from.expected else { return Ok(0) };
        let mut known = 0;
        for flat in expected {
            let same = from.shared.varint()?;
            if same & !(set & flat.present) != 0 {
                return Err(Damaged("nothing lets expect a value"));
            }
            for (field, _) in fields(same) {
                self.set(field, flat.number(field).unwrap_or_default());
            }
            known |= same;
        }
        Ok(known)
    }

    fn read_value(
        &mut self,
        field: Field,
        width: Width,
        input: &mut Input<'_>,
    ) -> Result<(), Damaged> {
        match width {
            Width::Fixed(width) => self.set(field, input.fixed(width)?),
            Width::Varint => self.set(field, input.varint()?),
            Width::Bytes => self.set_string(field, input.bytes()?.to_vec()),
        }
        Ok(())
    }
}

/// Where the parts of differences go.
#[derive(Default)]
pub(super) struct Parts {
    /// Masks and shared values.
    pub shared: Vec<u8>,
    /// The packet's own values.
    pub own: Vec<u8>,
    /// Fields whose first value is stored in a column and not here.
    pub elsewhere: u64,
    /// Values to expect; numbers only.
    pub expected: Option<[Flat; 2]>,
}

impl Parts {
    fn part(&mut self, field: Field) -> &mut Vec<u8> {
        if field.bit() & OWN == 0 { &mut self.shared } else { &mut self.own }
    }
}

/// Where the parts of differences come from.
pub(super) struct Sources<'a> {
    /// Masks and shared values.
    pub shared: Input<'a>,
    /// The packet's own values.
    pub own: Input<'a>,
    /// Fields whose first value comes from a column.
    pub elsewhere: Flat,
    /// The values that were expected.
    pub expected: Option<[Flat; 2]>,
}

impl<'a> Sources<'a> {
    fn part(&mut self, field: Field) -> &mut Input<'a> {
        if field.bit() & OWN == 0 { &mut self.shared } else { &mut self.own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources<'a>(parts: &'a Parts, elsewhere: &Flat) -> Sources<'a> {
        Sources {
            shared: Input::new(&parts.shared),
            own: Input::new(&parts.own),
            elsewhere: elsewhere.clone(),
            expected: None,
        }
    }

    #[test]
    fn field_numbers_are_the_table_order() {
        assert_eq!(FIELDS.len(), COUNT);
        for (number, (field, _)) in FIELDS.iter().enumerate() {
            assert_eq!(*field as usize, number);
        }
    }

    #[test]
    fn a_difference_names_only_what_changed() {
        let mut base = Flat::empty();
        base.set(Field::Ttl, 64);
        base.set(Field::Tos, 0);
        base.set(Field::Mark, 7);
        base.set_string(Field::TcpOptions, vec![1, 2]);
        let mut next = base.clone();
        next.set(Field::Ttl, 63);
        next.set(Field::Tos, 16);
        next.clear(Field::Mark.bit());
        let mut parts = Parts::default();
        assert!(next.put_difference(&base, &mut parts), "the mark is cleared");
        assert_eq!(parts.shared, [0b1000_0010, 0b10, 0b100_0000, 16]);
        assert_eq!(parts.own, [63]);
        assert_eq!(base.changed(&mut sources(&parts, &Flat::empty()), true).unwrap(), next);
    }

    #[test]
    fn the_first_value_of_a_column_is_not_stored_twice() {
        let mut first = Flat::empty();
        first.set(Field::Length, 60);
        let mut second = first.clone();
        second.set(Field::Length, 52);
        let mut parts = Parts { elsewhere: Field::Length.bit(), ..Parts::default() };
        first.put_difference(&Flat::empty(), &mut parts);
        second.put_difference(&first, &mut parts);
        assert_eq!(parts.own, [52]);
        let mut sources = sources(&parts, &first);
        assert_eq!(Flat::empty().changed(&mut sources, false).unwrap(), first);
        assert_eq!(first.changed(&mut sources, false).unwrap(), second);
    }

    #[test]
    fn an_expected_value_needs_no_byte() {
        let expected = |dst| {
            let mut flat = Flat::empty();
            flat.set(Field::Dst4, dst);
            flat.set(Field::Dport, 80);
            flat
        };
        let mut next = expected(2);
        next.set(Field::Ttl, 64);
        let expected = [expected(1), expected(2)];
        let mut parts = Parts { expected: Some(expected.clone()), ..Parts::default() };
        next.put_difference(&Flat::empty(), &mut parts);
        assert_eq!(parts.shared, [0b1110, 0b1000, 0b100]);
        assert_eq!(parts.own, [64]);
        let mut sources = Sources { expected: Some(expected), ..sources(&parts, &Flat::empty()) };
        assert_eq!(Flat::empty().changed(&mut sources, false).unwrap(), next);
    }

    #[test]
    fn an_unknown_field_is_damage() {
        let mut parts = Parts::default();
        put_varint(&mut parts.shared, 1 << COUNT);
        let error = Flat::empty().changed(&mut sources(&parts, &Flat::empty()), false).unwrap_err();
        assert_eq!(error, Damaged("a field of a later version"));
    }
}
