//! A question with its values taken out: what two questions have in common that differ in a value only.
//!
//! For logs, which hold it as a keyed digest. Tokens are compared and not plans: whoever asks the same in other words has
//! asked another question, and the outline of what cannot be read is none.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The text without white space and comments, and the same with every value, or list of values, as one `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// With its values: equal for the same question, however it is laid out.
    pub text: String,
    /// Without.
    pub shape: String,
}

/// The outline of a question; `None` if it is no SQL.
pub fn outline(sql: &str) -> Option<Outline> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().ok()?;
    let (mut text, mut shape) = (String::new(), Vec::<String>::new());
    for token in tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))) {
        // Keywords and names without quotes are one word in any case.
        let word = if let Token::Word(word) = token
            && word.quote_style.is_none()
        {
            word.value.to_ascii_lowercase()
        } else {
            token.to_string()
        };
        text.push_str(&word);
        text.push('\n');
        shape.push(if is_value(token) { "?".to_owned() } else { word });
        // `?, ?` is a list of values, and so is a longer one; a sign belongs to its value.
        while let Some(shorter) = folded(&shape) {
            shape.truncate(shorter);
            shape.push("?".to_owned());
        }
    }
    Some(Outline { text, shape: shape.join("\n") })
}

/// Where a list of values at the end begins, if one does.
fn folded(words: &[String]) -> Option<usize> {
    let [before @ .., first, second, third] = words else { return None };
    match (first.as_str(), second.as_str(), third.as_str()) {
        ("?", ",", "?") => Some(before.len()),
        ("(" | "," | "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "between" | "and", "-", "?") => {
            Some(before.len() + 1)
        }
        (_, _, _) => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of all tokens, few are values")]
fn is_value(token: &Token) -> bool {
    match token {
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::Placeholder(_) => true,
        Token::Word(word) => {
            word.quote_style.is_none()
                && matches!(word.value.to_ascii_lowercase().as_str(), "true" | "false" | "null")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::outline;

    fn alike(a: &str, b: &str) -> (bool, bool) {
        let (a, b) = (outline(a).unwrap(), outline(b).unwrap());
        (a.shape == b.shape, a.text == b.text)
    }

    #[test]
    fn questions_that_differ_in_a_value_have_one_shape_and_two_texts() {
        let base = "SELECT drug, count(*) FROM seizures WHERE year = 2024 GROUP BY drug";
        for (other, same) in [
            (base, (true, true)),
            (
                "select  drug, COUNT(*)\nfrom seizures -- why\nwhere YEAR = 2024 group by drug",
                (true, true),
            ),
            ("SELECT drug, count(*) FROM seizures WHERE year = 2023 GROUP BY drug", (true, false)),
            ("SELECT drug, count(*) FROM seizures WHERE year = -1 GROUP BY drug", (true, false)),
            (
                "SELECT drug, count(*) FROM seizures WHERE month = 2024 GROUP BY drug",
                (false, false),
            ),
            ("SELECT drug, count(*) FROM seizures WHERE year > 2024 GROUP BY drug", (false, false)),
            (
                "SELECT \"Drug\", count(*) FROM seizures WHERE year = 2024 GROUP BY drug",
                (false, false),
            ),
        ] {
            assert_eq!(alike(base, other), same, "{other}");
        }
        let listed = |list: &str| format!("SELECT count(*) FROM seizures WHERE drug IN ({list})");
        assert_eq!(alike(&listed("'a', 'b'"), &listed("'a', 'b', 'c'")), (true, false));
        assert_eq!(alike(&listed("'a'"), &listed("'b'")), (true, false));
        assert_eq!(outline("SELECT 'never ends"), None);
    }
}
