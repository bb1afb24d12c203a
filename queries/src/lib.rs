//! SQL text -> releases + tail, and how the answers of several countries to a release fold into one.

pub mod engine;
pub mod merge;
pub mod release;
