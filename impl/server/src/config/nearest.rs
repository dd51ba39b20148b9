//! "Did you mean": the known key nearest to an unknown one.

use super::table;

/// The known key with the smallest edit distance, when it is near enough to be a typo.
pub(super) fn nearest_key(unknown: &str) -> Option<&'static str> {
    let unknown = unknown.strip_prefix("zookeeper.").unwrap_or(unknown);
    table::all()
        .map(|key| {
            (
                distance(&unknown.to_lowercase(), &key.name.to_lowercase()),
                key.name,
            )
        })
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .map(|(_, name)| name)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("ticktime", "tickTime", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    // spec: FT-ADM-07
    #[test]
    fn a_typo_finds_its_key_and_a_stranger_none() {
        assert_eq!(nearest_key("tickTme"), Some("tickTime"));
        assert_eq!(nearest_key("zookeeper.snapcount"), Some("snapCount"));
        assert_eq!(nearest_key("com.example.colour"), None);
    }
}
