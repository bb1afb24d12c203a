//! What an index over a log costs and gives: `search_index FOLDER [ENTRIES]`, in a folder that is new.

use mayag_transport::index_measure::measure;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = words.first().ok_or("usage: search_index FOLDER [ENTRIES]")?;
    let entries = words.get(1).map_or(Ok(1_000_000), |word| word.parse())?;
    writeln!(io::stdout(), "{}", measure(Path::new(folder), entries)?)?;
    Ok(())
}
