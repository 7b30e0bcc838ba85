//! E-mail addresses: what people type, and the one form in which it is kept, compared and mailed.
//!
//! Duty: one meaning per text; each error says what is wrong and what to do. Never: a look-up; that an address has this
//! form says nothing about whether somebody has it.

use std::{cmp::Ordering, fmt, hash};

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, Script},
};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Reject, command::RejectCode};
use crate::limits;

/// What needs quotes in a local part (RFC 5322), which nobody types and many servers mishandle.
const SPECIAL: &str = "\"(),:;<>@[]\\";
/// Lower-case letters of other scripts that look like Latin ones.
const LOOKALIKES: &str = "асԁеһіјӏорԛѕԝхугнкмтвьωοαενικρτυχγ";

/// An address. Equal are those that differ in case alone.
#[derive(Clone, Debug)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn parse(text: &str) -> Result<Self, Reject> {
        let text = text.trim();
        if text.is_empty() {
            return Err(wrong("it is empty: type one like name@company.example"));
        }
        if text.len() > limits::ADDRESS_BYTES * 2 {
            return Err(too_long());
        }
        if let Some(odd) = text.chars().find(|c| is_invisible(*c)) {
            let what = if odd == ' ' { "a space" } else { "a character that nobody sees" };
            return Err(wrong(&format!("it holds {what}: type it again, one address alone")));
        }
        let Some((local, domain)) = text.split_once('@') else {
            return Err(wrong("the @ is missing: type one like name@company.example"));
        };
        if domain.contains('@') {
            return Err(wrong("it holds more than one @: type one address alone"));
        }
        let (local, domain) = (checked_local(local)?, checked_domain(domain)?);
        if local.len() + 1 + domain.len() > limits::ADDRESS_BYTES {
            return Err(too_long());
        }
        Ok(Self { local, domain })
    }

    /// What stands before the @, as it was typed.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain in ASCII, in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The form under which it is kept and found: addresses are equal exactly when their keys are.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.to_lowercase(), self.domain)
    }

    /// For people: the domain as it is written, unless it might be taken for another one; then in punycode.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}@{}", self.local, shown_domain(&self.domain))
    }
}

/// `local@domain`, the domain in ASCII.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Address {}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl hash::Hash for Address {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

fn wrong(what: &str) -> Reject {
    Reject::new(RejectCode::Invalid, format!("address: {what}"))
}

fn too_long() -> Reject {
    let most = limits::ADDRESS_BYTES;
    wrong(&format!("it is longer than {most} bytes, which no mail server takes: type a shorter one"))
}

fn is_invisible(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::SpaceSeparator
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    )
}

fn checked_local(local: &str) -> Result<String, Reject> {
    let local = ComposingNormalizerBorrowed::new_nfc().normalize(local).into_owned();
    if local.is_empty() {
        return Err(wrong("nothing stands before the @: type one like name@company.example"));
    }
    if local.len() > limits::LOCAL_BYTES {
        let most = limits::LOCAL_BYTES;
        return Err(wrong(&format!("more than {most} bytes stand before the @: type a shorter one")));
    }
    if let Some(odd) = local.chars().find(|c| SPECIAL.contains(*c)) {
        return Err(wrong(&format!("`{odd}` may not stand before the @: leave it out")));
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(wrong("before the @, dots stand one at a time between other characters: correct that"));
    }
    Ok(local)
}

fn checked_domain(domain: &str) -> Result<String, Reject> {
    let ascii = domain_to_ascii(domain).ok_or_else(|| {
        wrong(
            "what stands behind the @ is no domain: type one like company.example, without port or brackets",
        )
    })?;
    if ascii.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(wrong("behind the @ stands a number of the network: type the domain's name"));
    }
    if !ascii.contains('.') {
        return Err(wrong("the domain is not whole: type it with its ending, like company.example"));
    }
    Ok(ascii)
}

/// A domain in the one form in which it is compared: ASCII, lower case (IDNA, UTS 46). `None`: it is none.
#[must_use]
pub fn domain_to_ascii(domain: &str) -> Option<String> {
    if domain.len() > limits::ADDRESS_BYTES {
        return None;
    }
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    ascii.ok().map(std::borrow::Cow::into_owned)
}

/// A domain for people: Unicode label by label, but punycode where letters of several scripts stand together, or where
/// every letter looks like a Latin one.
#[must_use]
pub fn shown_domain(domain: &str) -> String {
    let label = |label: &str| {
        let (unicode, valid) = idna::domain_to_unicode(label);
        if valid.is_ok() && is_honest(&unicode) { unicode } else { label.to_owned() }
    };
    domain.split('.').map(label).collect::<Vec<_>>().join(".")
}

