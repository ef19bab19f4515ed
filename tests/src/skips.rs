//! `skips.toml`: what a runtime cannot do, and why.

use std::path::Path;

use serde::Deserialize;

use portico::case::run::Verdict;

/// A case that a subject is known not to pass.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The subject's name.
    pub subject: String,
    /// The case's name.
    pub case: String,
    /// Why it cannot pass there.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    skip: Vec<Skip>,
}

/// Reads the list. An entry that names no case is an error: it would hide that the case was renamed.
pub fn load(path: &Path, known: &[String]) -> Result<Vec<Skip>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: File = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    for skip in &file.skip {
        if !known.contains(&skip.case) {
            return Err(format!("{}: there is no case {:?}", path.display(), skip.case));
        }
        if skip.reason.trim().is_empty() {
            return Err(format!("{}: {:?} gives no reason", path.display(), skip.case));
        }
    }
    Ok(file.skip)
}

/// What is reported of a case.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is as it should be.
    Passed,
    /// It did not pass, for a reason that is known.
    Ignored(String),
    /// Somebody has to look at it.
    Failed(String),
}

/// Joins what came of a case with what is known of it.
pub fn settle(verdict: Verdict, listed: Option<&Skip>) -> Settled {
    match (verdict, listed) {
        (Verdict::Passed, None) => Settled::Passed,
        (Verdict::Failed(why), None) => Settled::Failed(why.to_string()),
        (Verdict::Skipped(why), None) => Settled::Ignored(why),
        (Verdict::Failed(_), Some(skip)) => Settled::Ignored(skip.reason.clone()),
        (Verdict::Passed, Some(_)) => {
            Settled::Failed("skips.toml says that this cannot pass, and it does: remove the entry".to_owned())
        }
        (Verdict::Skipped(why), Some(_)) => {
            Settled::Failed(format!("skips.toml lists what is known without it ({why}): remove the entry"))
        }
    }
}
