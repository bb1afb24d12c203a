//! Who may use what: of our own packages, of the engine, of the TLS stack, of the operating system.

use super::{File, assert_clean, root, tree};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// A package and those of ours that it may use.
type Row = (&'static str, &'static [&'static str]);

/// The packages below the node, in reading order.
const LOWER: &[&str] =
    &["protocol", "policies", "queries", "disclosure", "matching", "audit", "transport"];
const EDGES: [Row; 14] = [
    ("protocol", &[]),
    ("policies", &["protocol"]),
    ("queries", &["protocol", "policies"]),
    ("disclosure", &["protocol"]),
    ("matching", &["protocol"]),
    ("audit", &["protocol"]),
    // It opens the files of a log.
    ("transport", &["protocol", "audit"]),
    ("node", LOWER),
    // It protects nothing and decides nothing: that is done where the data is.
    ("gateway", &["protocol", "policies", "queries", "matching", "audit", "transport"]),
    ("desk", LOWER),
    (
        "cli",
        &[
            "protocol",
            "policies",
            "queries",
            "disclosure",
            "matching",
            "audit",
            "transport",
            "node",
            "gateway",
            "desk",
            "certs-dev",
        ],
    ),
    // Audit for its Ed25519 keys.
    ("certs-dev", &["protocol", "audit"]),
    (
        "integration-tests",
        &[
            "protocol",
            "policies",
            "queries",
            "disclosure",
            "matching",
            "audit",
            "transport",
            "node",
            "gateway",
            "desk",
            "cli",
            "certs-dev",
        ],
    ),
    ("xtask", &[]),
];
/// Tests of any package may make certificates.
const IN_TESTS: &str = "certs-dev";

/// Packages of others that few of ours may name, and those few. A name ending in `*` stands for all that begin so.
const RESERVED: [Row; 8] = [
    ("datafusion*", &["queries", "node", "gateway", "integration-tests"]),
    ("hyper*", &["transport", "integration-tests"]),
    ("rustls*", &["transport", "integration-tests"]),
    ("tokio-rustls", &["transport", "integration-tests"]),
    ("webpki*", &["transport"]),
    ("x509-parser", &["transport", "certs-dev"]),
    // The tests of transport make certificates that are wrong in ways certs-dev does not know.
    ("rcgen", &["certs-dev", "transport"]),
    ("aws-lc*", &[]),
];

/// Packages that open, connect or wait.
const INPUT_OUTPUT: &[&str] = &[
    "async-io",
    "async-std",
    "datafusion",
    "futures-util",
    "hyper",
    "mio",
    "native-tls",
    "object_store",
    "openssl",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "tokio",
    "ureq",
];
const CRYPTOGRAPHY: &[&str] = &[
    "aes",
    "aws-lc-rs",
    "curve25519-dalek",
    "ed25519-dalek",
    "getrandom",
    "hmac",
    "md-5",
    "p256",
    "rand",
    "ring",
    "rsa",
    "sha1",
    "sha2",
];
/// Packages of ours that do no input or output: readers and writers are passed in.
const PURE: [&str; 5] = ["protocol", "policies", "disclosure", "matching", "audit"];
/// What code that does no input or output does not say.
const OPENING: [&str; 18] = [
    "tokio",
    "hyper",
    "std::net",
    "std::process",
    "std::env",
    "std::os",
    "File::open",
    "File::create",
    "File::options",
    "OpenOptions",
    "fs::read",
    "fs::write",
    "fs::create",
    "fs::remove",
    "fs::rename",
    "stdin()",
    "stdout()",
    "stderr()",
];

/// One of our packages as the rules see it.
#[derive(Default)]
struct Package {
    /// Direct dependencies of the product.
    uses: BTreeSet<String>,
    /// Direct dependencies of its tests.
    tests_use: BTreeSet<String>,
    /// Everything the product is linked with.
    reaches: BTreeSet<String>,
}

type Packages = BTreeMap<String, Package>;

fn forbidden_edges(packages: &Packages) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, package) in packages {
        let Some((_, allowed)) = EDGES.iter().find(|(row, _)| row == name) else {
            complaints.push(format!("`{name}` has no row in the table of allowed uses"));
            continue;
        };
        let ours =
            |used: &&String| packages.contains_key(*used) && !allowed.contains(&used.as_str());
        complaints
            .extend(package.uses.iter().filter(ours).map(|used| format!("`{name}` uses `{used}`")));
        let in_tests = package.tests_use.iter().filter(ours).filter(|used| *used != IN_TESTS);
        complaints.extend(in_tests.map(|used| format!("tests of `{name}` use `{used}`")));
    }
    complaints
}

fn reserved_uses(packages: &Packages) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, package) in packages {
        for used in package.uses.union(&package.tests_use) {
            let of_row = |reserved: &str| {
                reserved.strip_suffix('*').map_or(used == reserved, |start| used.starts_with(start))
            };
            let refused = RESERVED
                .iter()
                .any(|(reserved, few)| of_row(reserved) && !few.contains(&name.as_str()));
            if refused {
                complaints.push(format!("`{name}` names `{used}`"));
            }
        }
    }
    complaints
}

fn impure_links(packages: &Packages) -> Vec<String> {
    let mut complaints = Vec::new();
    for name in PURE {
        let Some(package) = packages.get(name) else {
            complaints.push(format!("no package `{name}`"));
            continue;
        };
        let cryptography = if name == "protocol" { CRYPTOGRAPHY } else { &[] };
        let refused = |linked: &&String| {
            INPUT_OUTPUT.contains(&linked.as_str()) || cryptography.contains(&linked.as_str())
        };
        complaints.extend(
            package
                .reaches
                .iter()
                .filter(refused)
                .map(|linked| format!("`{name}` is linked with `{linked}`")),
        );
    }
    complaints
}

