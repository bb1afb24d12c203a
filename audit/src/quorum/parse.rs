//! Reading a policy file, line by line, strictly.

use super::{Group, LONGEST_POLICY, Log, Member, Policy, PolicyError, Quorum, Window, Witness};
use crate::note::{Algorithm, VerifierKey};
use crate::tile::decimal;
use mayag_protocol::timestamp::Timestamp;

/// Begins a line that has a window and that other readers take for a comment.
const WINDOWED: &[u8] = b"#@";

#[derive(Default)]
struct Reading {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorums: Vec<Quorum>,
}

type Checked<T> = Result<T, &'static str>;

pub(super) fn policy(bytes: &[u8]) -> Result<Policy, PolicyError> {
    let whole = |reason| PolicyError { line: 0, reason };
    if bytes.len() > LONGEST_POLICY {
        return Err(whole("the file is too long"));
    }
    if bytes.iter().any(|b| (*b < b' ' && *b != b'\t' && *b != b'\n') || *b == 0x7f) {
        return Err(whole("the only control characters allowed are tab and newline"));
    }
    let text = bytes.strip_suffix(b"\n").ok_or_else(|| whole("the last line does not end"))?;
    let mut reading = Reading::default();
    for (n, line) in text.split(|b| *b == b'\n').enumerate() {
        reading.line(line).map_err(|reason| PolicyError { line: n + 1, reason })?;
    }
    reading.finish().map_err(whole)
}

pub(super) fn key_file(text: &str, needed: usize) -> Result<Policy, PolicyError> {
    let mut reading = Reading::default();
    for (n, line) in text.lines().enumerate() {
        let read = |reading: &mut Reading| {
            let key: VerifierKey = line.parse().map_err(|_| "not a verifier key")?;
            if n == 0 {
                reading.log(key, None, Window::default())
            } else {
                let name = key.name().to_string();
                reading.witness(Witness { name, key, url: None, window: Window::default() })
            }
        };
        read(&mut reading).map_err(|reason| PolicyError { line: n + 1, reason })?;
    }
    let whole = |reason| PolicyError { line: 0, reason };
    let members: Vec<Member> = (0..reading.witnesses.len()).map(Member::Witness).collect();
    if reading.logs.is_empty() || members.len() < needed {
        return Err(whole("the key file has fewer witnesses than the quorum, or no log"));
    }
    let window = Window::default();
    let rule = (needed > 0).then(|| {
        reading.groups.push(Group { name: b"quorum".to_vec(), needed, members, window });
        Member::Group(0)
    });
    reading.quorums.push(Quorum { rule, window });
    reading.finish().map_err(whole)
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> Checked<()> {
        let mut words = line.split(|b| *b == b' ' || *b == b'\t').filter(|word| !word.is_empty());
        let Some(mut first) = words.next() else { return Ok(()) };
        let mut words: Vec<&[u8]> = words.collect();
        let mut window = Window::default();
        if first == WINDOWED {
            (window, words) = read_window(&words)?;
            first = words.first().copied().ok_or("a window without a line")?;
            words.remove(0);
        } else if first.starts_with(b"#") {
            return Ok(());
        }
        match (first, words.as_slice()) {
            (b"log", [key]) => self.log(read_key(key)?, None, window),
            (b"log", [key, url]) => self.log(read_key(key)?, Some(read_text(url)?), window),
            (b"witness", [name, key]) => {
                let (name, key) = (read_text(name)?, read_key(key)?);
                self.witness(Witness { name, key, url: None, window })
            }
            (b"witness", [name, key, url]) => {
                let (name, key, url) = (read_text(name)?, read_key(key)?, Some(read_text(url)?));
                self.witness(Witness { name, key, url, window })
            }
            (b"group", [name, needed, members @ ..]) => self.group(name, needed, members, window),
            (b"quorum", [name]) => self.quorum(name, window),
            _ => Err("a line is `log`, `witness`, `group` or `quorum` with its words"),
        }
    }

    fn log(&mut self, key: VerifierKey, url: Option<String>, window: Window) -> Checked<()> {
        if key.algorithm() == Algorithm::CosignatureV1 {
            return Err("the key of a log is none of a witness");
        }
        if self.logs.iter().any(|log| log.key.key_bytes() == key.key_bytes()) {
            return Err("another log has this key");
        }
        self.logs.push(Log { key, url, window });
        Ok(())
    }

    fn witness(&mut self, witness: Witness) -> Checked<()> {
        if witness.key.algorithm() == Algorithm::Ed25519 {
            return Err("the key of a witness is none of a log");
        }
        if self.witnesses.iter().any(|other| other.key.key_bytes() == witness.key.key_bytes()) {
            return Err("another witness has this key");
        }
        self.free(witness.name.as_bytes())?;
        self.witnesses.push(witness);
        Ok(())
    }

    fn group(
        &mut self,
        name: &[u8],
        needed: &[u8],
        members: &[&[u8]],
        window: Window,
    ) -> Checked<()> {
        self.free(name)?;
        let members: Checked<Vec<Member>> =
            members.iter().map(|member| self.find(member, window)).collect();
        let members = members?;
        for (n, member) in members.iter().enumerate() {
            if members.iter().take(n).any(|other| other == member) {
                return Err("a group lists a member twice");
            }
        }
        let plain = self.groups.iter().filter(|group| group.window.always());
        if window.always() && plain.flat_map(|group| &group.members).any(|m| members.contains(m)) {
            return Err("a member of one group is a member of another");
        }
        let needed = match needed {
            b"all" => members.len(),
            b"any" => 1,
            number => std::str::from_utf8(number)
                .ok()
                .and_then(decimal)
                .ok_or("a group needs `all`, `any` or a number of its members")?,
        };
        if needed < 1 || members.len() < needed {
            return Err("a group needs at least one and at most all of its members");
        }
        self.groups.push(Group { name: name.to_vec(), needed, members, window });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8], window: Window) -> Checked<()> {
        let rule = if name == NOBODY { None } else { Some(self.find(name, window)?) };
        if let Some(rule) = rule
            && !self.once(rule, &mut Vec::new())
        {
            return Err("a witness counts twice in this quorum");
        }
        let clashes = |other: &Quorum| {
            if window.always() {
                other.window.always()
            } else {
                !other.window.always() && other.window.overlaps(window)
            }
        };
        if self.quorums.iter().any(clashes) {
            return Err("there is another quorum at the same time");
        }
        self.quorums.push(Quorum { rule, window });
        Ok(())
    }

    /// Whether every name below `rule` occurs there once.
    fn once(&self, rule: Member, seen: &mut Vec<Member>) -> bool {
        if seen.contains(&rule) {
            return false;
        }
        seen.push(rule);
        match rule {
            Member::Group(at) => self
                .groups
                .get(at)
                .is_some_and(|group| group.members.iter().all(|member| self.once(*member, seen))),
            Member::Witness(_) => true,
        }
    }

    fn free(&self, name: &[u8]) -> Checked<()> {
        if name == NOBODY {
            return Err("`none` is no name");
        }
        let taken = self.witnesses.iter().any(|witness| witness.name.as_bytes() == name)
            || self.groups.iter().any(|group| group.name == name);
        if taken { Err("the name is taken") } else { Ok(()) }
    }

    /// What a name stands for. A plain line sees plain names only, as its other readers do.
    fn find(&self, name: &[u8], window: Window) -> Checked<Member> {
        let seen = |other: Window| !window.always() || other.always();
        let witness = self
            .witnesses
            .iter()
            .position(|witness| witness.name.as_bytes() == name && seen(witness.window));
        let group = self.groups.iter().position(|group| group.name == name && seen(group.window));
        witness
            .map(Member::Witness)
            .or_else(|| group.map(Member::Group))
            .ok_or("no such name above")
    }

    fn finish(self) -> Checked<Policy> {
        let Self { logs, witnesses, groups, quorums } = self;
        let (plain, windowed): (Vec<Quorum>, Vec<Quorum>) =
            quorums.into_iter().partition(|quorum| quorum.window.always());
        let quorum = plain.first().copied().ok_or("the policy has no `quorum` line")?;
        Ok(Policy { logs, witnesses, groups, quorum, windowed })
    }
}

