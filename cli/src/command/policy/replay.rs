//! `mayag policy replay`: what a draft would have decided on the questions that were asked. No data is read.

use super::asking::decided;
use super::site::{self, PolicyFault, Site};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_node::archive::{self, Asked};
use mayag_policies::decide::Subject;
use mayag_policies::document::Policy;
use mayag_protocol::names::Role;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Decide the questions of a node's archive again, under a draft
#[derive(Debug, Args)]
#[command(after_help = "\
Compares the draft with the policy that the node reads, question by question, as of now. Only decisions are made; no data
is read. Ends with 0 if every decision is the same, with 1 if not.

Examples:
  mayag policy replay --draft ./kr/policy.json --since 30d --config ./kr/node.toml
  mayag policy replay --draft ./kr/policy.json --archive questions.jsonl --config ./kr/node.toml")]
pub(super) struct ReplayArgs {
    /// The draft: a policy file, signed or not
    #[arg(long, value_name = "FILE")]
    draft: PathBuf,
    /// The archive; the node's own if not given
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Only questions since then: 30d, 12h, 2026-11-01, or an instant such as 2026-11-01T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    config: PathBuf,
}

/// From when on questions are decided again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// So long ago.
    Ago(Duration),
    /// This instant.
    Instant(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` is neither a time ago (30d, 12h), a day (2026-11-01) nor an instant in UTC"
            )
        };
        let ago = |number: &str, hours: u64| {
            // At most a century: longer than any archive.
            let number = number.parse().ok().filter(|number: &u64| *number <= 100 * 366 * 24);
            number.map(|number| Self::Ago(Duration::from_hours(number * hours))).ok_or_else(refused)
        };
        if let Some(days) = text.strip_suffix('d') {
            return ago(days, 24);
        }
        if let Some(hours) = text.strip_suffix('h') {
            return ago(hours, 1);
        }
        let instant =
            if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        instant.parse().map(Self::Instant).map_err(|_| refused())
    }
}

impl Since {
    /// Whether something that happened then is recent enough.
    fn covers(self, at: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Ago(longest) => now.since(at) <= longest,
            Self::Instant(first) => first <= at,
        }
    }
}

/// What a draft does to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Became {
    Answered,
    Refused,
    Same,
}

pub(super) fn run(args: &ReplayArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let site = Site::open(&args.config)?;
    let draft = site::policy(&args.draft, &site.catalogue)?;
    let active = site.before().policy.cloned();
    let mut asked = Vec::new();
    let paths = match &args.archive {
        Some(path) => vec![path.clone()],
        None => archive::files(&site.config.state),
    };
    for path in &paths {
        let bytes = files::read(path, archive::LONGEST_FILE).map_err(site::file)?;
        let (questions, unread) = archive::parse(&bytes);
        if unread > 0 {
            printer.talk(&format!("{}: {unread} lines are no questions", path.display()));
        }
        let recent =
            |asked: &Asked| args.since.is_none_or(|since| since.covers(asked.at, site.now));
        asked.extend(questions.into_iter().filter(recent));
    }
    let mut counts: BTreeMap<Became, usize> = BTreeMap::new();
    let mut changed: BTreeMap<(Became, String, String), usize> = BTreeMap::new();
    for question in &asked {
        let (became, rule) = compared(&site, active.as_ref(), &draft, question);
        *counts.entry(became).or_default() += 1;
        if became != Became::Same {
            *changed.entry((became, who(question), rule)).or_default() += 1;
        }
    }
    let count = |became| counts.get(&became).copied().unwrap_or_default();
    let mut lines = vec![format!(
        "{} logged questions · {} same · {} newly answered · {} newly refused",
        asked.len(),
        count(Became::Same),
        count(Became::Answered),
        count(Became::Refused)
    )];
    for ((became, who, rule), times) in &changed {
        let word = match became {
            Became::Answered => "newly answered",
            Became::Refused => "newly refused ",
            Became::Same => continue,
        };
        lines.push(format!("  {word}  {who}  rule {rule}  x{times}"));
    }
    lines.push("(decisions only; no data was read)".to_owned());
    site::print(printer, &lines)?;
    let same = changed.is_empty();
    Ok(if same { Exit::Complete } else { Exit::Error })
}

fn compared(
    site: &Site,
    active: Option<&Policy>,
    draft: &Policy,
    question: &Asked,
) -> (Became, String) {
    let subject = Subject {
        country: question.country.clone(),
        roles: question.roles.clone(),
        purpose: question.purpose,
    };
    let decide =
        |policy: &Policy| decided(policy, &site.catalogue, &subject, site.now, &question.sql);
    let was = active.is_some_and(|policy| decide(policy).is_ok());
    match (was, decide(draft)) {
        (true, Ok(_)) | (false, Err(_)) => (Became::Same, String::new()),
        (false, Ok(permits)) => {
            let rules: Vec<String> =
                permits.iter().map(mayag_policies::decide::Permit::grants).collect();
            (Became::Answered, rules.join(","))
        }
        (true, Err(refusal)) => (Became::Refused, format!("{} {}", refusal.rule, refusal.code)),
    }
}

/// The person as the archive knows them: country, roles, purpose, and the first digits of a pseudonym.
fn who(question: &Asked) -> String {
    let roles: Vec<&str> = question.roles.iter().map(Role::as_str).collect();
    let person = question.person.as_str().get(..8).unwrap_or_default();
    format!("{}/{} {person} {}", question.country, roles.join("+"), question.purpose)
}

#[cfg(test)]
mod tests {
    use super::Since;

    fn covers(since: &str, at: &str) -> bool {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        since.parse::<Since>().unwrap().covers(at.parse().unwrap(), now)
    }

    #[test]
    fn a_time_is_ago_a_day_or_an_instant() {
        assert!(covers("30d", "2026-10-29T12:00:00Z") && !covers("30d", "2026-10-29T11:59:59Z"));
        assert!(covers("1h", "2026-11-28T11:00:00Z") && !covers("1h", "2026-11-28T10:59:59Z"));
        assert!(covers("2026-11-01", "2026-11-01T00:00:00Z"));
        assert!(!covers("2026-11-01", "2026-10-31T23:59:59Z"));
        assert!(!covers("2026-11-01T08:00:00Z", "2026-11-01T07:59:59Z"));
        for wrong in ["", "d", "-1d", "1w", "30", "99999999999d", "2026-13-01", "yesterday", "1.5h"]
        {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
