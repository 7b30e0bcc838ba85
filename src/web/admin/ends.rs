//! The page of the administration that asks whether it is wanted what an act would end (P7.5, P8.2).
//!
//! Duty: the same page for everything that ends something. Never: the act.

use askama::Template;

use super::At;
pub(super) use crate::web::ends::Ends;
use crate::web::page::Frame;

/// The page that shows it.
#[derive(Template)]
#[template(path = "web/admin/ends.html")]
pub(super) struct Confirm {
    pub(super) frame: Frame,
    pub(super) at: At,
    /// The question.
    pub(super) title: String,
    /// What the act does, beside what it ends.
    pub(super) about: String,
    pub(super) ends: Ends,
    /// Where the form goes.
    pub(super) action: String,
    /// Its hidden fields.
    pub(super) fields: Vec<(String, String)>,
    pub(super) button: &'static str,
    /// Where one goes who does not want it.
    pub(super) back: String,
}
