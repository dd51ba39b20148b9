//! Where znodes live: a slab, a name index, and the tables that znodes share.

pub(crate) mod acls;
pub(crate) mod index;
pub(crate) mod node;
pub(crate) mod owners;
pub(crate) mod slab;
pub(crate) mod table;
