//! The two largest contributions, against a plain second implementation.
