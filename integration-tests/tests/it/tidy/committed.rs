//! What is never committed: private keys, paths of somebody's machine, another registry.

use super::{File, assert_clean, tree};

/// Files that hold private keys, whatever is in them.
const KEY_FILES: [&str; 6] = [".der", ".jks", ".key", ".p12", ".pfx", ".pk8"];
/// Put together here, so that this file does not break its own rule.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/")];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The shortest body: an Ed25519 key in PKCS#8 is 48 bytes, 64 characters.
const SHORTEST_BODY: usize = 40;

fn private_keys(files: &[File]) -> Vec<String> {
    let named =
        files.iter().filter(|file| KEY_FILES.iter().any(|ending| file.path.ends_with(ending)));
    let holding = files.iter().filter(|file| holds_private_key(&file.text));
    named.chain(holding).map(|file| format!("{}: a private key", file.path)).collect()
}

/// Whether a `BEGIN .. PRIVATE KEY` line is followed by key material. Code may name the marker; what follows it there is
/// a quote and more code, not base64.
fn holds_private_key(text: &str) -> bool {
    let begin = concat!("-----", "BEGIN ");
    text.split(begin).skip(1).any(|after| {
        let Some((label, rest)) = after.split_once("-----") else { return false };
        if !label.contains("PRIVATE KEY") || label.contains('\n') {
            return false;
        }
        // A key inside a string literal has its line ends escaped, one inside a comment or a list has punctuation.
        let body = rest.replace("\\n", "").replace("\\r", "");
        let body = body.trim_start_matches(|c: char| c.is_whitespace() || "\"'`,/#*+".contains(c));
        let material = |c: &char| c.is_ascii_alphanumeric() || "+/=".contains(*c);
        let skipped = |c: &char| c.is_whitespace() || "\"'`,#*".contains(*c);
        let length = body.chars().filter(|c| !skipped(c)).take_while(material).count();
        length >= SHORTEST_BODY || body.starts_with("Proc-Type:")
    })
}

fn machine_paths(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(path) = MACHINE_PATHS.into_iter().find(|path| line.contains(path)) {
                complaints.push(format!(
                    "{}:{}: `{path}` exists on one machine only",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    complaints
}

/// Packages come from crates.io, and the tree does not say otherwise.
fn other_registries(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let lock = file.path == "Cargo.lock"
            && file
                .text
                .lines()
                .any(|line| line.starts_with("source = ") && !line.contains(REGISTRY));
        let replaced = file.path.starts_with(".cargo/")
            && ["[source", "[registr", "replace-with", "proxy"]
                .iter()
                .any(|word| file.text.contains(word));
        let manifest = file.path.ends_with("Cargo.toml")
            && ["registry =", "registry=", "git ="].iter().any(|word| file.text.contains(word));
        if lock || replaced || manifest {
            complaints.push(format!("{}: a package from elsewhere than crates.io", file.path));
        }
    }
    complaints
}

#[test]
fn no_private_key_is_committed() {
    let begin = |kind: &str| format!("-----{} {kind}PRIVATE KEY-----", "BEGIN");
    let body = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
    let (first, second) = body.split_at(32);
    let keys = [
        format!("{}\n{body}\n", begin("")),
        format!("{}\r\n{body}\r\n", begin("EC ")),
        format!("let key = \"{}\\n{body}\\n\";", begin("")),
        format!("let key = concat!(\"{}\\n\",\n    \"{body}\\n\");", begin("RSA "))
            .replace(',', ",\n"),
        format!("# {}\n# {body}\n", begin("OPENSSH ")),
        format!("{}\nProc-Type: 4,ENCRYPTED\n\n{body}\n", begin("RSA ")),
        format!("{}\n{}\n{}\n", begin(""), first, second),
    ];
    for key in &keys {
        assert_eq!(private_keys(&[File::new("docs/example.md", key)]).len(), 1, "{key}");
    }
    for code in [
        format!(
            "const BEGIN: &str = \"{}\";\nconst END_OF_THE_BLOCK_THAT_HOLDS_THE_KEY: &str = \"x\";",
            begin("")
        ),
        format!("assert!(SigningKey::from_pem(\"{}\\n\").is_err());", begin("")),
        format!("-----{} CERTIFICATE-----\n{body}\n", "BEGIN"),
    ] {
        assert_eq!(private_keys(&[File::new("audit/src/keys.rs", &code)]), [""; 0], "{code}");
    }
    assert_eq!(private_keys(&[File::new("pki/a.p12", "")]).len(), 1);
    assert_clean(&private_keys(&tree()));
}

#[test]
fn no_path_of_a_machine_is_committed() {
    let planted = format!("see\n{}me/notes\n", MACHINE_PATHS[0]);
    let complaints = machine_paths(&[File::new("README.md", &planted)]);
    assert_eq!(
        complaints,
        [format!("README.md:2: `{}` exists on one machine only", MACHINE_PATHS[0])]
    );
    assert_clean(&machine_paths(&tree()));
}

#[test]
fn packages_come_from_one_registry() {
    let planted = [
        File::new("Cargo.lock", "source = \"registry+https://mirror.invalid/index\"\n"),
        File::new(".cargo/config.toml", "[source.crates-io]\n"),
        File::new("node/Cargo.toml", "x = { git = \"https://example.invalid\" }\n"),
    ];
    assert_eq!(other_registries(&planted).len(), 3);
    assert_clean(&other_registries(&tree()));
}
