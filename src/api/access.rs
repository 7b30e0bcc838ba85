//! Who may call an endpoint at all: decided before its handler runs, by the word beside it in the table of endpoints.
//!
//! Duty: the classes of callers. Never: who may see which group or thread; that is the gate's.

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Without signing in.
    Anyone,
    /// Whoever is signed in, free accounts too.
    Signed,
    /// Members of this workspace.
    Member,
    /// Its admins; for everybody else the endpoint's objects do not exist.
    Admin,
}
