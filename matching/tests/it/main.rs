//! The crate at its door: golden vectors, properties, and how well fuzzy keys find what they should.

#![cfg(test)]

mod documents;
mod golden;
mod linkage;
mod logos;
mod persons;
mod properties;
mod random;
mod scripts;
