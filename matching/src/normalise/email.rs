//! E-mail addresses: what a mail server would deliver to the same mailbox.

use super::Draft;
use super::letters::{composed, joined};
use super::problem::{Code, Note, Problem};
use zeroize::Zeroizing;

/// RFC 5321, 4.5.3.1: 64 octets before the `@`, 255 behind it.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 255;
const LONGEST_LABEL: usize = 63;

const SHAPE: Problem = Problem::new(
    Code::Format,
    "the address",
    "is not a name, one `@` and a domain",
    "give it as in name@example.org, without the person's name",
);

/// `local@domain` in lower case, the domain in its ASCII form (RFC 3492). The standard lets a server tell upper case from
/// lower; none that matters does. Gmail ignores dots and tags, so they are dropped there; elsewhere the address without its
/// tag is a variant.
pub(super) fn email(value: &str) -> Result<Draft, Problem> {
    let composed = composed(value);
    // The lower case of a letter has three bytes where the letter has two, at most.
    let mut text = Zeroizing::new(String::with_capacity(composed.len() * 2));
    text.extend(composed.chars().flat_map(char::to_lowercase));
    let text = text.trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let (local, domain) = text.rsplit_once('@').ok_or(SHAPE)?;
    let domain = ascii_domain(domain.trim_end_matches('.'))?;
    let outside = |c: char| c.is_whitespace() || c.is_control() || "@\"(),:;<>[]\\".contains(c);
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if local.is_empty() || local.contains(outside) || dots {
        return Err(SHAPE);
    }
    if local.len() > LONGEST_LOCAL {
        return Err(Problem::new(
            Code::Length,
            "the name before the `@`",
            "is longer than 64 characters",
            "give one address",
        ));
    }
    let write = |local: &str, domain: &str| joined(&[local, "@", domain]);
    let untagged = local.split_once('+').map(|(name, _)| name).filter(|name| !name.is_empty());
    if matches!(domain.as_str(), "gmail.com" | "googlemail.com") {
        let name = Zeroizing::new(untagged.unwrap_or(local).replace('.', ""));
        let draft = Draft::new(write(&name, "gmail.com"));
        return Ok(if *name == *local { draft } else { draft.note(Note::TagLeftOut) });
    }
    let mut draft = Draft::new(write(local, &domain));
    draft.variants.extend(untagged.map(|name| write(name, &domain)));
    Ok(draft)
}

/// The domain's labels, those outside ASCII as `xn--`.
fn ascii_domain(domain: &str) -> Result<Zeroizing<String>, Problem> {
    let mut out = Zeroizing::new(String::with_capacity(domain.len() * 4));
    let mut labels = 0;
    for label in domain.split(['.', '\u{3002}']) {
        if labels > 0 {
            out.push('.');
        }
        labels += 1;
        let start = out.len();
        if label.is_ascii() {
            out.push_str(label);
        } else {
            out.push_str("xn--");
            punycode(label, &mut out).ok_or(SHAPE)?;
        }
        let written = out.get(start..).unwrap_or_default();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let hyphen = written.starts_with('-') || written.ends_with('-');
        if written.is_empty()
            || written.len() > LONGEST_LABEL
            || hyphen
            || !written.bytes().all(allowed)
        {
            return Err(SHAPE);
        }
    }
    if labels < 2 || out.len() > LONGEST_DOMAIN { Err(SHAPE) } else { Ok(out) }
}

/// RFC 3492, section 6.3, with the parameters of section 5. `None` on overflow, which no label of a domain reaches.
fn punycode(label: &str, out: &mut String) -> Option<()> {
    const BASE: u32 = 36;
    let basic = label.chars().filter(char::is_ascii).count();
    out.extend(label.chars().filter(char::is_ascii));
    if basic > 0 {
        out.push('-');
    }
    let total = u32::try_from(label.chars().count()).ok()?;
    let basic = u32::try_from(basic).ok()?;
    let (mut next, mut delta, mut bias, mut handled) = (128u32, 0u32, 72u32, basic);
    while handled < total {
        let smallest = label.chars().map(u32::from).filter(|c| *c >= next).min()?;
        delta = delta.checked_add((smallest - next).checked_mul(handled + 1)?)?;
        next = smallest;
        for c in label.chars().map(u32::from) {
            if c < next {
                delta = delta.checked_add(1)?;
            }
            if c != next {
                continue;
            }
            let mut rest = delta;
            for k in (BASE..).step_by(36) {
                let threshold = k.saturating_sub(bias).clamp(1, 26);
                if rest < threshold {
                    break;
                }
                out.push(punycode_digit(threshold + (rest - threshold) % (BASE - threshold)));
                rest = (rest - threshold) / (BASE - threshold);
            }
            out.push(punycode_digit(rest));
            let damped = if handled == basic { delta / 700 } else { delta / 2 };
            bias = adapt(damped, handled + 1);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        next = next.checked_add(1)?;
    }
    Some(())
}

/// 0 to 25 are letters, 26 to 35 digits.
fn punycode_digit(value: u32) -> char {
    let byte = u8::try_from(value % 36).unwrap_or(0);
    char::from(if byte < 26 { b'a' + byte } else { b'0' + byte - 26 })
}

/// RFC 3492, section 6.1, after the division by 700 or 2.
fn adapt(damped: u32, points: u32) -> u32 {
    let mut delta = damped + damped / points;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}
