//! The binary `mayag`.

use clap::Parser as _;
use mayag_cli::arguments::Folders;
use mayag_cli::command::Arguments;
use mayag_cli::printer::Printer;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folders = Folders { config: variable("XDG_CONFIG_HOME"), home: variable("HOME") };
    let mut printer = Printer::of_process();
    mayag_cli::command::run(arguments, &folders, &mut printer)
}

#[expect(clippy::disallowed_methods, reason = "where the user's settings are is read here, once")]
fn variable(name: &str) -> Option<std::path::PathBuf> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(Into::into)
}
