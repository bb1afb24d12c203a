//! What a party refuses to start with.

use crate::support::{GATEWAY, HANA, HOUR, NODE_KR, World, analysts};
use mayag_protocol::timestamp::Clock;
use mayag_transport::client::{self, Client, ClientError, ClientTls};
use mayag_transport::credentials::CredentialsError;
use mayag_transport::files::FilesError;
use mayag_transport::server::{Limits, Server, ServerError, ServerTls};
use mayag_transport::tls::Usage;
use mayag_transport::trust::{IdentityFiles, TrustError};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

#[test]
fn every_authority_needs_its_one_revocation_list_in_force() {
    let world = World::new();
    world.try_trust().unwrap();
    let (folder, scope) = (world.trust_files().revocations, analysts("kr"));
    let list = folder.join("kr-analyst.crl");
    let good = fs::read(&list).unwrap();

    world.pki.write_crl(&scope, &[], "2026-11-23T11:00:00Z".parse().unwrap(), world.now()).unwrap();
    assert!(matches!(world.try_trust(), Err(TrustError::ListExpired { .. })));
    world.pki.write_crl(&scope, &[], world.now().plus(HOUR), world.now().plus(2 * HOUR)).unwrap();
    assert!(matches!(world.try_trust(), Err(TrustError::ListNotYet { .. })));
    fs::remove_file(&list).unwrap();
    let fault = world.try_trust().unwrap_err();
    assert!(
        matches!(&fault, TrustError::ListMissing { path } if path.ends_with("ca/kr-analyst.crt")),
        "{fault}"
    );

    put(&list, &good);
    put(&folder.join("zz.crl"), &good);
    assert!(matches!(world.try_trust(), Err(TrustError::ListTwice { .. })));
    put(&folder.join("zz.crl"), &fs::read(folder.join("us-analyst.crl")).unwrap());
    fs::remove_file(&list).unwrap();
    assert!(matches!(
        world.try_trust(),
        Err(TrustError::ListTwice { .. } | TrustError::ListMissing { .. })
    ));
    fs::remove_file(folder.join("zz.crl")).unwrap();
    put(&list, b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    assert!(matches!(world.try_trust(), Err(TrustError::Format { .. })));
    put(&list, &[good.as_slice(), &good].concat());
    assert!(matches!(world.try_trust(), Err(TrustError::Format { .. })));
}

#[test]
fn a_list_of_another_key_of_the_same_name_is_refused() {
    let world = World::new();
    let federation = world.pki.roster().unwrap().federation;
    let (from, until) = (world.now(), world.now().plus(HOUR));
    let (impostor, _) =
        mayag_certs_dev::authority::Authority::new(&federation, analysts("kr"), from, until)
            .unwrap();
    let list = world.trust_files().revocations.join("kr-analyst.crl");
    put(&list, impostor.crl(&[], from, until).unwrap().as_bytes());
    let fault = world.try_trust().unwrap_err();
    assert!(matches!(fault, TrustError::ListStray { .. }), "{fault}");
}

#[test]
fn an_authority_must_stand_in_the_issuer_table_once() {
    let world = World::new();
    let folder = world.trust_files().authorities;
    let mut issuers = world.pki.roster().unwrap().issuers;
    let row = world.pki.authority(&analysts("kr")).unwrap().row();
    issuers.retain(|issuer| issuer.spki_sha256 != row.spki_sha256);
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let fault =
        mayag_transport::trust::Trust::load(&world.trust_files(), issuers, clock).unwrap_err();
    assert!(
        matches!(&fault, TrustError::Unlisted { path } if path.ends_with("kr-analyst.crt")),
        "{fault}"
    );

    let twin = folder.join("twin.crt");
    put(&twin, &fs::read(folder.join("kr-analyst.crt")).unwrap());
    assert!(matches!(world.try_trust(), Err(TrustError::AuthorityTwice { .. })));
    // A party's certificate is no authority.
    put(&twin, &fs::read(world.files(HANA, "tls").certificate).unwrap());
    assert!(matches!(world.try_trust(), Err(TrustError::Format { .. })));
    fs::remove_file(&twin).unwrap();
    world.clock.advance(100 * 24 * HOUR);
    assert!(matches!(world.try_trust(), Err(TrustError::AuthorityExpired { .. })));
}

#[test]
fn nothing_to_trust_is_refused() {
    let world = World::new();
    let empty = tempfile::tempdir().unwrap();
    let files = mayag_transport::trust::TrustFiles {
        authorities: empty.path().to_owned(),
        ..world.trust_files()
    };
    let load = |files: &mayag_transport::trust::TrustFiles| {
        mayag_transport::trust::Trust::load(
            files,
            Vec::new(),
            Arc::clone(&world.clock) as Arc<dyn Clock>,
        )
    };
    assert!(matches!(load(&files), Err(TrustError::Empty { .. })));
    let files = mayag_transport::trust::TrustFiles {
        authorities: empty.path().join("none"),
        ..world.trust_files()
    };
    assert!(matches!(load(&files), Err(TrustError::Folder { .. })));
}

#[tokio::test]
async fn a_server_starts_with_a_fitting_certificate_only() {
    let world = World::new();
    let trust = world.trust();
    let bind = async |identity: IdentityFiles, usage| {
        let tls = ServerTls { identity, trust: Arc::clone(&trust), usage };
        Server::bind(
            "127.0.0.1:0",
            tls,
            Limits::default(),
            Arc::clone(&world.clock) as Arc<dyn Clock>,
        )
        .await
    };
    bind(world.files(NODE_KR, "tls"), Usage::Node).await.unwrap();
    let fault = bind(world.files(NODE_KR, "tls"), Usage::Gateway).await.unwrap_err();
    assert!(matches!(fault, ServerError::Kind { .. }), "{fault}");
    let fault = bind(world.files(GATEWAY, "client"), Usage::Gateway).await.unwrap_err();
    assert!(matches!(fault, ServerError::Credentials(CredentialsError::Fault { .. })), "{fault}");
    let mixed =
        IdentityFiles { key: world.files(GATEWAY, "tls").key, ..world.files(NODE_KR, "tls") };
    let fault = bind(mixed, Usage::Node).await.unwrap_err();
    assert!(
        matches!(fault, ServerError::Credentials(CredentialsError::Mismatch { .. })),
        "{fault}"
    );
    let taken = bind(world.files(NODE_KR, "tls"), Usage::Node).await.unwrap();
    let tls = ServerTls {
        identity: world.files(NODE_KR, "tls"),
        trust: Arc::clone(&trust),
        usage: Usage::Node,
    };
    let clock = Arc::clone(&world.clock) as Arc<dyn Clock>;
    let fault = Server::bind(taken.local_addr(), tls, Limits::default(), clock).await.unwrap_err();
    assert!(matches!(fault, ServerError::Bind { .. }), "{fault}");
}

#[test]
fn a_client_starts_with_a_fitting_certificate_only() {
    let world = World::new();
    let trust = world.trust();
    let new = |identity| {
        let tls = ClientTls { identity, trust: Arc::clone(&trust) };
        Client::new(tls, client::Limits::default(), Arc::clone(&world.clock) as Arc<dyn Clock>)
            .map(drop)
    };
    let hana = world.files(HANA, "tls");
    new(hana.clone()).unwrap();
    for what in ["expired", "two-uris", "wrong-usage"] {
        let fault = new(world.bad(what)).unwrap_err();
        assert!(
            matches!(fault, ClientError::Credentials(CredentialsError::Fault { .. })),
            "{what}: {fault}"
        );
    }
    fs::set_permissions(&hana.key, Permissions::from_mode(0o640)).unwrap();
    let fault = new(hana).unwrap_err();
    assert!(
        matches!(
            fault,
            ClientError::Credentials(CredentialsError::File(FilesError::Exposed { .. }))
        ),
        "{fault}"
    );
}

fn put(path: &std::path::Path, bytes: &[u8]) {
    mayag_transport::files::replace(path, bytes, mayag_transport::files::Mode::Public).unwrap();
}