/// The predefined name of no quorum.
const NOBODY: &[u8] = b"none";

/// `[from T] [until T]`, and what is left.
fn read_window<'a>(words: &[&'a [u8]]) -> Checked<(Window, Vec<&'a [u8]>)> {
    let mut window = Window::default();
    let mut rest = words;
    if let [b"from", time, after @ ..] = rest {
        window.from = Some(read_time(time)?);
        rest = after;
    }
    if let [b"until", time, after @ ..] = rest {
        window.until = Some(read_time(time)?);
        rest = after;
    }
    let empty = window.from.zip(window.until).is_some_and(|(from, until)| until <= from);
    if window.always() || empty {
        return Err("a window is `from TIME`, `until TIME` or both, in this order");
    }
    Ok((window, rest.to_vec()))
}

fn read_time(word: &[u8]) -> Checked<Timestamp> {
    let text = std::str::from_utf8(word).ok();
    text.and_then(|text| text.parse().ok()).ok_or("a time is RFC 3339 in UTC")
}

fn read_key(word: &[u8]) -> Checked<VerifierKey> {
    let text = std::str::from_utf8(word).ok();
    text.and_then(|text| text.parse().ok()).ok_or("not a verifier key")
}

/// Names and URLs may be any octets; ours are UTF-8, so that they can be shown.
fn read_text(word: &[u8]) -> Checked<String> {
    std::str::from_utf8(word).map(str::to_owned).map_err(|_| "a name is UTF-8")
}
