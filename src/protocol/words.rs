//! Words as people look for them: without case and accents.
//!
//! Duty: the folded form of a text, its words, and whether they match what somebody typed. Never: a language.

use std::collections::BTreeSet;

/// Lower case, without accents: what is compared.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' | ' ' => folded.push(c),
            '\u{300}'..='\u{36f}' => {}
            c => match plain(c) {
                Some(letters) => folded.push_str(letters),
                None => folded.push(c),
            },
        }
    }
    folded
}

/// The letters that people type for a Latin letter with an accent.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ' | 'ả' | 'ấ'..='ậ' | 'ắ'..='ặ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẹ' | 'ẻ' | 'ẽ' | 'ế'..='ệ' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ỉ' | 'ị' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ơ' | 'ọ' | 'ỏ' | 'ố'..='ộ' | 'ớ'..='ợ' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ư' | 'ụ' | 'ủ' | 'ứ'..='ự' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' | 'ỳ'..='ỹ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// The words of a folded text, as parts of it.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A folded text from each of its words on, the whole first; at most so many.
pub fn from_each_word(folded: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut before = None;
    let starts = folded.char_indices().filter(move |(_, c)| {
        let begins = c.is_alphanumeric() && !before.is_some_and(char::is_alphanumeric);
        before = Some(*c);
        begins
    });
    starts.take(most).filter_map(|(at, _)| folded.get(at..))
}

/// What somebody typed: folded words, each of which has to begin a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed(Vec<String>);

impl Typed {
    /// The words of a text as typed, at most so many bytes of it.
    #[must_use]
    pub fn new(text: &str, most: usize) -> Self {
        let text = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
        Self(fold(text).split_whitespace().map(str::to_owned).collect())
    }

    /// Whether nothing was typed: then everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The longest word: the fewest match it.
    #[must_use]
    pub fn longest(&self) -> &str {
        self.0.iter().max_by_key(|word| word.len()).map_or("", String::as_str)
    }

    /// Whether each word begins a word of one of the texts, which are folded.
    #[must_use]
    pub fn matches(&self, texts: &[&str]) -> bool {
        let begins = |typed: &String| {
            let mut all = texts.iter().flat_map(|text| from_each_word(text, usize::MAX));
            all.any(|from| from.starts_with(typed.as_str()))
        };
        self.0.iter().all(begins)
    }
}

/// Letters of the shortest and the longest word that messages are found by.
const INDEXED: std::ops::RangeInclusive<usize> = 2..=32;

/// What a word is kept by: itself if it has two letters, else its first three, and its first six.
fn token(word: &str) -> Option<&str> {
    let letters = |n| word.char_indices().nth(n).map_or(word, |(at, _)| word.get(..at).unwrap_or(word));
    match word.chars().count() {
        n if !INDEXED.contains(&n) => None,
        2 => Some(word),
        3..=5 => Some(letters(3)),
        _ => Some(letters(6)),
    }
}

/// What a message with this text is found by.
#[must_use]
pub fn tokens(text: &str) -> BTreeSet<String> {
    let folded = fold(text);
    let mut all = BTreeSet::new();
    for word in words(&folded) {
        all.extend(token(word).map(str::to_owned));
        let first: String = word.chars().take(3).collect();
        all.extend(token(word).and_then(|_| token(&first)).map(str::to_owned));
    }
    all
}

/// What is looked for in messages: words that all have to be there; the last one may be the beginning of a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    whole: Vec<String>,
    begun: Option<String>,
}

impl Sought {
    /// The words of a text as typed. A single letter is no word to look for.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let folded = fold(text);
        let mut whole: Vec<String> = words(&folded).map(str::to_owned).collect();
        let goes_on = folded.ends_with(char::is_alphanumeric);
        let begun = if goes_on { whole.pop() } else { None };
        whole.retain(|word| token(word).is_some());
        Self { whole, begun: begun.filter(|word| token(word).is_some()) }
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.begun.is_none()
    }

    /// What every message that matches is kept by; others may be as well.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let all: BTreeSet<&str> =
            self.whole.iter().chain(&self.begun).filter_map(|word| token(word)).collect();
        all.into_iter().map(str::to_owned).collect()
    }

    /// Whether a text has all of it.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let folded = fold(text);
        let has = |sought: &String| words(&folded).any(|word| word == sought);
        // Two letters begin too many words: they are one.
        let begins = |sought: &String| {
            let short = sought.chars().nth(2).is_none();
            words(&folded).any(|word| if short { word == sought } else { word.starts_with(sought.as_str()) })
        };
        self.whole.iter().all(has) && self.begun.iter().all(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_and_accents() {
        for (text, folded) in [
            ("Zoë O'Brien", "zoe o'brien"),
            ("Łukasz Żółć", "lukasz zolc"),
            ("STRASSE straße", "strasse strasse"),
            ("e\u{301}té", "ete"),
            ("Æsir Œuvre Þór", "aesir oeuvre thor"),
            ("Nguyễn Đức", "nguyen duc"),
            ("Ünal İnce", "unal ince"),
            ("Ирина 日本", "ирина 日本"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn every_typed_word_begins_a_word() {
        let (name, address) = (fold("Anna-Lena O'Brien"), "al@globex.example");
        let matches = |typed: &str| Typed::new(typed, 200).matches(&[&name, address]);
        for typed in ["", " ", "ANN", "lena", "anna-lena", "bri an", "o'b", "al@glob", "brien al@"] {
            assert!(matches(typed), "{typed}");
        }
        for typed in ["nna", "anna x", "l@globex", "'"] {
            assert!(!matches(typed), "{typed}");
        }
        let all: Vec<_> = from_each_word(&name, 8).collect();
        assert_eq!(all, ["anna-lena o'brien", "lena o'brien", "o'brien", "brien"]);
        assert_eq!(words("a-b  c").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(Typed::new("ab défg", 7).longest(), "def");
    }

    #[test]
    fn messages_are_kept_by_beginnings_and_found_by_words() {
        let text = "Die Übergabe an ACME: 3 x budgets, im Mai!";
        let kept: Vec<String> = tokens(text).into_iter().collect();
        assert_eq!(kept, ["acm", "an", "bud", "budget", "die", "im", "mai", "ube", "uberga"]);
        for (sought, found) in [
            ("budget", true),
            ("budget ", false),
            ("budgets ", true),
            ("übergabe acme", true),
            ("uberg", true),
            ("acme ub", false),
            ("im", true),
            ("i", false),
            ("an mai", true),
            ("budgets acme ", true),
            ("acme globex", false),
        ] {
            let sought_for = Sought::new(sought);
            let all = sought_for.tokens().iter().all(|token| kept.contains(token));
            let hit = !sought_for.is_empty() && all && sought_for.matches(text);
            assert_eq!(hit, found, "{sought}");
        }
        assert!(tokens(&"x".repeat(33)).is_empty());
    }
}
