//! `tests/claims/`: for each page of the documentation what proves its sentences. `configuration.toml` is about
//! `docs/configuration.md`, and so on:
//!
//! ```toml
//! [sentences]
//! 'Tokens must have `exp`.' = ["auth/jwt_claims/a token without a sound exp is refused"]
//! 'A closed stdout or stderr does not stop the server.' = ["local-runner/tests/cli/serve.rs::nobody_needs_to_read_the_log"]
//! 'A request that is refused writes nothing.' = ["adapters/cloudflare/test/limiter.test.js::a request that is refused writes nothing"]
//! 'Rules that hold everywhere:' = "introduces a list"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

/// What proves a page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Page {
    /// The page is proven, or need not be, as a whole.
    pub(crate) whole: Option<Proof>,
    /// Sentence by sentence.
    pub(crate) sentences: BTreeMap<String, Proof>,
    /// What is looked up in cases (reason codes, keys of the configuration), and cannot occur in one.
    pub(crate) without_a_case: BTreeMap<String, Proof>,
}

/// What proves a claim.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Proof {
    /// These cases and, where a case cannot show it, these tests.
    By(Vec<String>),
    /// Nothing, for this reason.
    Needless(String),
}

/// All pages, by the names of their files without the extension.
pub(crate) fn load(folder: &Path) -> BTreeMap<String, Page> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let page = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let page = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), page)
    };
    files.map(page).collect()
}

impl Proof {
    /// What is wrong with the proof of a claim.
    pub(crate) fn flaws(&self, claim: &str, cases: &BTreeSet<&str>, checkout: &Path) -> Vec<String> {
        match self {
            Self::Needless(why) if why.is_empty() => vec![format!("no reason why nothing proves\n  {claim}")],
            Self::Needless(_) => Vec::new(),
            Self::By(proofs) if proofs.is_empty() => vec![format!("nothing proves\n  {claim}")],
            Self::By(proofs) => {
                let missing = proofs.iter().filter(|proof| !exists(proof, cases, checkout));
                missing.map(|proof| format!("there is no {proof:?}, which is to prove\n  {claim}")).collect()
            }
        }
    }
}

fn exists(proof: &str, cases: &BTreeSet<&str>, checkout: &Path) -> bool {
    let read = |file: String| std::fs::read_to_string(checkout.join(file)).unwrap_or_default();
    if let Some((file, name)) = proof.split_once(".rs::") {
        is_test_in_rust(name, &read(format!("{file}.rs")))
    } else if let Some((file, name)) = proof.split_once(".js::") {
        is_test_in_javascript(name, &read(format!("{file}.js")))
    } else {
        cases.contains(proof)
    }
}

fn is_test_in_rust(name: &str, text: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
    let mut attributes = above.lines().rev().map(str::trim).take_while(|line| line.starts_with("#["));
    attributes.any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// A name may have parts that are filled in: it is given as it stands there.
fn is_test_in_javascript(name: &str, text: &str) -> bool {
    // one that is skipped or commented out begins otherwise
    let begins = |line: &str, quote: char| line.trim_start().starts_with(&format!("test({quote}{name}{quote}, "));
    text.lines().any(|line| begins(line, '"') || begins(line, '`'))
}

#[test]
fn tests_in_javascript_are_found_unless_they_are_skipped() {
    let text = "test(\"a and b\", async (t) => {\n  test(`with ${c}`, async (t) => {\n// test(\"gone\", async\ntest.skip(\"not now\", async";
    assert!(is_test_in_javascript("a and b", text) && is_test_in_javascript("with ${c}", text));
    for none in ["a and", "and b", "gone", "not now", ""] {
        assert!(!is_test_in_javascript(none, text), "{none}");
    }
}

/// A text as a key of TOML.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains('\'') {
        format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
    } else {
        format!("'{text}'")
    }
}
