//! A lookup against a country made of crate `matching`, and against the same country when it errs or lies.

use super::answer::{CountryAnswered, OfTable, Reason, Said};
use super::directory::{self, Seen};
use super::fixture::{
    Table, answer_of, choice, federation, hidden, identifiers, lacking, now, report, signed,
    tables, word,
};
use super::line::{in_force, without};
use super::{Identifiers, LookupAnswer, LookupError};
use crate::ask::AskError;
use crate::fault::Fault;
use crate::fixture::country;
use mayag_audit::keys::sha256;
use mayag_matching::normalise::{Element, Kind, normalise};
use mayag_matching::voprf::Seed;
use mayag_protocol::envelope::Base64;
use mayag_protocol::lookup::{DirectoryEntry, EvaluatedTable, Legend, Mode, UnreadyTable, Verdict};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use std::time::Duration;

const STOLEN: &str = "passport:M12345678@PHL";
const OTHER: &str = "passport:M87654321@PHL";

fn table() -> Table {
    Table::new("kr", Kind::TravelDocument, &[(STOLEN, 5)])
}

fn of_table(left_out: u64, said: Said) -> OfTable {
    OfTable { table: "known".parse().unwrap(), left_out, may_be_silent: false, said: vec![said] }
}

fn reason(answer: &LookupAnswer) -> Option<Reason> {
    answer.of(0).next().unwrap().reason.cloned()
}

#[test]
fn what_is_there_is_a_hit_and_what_is_not_is_a_proved_no() {
    let hidden = hidden(&["passport:m 1234-5678@PH", OTHER]);
    let answer = table().answered(&hidden, |_| ());
    assert_eq!((word(&answer, 0), word(&answer, 1)), ("hit exact".to_owned(), "no_hit".to_owned()));
    let finding = answer.of(0).next().unwrap();
    let Verdict::Hit { hit } = &finding.verdict else { panic!("{finding:?}") };
    assert_eq!(
        (hit.category.as_str(), hit.handling.as_str(), hit.rows),
        ("stolen document", "H1", 1)
    );
    assert_eq!(hit.contact, "05".repeat(16));
    assert!(!answer.no_hit_anywhere(0) && answer.no_hit_anywhere(1));
    assert!(answer.of(2).all(|finding| finding.verdict == Verdict::NotEvaluated {}));
}

#[test]
fn a_number_that_was_misread_is_found_and_its_band_says_so() {
    let held = Table::new("kr", Kind::TravelDocument, &[("passport:MO2345678@PHL", 5)]);
    let hidden = hidden(&["passport:M02345678@PHL"]);
    assert_eq!(word(&held.answered(&hidden, |_| ()), 0), "hit strong");
}

#[test]
fn records_with_one_identifier_are_told_apart_by_their_contact() {
    let held = Table::new("kr", Kind::TravelDocument, &[(STOLEN, 5), (STOLEN, 6), (STOLEN, 6)]);
    let answer = held.answered(&hidden(&[STOLEN]), |_| ());
    let finding = answer.of(0).next().unwrap();
    let hits: Vec<(&str, u16)> =
        finding.hits.iter().map(|it| (it.hit.contact.get(..2).unwrap(), it.hit.rows)).collect();
    assert_eq!(hits, [("05", 1), ("06", 2)]);
}

#[test]
fn a_person_is_found_through_keys_and_never_by_one_weak_one() {
    let held = Table::new("kr", Kind::Person, &[("person:Erika Mustermann@1964-08-12", 5)]);
    let found = |typed: &str| word(&held.answered(&hidden(&[typed]), |_| ()), 0);
    assert_eq!(found("person:Erika Mustermann@1964-08-12"), "hit exact");
    assert_eq!(found("person:Erica Mustermann@1964-08-12"), "hit strong");
    assert_eq!(found("person:Erica Musterman@1964-08-21"), "hit possible");
    assert_eq!(found("person:Juan Cruz@1980-02-29"), "no_hit");
}

