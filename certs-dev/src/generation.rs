//! Writes a whole new `pki` folder from a plan, step by step.

use crate::authority::{Authority, Scope};
use crate::files::{self, Audience};
use crate::leaf::{LeafPlan, Serial};
use crate::pki::{self, ROSTER_KEYS, authority_key, crl_file, folder_name, seal};
use crate::plan::{PersonPlan, Plan};
use crate::{CertsError, bad};
use mayag_audit::detail::{RecipientKey, RecipientSecret};
use mayag_audit::keys::SigningKey;
use mayag_protocol::envelope::PayloadType;
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::names::{AuditorKey, PublicKey};
use mayag_protocol::roster::{Member, Person, Roster};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A `pki` folder in the making.
pub(crate) struct Generation<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) folder: &'a Path,
    authorities: BTreeMap<Scope, Authority>,
    pub(crate) revoked: BTreeMap<Scope, Vec<Serial>>,
}

impl<'a> Generation<'a> {
    /// Makes the folders and the authorities.
    pub(crate) fn start(plan: &'a Plan, folder: &'a Path) -> Result<Self, CertsError> {
        files::marked_folder(folder)?;
        files::folder(&folder.join("ca"), Audience::Everybody)?;
        files::folder(&folder.join("crl"), Audience::Everybody)?;
        files::folder(&folder.join("private"), Audience::OwnerOnly)?;
        files::folder(&folder.join(pki::AUDITORS), Audience::OwnerOnly)?;
        let mut authorities = BTreeMap::new();
        for scope in scopes(plan) {
            let until = plan.now.plus(plan.lifetimes.authorities);
            let (authority, certificate) =
                Authority::new(&plan.federation, scope.clone(), plan.valid_from(), until)?;
            files::create(
                &folder.join("ca").join(format!("{}.crt", scope.stem())),
                &certificate,
                Audience::Everybody,
            )?;
            files::create(
                &authority_key(folder, &scope),
                &authority.key_pem(),
                Audience::OwnerOnly,
            )?;
            authorities.insert(scope, authority);
        }
        Ok(Self { plan, folder, authorities, revoked: BTreeMap::new() })
    }

    /// Makes everybody's keys and certificates, and lists them.
    pub(crate) fn roster(&self) -> Result<Roster, CertsError> {
        let plan = self.plan;
        let gateways = (1..=plan.gateways)
            .map(|number| self.gateway(&Identity::gateway(&plan.federation, number)));
        let nodes = plan
            .countries
            .iter()
            .map(|country| self.node(&Identity::node(&plan.federation, country)));
        let people = plan.people.iter().map(|person| self.person(person));
        Ok(Roster {
            v: 1,
            federation: plan.federation.clone(),
            // Grows from one run to the next without remembering the last.
            version: u64::try_from(plan.now.millis() / 1000).unwrap_or(0).max(1),
            issued_at: plan.valid_from(),
            expires_at: plan.now.plus(plan.lifetimes.roster),
            issuers: self.authorities.values().map(Authority::row).collect(),
            gateways: gateways.collect::<Result<_, _>>()?,
            nodes: nodes.collect::<Result<_, _>>()?,
            people: people.collect::<Result<_, _>>()?,
        })
    }

    fn gateway(&self, identity: &Identity) -> Result<Member, CertsError> {
        let folder = self.party_folder(identity)?;
        self.serve(identity, &folder)?;
        self.connect(identity, &folder, "client", self.plan.lifetimes.services)?;
        member(identity, &folder, &pki::auditor_key(self.folder, identity))
    }

    fn node(&self, identity: &Identity) -> Result<Member, CertsError> {
        let folder = self.party_folder(identity)?;
        self.serve(identity, &folder)?;
        let sealing_key = Some(new_sealing_key(&folder.join("sealing.key"))?.to_sealing_key());
        let member = member(identity, &folder, &pki::auditor_key(self.folder, identity))?;
        Ok(Member { sealing_key, ..member })
    }

    fn person(&self, person: &PersonPlan) -> Result<Person, CertsError> {
        let identity = self.plan.identity(&person.party);
        let folder = self.party_folder(&identity)?;
        self.connect(&identity, &folder, "tls", self.plan.lifetimes.people)?;
        Ok(Person {
            question_keys: vec![new_key(&folder.join("question.key"))?.public().clone()],
            identity,
            roles: person.roles.clone(),
            purposes: person.purposes.clone(),
        })
    }

