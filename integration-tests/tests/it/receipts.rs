//! The receipt that an analyst takes home: asked for with the answer, checked offline, refused once anything in it is changed.

use mayag_audit::party::{self, Book};
use mayag_certs_dev::pki::Pki;
use mayag_integration_tests::raw;
use mayag_integration_tests::world::{CountrySpec, World, now, open_policy, plain_incidents};
use mayag_protocol::roster::Roster;
use mayag_transport::files::{self, Mode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug ORDER BY drug";

fn spec(country: &'static str) -> CountrySpec {
    CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine", "Heroin"], 20),
        policy: open_policy(country, 10),
    }
}

fn out(output: &Output) -> (i32, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

/// The keys of the gateway's log and of its witnesses, from the signed roster and from nowhere else.
fn write_keys(dir: &Path) {
    let roster: Roster = Pki::open(dir).expect("the PKI").roster().expect("a roster");
    let gateway = &roster.gateways[0];
    let origin = party::origin(&gateway.identity, Book::Questions, &party::year(now()));
    let keys = party::key_file(&roster, gateway, &origin.expect("a name")).expect("keys");
    write(&dir.join("gateway.keys"), &keys);
}

/// A federation of two whose gateway asks for so many witnesses.
fn world(witnesses: usize) -> World {
    let mut world = World::prepare(&[spec("kr"), spec("us")]);
    let path = world.dir().join("gateway/gateway.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let asked = format!("witnesses = {witnesses}\nwitness_ms = 100");
    assert!(text.contains("witnesses = 0"));
    write(&path, &text.replace("witnesses = 0", &asked));
    for country in ["kr", "us"] {
        world.start_node(country);
    }
    world.start_gateway();
    write_keys(world.dir());
    world
}

fn write(path: &Path, text: &str) {
    files::replace(path, text.as_bytes(), Mode::Public).expect("a file");
}

fn receipt(world: &World) -> Value {
    let text = std::fs::read(world.dir().join("answer.receipt")).expect("a receipt");
    serde_json::from_slice(&text).expect("JSON")
}

fn verify(world: &World, file: &str, quorum: &str) -> (i32, String) {
    let arguments = ["receipt", "verify", file, "--keys", "gateway.keys", "--quorum", quorum];
    out(&world.mayag(&arguments))
}

#[test]
fn a_receipt_is_verified_offline_and_no_byte_of_it_can_be_changed() {
    let mut world = world(2);
    let (code, said) = out(&world.ask("kr", SQL, &["--receipt", "answer.receipt"]));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("-- receipt answer.receipt: entry "), "{said}");
    assert!(said.contains("2 cosignatures"), "{said}");
    // Offline: nobody is there any more.
    world.kill_node("kr");
    world.kill_node("us");

    let (code, said) = verify(&world, "answer.receipt", "2");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 cosignatures") && said.contains("2 signed answers"), "{said}");
    assert!(said.contains("signatures not checked"), "{said}");
    let (code, said) = out(&world.mayag(&[
        "receipt",
        "verify",
        "answer.receipt",
        "--keys",
        "gateway.keys",
        "--roster",
        "pki/roster.json",
        "--roster-keys",
        "pki/roster.keys",
    ]));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("signatures verified with the roster"), "{said}");
    assert_eq!(verify(&world, "answer.receipt", "3").0, 2, "there are only two witnesses");

    let whole = receipt(&world);
    for place in [
        "/log/entry",
        "/log/proof",
        "/question/payload",
        "/release/payload",
        "/answers/kr/payload",
        "/answers/us/payload",
    ] {
        let mut changed = whole.clone();
        let value = changed.pointer_mut(place).expect("a place in the receipt");
        let text = value.as_str().expect("text");
        let at = text.len() / 2;
        let (before, after) = text.split_at(at);
        let mut after = after.chars();
        let other = if after.next() == Some('A') { 'B' } else { 'A' };
        *value = json!(format!("{before}{other}{}", after.as_str()));
        write(&world.dir().join("changed.receipt"), &changed.to_string());
        let (code, said) = verify(&world, "changed.receipt", "2");
        assert_eq!(code, 6, "{place}: {said}");
    }

    let extract = ["receipt", "extract", "answer.receipt", "--proof", "p", "--entry", "e"];
    let (code, said) = out(&world.mayag(&extract));
    assert_eq!(code, 0, "{said}");
    let proof = std::fs::read_to_string(world.dir().join("p")).expect("a proof");
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nindex "), "{proof}");
    assert_eq!(whole["log"]["proof"], json!(proof));
}

/// Witnesses that stay away keep the proof away; the answer is given all the same, and the proof fetched later.
#[test]
fn a_promise_is_made_good_later() {
    let mut world = world(1);
    world.kill_node("us");
    // Until now the log is cosigned; without its only other party no new checkpoint will be.
    world.signal_node("kr", "-STOP");
    let (code, said) =
        out(&world.ask("kr", SQL, &["--countries", "us", "--receipt", "answer.receipt"]));
    // Nobody answers, but the release is logged, and its receipt is promised.
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("`mayag receipt upgrade answer.receipt`"), "{said}");
    assert_eq!(receipt(&world)["log"]["kind"], json!("promised"));
    let (code, said) = verify(&world, "answer.receipt", "1");
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("nothing is proved yet: the log promised a proof until"), "{said}");

    world.signal_node("kr", "-CONT");
    let profile = world.profile("kr");
    let profile = profile.to_str().expect("a path in UTF-8");
    let (code, said) =
        out(&world.mayag(&["receipt", "upgrade", "answer.receipt", "--profile", profile]));
    assert_eq!(code, 0, "{said}");
    let (code, said) = verify(&world, "answer.receipt", "1");
    assert_eq!(code, 0, "{said}");
}

/// Nobody gets an entry that is not the record of his own answer, and nobody without its leaf hash.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_cannot_be_looked_through() {
    let world = world(0);
    let (code, said) = out(&world.ask("kr", SQL, &["--receipt", "answer.receipt"]));
    assert_eq!(code, 0, "{said}");
    let whole = receipt(&world);
    let release =
        mayag_protocol::envelope::Envelope::parse(whole["release"].to_string().as_bytes(), 1 << 20);
    let release: Value =
        serde_json::from_slice(release.expect("an envelope").unverified_payload()).expect("JSON");
    let own = release["log"].clone();
    let changed = |key: &str, value: Value| {
        let mut log = own.clone();
        log[key] = value;
        json!({ "log": log })
    };
    let before = own["index"].as_u64().expect("an index") - 1;
    let admin = format!("gateway-1.test/admin-log/{}", party::year(now()));
    let address = world.address("gateway");
    for (who, body, expected) in [
        ("kr", json!({ "log": own }), 200),
        ("us", json!({ "log": own }), 404),
        ("kr", changed("leaf", json!("00".repeat(32))), 404),
        ("kr", changed("index", json!(before)), 404),
        ("kr", changed("index", json!(1_000_000)), 404),
        ("kr", changed("origin", json!(admin)), 404),
        ("kr", json!({ "index": 0 }), 400),
        ("kr", json!({ "log": own, "more": "x".repeat(5000) }), 413),
    ] {
        let folder = world.pki.pki.join(format!("{who}-analyst-ana"));
        let body = body.to_string().into_bytes();
        let said = raw::post(&address, Some((&folder, "tls")), "/v1/receipts", body.clone()).await;
        let (status, bytes) = said.expect("an answer");
        assert_eq!(status, expected, "{who} {}", String::from_utf8_lossy(&body));
        assert_eq!(bytes.is_empty(), expected != 200);
    }
}
