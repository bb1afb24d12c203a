//! The unauthorised matrix: every route of every server x every way of not being allowed. A route that is added later
//! fails this test until it stands in [`TABLE`].

use mayag_audit::keys::SigningKey;
use mayag_integration_tests::raw;
use mayag_integration_tests::sealed::{
    analyst_key, open, question, refused, refused_by_gateway, seal,
};
use mayag_integration_tests::world::{CountrySpec, World, open_policy, plain_incidents};
use mayag_protocol::question::Question;
use mayag_protocol::refusal::Code;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::route::Route;
use std::path::PathBuf;
use std::time::Duration;

/// Every route, as `server method path`.
const TABLE: &[&str] = &[
    "gateway POST /v1/lookups",
    "gateway POST /v1/published",
    "gateway POST /v1/questions",
    "gateway POST /v1/receipts",
    "us POST /v1/witness/add-checkpoint",
    "us POST /v1/log/cosignatures",
    "us POST /v1/lookups",
    "us POST /v1/published",
    "us POST /v1/questions",
    "us POST /v1/log/request",
];

/// Certificates that open nothing: no connection comes to an answer.
const CERTIFICATES: &[&str] = &[
    "none",
    "unknown-ca",
    "expired",
    "revoked",
    "wrong-usage",
    "two-uris",
    "wrong-country",
    "self-signed",
    "wrong-kind",
    "not-in-roster",
];

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug";

fn routes() -> Vec<String> {
    let name = |server: &str, routes: &[Route]| -> Vec<String> {
        routes.iter().map(|route| format!("{server} {} {}", route.method, route.path)).collect()
    };
    [name("gateway", mayag_gateway::ROUTES), name("us", mayag_node::ROUTES)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_everybody_who_is_not_allowed() {
    assert_eq!(routes(), TABLE, "a new route needs a row in this table, and its refusals checked");
    let incidents = plain_incidents(&["Cocaine", "Heroin"], 20);
    let world = World::start(&[
        CountrySpec { country: "kr", incidents: incidents.clone(), policy: open_policy("kr", 10) },
        CountrySpec { country: "us", incidents, policy: open_policy("us", 10) },
    ]);
    println!("legend: X no answer at all, number = signed refusal");
    for row in TABLE {
        let [server, _, path] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let address = world.address(server);
        let mut line = format!("{row:30}");
        for certificate in CERTIFICATES {
            let body = seal(&question(&["kr", "us"], SQL), &analyst_key(&world));
            let folder = world.pki.pki.join("bad").join(certificate);
            let shown = (*certificate != "none").then_some((folder.as_path(), "tls"));
            let answer = raw::post(&address, shown, path, body).await;
            assert!(answer.is_err(), "{row} with certificate `{certificate}`: {answer:?}");
            line.push_str(" X");
        }
        let right = right(&world, server);
        if path == "/v1/questions" {
            for (what, expected) in signed_refusals(&world, server, path).await {
                line = format!("{line} {what}={}", expected.number());
            }
        } else if path == "/v1/lookups" {
            let shown = Some((right.0.as_path(), right.1));
            let (_, bytes) = raw::post(&address, shown, path, b"{}".to_vec()).await.unwrap();
            let found = if server == "gateway" {
                refused_by_gateway(&bytes)
            } else {
                refused(&open(&world, server, &bytes))
            };
            assert_eq!(found, Some(Code::MalformedQuestion), "{row}");
        } else {
            // What is not signed is believed in nothing, so there is nothing to refuse with a signature.
            let garbage =
                raw::post(&address, Some((&right.0, right.1)), path, b"{}".to_vec()).await;
            assert_eq!(garbage.unwrap().0.as_u16(), 400, "{row}");
        }
        // Everything that is no route, with the right certificate.
        let (status, bytes) =
            raw::post(&address, Some((&right.0, right.1)), "/v1/other", Vec::new()).await.unwrap();
        assert_eq!((status.as_u16(), bytes.len()), (404, 0), "{row}");
        println!("{line}");
    }
}

/// Whose certificate a server accepts.
fn right(world: &World, server: &str) -> (PathBuf, &'static str) {
    match server {
        "gateway" => (world.pki.pki.join("kr-analyst-ana"), "tls"),
        _ => (world.pki.pki.join("gateway-1"), "client"),
    }
}

async fn signed_refusals(world: &World, server: &str, path: &str) -> Vec<(&'static str, Code)> {
    let key = analyst_key(world);
    let stranger = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let fresh = || question(&["kr", "us"], SQL);
    let once = seal(&fresh(), &key);
    let issued_at = Timestamp::from_millis(fresh().issued_at.millis() - 100_000);
    let over =
        Question { issued_at, expires_at: issued_at.plus(Duration::from_mins(1)), ..fresh() };
    let unlisted =
        Question { analyst: "spiffe://test/country/kr/analyst/nobody".parse().unwrap(), ..fresh() };
    let cases = [
        ("first", once.clone(), None),
        ("replayed", once, Some(Code::Replayed)),
        ("bad-signature", seal(&fresh(), &stranger), Some(Code::BadSignature)),
        ("expired", seal(&over, &key), Some(Code::Expired)),
        ("garbage", b"{}".to_vec(), Some(Code::MalformedQuestion)),
        ("unlisted", seal(&unlisted, &key), Some(Code::NotInRoster)),
    ];
    let (folder, stem) = right(world, server);
    let mut codes = Vec::new();
    for (what, body, expected) in cases {
        let (status, bytes) = raw::post(&world.address(server), Some((&folder, stem)), path, body)
            .await
            .expect("an answer");
        assert_eq!(status, 200, "{server} {what}");
        let found = if server == "gateway" {
            refused_by_gateway(&bytes)
        } else {
            refused(&open(world, server, &bytes))
        };
        assert_eq!(found, expected, "{server} {what}");
        codes.extend(expected.map(|code| (what, code)));
    }
    codes
}