#[test]
fn a_person_among_more_than_a_key_has_rows_for_is_not_called_unknown_to_a_country() {
    const TYPED: &str = "person:Erika Mustermann@1964-08-12";
    let person = normalise(TYPED).unwrap();
    // Records that agree with what is searched in one key, which is no hit by itself.
    let (kind, seed) = (Kind::Person, Seed::from_bytes([7; 32]));
    let scope = || Table::new("kr", kind, &[]).scope;
    let sharing = |key: &Element, records: u8| {
        let rows = (1..=records).map(|contact| (key.clone(), contact));
        Table::with(scope(), &seed, rows.collect())
    };
    let hidden = hidden(&[TYPED]);
    let weak = person.indexed().into_iter().find(|key| {
        let answer = sharing(key, 1).answered(&hidden, |_| ());
        word(&answer, 0) == "no_hit"
    });
    let weak = weak.expect("one weak key alone is no hit");
    let said = |held: &Table| {
        let answer = held.answered(&hidden, |_| ());
        (word(&answer, 0), reason(&answer))
    };
    assert_eq!(said(&sharing(&weak, 16)), ("no_hit".to_owned(), None));
    let crowded = ("not_evaluated".to_owned(), Some(Reason::Crowded));
    assert_eq!(said(&sharing(&weak, 17)), crowded);
    assert!(!Reason::Crowded.is_alarm() && !Reason::Crowded.forbids());
    // Who is found by other keys is found.
    let rows = (1..=17).map(|contact| (weak.clone(), contact));
    let whole = person.indexed().into_iter().map(|key| (key, 99));
    let held = Table::with(scope(), &seed, rows.chain(whole).collect());
    assert_eq!(said(&held), ("hit exact".to_owned(), None));
}

#[test]
fn without_the_positive_control_nothing_is_called_no_hit() {
    let stale = Table::of(table().scope, &Seed::from_bytes([8; 32]), &[(STOLEN, 5)]);
    // An index of another key: the proof is right, and nothing is found in it.
    let answer = table().answered(&hidden(&[STOLEN]), |evaluated| {
        (evaluated.filter, evaluated.boxes) = (stale.filter.clone(), stale.boxes.clone());
    });
    assert_eq!(
        (word(&answer, 0), reason(&answer)),
        ("not_evaluated".to_owned(), Some(Reason::Control))
    );
    assert!(!answer.no_hit_anywhere(0));
}

#[test]
fn nothing_of_an_answer_that_is_not_proved_is_believed() {
    let liar = Table::of(table().scope, &Seed::from_bytes([8; 32]), &[(STOLEN, 5)]);
    let hidden = hidden(&[STOLEN, OTHER]);
    let other_key = liar.evaluate(&hidden);
    let proof = |change: &dyn Fn(&mut super::compare::Evaluated)| {
        let answer = table().answered(&hidden, |evaluated| change(evaluated));
        assert_eq!(word(&answer, 0), "not_evaluated");
        reason(&answer).unwrap()
    };
    assert_eq!(proof(&|it| it.proof[1] ^= 1), Reason::Proof);
    assert_eq!(proof(&|it| it.proof.truncate(63)), Reason::Proof);
    assert_eq!(proof(&|it| it.vector.truncate(32)), Reason::Proof);
    assert_eq!(proof(&|it| it.vector.rotate_left(32)), Reason::Proof);
    let other = |it: &mut super::compare::Evaluated| {
        (it.vector, it.proof) = (other_key.vector.clone(), other_key.proof.clone());
    };
    assert_eq!(proof(&other), Reason::Proof);
    assert_eq!(proof(&|it| it.boxes.truncate(100)), Reason::Index);
}

