//! A workspace's word on a part of its audit log (spec 13.3).
//!
//! Duty: shape. Never: the records themselves.

use super::super::{array::record, envelope::Object};
use crate::{
    ids::{Hash, WorkspaceId},
    time::Millis,
};

record! {
    /// The records from one number to another, and the chain hash of the last (spec 13.3).
    pub struct AuditSeal {
        /// Whose log.
        pub workspace: WorkspaceId,
        /// The first record.
        pub first: u64,
        /// The last one; `first - 1` when there is none.
        pub last: u64,
        /// How many.
        pub count: u64,
        /// The chain hash of the last; of the one before the first when there is none.
        pub hash: Hash,
        /// When.
        pub time: Millis,
    }
}

impl Object for AuditSeal {
    const TYPE: u64 = 11;
    fn bounds(&self) -> Result<(), String> {
        let records = self.last.checked_add(1).and_then(|end| end.checked_sub(self.first));
        if self.first > 0 && records == Some(self.count) {
            Ok(())
        } else {
            Err("the count must be that of the records from first to last, the first at least 1".into())
        }
    }
}
