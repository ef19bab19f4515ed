//! What a client accepts, in a form that is equal when it means the same (RFC 9110 §12.5.3, §12.5.4).

use std::fmt::Write;

/// A thousandth of a weight.
type Weight = u16;

/// The weight of what is listed without one.
const FULL: Weight = 1_000;

/// The content codings that are acceptable, sorted; `!` stands before those that `*` does not mean. How much each is liked does not
/// matter: any of them can be decoded. `None` when it cannot be read.
pub(super) fn encodings<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<String> {
    let mut codings = list(lines)?;
    for (coding, _) in &mut codings {
        // RFC 9110 §8.4.1.3: they are the same
        if let Some(name @ ("gzip" | "compress")) = coding.strip_prefix("x-") {
            *coding = name.to_owned();
        }
    }
    let weight = |coding: &str| codings.iter().filter(|(name, _)| name == coding).map(|(_, weight)| *weight).max();
    let others = weight("*").unwrap_or(0) > 0;
    let identity = weight("identity").or(weight("*")).unwrap_or(FULL) > 0;
    let mut names: Vec<_> = codings.iter().map(|(name, _)| &**name).chain(["identity"]).collect();
    names.sort_unstable();
    names.dedup();
    let mut text = String::new();
    for name in names {
        let acceptable = if name == "identity" { identity } else { weight(name).unwrap_or(0) > 0 };
        match (acceptable, others) {
            (true, _) => text.extend([name, ","]),
            (false, true) => text.extend(["!", name, ","]),
            (false, false) => {}
        }
    }
    Some(text)
}

/// The languages, the most welcome first: `>` stands between ranks, `,` between those of one rank, `!` before what is not acceptable. `None`
/// when it cannot be read.
pub(super) fn languages<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<String> {
    let mut languages = list(lines)?;
    languages.sort_unstable_by(|(one, of_one), (other, of_other)| of_other.cmp(of_one).then_with(|| one.cmp(other)));
    languages.dedup();
    let (mut text, mut before) = (String::new(), None);
    for (language, weight) in languages {
        let separator = if before.is_none_or(|before| before == weight) { ',' } else { '>' };
        let refused = if weight == 0 { "!" } else { "" };
        // writing into a string does not fail
        let _ = write!(text, "{separator}{refused}{language}");
        before = Some(weight);
    }
    Some(text)
}

/// Members in lower case, with their weights; `None` when one is no token with at most a weight.
fn list<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Option<Vec<(String, Weight)>> {
    let members = lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty()).map(member).collect()
}

fn member(bytes: &[u8]) -> Option<(String, Weight)> {
    let text = str::from_utf8(bytes).ok()?;
    let (name, weight) = match text.split_once(';') {
        None => (text, FULL),
        Some((name, parameter)) => (name.trim_ascii_end(), weight(parameter.trim_ascii_start())?),
    };
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"*-._+".contains(&byte);
    (!name.is_empty() && name.bytes().all(token)).then(|| (name.to_ascii_lowercase(), weight))
}

/// `q=0.8` (RFC 9110 §12.4.2).
fn weight(parameter: &str) -> Option<Weight> {
    let (name, value) = parameter.split_once('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !name.eq_ignore_ascii_case("q") || !matches!(whole, "0" | "1") || !digits {
        return None;
    }
    let thousandths: Weight = format!("{whole}{fraction:0<3}").parse().ok()?;
    (thousandths <= FULL).then_some(thousandths)
}
