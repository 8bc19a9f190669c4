//! A header as a flat list of numbered fields, so that two headers can be compared and a difference stored.
//!
//! A difference is `set mask, [clear mask,] values`: the masks are varints with one bit a field, so the
//! fields that change from step to step have the low numbers.

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
    ($($name:ident $width:expr, $sentence:literal;)*) => {
        /// The fields. A number never changes its meaning: it is part of the stored form.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $(#[doc = $sentence] $name,)*
        }

        const FIELDS: &[(Field, Width)] = &[$((Field::$name, $width)),*];
    };
}

fields! {
    Link Width::Varint, "Index into the packet's list of frames.";
    Ttl Width::Fixed(1), "TTL or hop limit.";
    Dst4 Width::Fixed(4), "IPv4 destination.";
    Dport Width::Fixed(2), "Destination port.";
    Src4 Width::Fixed(4), "IPv4 source.";
    Sport Width::Fixed(2), "Source port.";
    Mark Width::Varint, "MARK=.";
    Owner Width::Varint, "UID in the upper, GID in the lower 32 bits.";
    Tos Width::Fixed(1), "TOS or traffic class.";
    Length Width::Varint, "IP length.";
    Id Width::Fixed(2), "IPv4 identification.";
    Flags Width::Fixed(1), "CE, DF, MF.";
    Protocol Width::Fixed(1), "IP protocol.";
    Transport Width::Fixed(1), "Which transport header.";
    Seq Width::Fixed(4), "TCP sequence.";
    Ack Width::Fixed(4), "TCP acknowledgement.";
    Window Width::Fixed(2), "TCP window.";
    TcpFlags Width::Varint, "TCP flags.";
    TcpOptions Width::Bytes, "TCP options.";
    UdpLength Width::Fixed(2), "UDP length.";
    Network Width::Fixed(1), "Which network header.";
    Src6High Width::Fixed(8), "IPv6 source, upper half.";
    Src6Low Width::Fixed(8), "IPv6 source, lower half.";
    Dst6High Width::Fixed(8), "IPv6 destination, upper half.";
    Dst6Low Width::Fixed(8), "IPv6 destination, lower half.";
    FlowLabel Width::Varint, "IPv6 flow label.";
    IcmpType Width::Fixed(1), "ICMP type.";
    IcmpCode Width::Fixed(1), "ICMP code.";
    EchoId Width::Fixed(2), "ICMP echo identifier.";
    EchoSeq Width::Fixed(2), "ICMP echo sequence.";
    Urgent Width::Fixed(2), "TCP urgent pointer when not zero.";
    Reserved Width::Fixed(1), "TCP reserved bits when not zero.";
    Inner Width::Bytes, "The packet an ICMP error quotes.";
    Mtu Width::Varint, "ICMP MTU.";
    IcmpExtra Width::Bytes, "Parameter, gateway or pointer.";
    FragmentOffset Width::Varint, "Fragment offset.";
    FragmentMore Width::Fixed(0), "More fragments follow.";
    FragmentId Width::Varint, "IPv6 fragment identification.";
    IpOptions Width::Bytes, "IPv4 options.";
    ExtensionHeaders Width::Fixed(1), "Extension header groups when not zero.";
    AhSpi Width::Fixed(4), "SPI of an AH extension header.";
    IpTruncated Width::Fixed(0), "The IP header could not be read to its end.";
    TransportNumber Width::Varint, "Bytes of an incomplete transport header, or the SPI.";
    IcmpIncomplete Width::Varint, "Bytes of an incomplete ICMP body.";
    Arp Width::Bytes, "ARP body.";
    Tunnel Width::Bytes, "SIT tunnel end points.";
    Unknown Width::Bytes, "Unknown words.";
    Cut Width::Fixed(0), "The line was cut.";
    Devices Width::Bytes, "Devices, when they are not the hop's.";
    TcpOptionsTruncated Width::Fixed(0), "TCP options not readable.";
}

impl Field {
    pub(super) const fn bit(self) -> u64 {
        1 << self as u64
    }
}

const COUNT: usize = 50;

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

    /// The fields of `mask` that are present.
    pub(super) fn present(&self, mask: u64) -> u64 {
        self.present & mask
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

    /// The same fields, those of `mask` with no value.
    pub(super) fn blank(&self, mask: u64) -> Self {
        let mut blank = self.clone();
        blank.clear(mask);
        blank.present = self.present;
        blank
    }

    fn differs(&self, other: &Self, field: Field, width: Width) -> bool {
        if width == Width::Bytes {
            self.string(field) != other.string(field)
        } else {
            self.number(field) != other.number(field)
        }
    }

    /// Appends what must be done to `base` to get `self`; tells whether a clear mask was needed.
    pub(super) fn put_difference(&self, base: &Self, out: &mut Vec<u8>) -> bool {
        let clear = base.present & !self.present;
        let mut set = 0;
        for (field, width) in fields(self.present) {
            if self.differs(base, field, width) {
                set |= field.bit();
            }
        }
        put_varint(out, set);
        if clear != 0 {
            put_varint(out, clear);
        }
        self.put_values(set, out);
        clear != 0
    }

    /// Appends the values of the fields in `mask`, which must be present.
    pub(super) fn put_values(&self, mask: u64, out: &mut Vec<u8>) {
        for (field, width) in fields(mask) {
            let number = self.number(field).unwrap_or_default();
            match width {
                Width::Fixed(width) => put_fixed(out, number, width),
                Width::Varint => put_varint(out, number),
                Width::Bytes => put_bytes(out, self.string(field).unwrap_or_default()),
            }
        }
    }

    /// Undoes [`Flat::put_difference`].
    pub(super) fn changed(&self, input: &mut Input<'_>, clears: bool) -> Result<Self, Damaged> {
        let set = input.varint()?;
        let clear = if clears { input.varint()? } else { 0 };
        if (set | clear) >> COUNT != 0 {
            return Err(Damaged("a field of a later version"));
        }
        let mut flat = self.clone();
        flat.clear(clear);
        flat.read_values(set, input)?;
        Ok(flat)
    }

    /// Undoes [`Flat::put_values`].
    pub(super) fn read_values(&mut self, mask: u64, input: &mut Input<'_>) -> Result<(), Damaged> {
        for (field, width) in fields(mask) {
            match width {
                Width::Fixed(width) => self.set(field, input.fixed(width)?),
                Width::Varint => self.set(field, input.varint()?),
                Width::Bytes => self.set_string(field, input.bytes()?.to_vec()),
            }
        }
        Ok(())
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
    fn a_difference_names_only_what_changed() {
        let mut base = Flat::empty();
        base.set(Field::Ttl, 64);
        base.set(Field::Mark, 7);
        base.set_string(Field::TcpOptions, vec![1, 2]);
        let mut next = base.clone();
        next.set(Field::Ttl, 63);
        next.clear(Field::Mark.bit());
        let mut out = Vec::new();
        assert!(next.put_difference(&base, &mut out), "the mark is cleared");
        assert_eq!(out, [0b10, 0b100_0000, 63]);
        assert_eq!(base.changed(&mut Input::new(&out), true).unwrap(), next);
    }

    #[test]
    fn an_unknown_field_is_damage() {
        let mut out = Vec::new();
        put_varint(&mut out, 1 << COUNT);
        let error = Flat::empty().changed(&mut Input::new(&out), false).unwrap_err();
        assert_eq!(error, Damaged("a field of a later version"));
    }
}