#[test]
fn a_country_says_no_only_if_all_its_tables_do() {
    let hidden = hidden(&[STOLEN]);
    let said = |all: Vec<Said>, lacking| {
        let all = all.into_iter().map(|one| of_table(0, one)).collect();
        let country = CountryAnswered::evaluated(country("kr"), all, lacking);
        word(&answer_of(&hidden, vec![country]), 0)
    };
    let hits = || {
        let answer = table().answered(&hidden, |_| ());
        Said::of(answer.of(0).next().unwrap().hits.to_vec())
    };
    assert_eq!(said(vec![Said::No, Said::No], None), "no_hit");
    assert_eq!(said(vec![Said::No, Said::Unknown(Reason::Crowded)], None), "not_evaluated");
    assert_eq!(said(vec![Said::No], Some(Reason::OtherRules)), "not_evaluated");
    assert_eq!(said(vec![Said::No], Some(Reason::NotReady)), "not_evaluated");
    assert_eq!(said(vec![Said::Unknown(Reason::Control), hits(), Said::No], None), "hit exact");
    assert_eq!(said(vec![hits()], Some(Reason::Proof)), "hit exact");
    assert_eq!(said(vec![], Some(Reason::OtherPurpose)), "not_permitted");
    let refused = |code| Some(Reason::Refused(Refusal::new(code, "rule", "hint")));
    assert_eq!(said(vec![], refused(Code::TableNotShared)), "not_permitted");
    assert_eq!(said(vec![], refused(Code::BudgetExhausted)), "not_evaluated");
    assert_eq!(said(vec![], refused(Code::TooManyIdentifiers)), "not_evaluated");
    assert_eq!(said(vec![], Some(Reason::Outcome(Outcome::TimedOut))), "not_evaluated");
}

#[test]
fn only_tables_that_can_answer_are_asked_and_the_others_say_why() {
    let directory = || table().directory(1);
    let one = choice(directory(), Purpose::Border, 2);
    assert_eq!(one.countries(), [country("kr")]);
    assert_eq!(one.lacking.get(&country("zz")), Some(&Reason::Outcome(Outcome::Unreachable)));
    let why = |change: &dyn Fn(&mut DirectoryEntry)| {
        let mut directory = directory();
        change(&mut directory.tables[0]);
        let choice = choice(directory, Purpose::Border, 513);
        assert_eq!(choice.chosen.len(), usize::from(lacking(&choice).is_none()));
        lacking(&choice).cloned()
    };
    assert_eq!(why(&|_| ()), None);
    assert_eq!(why(&|it| it.kind = Kind::Iban.name()), Some(Reason::NoTable));
    assert_eq!(why(&|it| it.purposes = vec![Purpose::Alert]), Some(Reason::OtherPurpose));
    assert_eq!(why(&|it| it.mode = Mode::Declared), Some(Reason::Declared));
    assert_eq!(why(&|it| it.rules += 1), Some(Reason::OtherRules));
    assert_eq!(why(&|it| it.until = it.from), Some(Reason::NoEpoch));
    assert_eq!(why(&|it| it.from = it.until), Some(Reason::NoEpoch));
    assert_eq!(why(&|it| it.most_elements = 512), Some(Reason::TooMany { most: 512 }));
    assert_eq!(why(&|it| it.most_elements = 513), None);
}

#[test]
fn a_table_that_is_not_ready_is_never_a_no() {
    let unready = |kind: Kind, purpose| UnreadyTable {
        table: "late".parse().unwrap(),
        kind: kind.name(),
        purposes: vec![purpose],
    };
    let why = |tables: bool, unready| {
        let mut directory = table().directory(1);
        directory.unready = vec![unready];
        if !tables {
            directory.tables.clear();
        }
        let choice = choice(directory, Purpose::Border, 2);
        (choice.chosen.len(), lacking(&choice).cloned())
    };
    let kind = Kind::TravelDocument;
    // Others of its kind are asked: their hits count, and their "no" is not the country's.
    assert_eq!(why(true, unready(kind, Purpose::Border)), (1, Some(Reason::NotReady)));
    assert_eq!(why(true, unready(kind, Purpose::Alert)), (1, None));
    assert_eq!(why(true, unready(Kind::Iban, Purpose::Border)), (1, None));
    assert_eq!(why(false, unready(kind, Purpose::Border)), (0, Some(Reason::NotReady)));
    assert_eq!(why(false, unready(kind, Purpose::Alert)), (0, Some(Reason::OtherPurpose)));
    assert_eq!(why(false, unready(Kind::Iban, Purpose::Border)), (0, Some(Reason::NoTable)));
    // Nor is it a table that may not be searched, where the others of the kind may not.
    let mut directory = table().directory(1);
    directory.unready = vec![unready(kind, Purpose::Alert)];
    let choice = choice(directory, Purpose::Alert, 2);
    assert_eq!(lacking(&choice), Some(&Reason::NotReady));
    assert!(!Reason::NotReady.forbids() && !Reason::NotReady.is_alarm());
}