/// Lines of product code of some packages that say one of some words.
fn sayings(files: &[File], packages: &[&str], words: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| packages.contains(&file.package())) {
        for (number, line) in file.product_lines() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                complaints.push(format!("{}:{number}: `{word}`", file.path));
            }
        }
    }
    complaints
}

/// Our packages from `cargo metadata`, without the network: the build has downloaded all there is for this platform.
fn packages() -> Packages {
    let platform = format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).other_options([
        "--locked".into(),
        "--offline".into(),
        platform,
    ]);
    let metadata = command.exec().unwrap();
    let members = metadata.workspace_packages();
    members
        .iter()
        .map(|member| {
            let of_kind = |test: bool| {
                let kind = |kind: DependencyKind| (kind == DependencyKind::Development) == test;
                member
                    .dependencies
                    .iter()
                    .filter(|used| kind(used.kind))
                    .map(|used| ours(&used.name))
                    .collect()
            };
            let package = Package {
                uses: of_kind(false),
                tests_use: of_kind(true),
                reaches: linked(&metadata, &member.id),
            };
            (ours(&member.name), package)
        })
        .collect()
}

/// A package's folder, for ours; its name, for others.
fn ours(name: &str) -> String {
    name.strip_prefix("mayag-").unwrap_or(name).to_owned()
}

fn linked(metadata: &Metadata, from: &PackageId) -> BTreeSet<String> {
    let nodes: BTreeMap<_, _> =
        metadata.resolve.as_ref().unwrap().nodes.iter().map(|node| (&node.id, node)).collect();
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let (mut found, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(id) = waiting.pop() {
        let normal = |used: &&cargo_metadata::NodeDep| {
            used.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
        };
        for used in nodes[id].deps.iter().filter(normal) {
            if found.insert(names[&used.pkg].to_owned()) {
                waiting.push(&used.pkg);
            }
        }
    }
    found
}

/// A federation of packages in which `name` has these dependencies.
fn planted(name: &str, uses: &[&str], tests_use: &[&str]) -> Packages {
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let mut all: Packages =
        EDGES.iter().map(|(row, _)| ((*row).to_owned(), Package::default())).collect();
    let package = Package { uses: set(uses), tests_use: set(tests_use), reaches: set(uses) };
    all.insert(name.to_owned(), package);
    all
}

#[test]
fn packages_use_only_those_below_them() {
    assert_eq!(
        forbidden_edges(&planted("gateway", &["node", "queries"], &[])),
        ["`gateway` uses `node`"]
    );
    assert_eq!(
        forbidden_edges(&planted("gateway", &["disclosure"], &["certs-dev"])),
        ["`gateway` uses `disclosure`"]
    );
    assert_eq!(
        forbidden_edges(&planted("protocol", &[], &["audit"])),
        ["tests of `protocol` use `audit`"]
    );
    assert_eq!(
        forbidden_edges(&planted("certs-dev", &["audit", "transport"], &[])),
        ["`certs-dev` uses `transport`"]
    );
    assert_eq!(
        forbidden_edges(&planted("common", &[], &[])),
        ["`common` has no row in the table of allowed uses"]
    );
    let packages = packages();
    assert_eq!(packages.len(), EDGES.len(), "a row of the table is of no package");
    assert!(
        packages["node"].uses.contains("disclosure")
            && packages["node"].reaches.contains("datafusion-common")
    );
    assert_clean(&forbidden_edges(&packages));
}

#[test]
fn engine_and_tls_stack_are_named_in_few_places() {
    assert_eq!(
        reserved_uses(&planted("desk", &["datafusion-expr", "arrow"], &[])),
        ["`desk` names `datafusion-expr`"]
    );
    assert_eq!(
        reserved_uses(&planted("node", &["rustls-pki-types"], &["hyper"])),
        ["`node` names `hyper`", "`node` names `rustls-pki-types`"]
    );
    assert_eq!(
        reserved_uses(&planted("transport", &["rustls", "aws-lc-rs"], &[])),
        ["`transport` names `aws-lc-rs`"]
    );
    assert_eq!(reserved_uses(&planted("cli", &[], &["rcgen"])), ["`cli` names `rcgen`"]);
    assert_clean(&reserved_uses(&packages()));
}

#[test]
fn words_policies_and_protection_are_linked_with_nothing_that_opens_or_connects() {
    assert_eq!(
        impure_links(&planted("protocol", &["serde", "ring"], &[])),
        ["`protocol` is linked with `ring`"]
    );
    assert_eq!(
        impure_links(&planted("disclosure", &["tokio"], &[])),
        ["`disclosure` is linked with `tokio`"]
    );
    assert_eq!(impure_links(&planted("audit", &["ring"], &["tempfile"])), [""; 0]);
    assert_clean(&impure_links(&packages()));
}

#[test]
fn words_policies_and_protection_open_nothing() {
    let opens = File::new(
        "audit/src/journal.rs",
        "//! May say File::open.\nlet file = File::open(path)?;\n",
    );
    assert_eq!(sayings(&[opens], &PURE, &OPENING), ["audit/src/journal.rs:2: `File::open`"]);
    assert_clean(&sayings(&tree(), &PURE, &OPENING));
}

#[test]
fn the_gateway_decides_nothing_for_a_country() {
    let words = ["policies::decide", "mayag_node", "mayag_disclosure", "decide("];
    let decides =
        File::new("gateway/src/line.rs", "//! A line.\nuse mayag_policies::decide::decide;\n");
    assert_eq!(
        sayings(&[decides], &["gateway"], &words),
        ["gateway/src/line.rs:2: `policies::decide`"]
    );
    assert_clean(&sayings(&tree(), &["gateway"], &words));
}
