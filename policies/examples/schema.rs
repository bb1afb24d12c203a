//! Prints the JSON Schema of policy documents: `cargo run -p mayag-policies --example schema`; of test files with `tests`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let text = match std::env::args().nth(1).as_deref() {
        Some("tests") => mayag_policies::expectation::schema_text(),
        Some(_) | None => mayag_policies::document::schema_text(),
    };
    std::io::stdout().write_all(text.as_bytes())
}