#[test]
fn rows_that_an_index_leaves_out_are_told_with_what_it_says() {
    let of = |tables| CountryAnswered::evaluated(country("kr"), tables, None).left_out;
    assert_eq!(of(vec![of_table(3, Said::No)]).values().collect::<Vec<_>>(), [&3]);
    assert!(of(vec![of_table(0, Said::No)]).is_empty());
    let (held, hidden) = (table(), hidden(&[OTHER]));
    let mut chosen = held.chosen();
    chosen.entry.index.left_out = 3;
    let answer = Table::read(&hidden, chosen, &held.evaluate(&hidden));
    assert_eq!(word(&answer, 0), "no_hit");
    assert_eq!(answer.countries[0].left_out.values().collect::<Vec<_>>(), [&3]);
}

#[test]
fn of_two_epochs_the_newer_is_asked_and_a_table_for_other_purposes_hides_no_other() {
    let mut directory = table().directory(1);
    let mut newer = directory.tables[0].clone();
    newer.epoch += 1;
    let mut secret = newer.clone();
    secret.table = "secret".parse().unwrap();
    secret.purposes = vec![Purpose::Investigate];
    directory.tables.extend([newer, secret]);
    let choice = choice(directory, Purpose::Border, 2);
    assert_eq!(choice.chosen.iter().map(|it| it.entry.epoch).collect::<Vec<_>>(), [4]);
    assert_eq!(lacking(&choice), None);
}

#[test]
fn a_country_that_refuses_one_of_its_tables_is_asked_for_the_others() {
    let one = table().chosen();
    let mut other = table().chosen();
    other.entry.table = "secret".parse().unwrap();
    let refused = |code, about: &str| Refusal::new(code, "rule", "hint").about(about);
    let left = |own: &[&_], refusal| {
        without(own, &refusal).into_iter().map(|it| it.entry.table.to_string()).collect::<Vec<_>>()
    };
    let both = [&one, &other];
    assert_eq!(left(&both, refused(Code::TableNotShared, "secret")), ["known"]);
    assert_eq!(left(&both, refused(Code::TableNotShared, "third")), [""; 0]);
    assert_eq!(left(&both, refused(Code::BudgetExhausted, "secret")), [""; 0]);
    assert_eq!(left(&[&other], refused(Code::TableNotShared, "secret")), [""; 0]);
}

#[test]
fn a_directory_is_signed_by_its_own_node() {
    let federation = federation();
    let directory = table().directory(1);
    let open = |by: &str, code: &str, directory: &_| {
        let signed = signed(&federation, by, directory);
        directory::open(&signed, &country(code), &federation.roster).map_err(|failed| failed.what)
    };
    assert_eq!(open("kr", "kr", &directory), Ok(directory.clone()));
    assert_eq!(open("us", "kr", &directory), Err(Fault::Signature));
    assert_eq!(open("us", "us", &directory), Err(Fault::Directory));
    let mut changed = directory.clone();
    changed.v = 2;
    assert_eq!(open("kr", "kr", &changed), Err(Fault::Version));
    changed.v = 1;
    changed.tables.push(directory.tables[0].clone());
    assert_eq!(open("kr", "kr", &changed), Err(Fault::Directory));
    assert_eq!(
        directory::open(b"{}", &country("kr"), &federation.roster).map_err(|failed| failed.what),
        Err(Fault::Directory)
    );
}

