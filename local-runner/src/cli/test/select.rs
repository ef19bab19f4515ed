//! Which cases are run.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use portico::case::{self, Case};
use portico::config::Report;

use crate::cli::Failure;

/// Where cases are looked for when nobody says where.
const USUAL: [&str; 2] = ["cases", "tests/cases"];

/// The cases to run, by file and in the order of each file.
pub(super) struct Selection {
    pub(super) cases: Vec<Case>,
    /// What is wrong with files that could not be read.
    pub(super) malformed: Vec<Report>,
}

/// Reads the cases in `paths` that one of `filters` matches.
pub(super) fn select(paths: &[PathBuf], filters: &[String]) -> Result<Selection, Failure> {
    let paths = if paths.is_empty() { vec![usual()?] } else { paths.to_owned() };
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for path in &paths {
        let found = files_in(path)?;
        // a file that is named twice is run once
        files
            .extend(found.into_iter().filter(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone()))));
    }
    let below = common(&paths);
    let (mut cases, mut malformed) = (Vec::new(), Vec::new());
    for file in files {
        match case::load(&file, &below) {
            Ok(read) => cases.extend(read),
            Err(report) => malformed.push(report),
        }
    }
    let all = cases.len();
    cases.retain(|case| filters.is_empty() || filters.iter().any(|filter| matches(&case.name, filter)));
    if cases.is_empty() && malformed.is_empty() {
        let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(match all {
            0 => Failure::usage(format_args!("there are no cases in {}", shown.join(", ")), FIRST),
            _ => Failure::usage(
                format_args!("none of {all} cases has {} in its name", filters.join(" or ")),
                "`portico test --list` prints their names",
            ),
        });
    }
    Ok(Selection { cases, malformed })
}

const FIRST: &str = "name files or folders with cases, or write a first case for each route with `portico test --init`";

/// Where first cases are written when nobody says where: where they will be looked for.
pub(super) fn home() -> PathBuf {
    let [first, _] = USUAL.map(PathBuf::from);
    existing().unwrap_or(first)
}

fn existing() -> Option<PathBuf> {
    USUAL.iter().map(PathBuf::from).find(|path| path.is_dir())
}

fn usual() -> Result<PathBuf, Failure> {
    existing().ok_or_else(|| Failure::usage(format_args!("there is no folder {} here", USUAL.join(" or ")), FIRST))
}

/// A file, or all case files in a folder.
fn files_in(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    case::files(path).map_err(|error| Failure::usage(format_args!("cannot read {}: {error}", path.display()), FIRST))
}

/// The folder that all paths have in common, to which the names of cases are relative.
fn common(paths: &[PathBuf]) -> PathBuf {
    let folder = |path: &PathBuf| if path.is_dir() { path.clone() } else { path.with_file_name("") };
    let mut folders = paths.iter().map(folder);
    let mut common = folders.next().unwrap_or_default();
    for folder in folders {
        let same = common.components().zip(folder.components()).take_while(|(one, other)| one == other);
        common = same.map(|(component, _): (Component<'_>, _)| component).collect();
    }
    common
}

/// Whether the pieces between the `*` of a filter stand in a name, one behind the other.
fn matches(name: &str, filter: &str) -> bool {
    let mut rest = name;
    filter.split('*').all(|piece| match rest.split_once(piece) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_texts_with_gaps() {
        let name = "cors/preflight/it needs no credentials";
        for filter in ["", "cors", "needs no", "cors/*credentials", "*", "pre*it*no"] {
            assert!(matches(name, filter), "{filter}");
        }
        for filter in ["CORS", "credentials*cors", "needs a", "no*no*no*no"] {
            assert!(!matches(name, filter), "{filter}");
        }
    }

    #[test]
    fn names_are_relative_to_what_paths_have_in_common() {
        for (paths, expected) in [
            (&["none/a.yaml"][..], "none"),
            (&["none/a.yaml", "none/b.yaml"], "none"),
            (&["none/a/x.yaml", "none/b/y.yaml"], "none"),
            (&["a/x.yaml", "b/y.yaml"], ""),
            (&["/a/x.yaml", "a/x.yaml"], ""),
            (&["x.yaml"], ""),
        ] {
            let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(common(&paths), PathBuf::from(expected), "{paths:?}");
        }
    }
}
