//! Text of strangers in letters: it may name a thing, and never be a link.

use icu_properties::{CodePointMapData, props::GeneralCategory};

use crate::limits;

/// Characters that mail programs take for the dot of a domain.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// A name or subject for a letter: one line of at most 60 characters, without anything that a mail program would make a
/// link of; such texts are pulled apart with spaces, so that a reader still sees what they were.
#[must_use]
pub fn plain(text: &str) -> String {
    let visible = text.chars().take(limits::LETTER_NAME_CHARS * 8).filter_map(shown);
    let visible: String = visible.collect();
    let words: Vec<String> = visible.split_whitespace().map(pulled_apart).collect();
    let text = words.join(" ");
    if text.is_empty() {
        return "(without a name)".into();
    }
    if text.chars().count() <= limits::LETTER_NAME_CHARS {
        return text;
    }
    let cut: String = text.chars().take(limits::LETTER_NAME_CHARS - 1).collect();
    let loose = |c: char| c.is_whitespace() || DOTS.contains(&c) || c == ':' || c == '@';
    format!("{}\u{2026}", cut.trim_end_matches(loose))
}

/// What is left of a character: white space as a space, and nothing of what is not to be seen or turns text around.
fn shown(c: char) -> Option<char> {
    if c.is_whitespace() || c.is_control() {
        return Some(' ');
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let unseen = [GeneralCategory::Format, GeneralCategory::PrivateUse, GeneralCategory::Unassigned]
        .contains(&category);
    (!unseen).then_some(c)
}

fn pulled_apart(word: &str) -> String {
    let is_dot = |c: char| DOTS.contains(&c);
    let dots = word.chars().filter(|c| is_dot(*c)).count();
    let mut out = String::new();
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(c);
        let Some(next) = rest.peek().copied() else { break };
        // One dot between digits is a number or a version; more of them may be an address of the network.
        let after_dot = is_dot(c) && !is_dot(next) && (dots > 1 || !next.is_ascii_digit());
        let after_scheme = c == ':' && !next.is_ascii_digit();
        if after_dot || after_scheme || c == '@' || next == '@' {
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_in_a_name_is_a_link() {
        for (text, expected) in [
            ("Launch 2026", "Launch 2026"),
            ("Version 2.5, at 10:30", "Version 2.5, at 10:30"),
            ("Pay at http://evil.example/x", "Pay at http: //evil. example/x"),
            ("www.evil.example", "www. evil. example"),
            ("evil.example", "evil. example"),
            ("evil\u{3002}example", "evil\u{3002} example"),
            ("mail bob@evil.example", "mail bob @ evil. example"),
            ("javascript:alert", "javascript: alert"),
            ("127.0.0.1", "127. 0. 0. 1"),
            ("two\nlines\tand\r\u{0}more", "two lines and more"),
            ("\u{202e}gnp.exe", "gnp. exe"),
            ("e\u{200b}v\u{feff}il", "evil"),
            (" \u{200b} ", "(without a name)"),
            ("Zürich 東京 🎉", "Zürich 東京 🎉"),
        ] {
            assert_eq!(plain(text), expected, "section 10: {text:?}");
        }
        let long = plain(&"word ".repeat(1_000_000));
        assert!(long.chars().count() <= 60 && long.ends_with('\u{2026}'), "{long}");
    }

    proptest! {
        #[test]
        fn whatever_comes_stays_plain(text in "(\\PC|[.:/@w\u{202e}\u{0}\r\n]){0,90}") {
            let shown = plain(&text);
            prop_assert!(!shown.is_empty() && shown.chars().count() <= 60);
            let turning = '\u{202a}'..='\u{202e}';
            prop_assert!(!shown.chars().any(|c| c.is_control() || turning.contains(&c)));
            prop_assert!(!shown.contains("://") && !shown.to_lowercase().contains("www.w"));
            let chars: Vec<char> = shown.chars().collect();
            let linked = chars.windows(3).any(|three| match three {
                [a, '.', b] => a.is_alphanumeric() && b.is_alphabetic(),
                [a, '@', b] => !a.is_whitespace() || !b.is_whitespace(),
                _ => false,
            });
            prop_assert!(!linked, "{}", shown);
            prop_assert_eq!(plain(&shown), shown.clone());
        }
    }
}
