//! Every field of a recorded stream is changed, one at a time; each change must be found.

use super::{Checked, Fault, check};
use crate::fixture::{Federation, Sent, country, key};
use mayag_audit::keys::sha256;
use mayag_protocol::answer::{Bundle, Decision, GatewayRefusal, logged_text};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Sign as _};
use mayag_protocol::event::Event;
use mayag_protocol::names::QuestionId;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};

fn federation() -> Federation {
    Federation::asked(Ask::Sql { sql: "SELECT count(*) FROM seizures".to_owned() })
}

/// Two countries that answered, and a result.
fn answered(federation: &Federation) -> Vec<Sent> {
    ["kr", "us"].map(|code| federation.cells(code, vec![(code.as_bytes().to_vec(), 1)])).into()
}

const RESULT: &[u8] = b"result";

/// What was found, and in whose part.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    In(Fault, Option<String>),
    Nothing,
}

fn fault(federation: &Federation, events: Vec<Event>) -> Found {
    match check(federation.asks(), events) {
        Ok(_) => Found::Nothing,
        Err(failed) => Found::In(failed.what, failed.country.map(|country| country.to_string())),
    }
}

/// The fault after a change to what the countries did; the gateway signs whatever it then sees.
fn after(change: impl FnOnce(&Federation, &mut Vec<Sent>)) -> Found {
    let federation = federation();
    let mut sent = answered(&federation);
    change(&federation, &mut sent);
    fault(&federation, federation.stream(&sent, Some(RESULT.to_vec())))
}

/// The fault after a change to the events of an honest stream.
fn tampered(change: impl FnOnce(&Federation, &mut Vec<Event>)) -> Found {
    let federation = federation();
    let mut events = federation.stream(&answered(&federation), Some(RESULT.to_vec()));
    change(&federation, &mut events);
    fault(&federation, events)
}

/// The events with the numbers of their places.
fn renumbered(events: &mut [Event]) {
    for (event, number) in events.iter_mut().zip(0..) {
        let (Event::Accepted { seq, .. }
        | Event::Arrived { seq, .. }
        | Event::Complete { seq, .. }
        | Event::Country { seq, .. }
        | Event::Refused { seq, .. }) = event;
        *seq = number;
    }
}

fn of(code: &str, fault: Fault) -> Found {
    Found::In(fault, Some(code.to_owned()))
}

fn gateway(fault: Fault) -> Found {
    Found::In(fault, None)
}

#[test]
fn an_honest_stream_is_believed_in_any_order_of_arrival() {
    let federation = federation();
    let mut sent = answered(&federation);
    sent.reverse();
    let checked =
        check(federation.asks(), federation.stream(&sent, Some(RESULT.to_vec()))).unwrap();
    let Checked::Complete { countries, result, .. } = checked else { panic!("{checked:?}") };
    assert_eq!(result.as_deref(), Some(RESULT));
    assert_eq!(countries.iter().map(|c| c.country.as_str()).collect::<Vec<_>>(), ["kr", "us"]);
    assert_eq!(countries[0].parts, [b"kr".to_vec()]);
}

#[test]
fn silent_refusing_and_failing_countries_are_told_apart() {
    let federation = federation();
    let refusal = Refusal::new(Code::NoGrant, "default-deny", "ask for another dataset");
    let nameless = {
        let mut sent =
            federation.decided("us", Decision::Refused { refusal: refusal.clone() }, vec![]);
        sent.answer.as_mut().unwrap().question = None;
        sent
    };
    let failed = Decision::Failed { id: "x".to_owned(), timed_out: true };
    for (other, outcome) in [
        (nameless, Outcome::Refused),
        (federation.decided("us", Decision::Refused { refusal }, vec![]), Outcome::Refused),
        (federation.decided("us", failed, vec![]), Outcome::TimedOut),
        (Federation::silent("us", Outcome::Unreachable), Outcome::Unreachable),
    ] {
        let sent = vec![other, federation.cells("kr", vec![(b"kr".to_vec(), 1)])];
        let checked =
            check(federation.asks(), federation.stream(&sent, Some(RESULT.to_vec()))).unwrap();
        let Checked::Complete { countries, .. } = checked else { panic!("{checked:?}") };
        assert_eq!(countries[1].outcome, outcome);
    }
}

