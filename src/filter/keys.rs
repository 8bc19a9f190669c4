//! The keys, and the nearest one to a mistyped word.

/// Every key of the language.
pub(super) const KEYS: [&str; 22] = [
    "addr", "host", "src", "dst", "port", "sport", "dport", "proto", "in", "out", "mac", "nat",
    "verdict", "rule", "chain", "hook", "state", "link", "since", "until", "id", "lines",
];

/// The word of `known` that `word` begins, or that is near enough to be meant.
pub(super) fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(32).collect();
    let text: String = word.iter().collect();
    let begun = |candidate: &&str| {
        candidate.len() > text.len() && candidate.to_lowercase().starts_with(&text)
    };
    if text.len() > 2
        && let Some(candidate) = known.clone().into_iter().find(begun)
    {
        return Some(candidate);
    }
    let allowed = word.len().div_ceil(2).min(3);
    let distances = known.into_iter().map(|candidate| (distance(&word, candidate), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance > 0 && distance <= allowed).then_some(candidate)
}

/// How many letters must be added, taken away or exchanged.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (line, letter) in candidate.to_lowercase().chars().enumerate() {
        let mut next = vec![line + 1];
        for (place, other) in word.iter().enumerate() {
            let (left, above, corner) = (next[place], row[place + 1], row[place]);
            let exchanged = corner + usize::from(*other != letter);
            next.push(exchanged.min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key() {
        for (word, key) in [
            ("dprot", Some("dport")),
            ("verdicts", Some("verdict")),
            ("source", Some("src")),
            ("protocol", Some("proto")),
            ("Src", None),
            ("verd", Some("verdict")),
            ("x", None),
        ] {
            assert_eq!(nearest(word, KEYS), key, "{word}");
        }
    }
}
