//! Texts that look like secrets by themselves, whatever key they stand behind.

use portico_core::config::{Code, Findings, Pointer};
use regex_lite::Regex;
use serde_json::Value;

/// What issuers of secrets start theirs with, so that they are found; and other forms that nothing else has.
const FORMS: [(&str, &str); 11] = [
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a signed token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    ("a URL with a password", r"\b[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:[^/?#\s@$]+@"),
    ("a key of AWS", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a token of GitHub", r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20}"),
    ("a key of Google", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{20,}"),
    ("a key of Stripe", r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    ("a key of OpenAI", r"\bsk-(proj-|svcacct-)[A-Za-z0-9_-]{40,}"),
    ("a key of Anthropic", r"\bsk-ant-[A-Za-z0-9_-]{40,}"),
];

/// Warns of every text with such a form, unless it was warned of already.
pub(super) fn look_alikes(document: &Value, findings: &mut Findings) {
    // the forms are right: a test sees to it
    let forms: Vec<_> = FORMS.iter().filter_map(|(name, form)| Some((*name, Regex::new(form).ok()?))).collect();
    let known: Vec<Pointer> =
        findings.iter().filter(|found| found.code == Code::LiteralSecret).map(|found| found.pointer.clone()).collect();
    for (at, name) in found(document, &Pointer::root(), &forms).into_iter().filter(|(at, _)| !known.contains(at)) {
        let message = format!("this looks like {name}, and everyone who reads the configuration can read it");
        let help = "give the platform a secret and write ${secret.NAME}; replace the one that was written here";
        findings.warning(Code::LiteralSecret, at, message).help(help);
    }
}

fn found(value: &Value, at: &Pointer, forms: &[(&'static str, Regex)]) -> Vec<(Pointer, &'static str)> {
    match value {
        Value::String(text) => {
            let form = forms.iter().find(|(_, form)| form.is_match(text));
            form.map(|(name, _)| (at.clone(), *name)).into_iter().collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, item)| found(item, &at.child_index(index), forms)).collect()
        }
        // public keys are long random texts; private ones are refused
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, _)| *key != "jwks")
            .flat_map(|(key, value)| found(value, &at.child_key(key), forms))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The texts are put together here, so that nobody who scans this file takes them for real.
    fn look_alike(parts: &[&str]) -> String {
        parts.concat()
    }

    fn found_in(text: &str) -> Vec<String> {
        let mut findings = Findings::new();
        look_alikes(&json!({ "a": [{ "b": text }], "jwks": text }), &mut findings);
        findings.iter().map(|finding| format!("{} {}", finding.pointer, finding.message)).collect()
    }

    #[test]
    fn every_form_is_a_pattern_and_finds_its_own() {
        let random = "0123456789abcdefghijABCDEFGHIJ0123456789";
        let samples = [
            look_alike(&["-----BEGIN ", "RSA PRIVATE KEY-----\nabc"]),
            look_alike(&["Bearer eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiJhbGljZSJ9.", "c2lnbmF0dXJlLXNpZ25hdHVyZQ"]),
            look_alike(&["https://user:", "hunter2@db.internal/"]),
            look_alike(&["AKIA", "IOSFODNN7EXAMPLE"]),
            look_alike(&["token ghp_", "0123456789abcdefghijABCDEFGHIJ012345"]),
            look_alike(&["glpat-", "0123456789abcdefghij"]),
            look_alike(&["AIza", "0123456789abcdefghijABCDEFGHIJ01234"]),
            look_alike(&["xoxb-", random]),
            look_alike(&["sk_live_", random]),
            look_alike(&["sk-proj-", random, random]),
            look_alike(&["sk-ant-", random, random]),
        ];
        assert_eq!(samples.len(), FORMS.len());
        for ((name, form), sample) in FORMS.iter().zip(&samples) {
            assert!(Regex::new(form).is_ok(), "{form}");
            let message =
                format!("a[0].b this looks like {name}, and everyone who reads the configuration can read it");
            assert_eq!(found_in(sample), [message], "{sample}");
        }
    }

    #[test]
    fn what_only_resembles_one_is_none() {
        for text in [
            "${secret.STRIPE_KEY}",
            "https://user:${secret.PASSWORD}@db.internal/",
            "https://db.internal:8080/path@2",
            "https://example.com/a:b@c",
            "sk_test_0123456789abcdefghij",
            "task-proj-0123456789",
            "AKIA",
            "eyJhbGciOiJIUzI1NiJ9",
            "-----BEGIN PUBLIC KEY-----",
            "8649cdebee753898fd50e01408a9e438aa5090249bc3e51b65f33dce973b0873",
        ] {
            assert_eq!(found_in(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_is_known_is_not_told_twice() {
        let sample = look_alike(&["sk_live_", "0123456789abcdefghij"]);
        let mut findings = Findings::new();
        findings.warning(Code::LiteralSecret, Pointer::root().child_key("a"), "known by its name");
        look_alikes(&json!({ "a": sample, "b": sample }), &mut findings);
        let places: Vec<_> = findings.iter().map(|finding| finding.pointer.to_string()).collect();
        assert_eq!(places, ["a", "b"]);
    }
}