    fn party_folder(&self, identity: &Identity) -> Result<PathBuf, CertsError> {
        let folder = self.folder.join(folder_name(identity));
        files::folder(&folder, Audience::OwnerOnly)?;
        Ok(folder)
    }

    fn serve(&self, identity: &Identity, folder: &Path) -> Result<(), CertsError> {
        let until = self.plan.now.plus(self.plan.lifetimes.services);
        let plan = LeafPlan::server(identity, self.plan.valid_from(), until);
        self.authority(&Scope::of(identity))?.issue(&plan)?.write(folder, "tls")
    }

    fn connect(
        &self,
        identity: &Identity,
        folder: &Path,
        stem: &str,
        lifetime: Duration,
    ) -> Result<(), CertsError> {
        let plan = LeafPlan::client(identity, self.plan.valid_from(), self.plan.now.plus(lifetime));
        self.authority(&Scope::of(identity))?.issue(&plan)?.write(folder, stem)
    }

    /// Makes the deliberately bad set.
    pub(crate) fn bad(&mut self) -> Result<(), CertsError> {
        bad::write(self)
    }

    /// Writes the revocation lists and signs the roster.
    pub(crate) fn finish(&self, roster: &Roster) -> Result<(), CertsError> {
        let next_update = self.plan.now.plus(self.plan.lifetimes.crls);
        for (scope, authority) in &self.authorities {
            let revoked = self.revoked.get(scope).map_or(&[][..], Vec::as_slice);
            let list = authority.crl(revoked, self.plan.valid_from(), next_update)?;
            files::create(&crl_file(self.folder, scope), &list, Audience::Everybody)?;
        }
        let mut signers = Vec::new();
        for name in ROSTER_KEYS {
            signers.push(new_key(&self.folder.join("private").join(name))?);
        }
        let trusted: Vec<&str> = signers.iter().map(|key| key.public().as_str()).collect();
        files::create(
            &self.folder.join(pki::TRUSTED_KEYS),
            &(trusted.join("\n") + "\n"),
            Audience::Everybody,
        )?;
        let sealed = seal(PayloadType::Roster, serde_json::to_vec(roster)?, &signers)?;
        files::create(&self.folder.join(pki::ROSTER), &sealed, Audience::Everybody)
    }

    pub(crate) fn authority(&self, scope: &Scope) -> Result<&Authority, CertsError> {
        self.authorities.get(scope).ok_or_else(|| CertsError::NoAuthority { stem: scope.stem() })
    }

    pub(crate) fn authorities(&self) -> usize {
        self.authorities.len()
    }
}

fn scopes(plan: &Plan) -> Vec<Scope> {
    let national = [Kind::Administrator, Kind::Analyst, Kind::Node];
    let mut scopes: Vec<Scope> = plan
        .countries
        .iter()
        .flat_map(|country| national.into_iter().map(|kind| Scope::national(kind, country)))
        .collect();
    scopes.push(Scope::federal(Kind::Auditor));
    scopes.push(Scope::federal(Kind::Gateway));
    scopes
}

fn member(identity: &Identity, folder: &Path, auditor: &Path) -> Result<Member, CertsError> {
    let key = |name: &str| -> Result<PublicKey, CertsError> {
        Ok(new_key(&folder.join(name))?.public().clone())
    };
    Ok(Member {
        identity: identity.clone(),
        answer_key: key("answer.key")?,
        log_key: key("log.key")?,
        cosign_key: key("cosign.key")?,
        auditor_keys: vec![new_auditor_key(auditor)?],
        sealing_key: None,
    })
}

/// Makes an auditor's X25519 key and writes it to `path`. It is in no party's folder: a party seals, and cannot open.
fn new_auditor_key(path: &Path) -> Result<AuditorKey, CertsError> {
    Ok(new_sealing_key(path)?.to_key())
}

/// Makes an X25519 key and writes it to `path`.
fn new_sealing_key(path: &Path) -> Result<RecipientKey, CertsError> {
    let pem = RecipientSecret::generate()?;
    files::create(path, &pem, Audience::OwnerOnly)?;
    Ok(RecipientSecret::from_pem(&pem)?.public().clone())
}

/// Makes an Ed25519 key and writes it to `path`.
pub(crate) fn new_key(path: &Path) -> Result<SigningKey, CertsError> {
    let pem = SigningKey::generate()?;
    files::create(path, &pem, Audience::OwnerOnly)?;
    Ok(SigningKey::from_pem(&pem)?)
}
