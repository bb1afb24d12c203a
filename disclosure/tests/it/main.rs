//! Properties of the protections over random cells.

// `cfg(test)` is always set here; it lets clippy know that helpers may unwrap too.
#[cfg(test)]
mod laws;
mod narrower;
#[cfg(test)]
mod question;
#[cfg(test)]
mod world;
