//! Words that are almost others.

/// The name that is almost `word`, of several one that begins like it, and of those the first in the alphabet: at most two letters are
/// others, and not all of them.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = word.chars().count().saturating_sub(1).min(2);
    let begins_so = |name: &str| name.chars().next() == word.chars().next();
    let near = |name: &'a str| Some((distance_within(word, name, most)?, !begins_so(name), name));
    names.filter_map(near).min().map(|(.., name)| name)
}

/// How many letters must be changed, added or left out to make one word the other (Levenshtein), if they are at most so many: words whose
/// lengths say that they are more are not compared.
pub(in crate::debug) fn distance_within(a: &str, b: &str, most: usize) -> Option<usize> {
    let (first, second) = (a.chars().count(), b.chars().count());
    (first.abs_diff(second) <= most).then(|| distance(a, b)).filter(|&distance| distance <= most)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
