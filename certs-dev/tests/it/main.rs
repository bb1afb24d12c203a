//! A generated folder, judged by OpenSSL, by an X.509 parser and by the roster's own reader.

#![cfg(test)]

use mayag_audit::keys::{Ed25519, SigningKey};
use mayag_certs_dev::authority::Scope;
use mayag_certs_dev::pki::{Pki, folder_name};
use mayag_certs_dev::plan::Plan;
use mayag_certs_dev::{CertsError, MARK, generate};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::timestamp::Timestamp;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use x509_parser::prelude::{GeneralName, Pem, X509Certificate};

const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn federation() -> (TempDir, Pki) {
    let dir = tempfile::tempdir().unwrap();
    generate(&Plan::demo(now()).unwrap(), dir.path()).unwrap();
    let pki = Pki::open(dir.path()).unwrap();
    (dir, pki)
}

fn identity(rest: &str) -> Identity {
    format!("spiffe://demo/{rest}").parse().unwrap()
}

fn hana() -> Identity {
    identity("country/kr/analyst/hana")
}

/// Runs `openssl verify` with the authority and revocation list of `scope`, for `purpose`, at `at`.
fn openssl_verify(
    pki: &Pki,
    scope: &Scope,
    certificate: &Path,
    purpose: &str,
    at: Timestamp,
) -> Result<(), String> {
    let stem = scope.stem();
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-crl_check", "-purpose", purpose, "-attime"])
        .arg((at.millis() / 1000).to_string())
        .arg("-CAfile")
        .arg(pki.folder().join("ca").join(format!("{stem}.crt")))
        .arg("-CRLfile")
        .arg(pki.folder().join("crl").join(format!("{stem}.crl")))
        .arg(certificate)
        .output()
        .expect("these tests need the program `openssl` (Debian: apt-get install openssl)");
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

fn with_certificate<T>(path: &Path, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let text = fs::read(path).unwrap();
    let pem = Pem::iter_from_buffer(&text).next().unwrap().unwrap();
    look(&pem.parse_x509().unwrap())
}

/// (URIs, DNS names)
fn names(path: &Path) -> (Vec<String>, Vec<String>) {
    with_certificate(path, |certificate| {
        let extension = certificate.subject_alternative_name().unwrap().unwrap();
        let (mut uris, mut dns) = (Vec::new(), Vec::new());
        for name in &extension.value.general_names {
            if let GeneralName::URI(uri) = name {
                uris.push((*uri).to_owned());
            } else if let GeneralName::DNSName(name) = name {
                dns.push((*name).to_owned());
            } else {
                panic!("{name:?}");
            }
        }
        (uris, dns)
    })
}

/// Everybody's certificates: (identity, file, purpose for OpenSSL).
fn good(pki: &Pki) -> Vec<(Identity, PathBuf, &'static str)> {
    let roster = pki.roster().unwrap();
    let mut all = Vec::new();
    for member in roster.gateways.iter().chain(&roster.nodes) {
        all.push((
            member.identity.clone(),
            pki.folder_of(&member.identity).join("tls.crt"),
            "sslserver",
        ));
    }
    for member in &roster.gateways {
        all.push((
            member.identity.clone(),
            pki.folder_of(&member.identity).join("client.crt"),
            "sslclient",
        ));
    }
    for person in &roster.people {
        all.push((
            person.identity.clone(),
            pki.folder_of(&person.identity).join("tls.crt"),
            "sslclient",
        ));
    }
    all
}

#[test]
fn openssl_accepts_every_good_certificate_and_only_for_its_use() {
    let (_dir, pki) = federation();
    let good = good(&pki);
    assert_eq!(good.len(), 5 + 2 + 14);
    for (identity, file, purpose) in good {
        let scope = Scope::of(&identity);
        assert_eq!(openssl_verify(&pki, &scope, &file, purpose, now()), Ok(()), "{identity}");
        let other = if purpose == "sslserver" { "sslclient" } else { "sslserver" };
        assert!(openssl_verify(&pki, &scope, &file, other, now()).is_err(), "{identity}");
    }
}

#[test]
fn openssl_refuses_the_bad_certificates_it_can_judge() {
    let (_dir, pki) = federation();
    let verify = |what: &str| {
        openssl_verify(
            &pki,
            &Scope::of(&hana()),
            &pki.bad(what).join("tls.crt"),
            "sslclient",
            now(),
        )
    };
    assert!(verify("revoked").unwrap_err().contains("certificate revoked"));
    assert!(verify("expired").unwrap_err().contains("certificate has expired"));
    assert!(verify("wrong-usage").unwrap_err().contains("unsuitable certificate purpose"));
    assert!(verify("self-signed").is_err());
    assert!(verify("unknown-ca").is_err());
    // The others are good certificates to OpenSSL: only our own checks can refuse them.
    for what in ["two-uris", "wrong-country", "not-in-roster"] {
        assert_eq!(verify(what), Ok(()), "{what}");
    }
    let administrators = Scope::of(&identity("country/au/administrator/jack"));
    let wrong_kind = pki.bad("wrong-kind").join("tls.crt");
    assert_eq!(openssl_verify(&pki, &administrators, &wrong_kind, "sslclient", now()), Ok(()));
}

#[test]
fn bad_certificates_are_bad_for_the_stated_reason_only() {
    let (_dir, pki) = federation();
    let roster = pki.roster().unwrap();
    for what in ["expired", "revoked", "self-signed", "unknown-ca", "wrong-usage"] {
        assert_eq!(names(&pki.bad(what).join("tls.crt")).0, [hana().to_string()], "{what}");
    }
    assert_eq!(names(&pki.bad("two-uris").join("tls.crt")).0.len(), 2);
    let named =
        |what: &str| -> Identity { names(&pki.bad(what).join("tls.crt")).0[0].parse().unwrap() };
    assert_eq!(named("wrong-country"), identity("country/us/analyst/alex"));
    assert_eq!(named("wrong-kind"), identity("country/au/administrator/jack"));
    assert!(!roster.lists(&named("not-in-roster")));
    for what in ["expired", "two-uris", "wrong-country", "wrong-kind"] {
        let key =
            SigningKey::from_pem(&fs::read_to_string(pki.bad(what).join("question.key")).unwrap())
                .unwrap();
        assert_eq!(
            roster.person(&named(what)).unwrap().question_keys,
            [key.public().clone()],
            "{what}"
        );
    }
    let issuer =
        |file: PathBuf| with_certificate(&file, |certificate| certificate.issuer().to_string());
    assert_eq!(
        issuer(pki.bad("unknown-ca").join("tls.crt")),
        issuer(pki.folder_of(&hana()).join("tls.crt"))
    );
}

#[test]
fn names_are_the_identity_and_for_servers_the_derived_name() {
    let (_dir, pki) = federation();
    for (identity, file, purpose) in good(&pki) {
        let (uris, dns) = names(&file);
        assert_eq!(uris, [identity.to_string()]);
        let expected = match (folder_name(&identity).as_str(), purpose) {
            ("gateway-1", "sslserver") => vec!["gateway-1.demo.mayag.invalid".to_owned()],
            ("node-kr", _) => vec!["node.kr.demo.mayag.invalid".to_owned()],
            (_, "sslserver") => {
                vec![format!("node.{}.demo.mayag.invalid", identity.country().unwrap())]
            }
            _ => Vec::new(),
        };
        assert_eq!(dns, expected, "{identity}");
        with_certificate(&file, |certificate| {
            assert!(!certificate.basic_constraints().unwrap().unwrap().value.ca);
            let usage = certificate.key_usage().unwrap().unwrap();
            assert!(usage.critical);
            assert_eq!(usage.value.flags, 1, "digitalSignature and nothing else");
        });
    }
}

#[test]
fn validity_is_set_and_everything_is_marked() {
    let (dir, pki) = federation();
    let mut certificates = 0;
    for file in
        files(dir.path()).into_iter().filter(|file| file.extension().is_some_and(|e| e == "crt"))
    {
        certificates += 1;
        with_certificate(&file, |certificate| {
            let (from, until) =
                (certificate.validity().not_before, certificate.validity().not_after);
            assert!(
                until.timestamp() - from.timestamp() <= 91 * 24 * 60 * 60,
                "{}",
                file.display()
            );
            assert!(from.timestamp() <= now().millis() / 1000);
            assert!(certificate.subject().to_string().contains(MARK), "{}", file.display());
        });
    }
    assert_eq!(certificates, 17 + 21 + 9);
    let hours_12 = |file: &Path| {
        with_certificate(file, |c| c.validity().not_after.timestamp() - now().millis() / 1000)
    };
    assert_eq!(hours_12(&pki.folder_of(&hana()).join("tls.crt")), 12 * 60 * 60);
}

#[test]
fn private_keys_are_for_their_owner_only() {
    let (dir, pki) = federation();
    let mut keys = 0;
    for path in files(dir.path()) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let holds_key =
            path.is_file() && fs::read_to_string(&path).unwrap().contains("PRIVATE KEY");
        assert_eq!(holds_key, path.extension().is_some_and(|e| e == "key"), "{}", path.display());
        if holds_key {
            keys += 1;
            assert_eq!(mode, 0o600, "{}", path.display());
            let folder = fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777;
            assert_eq!(folder, 0o700, "{}", path.display());
        }
    }
    assert_eq!(keys, 17 + 2 + 5 * 6 + 6 + 14 * 2 + 9 * 2);
    assert!(!format!("{:?}", pki.authority(&Scope::of(&hana())).unwrap()).contains("KEY"));
}

