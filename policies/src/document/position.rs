//! Finds the line and column of a place in JSON text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::iter::Peekable;
use std::ops::Range;

/// A place in a text, counted from 1; columns count bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The byte in the line.
    pub column: usize,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The key before it, if it is in an object.
    pub(crate) key: Option<Spot>,
    /// The value; of an object or a list, the bracket that opens it.
    pub(crate) value: Spot,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Where it begins.
    pub(crate) position: Position,
    /// Its bytes.
    pub(crate) bytes: Range<usize>,
}

impl Position {
    /// The byte at this position, as far as the text has it.
    pub(crate) fn byte(self, text: &[u8]) -> Range<usize> {
        let lines = text.split_inclusive(|byte| *byte == b'\n').take(self.line.saturating_sub(1));
        let start =
            (lines.map(<[u8]>::len).sum::<usize>() + self.column.saturating_sub(1)).min(text.len());
        start..(start + 1).min(text.len())
    }
}

/// The places of the values with these JSON pointers (RFC 6901). O(bytes). The text must have been read as JSON before,
/// which also bounds the nesting; of any other text only fewer places are found.
pub(crate) fn places(text: &[u8], wanted: &BTreeSet<String>) -> BTreeMap<String, Place> {
    let bytes = text.iter().copied().peekable();
    let start = Position { line: 1, column: 1 };
    let mut scanner = Scanner {
        bytes,
        at: start,
        offset: 0,
        pointer: String::new(),
        wanted,
        found: BTreeMap::new(),
    };
    scanner.value(None);
    scanner.found
}

/// A JSON pointer's token for this key.
pub(crate) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

struct Scanner<'a, I: Iterator<Item = u8>> {
    bytes: Peekable<I>,
    at: Position,
    offset: usize,
    pointer: String,
    wanted: &'a BTreeSet<String>,
    found: BTreeMap<String, Place>,
}

impl<I: Iterator<Item = u8>> Scanner<'_, I> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.next()?;
        self.offset += 1;
        if byte == b'\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(byte)
    }

    /// Skips what stands between values and keys.
    fn skip(&mut self) {
        while self.bytes.peek().is_some_and(|byte| b" \t\r\n,:".contains(byte)) {
            self.next();
        }
    }

    fn value(&mut self, key: Option<Spot>) {
        self.skip();
        let (position, start) = (self.at, self.offset);
        let opens = matches!(self.bytes.peek(), Some(b'{' | b'['));
        let pointer = self.wanted.contains(&self.pointer).then(|| self.pointer.clone());
        self.skip_value();
        if let Some(pointer) = pointer {
            let end = if opens { start + 1 } else { self.offset };
            self.found.insert(pointer, Place { key, value: Spot { position, bytes: start..end } });
        }
    }

    fn skip_value(&mut self) {
        match self.bytes.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                self.string();
            }
            _ => {
                // At least one byte, so that every call gets further in text that is not JSON.
                self.next();
                while self.bytes.peek().is_some_and(|byte| !b" \t\r\n,]}".contains(byte)) {
                    self.next();
                }
            }
        }
    }

    fn object(&mut self) {
        self.next();
        loop {
            self.skip();
            let (position, start) = (self.at, self.offset);
            if self.bytes.peek() != Some(&b'"') {
                self.next();
                return;
            }
            let name = self.string();
            self.inside(&token(&name), Some(Spot { position, bytes: start..self.offset }));
        }
    }

    fn array(&mut self) {
        self.next();
        for i in 0_usize.. {
            self.skip();
            if self.bytes.peek().is_none_or(|byte| *byte == b']') {
                self.next();
                return;
            }
            self.inside(&i.to_string(), None);
        }
    }

    fn inside(&mut self, token: &str, key: Option<Spot>) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(token);
        self.value(key);
        self.pointer.truncate(length);
    }

    fn string(&mut self) -> String {
        let mut quoted: Vec<u8> = self.next().into_iter().collect();
        while let Some(byte) = self.next() {
            quoted.push(byte);
            if byte == b'\\' {
                quoted.extend(self.next());
            } else if byte == b'"' {
                break;
            }
        }
        serde_json::from_slice(&quoted).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Position, places, token};
    use std::collections::BTreeSet;
    use std::ops::Range;

    #[test]
    fn keys_and_values_are_found_by_pointer() {
        let text = "{ \"a\": [1, {\"b/c\\\"\" : \"x,\\\"]\"}],\n  \"d\":\n{}, \"e\": -1.5e3 }";
        let key = token("b/c\"");
        let pointers = ["", "/a", "/a/0", &format!("/a/1/{key}"), "/d", "/e", "/f"];
        let wanted: BTreeSet<String> = pointers.into_iter().map(str::to_owned).collect();
        let found = places(text.as_bytes(), &wanted);
        let at = |line, column| Position { line, column };
        let place = |pointer: &str| {
            let Place { key, value } = found.get(pointer)?;
            let shown = |bytes: &Range<usize>| text.get(bytes.clone()).unwrap();
            let key = key.as_ref().map(|key| (key.position, shown(&key.bytes)));
            Some((key, (value.position, shown(&value.bytes))))
        };
        assert_eq!(place(""), Some((None, (at(1, 1), "{"))));
        assert_eq!(place("/a"), Some((Some((at(1, 3), "\"a\"")), (at(1, 8), "["))));
        assert_eq!(place("/a/0"), Some((None, (at(1, 9), "1"))));
        assert_eq!(
            place(&format!("/a/1/{key}")),
            Some((Some((at(1, 13), "\"b/c\\\"\"")), (at(1, 23), "\"x,\\\"]\"")))
        );
        assert_eq!(place("/d"), Some((Some((at(2, 3), "\"d\"")), (at(3, 1), "{"))));
        assert_eq!(place("/e"), Some((Some((at(3, 5), "\"e\"")), (at(3, 10), "-1.5e3"))));
        assert_eq!(place("/f"), None);
    }

    #[test]
    fn text_that_is_not_json_is_scanned_to_its_end() {
        let wanted = BTreeSet::from(["/a".to_owned()]);
        for text in ["", "{", "[", "{\"", "{\"a\\", "]", "{\"a\":}", "[[[{", "{]", "[}"] {
            places(text.as_bytes(), &wanted);
        }
    }
}
