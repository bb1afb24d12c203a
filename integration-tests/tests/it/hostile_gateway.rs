//! A gateway that alters, replays, widens or re-targets a question: the node refuses, by itself.
//!
//! The test plays the gateway with the gateway's own certificate.

use mayag_audit::keys::SigningKey;
use mayag_integration_tests::raw;
use mayag_integration_tests::sealed::{self, analyst_key, open, question, refused, seal};
use mayag_integration_tests::world::{CountrySpec, World, open_policy, plain_incidents};
use mayag_protocol::answer::Decision;
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Code;
use std::time::Duration;

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";

fn world() -> World {
    let incidents = plain_incidents(&["Cocaine", "Heroin"], 20);
    let mut world = World::prepare(&[
        CountrySpec { country: "kr", incidents: incidents.clone(), policy: open_policy("kr", 10) },
        CountrySpec { country: "us", incidents, policy: open_policy("us", 10) },
    ]);
    world.start_node("us");
    world
}

async fn ask(world: &World, body: Vec<u8>) -> Option<Code> {
    let folder = world.pki.pki.join("gateway-1");
    let (status, bytes) =
        raw::post(&world.address("us"), Some((&folder, "client")), "/v1/questions", body)
            .await
            .expect("the node answers its gateway");
    assert_eq!(status, 200);
    refused(&open(world, "us", &bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_analyst_did_not_sign_is_refused() {
    let mut world = world();
    let key = analyst_key(&world);
    let good = question(&["kr", "us"], SQL);
    let sealed_good = seal(&good, &key);
    assert_eq!(ask(&world, sealed_good.clone()).await, None, "an honest gateway is answered");
    assert_eq!(ask(&world, sealed_good.clone()).await, Some(Code::Replayed));

    // A restart, and a kill, remember.
    world.kill_node("us");
    world.start_node("us");
    assert_eq!(ask(&world, sealed_good.clone()).await, Some(Code::Replayed));

    // Altered after signing: the gateway's own key, a stranger's, the same signature over another text.
    let gateway = sealed::key(&world.pki.pki.join("gateway-1"), "answer.key");
    let stranger = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let widened = Question {
        ask: Ask::Sql { sql: "SELECT count(*) FROM seizures".to_owned() },
        ..question(&["kr", "us"], SQL)
    };
    for other in [&gateway, &stranger] {
        assert_eq!(ask(&world, seal(&widened, other)).await, Some(Code::BadSignature));
    }
    let mut spliced: serde_json::Value = serde_json::from_slice(&sealed_good).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&seal(&widened, &stranger)).unwrap();
    spliced["payload"] = payload["payload"].clone();
    assert_eq!(ask(&world, serde_json::to_vec(&spliced).unwrap()).await, Some(Code::BadSignature));

    // Signed as another kind of message.
    let payload = serde_json::to_vec(&question(&["kr", "us"], SQL)).unwrap();
    let answer = Envelope::seal(PayloadType::Answer, payload, &key);
    assert_eq!(ask(&world, answer.to_bytes()).await, Some(Code::MalformedQuestion));

    // Re-targeted, or for another gateway.
    assert_eq!(ask(&world, seal(&question(&["kr"], SQL), &key)).await, Some(Code::WrongAudience));
    let other = Question {
        gateway: "spiffe://test/gateway/2".parse().unwrap(),
        ..question(&["kr", "us"], SQL)
    };
    assert_eq!(ask(&world, seal(&other, &key)).await, Some(Code::WrongAudience));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_analyst_signed_wrongly_is_refused_too() {
    let world = world();
    let key = analyst_key(&world);
    let changed = |change: fn(&mut Question)| {
        let mut question = question(&["kr", "us"], SQL);
        change(&mut question);
        seal(&question, &key)
    };
    let old = changed(|question| {
        question.issued_at = question.issued_at.plus(Duration::ZERO);
        question.issued_at = mayag_protocol::timestamp::Timestamp::from_millis(
            question.issued_at.millis() - 120_000,
        );
        question.expires_at = question.issued_at.plus(Duration::from_mins(1));
    });
    assert_eq!(ask(&world, old).await, Some(Code::Expired));
    let long = changed(|question| {
        question.expires_at = question.issued_at.plus(Duration::from_hours(1));
    });
    assert_eq!(ask(&world, long).await, Some(Code::Expired));
    let early = changed(|question| {
        question.issued_at = question.issued_at.plus(Duration::from_hours(1));
        question.expires_at = question.issued_at.plus(Duration::from_mins(1));
    });
    assert_eq!(ask(&world, early).await, Some(Code::Expired));
    let unknown = changed(|question| {
        question.analyst = "spiffe://test/country/kr/analyst/nobody".parse().unwrap();
    });
    assert_eq!(ask(&world, unknown).await, Some(Code::NotInRoster));
    let other = changed(|question| {
        question.analyst = "spiffe://test/country/us/analyst/ana".parse().unwrap();
    });
    assert_eq!(ask(&world, other).await, Some(Code::BadSignature));
    let purpose = changed(|question| question.purpose = mayag_protocol::purpose::Purpose::Wanted);
    assert_eq!(ask(&world, purpose).await, Some(Code::PurposeNotHeld));
    for garbage in [b"".to_vec(), b"{}".to_vec(), b"\xff\xfe".to_vec(), vec![b'['; 60_000]] {
        assert_eq!(ask(&world, garbage).await, Some(Code::MalformedQuestion));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_answers_nobody_but_a_gateway() {
    let world = world();
    let body = seal(&question(&["kr", "us"], SQL), &analyst_key(&world));
    for folder in ["kr-analyst-ana", "node-kr"] {
        let folder = world.pki.pki.join(folder);
        let answer =
            raw::post(&world.address("us"), Some((&folder, "tls")), "/v1/questions", body.clone())
                .await;
        assert!(answer.is_err(), "{answer:?}");
    }
    let folder = world.pki.pki.join("gateway-1");
    let (_, bytes) =
        raw::post(&world.address("us"), Some((&folder, "client")), "/v1/questions", body)
            .await
            .unwrap();
    assert!(matches!(open(&world, "us", &bytes).decision, Decision::Answered { .. }));
}