#[test]
fn a_changed_answer_is_found() {
    assert_eq!(after(|_, _| ()), Found::Nothing);
    assert_eq!(after(|_, sent| sent[1].signer = country("kr")), of("us", Fault::Signature));
    assert_eq!(after(|_, sent| sent[1].parts[0].push(0)), of("us", Fault::PartDigest));
    assert_eq!(after(|_, sent| sent[1].parts.push(vec![])), of("us", Fault::PartDigest));
    assert_eq!(after(|_, sent| sent[1].parts.clear()), of("us", Fault::PartDigest));
    let answer = |change: fn(&mut mayag_protocol::answer::Answer)| {
        after(move |_, sent| change(sent[1].answer.as_mut().unwrap()))
    };
    assert_eq!(answer(|answer| answer.v = 2), of("us", Fault::Version));
    assert_eq!(answer(|answer| answer.country = country("kr")), of("us", Fault::Country));
    assert_eq!(answer(|answer| answer.question = None), of("us", Fault::Question));
    assert_eq!(
        answer(|answer| answer.question = Some("ff".repeat(16).parse().unwrap())),
        of("us", Fault::Question)
    );
    assert_eq!(
        answer(|answer| answer.question_digest = sha256(b"another")),
        of("us", Fault::Question)
    );
    assert_eq!(answer(|answer| answer.policy = None), of("us", Fault::Decision));
    // Its own log holds it, as it signed.
    for other in ["node-kr.demo/query-log/2027", "node-us.demo/admin-log/2027"] {
        let elsewhere = after(|f, sent| {
            let (_, key) = &f.nodes[1];
            let answer = sent[1].answer.as_mut().unwrap();
            answer.log.origin = other.parse().unwrap();
            answer.logged.0 = key.sign(&logged_text(&f.digest, &answer.log)).to_vec();
        });
        assert_eq!(elsewhere, of("us", Fault::Log), "{other}");
    }
    assert_eq!(answer(|answer| answer.log.index += 1), of("us", Fault::Log));
    assert_eq!(answer(|answer| answer.logged.0.clear()), of("us", Fault::Log));
    let shared = Decision::Shared { datasets: vec![] };
    assert_eq!(
        after(|f, sent| sent[1] = f.decided("us", shared, vec![])),
        of("us", Fault::Decision)
    );
}

#[test]
fn swapped_countries_are_found() {
    let swapped = after(|_, sent| {
        let (kr, us) = (sent[0].clone(), sent[1].clone());
        sent[0] = Sent { country: kr.country, ..us.clone() };
        sent[1] = Sent { country: us.country, ..Sent { answer: us.answer, ..sent[1].clone() } };
    });
    assert_eq!(swapped, of("kr", Fault::Signature));
    // The country's own signature under another country's answer.
    let renamed = after(|f, sent| {
        sent[0].answer = Some(f.answer("us", sent[0].answer.clone().unwrap().decision));
    });
    assert_eq!(renamed, of("kr", Fault::Country));
}

