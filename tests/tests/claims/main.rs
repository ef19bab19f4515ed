//! Every claim that the documentation makes is proven by a case, or by a test where a case cannot show it. `tests/claims/`
//! says by which; here is what keeps that complete and true.
//!
//! Each sentence has an entry there. Two kinds of claims are looked up instead: each reason code occurs in a case, and so does
//! each key of the configuration.

mod keys;
mod list;
mod sentences;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use portico::case::{self, Case, Plan};
use portico_core::config::wire;
use portico_core::decision::Reason;

use self::list::{Page, Proof};
use self::sentences::sentences;

#[test]
fn every_sentence_of_the_documentation_is_proven() {
    let cases = cases();
    let known: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let mut pages = list::load(&checkout().join("tests/claims"));
    let mut wrong = Vec::new();
    for document in documents() {
        let name = Path::new(&document).file_stem().unwrap().to_str().unwrap();
        let Page { whole, sentences, .. } = pages.remove(name).unwrap_or_default();
        match whole {
            Some(proof) => wrong.extend(proof.flaws(&document, &known, &checkout())),
            None => wrong.extend(unproven(&document, &sentences)),
        }
        wrong.extend(sentences.iter().flat_map(|(sentence, proof)| proof.flaws(sentence, &known, &checkout())));
    }
    wrong.extend(pages.keys().map(|name| format!("tests/claims/{name}.toml is about no page")));
    assert!(wrong.is_empty(), "\n{}\n{HELP}", wrong.join("\n"));
}

const HELP: &str = "
Each sentence has an entry in tests/claims/PAGE.toml: the names of the cases that prove it, of tests where a case cannot
show it (path/file.rs::name, path/file.test.js::name), or a text that says why there is nothing to prove. A sentence that
was changed is another one: look whether what proved it still does.";

/// Sentences without an entry, and entries without a sentence.
fn unproven(document: &str, entries: &BTreeMap<String, Proof>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut said = BTreeSet::new();
    for (line, sentence) in sentences(&read(document)) {
        if document == "docs/reasons.md" && is_of_a_reason(&sentence) {
            continue; // `every_reason_occurs_in_a_case`
        }
        if !entries.contains_key(&sentence) {
            wrong.push(format!("{document}:{line}: nothing proves\n{} = []", list::quoted(&sentence)));
        }
        said.insert(sentence);
    }
    let gone = entries.keys().filter(|sentence| !said.contains(*sentence));
    wrong.extend(gone.map(|sentence| format!("{document} says no more\n  {sentence}")));
    wrong
}

/// Whether it is the row of a table that is about a reason.
fn is_of_a_reason(sentence: &str) -> bool {
    let code = sentence.strip_prefix('`').and_then(|rest| rest.split_once("` | "));
    code.is_some_and(|(code, _)| Reason::ALL.iter().any(|reason| reason.code() == code))
}

#[test]
fn every_reason_occurs_in_a_case() {
    let cases = cases();
    let mut found = BTreeSet::new();
    for expect in cases.iter().flat_map(Case::expectations) {
        let decided = expect.decisions.iter().filter_map(|decision| decision.reason);
        found.extend(decided.chain(expect.problem).map(|reason| reason.code().to_owned()));
    }
    let all = Reason::ALL.iter().map(|reason| reason.code().to_owned()).collect();
    looked_up("reasons", "no case expects", &all, &found, &cases);
}

#[test]
fn every_key_of_the_configuration_occurs_in_a_case() {
    let cases = cases();
    let schema = schemars::schema_for!(wire::Gateway).to_value();
    let served = cases.iter().filter(|case| matches!(case.plan, Plan::Steps(_)));
    let found = served.flat_map(|case| keys::used(&schema, &case.config)).collect();
    looked_up("configuration", "no case with steps has", &keys::all(&schema), &found, &cases);
}

#[test]
fn every_key_of_the_configuration_is_documented() {
    let documentation = read("docs/configuration.md");
    let quoted: BTreeSet<&str> = documentation.split('`').skip(1).step_by(2).collect();
    let documented = |key: &str| quoted.iter().any(|text| *text == key || text.ends_with(&format!(".{key}")));
    let all = keys::all(&schemars::schema_for!(wire::Gateway).to_value());
    let missing: Vec<_> = all.iter().filter(|key| !key.rsplit('.').next().is_some_and(documented)).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks {missing:?}");
}

/// Compares what there is with what cases show. What they cannot stands in the page's `without_a_case`.
fn looked_up(page: &str, complaint: &str, all: &BTreeSet<String>, found: &BTreeSet<String>, cases: &[Case]) {
    let known = cases.iter().map(|case| case.name.as_str()).collect();
    let listed = list::load(&checkout().join("tests/claims")).remove(page).unwrap_or_default().without_a_case;
    let missing = all.iter().filter(|name| !found.contains(*name) && !listed.contains_key(*name));
    let needless = listed.keys().filter(|name| found.contains(*name) || !all.contains(*name));
    let mut wrong: Vec<_> = missing.map(|name| format!("{complaint} {name}")).collect();
    wrong.extend(needless.map(|name| format!("{name} need not be listed: a case has it, or nobody")));
    wrong.extend(listed.iter().flat_map(|(name, proof)| proof.flaws(name, &known, &checkout())));
    let help = format!(
        "write a case, or say below [without_a_case] of tests/claims/{page}.toml which test shows it, or why none"
    );
    assert!(wrong.is_empty(), "\n{}\n\n{help}", wrong.join("\n"));
}

/// What makes claims: the README and all of `docs/`.
fn documents() -> Vec<String> {
    let files = std::fs::read_dir(checkout().join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let pages = names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}"));
    pages.chain(["README.md".to_owned()]).collect()
}

fn cases() -> Vec<Case> {
    let below = checkout().join("tests/cases");
    case::files(&below).unwrap().iter().flat_map(|file| case::load(file, &below).unwrap()).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(checkout().join(name)).unwrap()
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
