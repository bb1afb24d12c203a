//! Measures durable appends against a raw write and sync loop: `logbench FOLDER [ENTRIES [BYTES [CALLERS]]]`.

use mayag_transport::log_measure::{Load, append_against_raw};
use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = words.first().ok_or("usage: logbench FOLDER [ENTRIES [BYTES [CALLERS]]]")?;
    let number = |place: usize, otherwise: u64| {
        words.get(place).map_or(Ok(otherwise), |word| word.parse::<u64>())
    };
    let load = Load {
        entries: number(1, 200_000)?,
        entry_bytes: usize::try_from(number(2, 1024)?)?,
        callers: number(3, 128)?,
    };
    let found = append_against_raw(Path::new(folder), &load)?;
    writeln!(
        io::stdout(),
        "append vs raw: {:.0}/s against {:.0}/s in groups of {}: {:.2}",
        found.appends_per_second,
        found.raw_per_second,
        found.group,
        found.ratio()
    )?;
    Ok(())
}
