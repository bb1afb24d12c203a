//! Decisions under whole policies: a table that people can read, and properties over random policies.

// `cfg(test)` is always set here; it lets clippy know that helpers may unwrap too.
#[cfg(test)]
mod compare;
#[cfg(test)]
mod compare_lookups;
#[cfg(test)]
mod compare_people;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod joins;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod people;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod table;
