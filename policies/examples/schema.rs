//! Prints the JSON Schema of policy documents: `cargo run -p mayag-policies --example schema`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(mayag_policies::document::schema_text().as_bytes())
}
