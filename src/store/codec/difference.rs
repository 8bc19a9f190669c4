//! The difference between two headers, as bytes.
//!
//! ```text
//! difference = set mask, [clear mask,] [two expected masks,] values
//! ```
//!
//! Masks are varints with one bit a field. The packet's own values go elsewhere: their bits stand here.
//! Own values that the first packet of the connection lets expect (addresses, ports, TTL) are told by
//! their bit in an expected mask and need no byte at all.

use crate::store::codec::Damaged;
use crate::store::codec::bytes::{Input, put_bytes, put_fixed, put_varint};
use crate::store::codec::flat::{COUNT, Field, Flat, OWN, Width, fields};

/// Where the parts of differences go.
#[derive(Default)]
pub(super) struct Parts {
    /// Masks and shared values.
    pub shared: Vec<u8>,
    /// The packet's own values.
    pub own: Vec<u8>,
    /// Fields whose first value is stored in a column and not here.
    pub elsewhere: u64,
    /// Whether there are expected values.
    pub expects: bool,
    /// The expected values, the likelier first; numbers only.
    pub expected: [Flat; 2],
}

impl Parts {
    /// Which fields of `set` have an expected value, the likelier first.
    fn expected(&self, next: &Flat, set: u64) -> [u64; 2] {
        if !self.expects {
            return [0, 0];
        }
        let [first, second] = &self.expected;
        let same = |flat: &Flat| set & flat.present() & !next.unlike(flat);
        let likelier = same(first);
        [likelier, same(second) & !likelier]
    }

    /// How many bytes of its own the packet needs when the fields `set` are told of `next`.
    pub(super) fn cost(&self, next: &Flat, set: u64) -> usize {
        let [first, second] = self.expected(next, set);
        let own = set & OWN & !first & !second & !self.elsewhere;
        fields(own)
            .map(|(field, width)| match width {
                Width::Fixed(bytes) => bytes,
                Width::Varint => 2,
                Width::Bytes => 1 + next.string(field).map_or(0, <[u8]>::len),
            })
            .sum()
    }

    /// Appends what must be done to `base` to get `next`: the fields `set`, which are `next.set_in(base)`,
    /// and what must be cleared. Tells whether a clear mask was needed.
    pub(super) fn put(&mut self, base: &Flat, next: &Flat, set: u64) -> bool {
        let clear = base.present() & !next.present();
        put_varint(&mut self.shared, set);
        if clear != 0 {
            put_varint(&mut self.shared, clear);
        }
        let [first, second] = self.expected(next, set);
        if self.expects {
            put_varint(&mut self.shared, first);
            put_varint(&mut self.shared, second);
        }
        let elsewhere = self.elsewhere & set;
        self.elsewhere &= !elsewhere;
        for (field, width) in fields(set & !first & !second & !elsewhere) {
            let out = if field.bit() & OWN == 0 { &mut self.shared } else { &mut self.own };
            let number = next.number(field).unwrap_or_default();
            match width {
                Width::Fixed(width) => put_fixed(out, number, width),
                Width::Varint => put_varint(out, number),
                Width::Bytes => put_bytes(out, next.string(field).unwrap_or_default()),
            }
        }
        clear != 0
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

impl Sources<'_> {
    /// Undoes [`Parts::put`].
    pub(super) fn change(&mut self, base: &Flat, clears: bool) -> Result<Flat, Damaged> {
        let set = self.shared.varint()?;
        let clear = if clears { self.shared.varint()? } else { 0 };
        if (set | clear) >> COUNT != 0 {
            return Err(Damaged("a field of a later version"));
        }
        let mut flat = base.clone();
        flat.clear(clear);
        let expected = self.read_expected(set, &mut flat)?;
        for (field, width) in fields(set & !expected) {
            if let Some(value) = self.elsewhere.number(field) {
                flat.set(field, value);
                self.elsewhere.clear(field.bit());
            } else {
                self.read_value(field, width, &mut flat)?;
            }
        }
        Ok(flat)
    }

    fn read_expected(&mut self, set: u64, flat: &mut Flat) -> Result<u64, Damaged> {
        let Some(expected) = &self.expected else { return Ok(0) };
        let mut known = 0;
        for values in expected {
            let same = self.shared.varint()?;
            if same & !(set & values.present()) != 0 {
                return Err(Damaged("nothing lets expect a value"));
            }
            for (field, _) in fields(same) {
                flat.set(field, values.number(field).unwrap_or_default());
            }
            known |= same;
        }
        Ok(known)
    }

    fn read_value(&mut self, field: Field, width: Width, flat: &mut Flat) -> Result<(), Damaged> {
        let input = if field.bit() & OWN == 0 { &mut self.shared } else { &mut self.own };
        match width {
            Width::Fixed(width) => flat.set(field, input.fixed(width)?),
            Width::Varint => flat.set(field, input.varint()?),
            Width::Bytes => flat.set_string(field, input.bytes()?.to_vec()),
        }
        Ok(())
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
            expected: parts.expects.then(|| parts.expected.clone()),
        }
    }

