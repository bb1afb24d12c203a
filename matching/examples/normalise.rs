//! Shows what would be searched for each line of the standard input: value, variants and notes, or what is wrong.
//!
//! A tool for those who write rules and vectors; identifiers of real people are typed into `mayag lookup normalise`.

use mayag_matching::normalise::normalise;
use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lines() {
        match normalise(&line?) {
            Ok(found) => {
                let variants: Vec<&str> = found.variants().collect();
                let notes: Vec<String> = found.notes().iter().map(ToString::to_string).collect();
                let [variants, notes] = [variants.join(" "), notes.join("; ")];
                writeln!(out, "{}\t{}\t{variants}\t{notes}", found.kind(), found.value())?;
            }
            Err(problem) => writeln!(out, "-\t{}\t\t{problem}", problem.code().as_str())?,
        }
    }
    Ok(())
}
