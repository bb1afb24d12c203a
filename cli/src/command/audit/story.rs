//! `mayag audit story`: one question across all logs.

use super::logs::{Ended, Form, ListArgs, end, entries, found, lines};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::search::{Asked, Found};
use mayag_audit::story::Story;

/// Tell what all logs say of one question, in the order of time
#[derive(Debug, Args)]
#[command(after_help = "\
Every log is verified, and read twice: a node that refused a question because its signature did not hold knows only its
digest. One line an entry: time, log, index, and what it says.

Ends with 0 if a log has the question, with 1 if none has, with 6 if a log does not verify, with 2 if a file cannot be
read.

Examples:
  mayag audit story 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list ./federation/verify.txt
  mayag audit story 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list verify.txt --format json")]
pub(super) struct StoryArgs {
    /// The question's id (32 hexadecimal digits), or the SHA-256 of what the analyst signed (64)
    question: Asked,
    #[command(flatten)]
    list: ListArgs,
    /// Sentences, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
}

pub(super) fn run(args: &StoryArgs, printer: &mut Printer) -> Exit {
    let done = story(args).and_then(|story| {
        if story.is_empty() {
            return Err((Exit::Error, "no log says anything of this question".to_owned()));
        }
        Ok(lines(printer, &found(args.format, &story)?, Exit::Complete))
    });
    end(printer, done)
}

fn story(args: &StoryArgs) -> Result<Vec<Found>, Ended> {
    let jobs = args.list.read("story")?;
    let mut story = Story::of(args.question.clone());
    for job in &jobs {
        entries(job, &mut |located| story.learn(&located.entry))?;
    }
    for job in &jobs {
        entries(job, &mut |located| story.look(located))?;
    }
    Ok(story.into_found())
}