    #[test]
    fn a_difference_names_only_what_changed() {
        let mut base = Flat::default();
        base.set(Field::Ttl, 64);
        base.set(Field::Tos, 0);
        base.set(Field::Mark, 7);
        base.set_string(Field::TcpOptions, vec![1, 2]);
        let mut next = base.clone();
        next.set(Field::Ttl, 63);
        next.set(Field::Tos, 16);
        next.clear(Field::Mark.bit());
        let mut parts = Parts::default();
        assert_eq!(parts.cost(&next, next.set_in(&base)), 1);
        assert!(parts.put(&base, &next, next.set_in(&base)), "the mark is cleared");
        assert_eq!(parts.shared, [0b1000_0010, 0b10, 0b100_0000, 16]);
        assert_eq!(parts.own, [63]);
        assert_eq!(sources(&parts, &Flat::default()).change(&base, true).unwrap(), next);
    }

    #[test]
    fn the_first_value_of_a_column_is_not_stored_twice() {
        let mut first = Flat::default();
        first.set(Field::Length, 60);
        let mut second = first.clone();
        second.set(Field::Length, 52);
        let mut parts = Parts { elsewhere: Field::Length.bit(), ..Parts::default() };
        parts.put(&Flat::default(), &first, first.present());
        parts.put(&first, &second, second.set_in(&first));
        assert_eq!(parts.own, [52]);
        let mut sources = sources(&parts, &first);
        assert_eq!(sources.change(&Flat::default(), false).unwrap(), first);
        assert_eq!(sources.change(&first, false).unwrap(), second);
    }

    #[test]
    fn an_expected_value_needs_no_byte() {
        let expected = |dst| {
            let mut flat = Flat::default();
            flat.set(Field::Dst4, dst);
            flat.set(Field::Dport, 80);
            flat
        };
        let mut next = expected(2);
        next.set(Field::Ttl, 64);
        let expected = [expected(1), expected(2)];
        let mut parts = Parts { expects: true, expected, ..Parts::default() };
        assert_eq!(parts.cost(&next, next.present()), 1);
        parts.put(&Flat::default(), &next, next.present());
        assert_eq!(parts.shared, [0b1110, 0b1000, 0b100]);
        assert_eq!(parts.own, [64]);
        let mut sources = sources(&parts, &Flat::default());
        assert_eq!(sources.change(&Flat::default(), false).unwrap(), next);
    }

    #[test]
    fn an_unknown_field_is_damage() {
        let mut parts = Parts::default();
        put_varint(&mut parts.shared, 1 << COUNT);
        let error = sources(&parts, &Flat::default()).change(&Flat::default(), false).unwrap_err();
        assert_eq!(error, Damaged("a field of a later version"));
    }
}