#[test]
fn the_roster_opens_with_two_signatures_and_not_with_one() {
    let (dir, pki) = federation();
    let roster = pki.roster().unwrap();
    assert!(roster.in_force(now()) && !roster.in_force(now().plus(31 * DAY)));
    assert_eq!(roster.issuers.len(), 17);
    let signers = pki.roster_signers().unwrap();
    let text = fs::read(pki.folder().join("roster.json")).unwrap();
    let envelope = Envelope::parse(&text, 1 << 20).unwrap();
    let public: Vec<_> = signers.iter().map(|key| key.public().clone()).collect();
    assert_eq!(envelope.open(PayloadType::Roster, &public, 2, &Ed25519).unwrap().signers(), public);
    envelope.open(PayloadType::Roster, &public[..1], 2, &Ed25519).unwrap_err();
    pki.write_roster(&roster, &signers[..1]).unwrap();
    assert!(matches!(Pki::open(dir.path()), Err(CertsError::Roster(_))));
    let mut altered = roster;
    altered.version += 1;
    altered.people.clear();
    pki.write_roster(&altered, &signers).unwrap();
    assert_eq!(Pki::open(dir.path()).unwrap().roster().unwrap(), altered);
}

#[test]
fn the_issuer_table_holds_the_keys_of_the_authorities() {
    let (_dir, pki) = federation();
    for issuer in pki.roster().unwrap().issuers {
        let stem = match &issuer.country {
            Some(country) => format!(
                "{country}-{}",
                serde_json::to_value(issuer.kind).unwrap().as_str().unwrap()
            ),
            None => serde_json::to_value(issuer.kind).unwrap().as_str().unwrap().to_owned(),
        };
        let spki =
            with_certificate(&pki.folder().join("ca").join(format!("{stem}.crt")), |certificate| {
                mayag_audit::keys::sha256(certificate.public_key().raw)
            });
        assert_eq!(spki, issuer.spki_sha256, "{stem}");
    }
}

