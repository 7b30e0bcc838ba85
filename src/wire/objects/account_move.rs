//! A free account goes on as an account of a workspace (spec 6.10).
//!
//! Duty: the shape that both homes sign. Never: what follows from it.

use super::{
    super::{array::record, envelope::Object},
    Profile,
};
use crate::{ids::UserId, time::Millis};

record! {
    /// One user goes on as another one, at another home; signed by both homes (spec 6.10).
    pub struct AccountMove {
        /// Who ends.
        pub from: UserId,
        /// Who takes his places.
        pub to: UserId,
        /// How he is shown from now on.
        pub profile: Profile,
        /// When.
        pub time: Millis,
    }
}

impl Object for AccountMove {
    const TYPE: u64 = 16;
    fn bounds(&self) -> Result<(), String> {
        self.profile.bounds()
    }
}
