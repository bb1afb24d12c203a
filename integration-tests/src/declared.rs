//! Declared lookups made by hand, right or wrong.

use crate::world::{World, node_identity};
use mayag_audit::detail::{RecipientKey, RecipientSecret};
use mayag_audit::keys::{random_secret, sha256};
use mayag_audit::sealed;
use mayag_certs_dev::pki::Pki;
use mayag_matching::declared::Declaration;
use mayag_matching::normalise::{Kind, rules};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{DeclaredSearch, DeclaredTarget};
use mayag_protocol::names::QuestionId;

/// A declared lookup of documents, and what opens its answer.
#[derive(Debug)]
pub struct Declared {
    /// What the question says.
    pub search: DeclaredSearch,
    /// What travels beside it: one part for each country.
    pub beside: Vec<u8>,
    /// The key of the answer.
    pub reply: RecipientSecret,
}

impl Declared {
    /// The lookup of these normalised documents, in the table of these countries, under the id of a question of this
    /// person.
    pub fn new(
        world: &World,
        (question, analyst): (&QuestionId, &Identity),
        countries: &[&str],
        table: &str,
        identifiers: &[&str],
    ) -> Self {
        let rules = rules(Kind::TravelDocument);
        let salt = random_secret().expect("random bytes").into();
        let reply = RecipientSecret::passing().expect("a key");
        let declaration = Declaration::new(&rules, salt, reply.public().to_bytes(), identifiers)
            .expect("identifiers");
        let target = |country: &&str| DeclaredTarget {
            country: country.parse().expect("a country"),
            table: table.parse().expect("a table"),
        };
        let mut search = DeclaredSearch {
            identifiers: rules.kind.clone(),
            rules: rules.version,
            elements: declaration.elements(),
            sealed: sha256(b""),
            commitment: declaration.commitment(&rules),
            opening: sha256(b"nothing to open"),
            targets: countries.iter().map(target).collect(),
        };
        let roster = Pki::open(world.dir()).and_then(|pki| pki.roster()).expect("the roster");
        let mut beside = Vec::new();
        for DeclaredTarget { country, table } in &search.targets {
            let key = roster.node(country).and_then(|node| node.sealing_key.as_ref());
            let key = RecipientKey::try_from(key.expect("a sealing key")).expect("a key");
            let node = node_identity(country.as_str());
            let info = search.part_info((question, analyst), &node, table);
            beside.extend(sealed::seal(&key, &info, &declaration.to_bytes()).expect("sealed"));
        }
        search.sealed = sha256(&beside);
        Self { search, beside, reply }
    }
}
