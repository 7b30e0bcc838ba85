//! The federation as a picture: this workspace on the left, its partners on the right, a line to each.
//!
//! Duty: places in the picture, in whole numbers. Never: a fact that the table below it does not have.

use super::{Home, overview::Row};

/// The picture's units: a partner's box with its gap, and the box alone.
const STEP: usize = 64;
const BOX: usize = 52;
/// Characters that fit into a box.
const NAME: usize = 22;

/// The picture.
pub(super) struct Map {
    pub(super) height: usize,
    /// The own box: its top, and where its lines begin.
    pub(super) top: usize,
    pub(super) middle: usize,
    pub(super) name: String,
    pub(super) nodes: Vec<Node>,
}

/// A partner in it.
pub(super) struct Node {
    pub(super) top: usize,
    pub(super) middle: usize,
    /// Of the two lines of text.
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) up: bool,
    /// Removals that are not confirmed.
    pub(super) open: usize,
}

impl Map {
    pub(super) fn of(own: &Home, rows: &[Row]) -> Self {
        let height = rows.len().max(1) * STEP;
        let middle = height / 2;
        let nodes = rows.iter().enumerate().map(|(at, row)| {
            let top = at * STEP + (STEP - BOX) / 2;
            Node {
                top,
                middle: top + BOX / 2,
                first: top + 22,
                second: top + 40,
                name: short(row.peer.workspace.title()),
                state: row.peer.state(),
                up: row.peer.is_up(),
                open: row.open.count,
            }
        });
        Self { height, top: middle - BOX / 2, middle, name: short(own.title()), nodes: nodes.collect() }
    }
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}
