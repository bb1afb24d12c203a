//! Mistakes that many make, put right.
//!
//! Whoever writes `"cocaine"` for `'cocaine'` is told that there is no such column, which does not help. So each mistake
//! here is put right in the text and the text planned again: only what can be planned is offered. An unknown column and
//! one that is not shared get the same hint, because it depends on neither: nodes ask for it as well.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer, Whitespace, Word};
use mayag_policies::catalogue::{Catalogue, Column, Kind};
use mayag_policies::shape::Grain;
use mayag_protocol::refusal::{Code, Refusal};

/// A text without the mistake, and what to say of it.
struct Right {
    tokens: Vec<Token>,
    hint: String,
}

/// The refusal with a hint about the mistake that led to it, if there is one of those that many make. `plans` says what
/// became of the text without it.
pub(super) fn advised(
    sql: &str,
    catalogue: &Catalogue,
    refusal: Refusal,
    plans: &dyn Fn(&str) -> Result<(), Refusal>,
) -> Refusal {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return refusal };
    let possible = if refusal.code == Code::ColumnNotShared {
        [texts_as_names(&tokens, &refusal), None, None]
    } else if refusal.code == Code::NotSupported {
        [first_rows(&tokens), None, None]
    } else if [Code::PredicateNotAllowed, Code::SqlNotReadable].contains(&refusal.code) {
        [periods(&tokens, catalogue), flags(&tokens, catalogue), months(&tokens)]
    } else {
        return refusal;
    };
    match possible.into_iter().flatten().find(|right| works(right, plans)) {
        Some(Right { hint, .. }) => Refusal { hint, ..refusal },
        None => refusal,
    }
}

/// Whether the text can be planned. Whether a column of it is known is not to be learnt from a hint.
fn works(right: &Right, plans: &dyn Fn(&str) -> Result<(), Refusal>) -> bool {
    let text: String = right.tokens.iter().map(ToString::to_string).collect();
    match plans(&text) {
        Ok(()) => true,
        Err(refusal) => refusal.code == Code::ColumnNotShared,
    }
}

/// `"cocaine"`: a name, where nothing has it.
fn texts_as_names(tokens: &[Token], refusal: &Refusal) -> Option<Right> {
    let name = refusal.subject.as_deref()?;
    let quoted = |token: &Token| matches!(token, Token::Word(word) if word.quote_style.is_some() && word.value == name);
    let plain = |token: &Token| matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.to_ascii_lowercase() == name);
    if tokens.iter().any(plain) || !tokens.iter().any(quoted) {
        return None;
    }
    let text = |token: &Token| {
        if quoted(token) { Token::SingleQuotedString(name.to_owned()) } else { token.clone() }
    };
    let hint = "if it is a text, write it in single quotes; `mayag datasets` lists the columns that are shared with you".to_owned();
    Some(Right { tokens: tokens.iter().map(text).collect(), hint })
}

/// `FETCH FIRST 3 ROWS ONLY` and `SELECT TOP 3`.
fn first_rows(tokens: &[Token]) -> Option<Right> {
    let written = written(tokens);
    let fetch = written.windows(2).position(|pair| {
        matches!(pair, [(_, Token::Word(a)), (_, Token::Word(b))]
            if a.keyword == Keyword::FETCH && matches!(b.keyword, Keyword::FIRST | Keyword::NEXT))
    });
    if let Some(at) = fetch {
        let rest = written.get(at + 2..)?;
        let many = rest.first().and_then(|(_, token)| number(token));
        let end = rest.iter().position(|(_, token)| is(token, Keyword::ONLY))?;
        let (from, to) = (written.get(at)?.0, rest.get(end)?.0);
        let mut right = tokens.to_vec();
        right.splice(from..=to, limit(many.unwrap_or("1")));
        let hint = "write LIMIT and the number of rows instead of FETCH FIRST".to_owned();
        return Some(Right { tokens: right, hint });
    }
    let top = written.windows(2).find(|pair| {
        matches!(pair, [(_, Token::Word(word)), (_, many)]
            if word.keyword == Keyword::TOP && number(many).is_some())
    })?;
    let [(from, _), (to, many)] = top else { return None };
    let mut right = tokens.to_vec();
    right.splice(*from..=*to, []);
    while matches!(right.last(), Some(Token::SemiColon | Token::EOF | Token::Whitespace(_))) {
        right.pop();
    }
    right.push(space());
    right.extend(limit(number(many)?));
    let hint = "write LIMIT and the number of rows at the end instead of TOP".to_owned();
    Some(Right { tokens: right, hint })
}

/// `seized_on_year = 2024`: the level is the first day of the year.
fn periods(tokens: &[Token], catalogue: &Catalogue) -> Option<Right> {
    let mut hint = None;
    let mut right: Vec<Token> = Vec::new();
    for token in tokens {
        if let Token::Word(word) = token
            && let Some((column, grain)) = period(word, catalogue)
        {
            let (name, grain) = (column.name.as_str(), grain.as_str());
            hint.get_or_insert_with(|| {
                format!(
                    "{name}_{grain} is the first day of a {grain}: compare extract({grain} FROM {name}) with a number"
                )
            });
            // With the table's name before it, if there is one.
            let before = match right.as_slice() {
                [.., Token::Word(_), Token::Period] => right.len() - 2,
                _ => right.len(),
            };
            let table = right.split_off(before);
            right.extend([bare("extract"), Token::LParen, bare(grain), space()]);
            right.extend([bare("FROM"), space()]);
            right.extend(table);
            right.extend([bare(name), Token::RParen]);
        } else if let Token::SingleQuotedString(text) = token
            && is_short_number(text)
        {
            right.push(Token::Number(text.clone(), false));
        } else {
            right.push(token.clone());
        }
    }
    hint.map(|hint| Right { tokens: right, hint })
}

