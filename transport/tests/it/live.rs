//! What changes while connections live: revocation, expiry, admission, the issuer table.

use crate::support::stranger::let_in;
use crate::support::{GATEWAY, HANA, HOUR, NODE_KR, Running, World, analysts, id, nodes};
use bytes::Bytes;
use mayag_transport::client::{self, Client, ClientError};
use mayag_transport::server::Limits;
use mayag_transport::trust::TrustError;
use std::fs;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A request that is in progress when something changes; returns what becomes of it.
async fn meanwhile(
    client: &Client,
    server: &Running,
    change: impl AsyncFnOnce(),
) -> Result<Bytes, ClientError> {
    let asked = async {
        let answer = client.post(&server.address(), &id(GATEWAY), "/wait", Bytes::new()).await?;
        answer.into_body().read().await
    };
    let changed = async {
        until(|| server.desk.busy() == 1).await;
        change().await;
    };
    let (answer, ()) =
        timeout(Duration::from_secs(10), async { tokio::join!(asked, changed) }).await.unwrap();
    until(|| server.desk.busy() == 0).await;
    answer
}

async fn until(done: impl Fn() -> bool) {
    timeout(Duration::from_secs(10), async {
        while !done() {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("never came true");
}

#[tokio::test]
async fn revocation_takes_effect_at_the_reload_on_new_and_live_connections() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    // The client's own trust is another one: it is the server that must close.
    let hana = world.hana(&world.trust());
    let files = world.files(HANA, "tls");
    world.revoke(&analysts("kr"), &files);
    assert!(let_in(gateway.socket(), &files).await, "not reloaded yet");
    let broken = meanwhile(&hana, &gateway, async || trust.reload().unwrap()).await;
    assert!(matches!(broken, Err(ClientError::Broken { .. })), "{broken:?}");
    assert!(!let_in(gateway.socket(), &files).await);
    // Somebody else's connection is not touched.
    assert!(
        let_in(gateway.socket(), &world.files("spiffe://demo/country/us/analyst/alex", "tls"))
            .await
    );
}

#[tokio::test]
async fn a_reload_without_revocation_leaves_live_connections_alone() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    let whole = meanwhile(&world.hana(&trust), &gateway, async || {
        trust.reload().unwrap();
        gateway.server.recheck();
        sleep(Duration::from_millis(50)).await;
        gateway.desk.go.notify_one();
    })
    .await;
    assert_eq!(whole.unwrap(), "waited");
}

#[tokio::test]
async fn whoever_is_not_admitted_any_more_is_cut_off() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    let broken = meanwhile(&world.hana(&trust), &gateway, async || {
        gateway.desk.banned.lock().push(id(HANA));
        gateway.server.recheck();
    })
    .await;
    assert!(matches!(broken, Err(ClientError::Broken { .. })), "{broken:?}");
}

#[tokio::test]
async fn an_authority_that_leaves_the_issuer_table_takes_its_parties_with_it() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    let row = world.pki.authority(&analysts("kr")).unwrap().row();
    let mut issuers = world.pki.roster().unwrap().issuers;
    issuers.retain(|issuer| issuer.spki_sha256 != row.spki_sha256);
    // While its files are there the table is refused as a whole.
    assert!(matches!(trust.set_issuers(issuers.clone()), Err(TrustError::Unlisted { .. })));
    assert!(let_in(gateway.socket(), &world.files(HANA, "tls")).await);
    fs::remove_file(world.trust_files().authorities.join("kr-analyst.crt")).unwrap();
    fs::remove_file(world.trust_files().revocations.join("kr-analyst.crl")).unwrap();
    let broken =
        meanwhile(&world.hana(&trust), &gateway, async || trust.set_issuers(issuers).unwrap())
            .await;
    assert!(matches!(broken, Err(ClientError::Broken { .. })), "{broken:?}");
    assert!(!let_in(gateway.socket(), &world.files(HANA, "tls")).await);
}

#[tokio::test]
async fn an_expired_revocation_list_closes_the_door() {
    let world = World::new();
    world.pki.write_crl(&analysts("kr"), &[], world.now(), world.now().plus(HOUR)).unwrap();
    let trust = world.trust();
    assert_eq!(trust.expires_at(), world.now().plus(HOUR));
    let limits = Limits { recheck: Duration::from_millis(20), ..Limits::default() };
    let gateway = world.gateway(&trust, limits).await;
    let files = world.files(HANA, "tls");
    assert!(let_in(gateway.socket(), &files).await);
    let broken =
        meanwhile(&world.hana(&world.trust()), &gateway, async || world.clock.advance(2 * HOUR))
            .await;
    assert!(
        matches!(broken, Err(ClientError::Broken { .. })),
        "live connections end as well: {broken:?}"
    );
    assert!(!let_in(gateway.socket(), &files).await);
    assert!(matches!(trust.reload(), Err(TrustError::ListExpired { .. })));
    world.pki.write_crl(&analysts("kr"), &[], world.now(), world.now().plus(HOUR)).unwrap();
    trust.reload().unwrap();
    assert!(let_in(gateway.socket(), &files).await);
}

#[tokio::test]
async fn a_file_that_is_not_understood_leaves_the_old_lists_in_force() {
    let world = World::new();
    let trust = world.trust();
    let gateway = world.gateway(&trust, Limits::default()).await;
    let files = world.files(HANA, "tls");
    let (list, old) =
        (world.trust_files().revocations.join("kr-analyst.crl"), world.bad("revoked"));
    let before = fs::read(&list).unwrap();
    mayag_transport::files::replace(&list, b"half a fi", mayag_transport::files::Mode::Public)
        .unwrap();
    assert!(matches!(trust.reload(), Err(TrustError::Format { .. })));
    assert!(let_in(gateway.socket(), &files).await);
    assert!(!let_in(gateway.socket(), &old).await, "what was revoked stays revoked");
    // Nor does a list go back behind the one in force.
    world.clock.advance(HOUR);
    world.revoke(&analysts("kr"), &files_of(&world, &list, &before));
    trust.reload().unwrap();
    mayag_transport::files::replace(&list, &before, mayag_transport::files::Mode::Public).unwrap();
    assert!(matches!(trust.reload(), Err(TrustError::ListOlder { .. })));
    assert!(!let_in(gateway.socket(), &files).await);
}

/// Hana's files, after the list that was broken is whole again so that it can be added to.
fn files_of(
    world: &World,
    list: &std::path::Path,
    before: &[u8],
) -> mayag_transport::trust::IdentityFiles {
    mayag_transport::files::replace(list, before, mayag_transport::files::Mode::Public).unwrap();
    world.files(HANA, "tls")
}

#[tokio::test]
async fn a_client_leaves_a_server_whose_certificate_is_revoked() {
    let world = World::new();
    let node = world.node(&world.trust(), Limits::default()).await;
    let trust = world.trust();
    let client = world.gateway_client(&trust, client::Limits::default());
    let ask =
        async |path| client.post(&node.address(), &id(NODE_KR), path, Bytes::new()).await.map(drop);
    ask("/who").await.unwrap();
    world.revoke(&nodes("kr"), &world.files(NODE_KR, "tls"));
    let broken = async {
        let broken = ask("/wait").await;
        assert!(matches!(broken, Err(ClientError::Broken { .. })), "{:?}", broken.err());
    };
    tokio::join!(broken, async {
        until(|| node.desk.busy() == 1).await;
        trust.reload().unwrap();
    });
    let fault = ask("/who").await.err().unwrap();
    assert!(matches!(fault, ClientError::Untrusted { .. }), "{fault}");
}
