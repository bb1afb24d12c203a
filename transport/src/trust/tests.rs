//! Why a certificate is refused, to the exact reason.

use super::{Trust, TrustFiles, one_in_pem};
use crate::peer::PeerFault;
use mayag_certs_dev::MARK;
use mayag_certs_dev::authority::Scope;
use mayag_certs_dev::generate;
use mayag_certs_dev::leaf::LeafPlan;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::Plan;
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::timestamp::{FixedClock, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};
use rustls::pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const HANA: &str = "spiffe://demo/country/kr/analyst/hana";
const NODE_KR: &str = "spiffe://demo/country/kr/node";

struct World {
    _dir: TempDir,
    pki: Pki,
    start: Timestamp,
}

impl World {
    fn new() -> Self {
        let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        generate(&Plan::demo(start).unwrap(), dir.path()).unwrap();
        let pki = Pki::open(dir.path()).unwrap();
        Self { _dir: dir, pki, start }
    }

    fn trust(&self) -> Arc<Trust> {
        let files = TrustFiles {
            authorities: self.pki.folder().join("ca"),
            revocations: self.pki.folder().join("crl"),
        };
        let clock = Arc::new(FixedClock(self.start));
        Trust::load(&files, self.pki.roster().unwrap().issuers, clock).unwrap()
    }

    fn read(&self, identity: &str, file: &str) -> CertificateDer<'static> {
        read(&self.pki.folder_of(&id(identity)).join(file))
    }

    /// Hana's certificate, for these uses.
    fn with_usages(&self, usages: &[ExtendedKeyUsagePurpose]) -> CertificateDer<'static> {
        let key =
            std::fs::read_to_string(self.pki.folder().join("private/ca-kr-analyst.key")).unwrap();
        let mut authority = CertificateParams::default();
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::OrganizationName, "demo");
        authority.distinguished_name.push(DnType::CommonName, format!("{MARK} kr-analyst"));
        let authority = Issuer::new(authority, KeyPair::from_pem(&key).unwrap());
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(HANA.try_into().unwrap())];
        params.extended_key_usages = usages.to_vec();
        params.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap().der().clone()
    }

    /// A certificate issued by the authority of this scope.
    fn issued(&self, scope: &Scope, plan: &LeafPlan) -> CertificateDer<'static> {
        let leaf = self.pki.authority(scope).unwrap().issue(plan).unwrap();
        one_in_pem(leaf.certificate.as_bytes()).unwrap()
    }
}

fn id(text: &str) -> Identity {
    text.parse().unwrap()
}

fn read(path: &Path) -> CertificateDer<'static> {
    one_in_pem(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn whoever_connects_is_refused_for_the_right_reason() {
    let world = World::new();
    let trust = world.trust();
    assert_eq!(trust.check_connecting(&[world.read(HANA, "tls.crt")]), Ok(id(HANA)));
    for (what, fault) in [
        ("expired", PeerFault::Expired),
        ("revoked", PeerFault::Revoked),
        ("self-signed", PeerFault::UnknownAuthority),
        ("two-uris", PeerFault::Identity),
        ("unknown-ca", PeerFault::Malformed),
        ("wrong-country", PeerFault::Issuer),
        ("wrong-usage", PeerFault::Use),
    ] {
        let found = trust.check_connecting(&[read(&world.pki.bad(what).join("tls.crt"))]);
        assert_eq!(found, Err(fault), "{what}");
    }
}

#[test]
fn an_authority_names_its_own_kind_only() {
    let world = World::new();
    let analysts = Scope::national(Kind::Analyst, &"kr".parse().unwrap());
    let until = world.start.plus(Duration::from_mins(1));
    for other in [
        "spiffe://demo/country/kr/administrator/min",
        "spiffe://demo/gateway/1",
        "spiffe://demo/auditor/ada",
    ] {
        let certificate =
            world.issued(&analysts, &LeafPlan::client(&id(other), world.start, until));
        assert_eq!(
            world.trust().check_connecting(&[certificate]),
            Err(PeerFault::Issuer),
            "{other}"
        );
    }
}

#[test]
fn a_certificate_has_one_use_and_says_so() {
    use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    let world = World::new();
    let trust = world.trust();
    let check =
        |usages: &[ExtendedKeyUsagePurpose]| trust.check_connecting(&[world.with_usages(usages)]);
    assert_eq!(check(&[ClientAuth]), Ok(id(HANA)));
    // webpki takes a certificate that says nothing for either use.
    assert_eq!(check(&[]), Err(PeerFault::Use));
    assert_eq!(check(&[ClientAuth, ServerAuth]), Err(PeerFault::Use));
    assert_eq!(check(&[ClientAuth, Any]), Err(PeerFault::Use));
}

#[test]
fn nothing_stands_between_a_certificate_and_its_authority() {
    let world = World::new();
    let (hana, authority) =
        (world.read(HANA, "tls.crt"), read(&world.pki.folder().join("ca/kr-analyst.crt")));
    let trust = world.trust();
    assert_eq!(trust.check_connecting(&[]), Err(PeerFault::Chain));
    assert_eq!(trust.check_connecting(&[hana, authority.clone()]), Err(PeerFault::Chain));
    // An authority is no party.
    trust.check_connecting(&[authority]).unwrap_err();
}

#[test]
fn a_server_is_refused_for_the_right_reason() {
    let world = World::new();
    let trust = world.trust();
    let node = world.read(NODE_KR, "tls.crt");
    let check = |certificate: &CertificateDer<'static>, expected: &str| {
        trust.check_listening(std::slice::from_ref(certificate), &id(expected))
    };
    assert_eq!(check(&node, NODE_KR), Ok(()));
    assert_eq!(check(&node, "spiffe://demo/country/us/node"), Err(PeerFault::Names));
    assert_eq!(check(&node, HANA), Err(PeerFault::Kind));
    assert_eq!(
        check(&world.read("spiffe://demo/gateway/1", "client.crt"), "spiffe://demo/gateway/1"),
        Err(PeerFault::Use)
    );
    let nodes = Scope::national(Kind::Node, &"kr".parse().unwrap());
    let until = world.start.plus(Duration::from_mins(1));
    let right = LeafPlan::server(&id(NODE_KR), world.start, until);
    // The host's name alone is not enough, nor is the identity alone.
    let other =
        LeafPlan { uris: vec!["spiffe://demo/country/us/node".to_owned()], ..right.clone() };
    assert_eq!(check(&world.issued(&nodes, &other), NODE_KR), Err(PeerFault::Names));
    let mut two = right.clone();
    two.dns.push("node.us.demo.mayag.invalid".to_owned());
    assert_eq!(check(&world.issued(&nodes, &two), NODE_KR), Err(PeerFault::Names));
    let nameless = LeafPlan { dns: Vec::new(), ..right };
    assert_eq!(check(&world.issued(&nodes, &nameless), NODE_KR), Err(PeerFault::Names));
}
