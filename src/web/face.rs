//! A person's face where there is no picture: his initials on a colour of his own.
//!
//! Duty: the same person looks the same on every page. Never: a mark of where he is from (P4.2).

/// How many colours `app.css` has.
const COLOURS: u32 = 8;

/// The first letters of the first and the last word of a name.
pub(super) fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let (first, last) = (words.next(), words.next_back());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

/// Which colour, by the id.
pub(super) fn colour(id: &str) -> u32 {
    id.bytes().fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % COLOURS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        for (name, letters) in [
            ("bob", "B"),
            ("Mia Member", "MM"),
            ("Jan van der Berg", "JB"),
            ("(x) Änna", "XÄ"),
            ("", ""),
            ("…", ""),
        ] {
            assert_eq!(initials(name), letters, "{name}");
        }
        assert!((0..100).all(|n| colour(&format!("us_{n}")) < COLOURS));
    }
}
