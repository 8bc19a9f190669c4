//! Deadlines in log time, checked lazily: who has been idle longer than its class allows.

use std::collections::VecDeque;

/// Queues of keys, one for each class of idle time.
///
/// A key stands in a queue with the time at which it was put there; when that
/// entry comes up, the owner says when the key was really last touched and in
/// which class it is now. So touching a key costs nothing.
#[derive(Debug)]
pub(super) struct Deadlines<K> {
    classes: Vec<Class<K>>,
}

#[derive(Debug)]
struct Class<K> {
    idle_us: i64,
    queue: VecDeque<(i64, K)>,
}

/// What the owner says of a key that came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Idle {
    pub(super) class: usize,
    pub(super) touched_us: i64,
}

impl<K: Copy> Deadlines<K> {
    pub(super) fn new(idle_us: &[i64]) -> Self {
        Self {
            classes: idle_us
                .iter()
                .map(|idle_us| Class { idle_us: *idle_us, queue: VecDeque::new() })
                .collect(),
        }
    }

    pub(super) fn insert(&mut self, class: usize, touched_us: i64, key: K) {
        if let Some(class) = self.classes.get_mut(class) {
            class.queue.push_back((touched_us, key));
        }
    }

    /// Takes one key whose idle time is over. `idle` tells a key's present state; `None` if it is gone.
    pub(super) fn expired(&mut self, now_us: i64, idle: impl Fn(K) -> Option<Idle>) -> Option<K> {
        for index in 0..self.classes.len() {
            while let Some(&(queued_us, key)) = self.classes[index].queue.front() {
                if now_us.saturating_sub(queued_us) < self.classes[index].idle_us {
                    break;
                }
                self.classes[index].queue.pop_front();
                let Some(present) = idle(key) else { continue };
                let class = present.class.min(self.classes.len() - 1);
                if now_us.saturating_sub(present.touched_us) >= self.classes[class].idle_us {
                    return Some(key);
                }
                self.classes[class].queue.push_back((present.touched_us, key));
            }
        }
        None
    }

    /// Takes the key that was idle longest, whatever its class.
    pub(super) fn oldest(&mut self, idle: impl Fn(K) -> Option<Idle>) -> Option<K> {
        let mut oldest: Option<(i64, usize)> = None;
        for index in 0..self.classes.len() {
            while let Some(&(queued_us, key)) = self.classes[index].queue.front() {
                match idle(key) {
                    None => {
                        self.classes[index].queue.pop_front();
                    }
                    Some(present) if present.touched_us > queued_us => {
                        self.classes[index].queue.pop_front();
                        self.classes[index].queue.push_back((present.touched_us, key));
                    }
                    Some(_) => {
                        if oldest.is_none_or(|(known, _)| queued_us < known) {
                            oldest = Some((queued_us, index));
                        }
                        break;
                    }
                }
            }
        }
        let (_, index) = oldest?;
        self.classes[index].queue.pop_front().map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_touched_key_waits_again_and_a_gone_key_is_forgotten() {
        let mut touched: HashMap<u8, Idle> = HashMap::new();
        let mut deadlines = Deadlines::new(&[10, 100]);
        for key in 1..=3 {
            touched.insert(key, Idle { class: 0, touched_us: 0 });
            deadlines.insert(0, 0, key);
        }
        touched.insert(2, Idle { class: 1, touched_us: 8 });
        touched.remove(&3);
        let state = |key| touched.get(&key).copied();
        assert_eq!(deadlines.expired(9, state), None);
        assert_eq!(deadlines.expired(10, state), Some(1));
        assert_eq!(deadlines.expired(107, state), None);
        assert_eq!(deadlines.expired(108, state), Some(2));
        assert_eq!(deadlines.oldest(state), None);
    }
}
