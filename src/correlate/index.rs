//! Open packets by identity: each under its source side and under its destination side.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::identity::IdentityKeys;
use super::packet::PacketRef;

type Bucket = SmallVec<[PacketRef; 2]>;

/// More packets of one identity than this are not kept open: each new one closes the oldest.
pub(super) const TWINS: usize = 16;

/// The index. Hash order never shows: buckets keep the order of opening.
#[derive(Debug, Default)]
pub(super) struct IdentityIndex(HashMap<u64, Bucket, foldhash::fast::RandomState>);

impl IdentityIndex {
    /// Adds a packet; gives back one that must be closed to keep the bucket short.
    pub(super) fn insert(&mut self, keys: IdentityKeys, packet: PacketRef) -> Option<PacketRef> {
        let by_source = self.add(keys.by_source, packet);
        if keys.by_destination == keys.by_source {
            return by_source;
        }
        self.add(keys.by_destination, packet).or(by_source)
    }

    fn add(&mut self, key: u64, packet: PacketRef) -> Option<PacketRef> {
        let bucket = self.0.entry(key).or_default();
        if !bucket.contains(&packet) {
            bucket.push(packet);
        }
        (bucket.len() > TWINS).then(|| bucket[0])
    }

    pub(super) fn remove(&mut self, keys: IdentityKeys, packet: PacketRef) {
        for key in [keys.by_source, keys.by_destination] {
            if let Some(bucket) = self.0.get_mut(&key) {
                bucket.retain(|known| *known != packet);
                if bucket.is_empty() {
                    self.0.remove(&key);
                }
            }
        }
    }

    /// The open packets that share a side with the keys, oldest first, each once.
    pub(super) fn find(&self, keys: IdentityKeys) -> SmallVec<[PacketRef; 4]> {
        let mut found: SmallVec<[PacketRef; 4]> = SmallVec::new();
        for key in [keys.by_source, keys.by_destination] {
            for packet in self.0.get(&key).into_iter().flatten() {
                if !found.contains(packet) {
                    found.push(*packet);
                }
            }
        }
        found
    }
}
