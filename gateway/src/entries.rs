//! What a gateway's log says of a question: who asked what and why, what each country did, and what was handed out.

use crate::admission::Known;
use crate::endings::CUT_OFF;
use crate::fanout::CountryAnswer;
use crate::gateway::Gateway;
use mayag_audit::detail::Content;
use mayag_audit::entry::{CountryEnd, Entry, Op, ResultClass, Type};
use mayag_audit::keys::RandomError;
use mayag_protocol::answer::NoResult;
use mayag_protocol::names::Digest;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::Refusal;
use mayag_queries::outline::outline;

/// Questions to more countries than this are logged without the nodes' signatures: an entry has at most 65,535 bytes, of
/// which a country takes some 360.
const SIGNED: usize = 150;

/// What is about to be handed out.
#[derive(Debug)]
pub(crate) struct HandedOut<'a> {
    pub(crate) answers: &'a [CountryAnswer],
    pub(crate) result: Option<&'a Digest>,
    pub(crate) cells: Option<u64>,
    pub(crate) no_result: Option<NoResult>,
    /// What is handed out where there are no cells.
    pub(crate) otherwise: ResultClass,
}

impl Known {
    /// What the gateway's auditors may open: who is connected, and what that person signed.
    pub(crate) fn content(&self) -> Content {
        Content::question(self.caller.to_string(), self.envelope.clone())
    }

    fn entry(&self, gateway: &Gateway, kind: Type) -> Result<Entry, RandomError> {
        let asked = self.question.as_ref();
        let committed = |what: &str, text: Option<&String>| {
            text.map(|text| gateway.logs().commitment(&self.digest, what, text))
        };
        Ok(Entry {
            question: asked.map(|question| question.id.clone()),
            question_digest: Some(self.digest.clone()),
            nonce: self.nonce.clone(),
            actor: Some(gateway.logs().actor(&self.caller)),
            recipient: self.caller.country().cloned(),
            purpose: asked.map(|question| question.purpose),
            legal_basis: committed(
                "legal-basis",
                asked.and_then(|asked| asked.legal_basis.as_ref()),
            ),
            case: committed("case", asked.and_then(|asked| asked.case.as_ref())),
            ..Entry::new(kind, gateway.now())?
        })
    }

    /// That a question arrived. Nobody is asked before this is durable.
    pub(crate) fn received(&self, gateway: &Gateway) -> Result<Entry, RandomError> {
        let (shape, text) = self.outline(gateway);
        Ok(Entry { shape, text, ..self.entry(gateway, Type::Received)? })
    }

    /// What makes questions that are alike look alike in this gateway's log.
    fn outline(&self, gateway: &Gateway) -> (Option<Digest>, Option<Digest>) {
        let sql = self.question.as_ref().and_then(|question| question.ask.sql());
        let likeness = |what, text: &str| gateway.logs().likeness(what, text);
        sql.and_then(outline).map_or((None, None), |of| {
            (Some(likeness("shape", &of.shape)), Some(likeness("text", &of.text)))
        })
    }

    /// That somebody was refused.
    pub(crate) fn refused(
        &self,
        gateway: &Gateway,
        refusal: &Refusal,
    ) -> Result<Entry, RandomError> {
        let (shape, text) = self.outline(gateway);
        Ok(Entry {
            shape,
            text,
            decision: Some(refusal.code.to_string()),
            rule: Some(refusal.rule.clone()),
            result: Some(ResultClass::Refusal),
            ..self.entry(gateway, Type::Refused)?
        })
    }

    /// That nothing was handed out, unless it comes to another end.
    pub(crate) fn abandoned(&self, gateway: &Gateway) -> Result<Entry, RandomError> {
        let decision = Some(CUT_OFF.to_owned());
        Ok(Entry { decision, ..self.entry(gateway, Type::Abandoned)? })
    }

    /// What is handed out. It leaves once this is durable.
    pub(crate) fn released(
        &self,
        gateway: &Gateway,
        out: &HandedOut<'_>,
    ) -> Result<Entry, RandomError> {
        let HandedOut { answers, result, cells, no_result, otherwise } = *out;
        let answered = answers.iter().filter(|answer| answer.outcome.answered()).count();
        let why = no_result.map(|why| format!("; no result: {}", why.as_str())).unwrap_or_default();
        let withheld = answers.iter().any(|answer| answer.outcome == Outcome::AnsweredSuppressed);
        let class = match (no_result, result) {
            (Some(_), _) => ResultClass::Error,
            (None, None) => otherwise,
            (None, Some(_)) if withheld => ResultClass::Suppressed,
            (None, Some(_)) => ResultClass::Aggregate,
        };
        let end =
            |answer: &CountryAnswer| (answer.country.clone(), country_end(answer, answers.len()));
        Ok(Entry {
            op: Some(Op::Combination),
            decision: Some(format!("answered {answered} of {}{why}", answers.len())),
            result: Some(class),
            result_digest: result.cloned(),
            cells,
            countries: answers.iter().map(end).collect(),
            ..self.entry(gateway, Type::Released)?
        })
    }
}

/// What one of so many countries did, and what its node signed about it.
pub(crate) fn country_end(answer: &CountryAnswer, asked: usize) -> CountryEnd {
    CountryEnd {
        outcome: answer.outcome,
        answer: answer.digest.clone(),
        log: answer.log.clone(),
        signed: answer.logged.clone().filter(|_| asked <= SIGNED),
    }
}