fn is_honest(label: &str) -> bool {
    let scripts = CodePointMapData::<Script>::new();
    let of = |c: char| scripts.get(c);
    let mut found: Vec<Script> = label
        .chars()
        .map(of)
        .filter(|script| ![Script::Common, Script::Inherited].contains(script))
        .collect();
    found.sort_unstable();
    found.dedup();
    let together: [&[Script]; 3] = [
        &[Script::Han, Script::Hiragana, Script::Katakana],
        &[Script::Han, Script::Hangul],
        &[Script::Han, Script::Bopomofo],
    ];
    let one = found.len() <= 1 || together.iter().any(|set| found.iter().all(|script| set.contains(script)));
    let letters = || label.chars().filter(|c| c.is_alphabetic());
    let disguised = !found.contains(&Script::Latin) && letters().count() > 0;
    one && !(disguised && letters().all(|c| LOOKALIKES.contains(c)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn one_form_per_address() {
        for (text, form) in [
            (" carol@Initech.Example\n", "carol@initech.example"),
            ("Carol.X+y@initech.example", "Carol.X+y@initech.example"),
            ("j@BÜCHER.example", "j@xn--bcher-kva.example"),
            ("j@bücher。example", "j@xn--bcher-kva.example"),
            ("jörg@straße.example", "jörg@xn--strae-oqa.example"),
            ("o'neil@a-b.c.example", "o'neil@a-b.c.example"),
        ] {
            assert_eq!(parsed(text).to_string(), form, "{text}");
        }
        let composed = (parsed("jo\u{308}rg@a.example"), parsed("j\u{f6}rg@a.example"));
        assert_eq!(composed.0, composed.1);
        assert_eq!(parsed("Carol@A.example"), parsed("carol@a.example"));
        assert_ne!(parsed("carol@a.example"), parsed("carol@b.example"));
        assert_eq!(
            (parsed("C@a.example").local(), parsed("c@A.example").domain(), parsed("C@a.example").key()),
            ("C", "a.example", "c@a.example".into())
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        let long = format!("{}@a.example", "x".repeat(65));
        let longer = format!("x@{}.example", vec!["y".repeat(60); 5].join("."));
        let huge = "a".repeat(10_000_000);
        for (text, expected) in [
            ("", "empty"),
            ("  ", "empty"),
            ("carol", "the @ is missing"),
            ("carol@", "no domain"),
            ("@initech.example", "nothing stands before the @"),
            ("carol@dave@initech.example", "more than one @"),
            ("carol x@initech.example", "a space"),
            ("a@b.example, c@d.example", "a space"),
            ("carol\u{202e}@initech.example", "nobody sees"),
            ("ca\u{200b}rol@initech.example", "nobody sees"),
            ("ca\r\nBcc: x@initech.example", "nobody sees"),
            ("\"carol\"@initech.example", "`\"` may not stand"),
            ("<carol@initech.example>", "`<` may not stand"),
            ("carol..x@initech.example", "dots"),
            (".carol@initech.example", "dots"),
            ("carol@initech", "not whole"),
            ("carol@127.0.0.1", "a number of the network"),
            ("carol@[::1]", "no domain"),
            ("carol@-a.example", "no domain"),
            ("carol@a..example", "no domain"),
            ("carol@a.example.", "no domain"),
            ("carol@a_b.example", "no domain"),
            ("carol@xn--zz.example", "no domain"),
            (&long, "more than 64 bytes"),
            (&longer, "no domain"),
            (&huge, "longer than 254"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert_eq!(error.code, RejectCode::Invalid);
            assert!(error.detail.contains(expected), "{}: {}", text.get(..40).unwrap_or(text), error.detail);
            assert!(error.detail.len() < 200, "{}", error.detail);
        }
    }

    #[test]
    fn a_domain_that_looks_like_another_is_shown_in_punycode() {
        for (domain, shown) in [
            ("bücher.example", "bücher.example"),
            ("例え.テスト", "例え.テスト"),
            ("почта.example", "почта.example"),
            // Cyrillic a among Latin letters, and a word of Cyrillic letters that all look Latin.
            ("\u{430}cme.example", "xn--cme-5cd.example"),
            ("\u{430}\u{440}\u{440}\u{4cf}\u{435}.example", "xn--80ak6aa92e.example"),
            ("acme.example", "acme.example"),
        ] {
            assert_eq!(parsed(&format!("x@{domain}")).shown(), format!("x@{shown}"));
        }
        assert_eq!(parsed("x@\u{430}cme.example").to_string(), "x@xn--cme-5cd.example");
    }

    proptest! {
        #[test]
        fn what_was_parsed_is_parsed_alike(text in "\\PC{0,12}@\\PC{0,12}(\\.[a-z]{1,5})?") {
            if let Ok(address) = Address::parse(&text) {
                let again = Address::parse(&address.to_string()).unwrap();
                prop_assert_eq!((address.local(), address.domain()), (again.local(), again.domain()));
                prop_assert_eq!(&address, &Address::parse(&address.key()).unwrap());
                prop_assert!(address.domain().is_ascii() && address.to_string().len() <= 254);
                prop_assert_eq!(&address, &Address::parse(&address.shown()).unwrap());
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            drop(Address::parse(&text));
            drop(shown_domain(&text));
        }
    }
}