#[test]
fn an_outcome_or_a_refusal_that_nobody_signed_is_found() {
    let refusal = || Refusal::new(Code::NoGrant, "default-deny", "ask for another dataset");
    for outcome in [
        Outcome::Answered,
        Outcome::AnsweredSuppressed,
        Outcome::Refused,
        Outcome::BudgetExhausted,
        Outcome::Withdrawn,
    ] {
        assert_eq!(
            after(|_, sent| sent[1] = Federation::silent("us", outcome)),
            of("us", Fault::Unsigned),
            "{outcome}"
        );
    }
    for outcome in
        [Outcome::AnsweredSuppressed, Outcome::Refused, Outcome::Failed, Outcome::Unreachable]
    {
        assert_eq!(
            after(|_, sent| sent[1].outcome = outcome),
            of("us", Fault::Outcome),
            "{outcome}"
        );
    }
    let unheard = |sent: &mut Vec<Sent>| {
        sent[1] = Sent { refusal: Some(refusal()), ..Federation::silent("us", Outcome::Failed) }
    };
    assert_eq!(after(|_, sent| unheard(sent)), of("us", Fault::Unsigned));
    assert_eq!(after(|_, sent| sent[1].refusal = Some(refusal())), of("us", Fault::Refusal));
    let refused =
        |f: &Federation| f.decided("us", Decision::Refused { refusal: refusal() }, vec![]);
    assert_eq!(after(|f, sent| sent[1] = refused(f)), Found::Nothing);
    assert_eq!(
        after(|f, sent| sent[1] = Sent { refusal: None, ..refused(f) }),
        of("us", Fault::Refusal)
    );
    let other = Refusal { hint: "call this number".to_owned(), ..refusal() };
    assert_eq!(
        after(|f, sent| sent[1] = Sent { refusal: Some(other), ..refused(f) }),
        of("us", Fault::Refusal)
    );
}

#[test]
fn the_gateways_summary_must_be_what_arrived() {
    let with = |change: &dyn Fn(&mut mayag_protocol::answer::Release)| {
        tampered(|federation, events| {
            let mut release = federation.release(&answered(federation), Some(RESULT));
            change(&mut release);
            let Some(Event::Complete { release: sealed, .. }) = events.last_mut() else {
                panic!("{events:?}")
            };
            *sealed = federation.seal(&release);
        })
    };
    assert_eq!(with(&|_| ()), Found::Nothing);
    assert_eq!(with(&|release| release.v = 2), gateway(Fault::Version));
    assert_eq!(
        with(&|release| release.question = "ff".repeat(16).parse().unwrap()),
        gateway(Fault::Question)
    );
    assert_eq!(
        with(&|release| release.question_digest = sha256(b"another")),
        gateway(Fault::Question)
    );
    assert_eq!(
        with(&|release| release.gateway = "spiffe://demo/gateway/2".parse().unwrap()),
        gateway(Fault::Question)
    );
    for other in ["node-kr.demo/query-log/2027", "gateway-1.demo/admin-log/2027"] {
        let elsewhere = with(&|release| release.log.origin = other.parse().unwrap());
        assert_eq!(elsewhere, gateway(Fault::Log), "{other}");
    }
    assert_eq!(with(&|release| drop(release.countries.pop())), gateway(Fault::Summary));
    assert_eq!(with(&|release| release.countries.reverse()), gateway(Fault::Summary));
    assert_eq!(
        with(&|release| release.countries[1].outcome = Outcome::Failed),
        of("us", Fault::Outcome)
    );
    assert_eq!(
        with(&|release| release.countries[1].answer_digest = None),
        of("us", Fault::AnswerDigest)
    );
    assert_eq!(
        with(&|release| release.countries[1].answer_digest = Some(sha256(b"x"))),
        of("us", Fault::AnswerDigest)
    );
    assert_eq!(with(&|release| release.result = None), gateway(Fault::ResultDigest));
    assert_eq!(with(&|release| release.result = Some(sha256(b"x"))), gateway(Fault::ResultDigest));
}

