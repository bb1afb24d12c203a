//! `mayag refusal CODE`: what a code means, without any connection.

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_protocol::refusal::Code;

/// The sections that are printed; a test holds them and the closed list equal.
const PAGES: &str = include_str!("../../../docs/refusals.md");

/// Explain a refusal's code, or list all of them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mayag refusal MAYAG-2104\n  mayag refusal column-not-shared\n  mayag refusal"
)]
pub struct RefusalArgs {
    /// A code such as `MAYAG-2104`, or its name
    code: Option<String>,
}

/// Prints what one code means, or a line per code: number, name, title.
pub fn run(args: &RefusalArgs, printer: &mut Printer) -> Exit {
    let text = match &args.code {
        None => list(),
        Some(text) => {
            let Some(page) = named(text).and_then(page) else {
                let what = "there is no such code; `mayag refusal` lists all of them";
                return failed(printer, Exit::Usage, what);
            };
            page.to_owned()
        }
    };
    let result = printer.line(&text);
    written(printer, result, Exit::Complete)
}

fn list() -> String {
    let line = |code: &Code| format!("{}  {:<21}  {}", code.number(), code.name(), code.title());
    Code::ALL.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn named(text: &str) -> Option<Code> {
    let matches = |code: &&Code| code.number().eq_ignore_ascii_case(text) || code.name() == text;
    Code::ALL.iter().find(matches).copied()
}

/// The section of one code.
fn page(code: Code) -> Option<&'static str> {
    let heading = format!("{} {}\n", code.number(), code.name());
    PAGES.split("\n## ").find(|section| section.starts_with(&heading)).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::{PAGES, RefusalArgs, page, run};
    use crate::exit::Exit;
    use crate::printer::{Terminals, recorded};
    use mayag_protocol::refusal::Code;

    fn told(code: Option<&str>) -> (Exit, String) {
        let (mut printer, out, _) = recorded::printer(Terminals::Neither);
        let exit = run(&RefusalArgs { code: code.map(str::to_owned) }, &mut printer);
        (exit, out.text())
    }

    #[test]
    fn codes_are_explained_by_number_and_by_name() {
        for code in ["MAYAG-2104", "mayag-2104", "column-not-shared"] {
            let (exit, text) = told(Some(code));
            assert_eq!(exit, Exit::Complete);
            assert!(
                text.starts_with("MAYAG-2104 column-not-shared\n\nThe column is not shared.\n")
            );
            assert!(text.contains("\n* What to do: "), "{text}");
        }
        assert_eq!(told(Some("MAYAG-9999")), (Exit::Usage, String::new()));
        let line = "MAYAG-2104  column-not-shared      the column is not shared\n";
        assert!(told(None).1.contains(line));
    }

    #[test]
    fn every_code_has_its_section_and_there_is_no_other() {
        for code in Code::ALL {
            let page = page(*code).unwrap_or_else(|| panic!("docs/refusals.md lacks {code}"));
            let title = page.lines().nth(2).unwrap_or_default().trim_end_matches('.');
            assert_eq!(title.to_lowercase(), code.title().to_lowercase(), "{code}");
            for part in ["\n* Who decides: ", "\n* What to do: ", "\n* Example: "] {
                assert!(page.contains(part), "{code} lacks `{}`", part.trim());
            }
        }
        let headings: Vec<&str> = PAGES.lines().filter(|line| line.starts_with("## ")).collect();
        let numbers = headings.iter().filter_map(|heading| heading.split(' ').nth(1));
        assert!(numbers.eq(Code::ALL.iter().map(|code| code.number())), "{headings:?}");
    }
}
