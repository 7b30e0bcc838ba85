//! What letters say: short, calm, and who did what.
//!
//! Duty: for every letter, what it is about, until when its link is good, and what to do if it was not expected. Never:
//! content of messages; a stranger's text that could be taken for a link.

use crate::{
    protocol::{
        address::Address,
        letter::{Place, What, plain},
    },
    time::Millis,
    wire::objects::{Floor, Grade},
};

/// A letter in words.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The subject.
    pub(super) subject: String,
    /// What it is about.
    pub(super) lines: Vec<String>,
    /// What to type.
    pub(super) code: Option<String>,
    /// What can be done, and where.
    pub(super) action: Option<(String, String)>,
    /// What else to know.
    pub(super) notes: Vec<String>,
}

const UNEXPECTED: &str = "If you did not expect this, you need not do anything: nothing happens without you.";

/// Says it.
pub(super) fn of(what: &What, base: &str, me: &str) -> Words {
    let me = plain(me);
    let mut words = match what {
        What::Invitation { .. } => invitation(what, base),
        What::Account { workspace, inviter, link, expires } => Words {
            subject: format!("Your account at {}", plain(workspace)),
            lines: vec![format!("{} made an account for you at {}.", plain(inviter), plain(workspace))],
            action: action("Choose a password", base, link.reveal()),
            notes: vec![good_until(*expires), UNEXPECTED.into()],
            ..Words::default()
        },
        What::Reset { link, expires } => Words {
            subject: format!("A new password at {me}"),
            lines: vec![format!("Somebody asked for a new password for your account at {me}.")],
            action: action("Choose a new password", base, link.reveal()),
            notes: vec![
                good_until(*expires),
                "If it was not you, you need not do anything: your password stays as it is.".into(),
            ],
            ..Words::default()
        },
        What::Code { code, expires } => Words {
            subject: format!("Your code for {me}"),
            lines: vec![
                "Type this code where you were asked for it. It proves that this address is yours.".into(),
            ],
            code: Some(code.reveal().to_owned()),
            notes: vec![format!("The code is good until {}.", moment(*expires)), UNEXPECTED.into()],
            ..Words::default()
        },
        What::Claim { scope_name, invited, claimed_by, link } => Words {
            subject: format!("Is this whom you invited to {}?", plain(scope_name)),
            lines: vec![
                format!("You invited {} to \u{201c}{}\u{201d}.", address(invited), plain(scope_name)),
                format!("Somebody wants to accept with another address: {}.", address(claimed_by)),
                "They see nothing unless you say that this is the person you meant.".into(),
            ],
            action: action("Decide", base, link.reveal()),
            notes: vec!["If you are not sure, ask the person in another way, or refuse.".into()],
            ..Words::default()
        },
        What::Approval { what, link } => Words {
            subject: format!("Waiting for you: {}", plain(what)),
            lines: vec![format!("Something at {me} waits for your decision: {}.", plain(what))],
            action: action("Decide", base, link.reveal()),
            ..Words::default()
        },
        What::Trial { by } => Words {
            subject: format!("A test letter from {me}"),
            lines: vec![format!("{} looks whether letters from {me} arrive. This one did.", plain(by))],
            notes: vec![UNEXPECTED.into()],
            ..Words::default()
        },
    };
    words.notes.push(format!("Sent by the comity node of {me}."));
    words
}

fn invitation(what: &What, base: &str) -> Words {
    let What::Invitation { scope_name, scope_kind, inviter, workspace, history, link, expires, grade } = what
    else {
        return Words::default();
    };
    let (name, inviter, workspace) = (plain(scope_name), plain(inviter), plain(workspace));
    let (subject, first) = match scope_kind {
        Place::Group => (
            format!("{inviter} invites you to {name}"),
            format!("{inviter} of {workspace} invites you into the group \u{201c}{name}\u{201d}."),
        ),
        Place::Thread => (
            format!("{inviter} invites you to {name}"),
            format!("{inviter} of {workspace} invites you into the conversation \u{201c}{name}\u{201d}."),
        ),
        Place::Dm => (
            format!("{inviter} would like to talk to you"),
            format!("{inviter} of {workspace} would like to talk to you, just the two of you."),
        ),
    };
    let history = match history {
        Floor::All => "You will see everything that was written there so far.",
        Floor::FromNow => "You will see what is written from the moment you join, and nothing from before.",
    };
    let grade = match grade {
        Grade::Read => "You will be able to read.",
        Grade::Post => "You will be able to read and write.",
        Grade::Invite => "You will be able to read, to write, and to invite colleagues of yours.",
        Grade::Admin => "You will be able to read, to write, and to administer it.",
    };
    Words {
        subject,
        lines: vec![first, history.into(), grade.into()],
        action: action("Open the invitation", base, link.reveal()),
        notes: vec![
            good_until(*expires),
            "You can accept with an account that you have at another workspace, or with a free one.".into(),
            UNEXPECTED.into(),
        ],
        ..Words::default()
    }
}

fn action(label: &str, base: &str, path: &str) -> Option<(String, String)> {
    Some((label.to_owned(), format!("{base}{path}")))
}

fn good_until(expires: Millis) -> String {
    format!("The link works once, until {}. Keep it to yourself.", moment(expires))
}

/// To the minute.
fn moment(at: Millis) -> String {
    let text = at.to_string();
    let part = |from, to| text.get(from..to).unwrap_or_default();
    format!("{} {} UTC", part(0, 10), part(11, 16))
}

/// In punycode where it might be taken for another one.
fn address(text: &str) -> String {
    Address::parse(text).map_or_else(|_| plain(text), |address| address.shown())
}