#[test]
fn a_certificate_can_be_revoked_later_and_the_list_can_expire() {
    let (_dir, pki) = federation();
    let (scope, file) = (Scope::of(&hana()), pki.folder_of(&hana()).join("tls.crt"));
    let verify = |file: &Path| openssl_verify(&pki, &scope, file, "sslclient", now());
    assert_eq!(verify(&file), Ok(()));
    pki.revoke(&scope, &file, now(), now().plus(DAY)).unwrap();
    assert!(verify(&file).unwrap_err().contains("certificate revoked"));
    assert!(
        verify(&pki.bad("revoked").join("tls.crt")).unwrap_err().contains("certificate revoked")
    );
    assert_eq!(pki.revoked(&scope).unwrap().len(), 2);
    pki.write_crl(&scope, &[], now(), now().plus(DAY)).unwrap();
    assert_eq!(verify(&file), Ok(()));
    let later = now().plus(Duration::from_mins(1));
    pki.write_crl(&scope, &[], now(), now().plus(Duration::from_secs(30))).unwrap();
    assert!(
        openssl_verify(&pki, &scope, &file, "sslclient", later)
            .unwrap_err()
            .contains("CRL has expired")
    );
}

#[test]
fn a_foreign_folder_is_left_alone_and_our_own_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::demo(now()).unwrap();
    fs::create_dir_all(dir.path().join("pki")).unwrap();
    generate(&plan, dir.path()).unwrap();
    let first = fs::read(dir.path().join("pki/ca/gateway.crt")).unwrap();
    generate(&plan, dir.path()).unwrap();
    assert_ne!(fs::read(dir.path().join("pki/ca/gateway.crt")).unwrap(), first);
    let other = tempfile::tempdir().unwrap();
    fs::create_dir_all(other.path().join("pki")).unwrap();
    fs::File::create(other.path().join("pki/precious")).unwrap();
    let error = generate(&plan, other.path()).unwrap_err();
    assert!(matches!(error, CertsError::Foreign { .. }));
    assert!(error.to_string().contains("choose another folder"));
    assert_eq!(files(other.path()).len(), 2, "nothing was written");
}

#[test]
fn a_federation_of_one_country_has_its_bad_set_too() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new("one", &["kr"], now()).unwrap().with_analyst("kr", "hana", &[]).unwrap();
    let summary = generate(&plan, dir.path()).unwrap();
    assert_eq!((summary.authorities, summary.nodes.len(), summary.people.len()), (5, 1, 1));
    assert_eq!(fs::read_dir(dir.path().join("pki/bad")).unwrap().count(), 9);
}
