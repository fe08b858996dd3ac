//! What is said after each command of a session, compared with rows: a text in which `…` stands for anything.

use super::Ran;

/// What is said after each command, without the command.
pub fn answers(ran: &Ran) -> Vec<String> {
    let answers = ran.stderr.split("(folio) ").skip(1);
    answers.map(|text| text.split_once('\n').map_or(String::new(), |(_, said)| said.to_owned())).collect()
}

/// Compares what is said from one command on with rows of a command and what is said after it.
pub fn check_answers(ran: &Ran, from: usize, rows: &[(&str, &str)]) {
    let said = answers(ran);
    for (index, (command, expected)) in rows.iter().enumerate() {
        let text = said.get(from + index).map_or("", |text| text.trim_end());
        assert!(is_like(text, expected), "`{command}`:\n{text}\nis not\n{expected}\n{}", ran.stderr);
    }
}

/// Whether a text is the pattern, in which `…` stands for anything but the end of the line.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        if index + 1 == parts.len() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}
