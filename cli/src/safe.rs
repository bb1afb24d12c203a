//! Text of other countries on a terminal: whatever a terminal would act on is shown as an escape.

use std::borrow::Cow;

/// `text` with control characters, and characters that reorder or hide text, written as `\u{..}`; tabs and line breaks
/// too, because one text is one line here.
pub fn safe(text: &str) -> Cow<'_, str> {
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmless(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal only draws this character.
pub fn harmless(c: char) -> bool {
    let hides_or_reorders = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hides_or_reorders
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn nothing_a_terminal_acts_on_gets_through() {
        assert_eq!(safe("Fentanyl – 펜타닐"), "Fentanyl – 펜타닐");
        assert_eq!(safe("\u{1b}[2Jx"), "\\u{1b}[2Jx");
        assert_eq!(safe("a\nb\tc\r"), "a\\u{a}b\\u{9}c\\u{d}");
        assert_eq!(safe("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
        assert_eq!(safe("abc\u{202e}fdp\u{2066}\u{200b}"), "abc\\u{202e}fdp\\u{2066}\\u{200b}");
        for c in ('\0'..='\u{e007f}').filter(|c| c.is_control()) {
            assert!(!safe(&c.to_string()).contains(c), "{}", u32::from(c));
        }
    }
}