fn is_short_number(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The date column and the grain behind a name such as `seized_on_year`.
fn period<'c>(word: &Word, catalogue: &'c Catalogue) -> Option<(&'c Column, Grain)> {
    let name = word.value.to_ascii_lowercase();
    let columns = catalogue.datasets.iter().flat_map(|dataset| &dataset.columns);
    columns.filter(|column| matches!(column.kind, Kind::Date {})).find_map(|column| {
        let grain = name.strip_prefix(column.name.as_str())?.strip_prefix('_')?;
        let grains = [Grain::Month, Grain::Quarter, Grain::Year];
        Some((column, grains.into_iter().find(|known| known.as_str() == grain)?))
    })
}

/// `'2024-03'` for a month.
fn months(tokens: &[Token]) -> Option<Right> {
    let is_month = |text: &str| {
        let digit =
            |(i, byte): (usize, u8)| if i == 4 { byte == b'-' } else { byte.is_ascii_digit() };
        text.len() == 7 && text.bytes().enumerate().all(digit)
    };
    let mut found = false;
    let day = |token: &Token| {
        if let Token::SingleQuotedString(text) = token
            && is_month(text)
        {
            found = true;
            return Token::SingleQuotedString(format!("{text}-01"));
        }
        token.clone()
    };
    let tokens = tokens.iter().map(day).collect();
    let hint = "write a month as its first day, such as '2024-01-01'".to_owned();
    found.then_some(Right { tokens, hint })
}

/// `WHERE flag`, `flag IS TRUE` and `flag = true`, of a column that says `yes` or `no`.
fn flags(tokens: &[Token], catalogue: &Catalogue) -> Option<Right> {
    let mut hint = None;
    let mut right: Vec<Token> = tokens.to_vec();
    let written = written(tokens);
    // From the end, so that places before stay what they are.
    for (i, (at, token)) in written.iter().enumerate().rev() {
        let Token::Word(word) = token else { continue };
        let Some(column) = flag(word, catalogue) else { continue };
        let rest: Vec<&Token> = written.iter().skip(i + 1).map(|(_, token)| *token).collect();
        let (taken, no) = match rest.as_slice() {
            [is_, not, truth, ..] if is(is_, Keyword::IS) && is(not, Keyword::NOT) => {
                let Some(truth) = truth_of(truth) else { continue };
                (3, truth)
            }
            [is_, truth, ..] if is(is_, Keyword::IS) => {
                let Some(truth) = truth_of(truth) else { continue };
                (2, !truth)
            }
            [Token::Eq, truth, ..] => {
                let Some(truth) = truth_of(truth) else { continue };
                (2, !truth)
            }
            [Token::Neq, truth, ..] => {
                let Some(truth) = truth_of(truth) else { continue };
                (2, truth)
            }
            _ if stands_alone(written.get(i.wrapping_sub(1)), rest.first()) => (0, false),
            _ => continue,
        };
        let end = written.get(i + taken).map_or(*at, |(end, _)| *end);
        let value = Token::SingleQuotedString(if no { "no" } else { "yes" }.to_owned());
        right.splice(at + 1..=end, [space(), Token::Eq, space(), value]);
        hint = Some(format!("{} is a text: compare it with 'yes' or 'no'", column.name));
    }
    hint.map(|hint| Right { tokens: right, hint })
}

fn truth_of(token: &Token) -> Option<bool> {
    if is(token, Keyword::TRUE) { Some(true) } else { is(token, Keyword::FALSE).then_some(false) }
}

/// Whether a name between these is a condition of its own.
fn stands_alone(before: Option<&(usize, &Token)>, after: Option<&&Token>) -> bool {
    let begins = |token: &Token| {
        matches!(token, Token::LParen | Token::Period)
            || [Keyword::WHERE, Keyword::AND, Keyword::OR, Keyword::NOT, Keyword::ON, Keyword::WHEN]
                .iter()
                .any(|word| is(token, *word))
    };
    let ends = |token: &Token| {
        matches!(token, Token::RParen | Token::SemiColon)
            || [
                Keyword::AND,
                Keyword::OR,
                Keyword::GROUP,
                Keyword::ORDER,
                Keyword::HAVING,
                Keyword::THEN,
                Keyword::LIMIT,
                Keyword::UNION,
            ]
            .iter()
            .any(|word| is(token, *word))
    };
    before.is_some_and(|(_, token)| begins(token)) && after.is_none_or(|token| ends(token))
}

/// The column of this name that says `yes` or `no`.
fn flag<'c>(word: &Word, catalogue: &'c Catalogue) -> Option<&'c Column> {
    let name = word.value.to_ascii_lowercase();
    let mut columns = catalogue.datasets.iter().flat_map(|dataset| &dataset.columns);
    columns.find(|column| {
        column.name.as_str() == name
            && matches!(&column.kind, Kind::Category { values: Some(values) }
                if values.len() == 2 && values.iter().all(|value| value == "yes" || value == "no"))
    })
}

/// The tokens that are not white space, with their places.
fn written(tokens: &[Token]) -> Vec<(usize, &Token)> {
    let kept = |(_, token): &(usize, &Token)| !matches!(token, Token::Whitespace(_) | Token::EOF);
    tokens.iter().enumerate().filter(kept).collect()
}

fn is(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword)
}

fn number(token: &Token) -> Option<&str> {
    if let Token::Number(number, _) = token { Some(number) } else { None }
}

fn limit(rows: &str) -> [Token; 3] {
    [bare("LIMIT"), space(), Token::Number(rows.to_owned(), false)]
}

fn bare(word: &str) -> Token {
    Token::make_word(word, None)
}

fn space() -> Token {
    Token::Whitespace(Whitespace::Space)
}
