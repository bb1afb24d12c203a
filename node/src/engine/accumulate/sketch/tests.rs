//! What the first pass proves, against a plain second implementation.