#[test]
fn a_changed_completion_is_found() {
    let counts = |change: &dyn Fn(&mut bool, &mut u64, &mut u64)| {
        tampered(|_, events| {
            let Some(Event::Complete { complete, answered, asked, .. }) = events.last_mut() else {
                panic!("{events:?}")
            };
            change(complete, answered, asked);
        })
    };
    assert_eq!(counts(&|complete, _, _| *complete = false), gateway(Fault::Summary));
    assert_eq!(counts(&|_, answered, _| *answered = 1), gateway(Fault::Summary));
    assert_eq!(counts(&|_, _, asked| *asked = 3), gateway(Fault::Summary));
    let with_result = |other: Option<&[u8]>| {
        tampered(|_, events| {
            let Some(Event::Complete { result, .. }) = events.last_mut() else {
                panic!("{events:?}")
            };
            *result = other.map(|bytes| Base64(bytes.to_vec()));
        })
    };
    assert_eq!(with_result(None), gateway(Fault::Result), "neither a table nor a reason");
    assert_eq!(with_result(Some(b"forged")), gateway(Fault::ResultDigest));
    let resigned = tampered(|federation, events| {
        let release =
            serde_json::to_vec(&federation.release(&answered(federation), Some(RESULT))).unwrap();
        let Some(Event::Complete { release: sealed, .. }) = events.last_mut() else {
            panic!("{events:?}")
        };
        *sealed = Base64(Envelope::seal(PayloadType::Release, release, &key()).to_bytes());
    });
    assert_eq!(resigned, gateway(Fault::Signature));
}

#[test]
fn a_signed_answer_cannot_be_shown_as_the_gateways_summary() {
    let crossed = tampered(|federation, events| {
        let payload =
            serde_json::to_vec(&federation.release(&answered(federation), Some(RESULT))).unwrap();
        let Some(Event::Complete { release, .. }) = events.last_mut() else { panic!("{events:?}") };
        *release =
            Base64(Envelope::seal(PayloadType::Answer, payload, &federation.gateway).to_bytes());
    });
    assert_eq!(crossed, gateway(Fault::Signature));
}

#[test]
fn dropped_repeated_and_reordered_events_are_found() {
    assert_eq!(tampered(|_, events| drop(events.pop())), gateway(Fault::EndedEarly));
    assert_eq!(tampered(|_, events| events.clear()), gateway(Fault::EndedEarly));
    assert_eq!(tampered(|_, events| drop(events.remove(1))), gateway(Fault::Events));
    assert_eq!(tampered(|_, events| drop(events.remove(0))), gateway(Fault::Events));
    assert_eq!(tampered(|_, events| events.swap(1, 2)), gateway(Fault::Events));
    assert_eq!(tampered(|_, events| events.push(events[4].clone())), gateway(Fault::Events));
    let dropped = tampered(|_, events| {
        events.remove(3);
        renumbered(events);
    });
    assert_eq!(dropped, gateway(Fault::EndedEarly), "a country was asked and never heard of");
    for first in [1, 3] {
        let twice = tampered(|_, events| {
            events[first + 1] = events[first].clone();
            renumbered(events);
        });
        assert_eq!(twice, of("kr", Fault::Events));
    }
    let refused = tampered(|_, events| {
        let refusal = Refusal::new(Code::Busy, "x", "y");
        events[5] = Event::Refused { seq: 5, refusal, signed: Base64(Vec::new()) };
    });
    assert_eq!(refused, gateway(Fault::Events), "a gateway refuses before it asks, or not at all");
}

#[test]
fn what_is_handed_out_before_all_countries_are_done_is_found() {
    let moved = |from: usize, to: usize| {
        tampered(|_, events| {
            let event = events.remove(from);
            events.insert(to, event);
            renumbered(events);
        })
    };
    assert_eq!(moved(4, 3), Found::Nothing, "in any order once all are done");
    assert_eq!(moved(3, 2), of("kr", Fault::Events), "us is not done");
    assert_eq!(moved(3, 1), of("kr", Fault::Events), "nothing of kr was there");
    // What arrived cannot be taken back.
    let silenced = tampered(|federation, events| {
        events[3] = federation.event(3, &Federation::silent("kr", Outcome::TimedOut));
    });
    assert_eq!(silenced, of("kr", Fault::Events));
}

