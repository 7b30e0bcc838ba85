//! A self-hosted workspace node that federates groups and threads with the nodes of other workspaces.

pub mod crypto;
pub mod ids;
pub mod limits;
pub mod protocol;
pub mod time;
pub mod wire;
