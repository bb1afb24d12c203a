//! Identifiers of hit/no-hit lookups: normalisers, oblivious PRF, filters, fuzzy keys.
//!
//! The door where lookups will stand (design §5). Nothing is here yet: a lookup is never an SQL expression, so nothing
//! else in the tree needs anything of it.