#[test]
fn other_questions_and_other_countries_are_found() {
    let accepted = |change: &dyn Fn(&mut Event)| tampered(|_, events| change(&mut events[0]));
    let with = |code: &'static str| {
        accepted(&move |event| {
            let Event::Accepted { countries, .. } = event else { panic!("{event:?}") };
            countries.push(country(code));
        })
    };
    assert_eq!(with("th"), gateway(Fault::Unasked));
    let renamed = accepted(&|event| {
        let Event::Accepted { question, .. } = event else { panic!("{event:?}") };
        *question = "ff".repeat(16).parse().unwrap();
    });
    assert_eq!(renamed, gateway(Fault::Question));
    let third = tampered(|federation, events| {
        let sent = Federation::silent("th", Outcome::Unreachable);
        events.insert(1, federation.event(1, &sent));
    });
    assert_eq!(third, of("th", Fault::Unasked));
}

#[test]
fn torn_bundles_are_found() {
    let torn = |bytes: fn(&Bundle) -> Vec<u8>| {
        tampered(|_, events| {
            let Event::Country { bundle: Some(bundle), .. } = &mut events[4] else {
                panic!("{events:?}")
            };
            bundle.0 = bytes(&Bundle::parse(&bundle.0).unwrap());
        })
    };
    assert_eq!(torn(|bundle| bundle.to_bytes().unwrap()), Found::Nothing);
    assert_eq!(torn(|_| vec![]), of("us", Fault::Bundle));
    assert_eq!(torn(|bundle| bundle.to_bytes().unwrap()[..40].to_vec()), of("us", Fault::Bundle));
    let garbage =
        torn(|bundle| Bundle { envelope: b"{}".to_vec(), ..bundle.clone() }.to_bytes().unwrap());
    assert_eq!(garbage, of("us", Fault::Signature));
}

#[test]
fn a_gateways_refusal_is_the_whole_stream() {
    let federation = federation();
    let refusal = Refusal::new(Code::Busy, "questions-at-once", "wait");
    let honest = federation.refusal(&refusal);
    let checked =
        |told: &Refusal, signed| check(federation.asks(), vec![federation.refused(told, signed)]);
    assert_eq!(checked(&refusal, &honest), Ok(Checked::Refused(refusal.clone())));
    let nameless = GatewayRefusal { question: None, ..honest.clone() };
    assert_eq!(checked(&refusal, &nameless), Ok(Checked::Refused(refusal.clone())));
    let other = Refusal::new(Code::NotInRoster, "roster", "go away");
    let event = |told: &Refusal, signed: &GatewayRefusal| vec![federation.refused(told, signed)];
    assert_eq!(
        fault(&federation, event(&other, &honest)),
        gateway(Fault::Refusal),
        "another than was signed"
    );
    for (wrong, what) in [
        (GatewayRefusal { v: 2, ..honest.clone() }, Fault::Version),
        (GatewayRefusal { question_digest: sha256(b"other"), ..honest.clone() }, Fault::Question),
        (
            GatewayRefusal {
                gateway: "spiffe://demo/gateway/2".parse().unwrap(),
                ..honest.clone()
            },
            Fault::Question,
        ),
        (
            GatewayRefusal { question: Some(QuestionId::from_bytes([9; 16])), ..honest.clone() },
            Fault::Question,
        ),
    ] {
        assert_eq!(fault(&federation, event(&refusal, &wrong)), gateway(what));
    }
    let mut elsewhere = honest;
    elsewhere.log.as_mut().unwrap().origin = "node-kr.demo/query-log/2027".parse().unwrap();
    assert_eq!(fault(&federation, event(&refusal, &elsewhere)), gateway(Fault::Log));
}

#[test]
fn a_refusal_that_the_gateway_did_not_sign_is_not_believed() {
    let federation = federation();
    let refusal = Refusal::new(Code::Busy, "questions-at-once", "wait");
    let mut stranger = Federation::asked(federation.question.ask.clone());
    stranger.digest = federation.digest.clone();
    let forged = stranger.refused(&refusal, &federation.refusal(&refusal));
    let unsigned = Event::Refused { seq: 0, refusal, signed: Base64(Vec::new()) };
    for event in [forged, unsigned] {
        assert_eq!(fault(&federation, vec![event]), gateway(Fault::Signature));
    }
}
