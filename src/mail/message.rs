//! A letter as bytes: headers, and the same words as text and as HTML.
//!
//! Duty: what mail programs need to show it well and to know that a machine sent it. Never: anything that is loaded from
//! elsewhere or tells that it was read.

use std::time::{Duration, SystemTime};

use askama::Template;
use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};

use super::{
    server::Failure,
    words::{self, Words},
};
use crate::{
    node::Mailing,
    protocol::{
        address::Address,
        letter::{What, plain},
    },
    time::Millis,
};

/// What is on the outside.
pub(super) struct Envelope<'a> {
    /// The name of the letter, the same on every try.
    pub(super) id: &'a str,
    /// To whom.
    pub(super) to: &'a str,
    /// When it was written.
    pub(super) time: Millis,
}

/// No holiday answers, please (RFC 3834).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    words: &'a Words,
}

fn mailbox(name: Option<String>, address: &Address) -> Result<Mailbox, Failure> {
    let shaped = lettre::Address::new(address.local(), address.domain());
    shaped.map(|shaped| Mailbox::new(name, shaped)).map_err(|error| unfit(&error))
}

/// Nothing that a later try mends.
fn unfit(error: &dyn std::error::Error) -> Failure {
    Failure { words: format!("no letter can be made of it: {error}"), permanent: true }
}

/// The whole message.
pub(super) fn compose(
    mailing: &Mailing,
    workspace: &str,
    envelope: &Envelope<'_>,
    what: &What,
) -> Result<Message, Failure> {
    let words = words::of(what, &mailing.base, workspace);
    let to = Address::parse(envelope.to).map_err(|reject| unfit(&reject))?;
    let text = Text { words: &words }.render().map_err(|error| unfit(&error))?;
    let html = Html { words: &words }.render().map_err(|error| unfit(&error))?;
    Message::builder()
        .from(mailbox(Some(plain(workspace)), &mailing.from)?)
        .to(mailbox(None, &to)?)
        .subject(words.subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(envelope.time.0))
        .message_id(Some(format!("<{}@{}>", envelope.id, mailing.from.domain())))
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(text, html))
        .map_err(|error| unfit(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::Secret,
        protocol::letter::Place,
        wire::objects::{Floor, Grade},
    };

    fn letter(scope_name: &str, inviter: &str) -> String {
        let what = What::Invitation {
            scope_name: scope_name.into(),
            scope_kind: Place::Group,
            inviter: inviter.into(),
            workspace: "Acme".into(),
            history: Floor::FromNow,
            link: Secret::new("/join/abc"),
            expires: Millis(1_765_289_000_000),
            grade: Grade::Post,
        };
        let from = Address::parse("comity@acme.example").unwrap();
        let mailing = Mailing { from, base: "https://comity.acme.example".into(), server: String::new() };
        let envelope = Envelope { id: "00ff", to: "carol@bücher.example", time: Millis(1_764_079_500_000) };
        let message = compose(&mailing, "Acme", &envelope, &what).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn p2_3_an_invitation_says_who_what_and_until_when() {
        let text = letter("Launch", "Alice");
        for expected in [
            "From: Acme <comity@acme.example>\r\n",
            "To: carol@xn--bcher-kva.example\r\n",
            "Subject: Alice invites you to Launch\r\n",
            "Message-ID: <00ff@acme.example>\r\n",
            "Date: Tue, 25 Nov 2025 14:05:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "multipart/alternative",
            "from the moment you join",
            "https://comity.acme.example/join/abc",
        ] {
            assert!(text.contains(expected), "P2.3, P2.6: {expected}\n{text}");
        }
        for remote in ["<img", "src=", "url(", "<link", "<script"] {
            assert!(!text.contains(remote), "nothing is loaded, so nobody learns that it was read: {remote}");
        }
    }

    #[test]
    fn names_of_strangers_stay_names() {
        let text = letter("<b>Pay</b> at http://evil.example\r\nBcc: x@y.example", "Mallory\u{202e}");
        let (_, html) = text.split_once("text/html").unwrap();
        assert!(!text.contains("\r\nBcc:") && !text.contains("http://evil"), "{text}");
        assert!(!html.contains("<b>"), "{html}");
        assert!(!text.contains("evil.example") && !text.contains('\u{202e}'), "section 10: {text}");
    }
}
