//! How the texts of a level are spelled, where that is public.
//!
//! A comparison with a text that is no value is true of nothing, and nobody would see why. Codes of countries are compared
//! in lower case, as they are written; a value of a closed list in another case is refused with the right one.

use super::predicate::{constant, is_number_of_days};
use super::refuse;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};
use mayag_policies::catalogue::{Dataset, Named};
use mayag_policies::shape::{LevelRef, Literal};
use mayag_protocol::refusal::Refusal;
use std::sync::Arc;

/// What everybody knows of the texts of a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Texts {
    /// Codes of countries, in lower case.
    Countries,
    /// These, as they are spelled.
    Listed(Arc<[String]>),
}

impl Texts {
    pub(super) fn of(dataset: &Dataset, level: &LevelRef) -> Option<Self> {
        if level.grain.is_some() {
            return None;
        }
        if let Some(Named::Country) = dataset.named(level) {
            return Some(Self::Countries);
        }
        let text = |value: Literal| match value {
            Literal::Text(text) => Some(text),
            Literal::Bool(_) | Literal::Date(_) | Literal::Int(_) => None,
        };
        let all = dataset.domain(level)?.into_iter().flatten().map(text);
        Some(Self::Listed(all.collect::<Option<Vec<_>>>()?.into()))
    }

    /// A text to compare the values of a column with, as they are spelled.
    pub(super) fn spelled(&self, column: &str, text: String) -> Result<String, Refusal> {
        match self {
            Self::Countries => Ok(text.to_lowercase()),
            Self::Listed(all) if all.contains(&text) => Ok(text),
            Self::Listed(all) => {
                let flag = matches!(&**all, [no, yes] if no == "no" && yes == "yes");
                let spelled = all.iter().find(|known| known.to_lowercase() == text.to_lowercase());
                match spelled {
                    Some(spelled) => Err(refuse::spelled(column, spelled)),
                    None if flag => Err(refuse::flag(column)),
                    None => Ok(text),
                }
            }
        }
    }
}

/// An expression above the releases, with texts as the columns that they are compared with spell them.
pub(super) fn spelled(
    expr: &Expr,
    texts_of: &dyn Fn(&Column) -> Option<Texts>,
) -> Result<Expr, Refusal> {
    let mut refusal = None;
    let whole = expr.clone().transform_up(|part| {
        Ok(match compared(&part, texts_of) {
            Ok(None) => Transformed::no(part),
            Ok(Some(spelled)) => Transformed::yes(spelled),
            Err(why) => {
                refusal.get_or_insert(why);
                Transformed::no(part)
            }
        })
    });
    let whole = super::cells::ok(whole)?;
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(whole.data),
    }
}

/// A comparison of a column with texts that are spelled in another way; `None` where there is nothing to change.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other expression compares no text")]
fn compared(
    expr: &Expr,
    texts_of: &dyn Fn(&Column) -> Option<Texts>,
) -> Result<Option<Expr>, Refusal> {
    let in_words_of = |of: &Expr, text: &Expr| match named(of).zip(named_text(text)) {
        Some((column, written)) => match texts_of(column) {
            Some(texts) => {
                let spelled = texts.spelled(&column.name, written.clone())?;
                Ok((spelled != written).then(|| text_like(text, spelled)))
            }
            None => Ok(None),
        },
        None => Ok(None),
    };
    match expr {
        Expr::Cast(cast)
            if constant(&cast.expr)
                .is_some_and(|value| is_number_of_days(&value, cast.field.data_type())) =>
        {
            Err(refuse::number_of_days())
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_equation(*op) => {
            let other = |left: Box<Expr>, right: Box<Expr>| {
                Some(Expr::BinaryExpr(BinaryExpr { left, op: *op, right }))
            };
            if let Some(spelled) = in_words_of(left, right)? {
                return Ok(other(left.clone(), Box::new(spelled)));
            }
            Ok(in_words_of(right, left)?
                .and_then(|spelled| other(Box::new(spelled), right.clone())))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let spelled = list.iter().map(|text| in_words_of(expr, text));
            let spelled = spelled.collect::<Result<Vec<_>, _>>()?;
            if spelled.iter().all(Option::is_none) {
                return Ok(None);
            }
            let list = list
                .iter()
                .zip(spelled)
                .map(|(text, spelled)| spelled.unwrap_or_else(|| text.clone()));
            let list = list.collect();
            Ok(Some(Expr::InList(InList { expr: expr.clone(), list, negated: *negated })))
        }
        Expr::Case(Case { expr: Some(of), when_then_expr, else_expr }) => {
            let spelled = when_then_expr.iter().map(|(when, _)| in_words_of(of, when));
            let spelled = spelled.collect::<Result<Vec<_>, _>>()?;
            if spelled.iter().all(Option::is_none) {
                return Ok(None);
            }
            let cases = when_then_expr.iter().zip(spelled).map(|((when, then), spelled)| {
                (spelled.map_or_else(|| when.clone(), Box::new), then.clone())
            });
            let when_then_expr = cases.collect();
            let expr = Some(of.clone());
            Ok(Some(Expr::Case(Case { expr, when_then_expr, else_expr: else_expr.clone() })))
        }
        _ => Ok(None),
    }
}

fn is_equation(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a column, at most read as another text")]
fn named(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Cast(cast) => named(&cast.expr),
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a constant of any other type is no text")]
fn named_text(expr: &Expr) -> Option<String> {
    match constant(expr)? {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text
        }
        _ => None,
    }
}

/// Another text of the same type.
fn text_like(expr: &Expr, text: String) -> Expr {
    let large = matches!(constant(expr), Some(ScalarValue::LargeUtf8(_)));
    let view = matches!(constant(expr), Some(ScalarValue::Utf8View(_)));
    Expr::Literal(
        match (large, view) {
            (true, _) => ScalarValue::LargeUtf8(Some(text)),
            (_, true) => ScalarValue::Utf8View(Some(text)),
            (false, false) => ScalarValue::Utf8(Some(text)),
        },
        None,
    )
}