/// What is made of directories that are seen one after the other.
fn seen(seen: &mut Seen, directory: &mayag_protocol::lookup::Directory) -> Result<(), Fault> {
    match seen.accept(&country("kr"), directory, now()) {
        Ok(()) => Ok(()),
        Err(LookupError::Ask(AskError::Verification(failed))) => Err(failed.what),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_directory_never_goes_back_and_never_shows_another_key() {
    let state = tempfile::tempdir().unwrap();
    for folder in [Some(state.path()), None] {
        let mut memory = Seen::new(folder);
        let first = table().directory(4);
        assert_eq!(seen(&mut memory, &first), Ok(()));
        // Another run remembers what the one before saw.
        if folder.is_some() {
            memory = Seen::new(folder);
        }
        assert_eq!(seen(&mut memory, &first), Ok(()));
        assert_eq!(seen(&mut memory, &table().directory(3)), Err(Fault::DirectoryOlder));
        let other = Table::of(table().scope, &Seed::from_bytes([8; 32]), &[(STOLEN, 5)]);
        assert_eq!(seen(&mut memory, &other.directory(4)), Err(Fault::TableChanged));
        assert_eq!(seen(&mut memory, &other.directory(5)), Err(Fault::TableChanged));
        // The same key and serial with another index: somebody is shown rows of their own.
        let mut index = first.clone();
        index.tables[0].index.boxes.digest = sha256(b"others");
        assert_eq!(seen(&mut memory, &index), Err(Fault::TableChanged));
        index.serial = 5;
        assert_eq!(seen(&mut memory, &index), Ok(()));
        assert_eq!(seen(&mut memory, &first), Err(Fault::DirectoryOlder));
        let mut next = other.directory(6);
        next.tables[0].epoch += 1;
        assert_eq!(seen(&mut memory, &next), Ok(()));
        // A table that was left out for a while has the key that it had.
        let mut back = other.directory(7);
        assert_eq!(seen(&mut memory, &back), Err(Fault::TableChanged));
        back.tables.clear();
        assert_eq!(seen(&mut memory, &back), Ok(()));
        assert_eq!(seen(&mut memory, &other.directory(8)), Err(Fault::TableChanged));
    }
    let path = state.path().join("directories").join("kr.json");
    mayag_transport::files::replace(&path, b"{", mayag_transport::files::Mode::Secret).unwrap();
    let broken = Seen::new(Some(state.path())).accept(&country("kr"), &table().directory(9), now());
    assert!(matches!(broken, Err(LookupError::Memory(_))), "{broken:?}");
}

/// A change to what a directory says of a table.
type Change = fn(&mut DirectoryEntry);

#[test]
fn another_kind_or_other_rules_have_another_key_and_that_is_no_tagging() {
    let first = table().directory(4);
    let other = Table::of(table().scope, &Seed::from_bytes([8; 32]), &[(STOLEN, 5)]);
    let changes: [Change; 2] = [|entry| entry.rules += 1, |entry| entry.kind = Kind::Iban.name()];
    for change in changes {
        let mut memory = Seen::new(None);
        assert_eq!(seen(&mut memory, &first), Ok(()));
        let mut renewed = other.directory(5);
        change(&mut renewed.tables[0]);
        // Not under the serial that said something else.
        renewed.serial = 4;
        assert_eq!(seen(&mut memory, &renewed), Err(Fault::TableChanged));
        renewed.serial = 5;
        assert_eq!(seen(&mut memory, &renewed), Ok(()));
        // What was seen of either stays.
        let mut third = table().directory(6);
        change(&mut third.tables[0]);
        assert_eq!(seen(&mut memory, &third), Err(Fault::TableChanged));
        assert_eq!(seen(&mut memory, &other.directory(6)), Err(Fault::TableChanged));
        assert_eq!(seen(&mut memory, &table().directory(6)), Ok(()));
    }
}

#[test]
fn keys_that_ended_long_ago_are_forgotten() {
    let mut memory = Seen::new(None);
    let first = table().directory(1);
    assert_eq!(seen(&mut memory, &first), Ok(()));
    let mut empty = first.clone();
    (empty.serial, empty.tables) = (2, Vec::new());
    let later = now().plus(Duration::from_hours(24 * 100));
    memory.accept(&country("kr"), &empty, later).unwrap();
    let other = Table::of(table().scope, &Seed::from_bytes([8; 32]), &[(STOLEN, 5)]);
    assert_eq!(seen(&mut memory, &other.directory(3)), Ok(()));
}

/// What a node signs of an answer by this table.
fn evaluated_by(held: &Table) -> EvaluatedTable {
    let entry = held.entry();
    EvaluatedTable {
        table: entry.table,
        epoch: entry.epoch,
        evaluated: sha256(b""),
        proof: Base64::default(),
        filter: entry.index.filter.digest,
        boxes: entry.index.boxes.digest,
    }
}

#[test]
fn what_is_compared_is_what_was_in_force_and_a_directory_names() {
    let (before, now) = (table(), Table::new("kr", Kind::TravelDocument, &[(OTHER, 6)]));
    let entry = before.entry();
    let since = Some(now.directory(2));
    let found = |since: Result<&Option<_>, &Reason>, table: &EvaluatedTable| {
        in_force(&entry, since, table).cloned()
    };
    assert_eq!(found(Ok(&None), &evaluated_by(&before)), Ok(entry.clone()));
    // Built anew since the directory was signed.
    let signed = evaluated_by(&now);
    assert_eq!(found(Ok(&since), &signed), Ok(now.entry()));
    assert_eq!(found(Ok(&None), &signed), Err(Reason::Index));
    assert_eq!(found(Err(&Reason::Unfetched), &signed), Err(Reason::Unfetched));
    // An index that no directory names: both digests must be those of one entry.
    let mine = EvaluatedTable { boxes: sha256(b"yours alone"), ..signed.clone() };
    assert_eq!(found(Ok(&since), &mine), Err(Reason::Index));
    let mixed = EvaluatedTable { boxes: entry.index.boxes.digest.clone(), ..signed.clone() };
    assert_eq!(found(Ok(&since), &mixed), Err(Reason::Index));
    let changes: [Change; 5] = [
        |it| it.table = "other".parse().unwrap(),
        |it| it.epoch += 1,
        |it| it.kind = Kind::Iban.name(),
        |it| it.rules += 1,
        |it| it.key = mayag_protocol::names::EvaluationKey::from_bytes([1; 32]),
    ];
    for change in changes {
        let mut other = now.directory(2);
        change(&mut other.tables[0]);
        assert_eq!(found(Ok(&Some(other)), &signed), Err(Reason::Index));
    }
}

#[test]
fn numbers_mean_what_the_directory_says_that_names_the_index() {
    let (held, hidden) = (table(), hidden(&[STOLEN]));
    let mut entry = Table::new("kr", Kind::TravelDocument, &[]).entry();
    entry.categories = vec![Legend { number: 4, text: "found again".to_owned() }];
    let since = Some(held.directory(2));
    let entry = in_force(&entry, Ok(&since), &evaluated_by(&held)).unwrap().clone();
    let chosen = super::plan::Chosen { entry, ..held.chosen() };
    let answer = Table::read(&hidden, chosen, &held.evaluate(&hidden));
    let finding = answer.of(0).next().unwrap();
    assert_eq!(finding.hits[0].hit.category, "stolen document");
}

#[test]
fn nothing_shows_what_is_searched() {
    let hidden = hidden(&[STOLEN, "passport:SECRET99@PHL"]);
    let answer = table().answered(&hidden, |_| ());
    let texts = [
        format!("{hidden:?} {:?} {answer:?}", hidden.identifiers),
        format!("{:?}", Identifiers::new(vec![]).unwrap_err()),
        format!(
            "{:?}",
            Identifiers::new(vec![normalise(STOLEN).unwrap(), normalise("cas:50-00-0").unwrap()])
                .unwrap_err()
        ),
        format!("{:?}", tables(vec![table().directory(1)])),
    ];
    for text in texts {
        for secret in ["12345678", "SECRET99", "50-00-0"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn identifiers_are_of_one_kind_and_what_is_searched_twice_costs_once() {
    let twice = identifiers(&[STOLEN, OTHER, STOLEN]);
    assert_eq!((twice.len(), twice.elements().len()), (3, 2));
    let hidden = hidden(&[STOLEN, OTHER, STOLEN]);
    let answer = table().answered(&hidden, |_| ());
    assert_eq!(word(&answer, 2), "hit exact");
    assert!(matches!(Identifiers::new(vec![]), Err(LookupError::Kinds)));
    let mixed = [STOLEN, "cas:50-00-0"].map(|typed| normalise(typed).unwrap());
    assert!(matches!(Identifiers::new(mixed.into()), Err(LookupError::Kinds)));
    let unanswered =
        LookupAnswer::unanswered(1, [country("kr")], &Reason::Outcome(Outcome::NotAsked));
    assert_eq!(word(&unanswered, 0), "not_evaluated");
    assert_eq!(report("kr", Outcome::Answered).outcome, Outcome::Answered);
}

mod declared;
mod index;
mod opening;
