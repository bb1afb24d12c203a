//! `mayag refusal CODE`: what a code means, without any connection.

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_protocol::refusal::Code;

/// Explain a refusal's code, or list all of them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mayag refusal MAYAG-2104\n  mayag refusal column-not-shared\n  mayag refusal"
)]
pub struct RefusalArgs {
    /// A code such as `MAYAG-2104`, or its name
    code: Option<String>,
}

/// Prints a line per code: number, name, title.
pub fn run(args: &RefusalArgs, printer: &mut Printer) -> Exit {
    let matches = |code: &&Code| match &args.code {
        Some(text) => code.number().eq_ignore_ascii_case(text) || code.name() == text,
        None => true,
    };
    let lines: Vec<String> = Code::ALL
        .iter()
        .filter(matches)
        .map(|code| format!("{}  {:<21}  {}", code.number(), code.name(), code.title()))
        .collect();
    if lines.is_empty() {
        return failed(
            printer,
            Exit::Usage,
            "there is no such code; `mayag refusal` lists all of them",
        );
    }
    let result = printer.line(&lines.join("\n"));
    written(printer, result, Exit::Complete)
}

#[cfg(test)]
mod tests {
    use super::{RefusalArgs, run};
    use crate::exit::Exit;
    use crate::printer::{Terminals, recorded};

    fn told(code: Option<&str>) -> (Exit, String) {
        let (mut printer, out, _) = recorded::printer(Terminals::Neither);
        let exit = run(&RefusalArgs { code: code.map(str::to_owned) }, &mut printer);
        (exit, out.text())
    }

    #[test]
    fn codes_are_explained_by_number_and_by_name() {
        let line = "MAYAG-2104  column-not-shared      the column is not shared\n";
        for code in ["MAYAG-2104", "mayag-2104", "column-not-shared"] {
            assert_eq!(told(Some(code)), (Exit::Complete, line.to_owned()));
        }
        assert_eq!(told(Some("MAYAG-9999")), (Exit::Usage, String::new()));
        assert!(told(None).1.contains(line));
    }
}
