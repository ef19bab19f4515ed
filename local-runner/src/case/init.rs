//! First cases for a gateway: a file for each route, with what the gateway does now as what is expected.

mod draft;
mod expectation;
mod observe;
mod parts;
mod sample;
mod yaml;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Component, Path, PathBuf};

use portico_core::Gateway;
use portico_core::config::Findings;
use portico_core::config::outline::Outline;
use serde_json::Value;

use self::draft::Draft;
use self::parts::Parts;
use self::sample::Sample;
use super::offline::Offline;
use super::problem::Problem;
use super::run::{Verdict, run};

/// What became of a route's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It was written.
    Written(PathBuf),
    /// It was there and is as it was.
    Kept(PathBuf),
    /// There is none: no request was found that comes to the route of this name.
    Unreached(String),
    /// There is none: cases for the route of this name cannot be run, or do not pass; and why.
    Failed(String, String),
}

/// Writes a file for each route of a gateway into `folder`, which is made if need be. Files that are there stay as they are.
/// `config` is where `document` was read from, which `gateway` was compiled from.
pub fn init(config: &Path, document: &Value, gateway: &Gateway, folder: &Path) -> Result<Vec<Made>, Problem> {
    let outline = Outline::read(document, &mut Findings::new());
    let Some(outline) = outline.filter(|outline| !outline.routes.is_empty()) else {
        return Err(Problem::new(
            format!("{} has no routes", config.display()),
            "write one, for example: { name: hello, match: { path: /hello }, respond: { body: hello } }",
        ));
    };
    let unwritable = |path: &Path, error: &io::Error| {
        let message = format!("{} cannot be written: {error}", path.display());
        Problem::new(message, "name another folder: portico test --init FOLDER")
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let include = relative(config, folder).map_err(|error| unwritable(folder, &error))?;
    let mut names = BTreeSet::new();
    let mut made = Vec::new();
    for (number, route) in outline.routes.iter().enumerate() {
        let path = folder.join(file_name(&route.wire.name, &mut names));
        if path.exists() {
            made.push(Made::Kept(path));
            continue;
        }
        let sample = Sample::find(gateway, &route.wire);
        let Some(parts) = sample.and_then(|sample| Parts::new(&outline, document, number, sample)) else {
            made.push(Made::Unreached(route.wire.name.clone()));
            continue;
        };
        let text = Draft::new(&parts, &path, &include).text();
        made.push(match text.and_then(|text| passing(&text, &path).map(|()| text)) {
            Ok(text) => match write(&path, &text) {
                Ok(()) => Made::Written(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Made::Kept(path),
                Err(error) => return Err(unwritable(&path, &error)),
            },
            Err(why) => Made::Failed(route.wire.name.clone(), why),
        });
    }
    Ok(made)
}

/// What is written must pass as it is.
fn passing(text: &str, path: &Path) -> Result<(), String> {
    for case in super::parse(text, path, "init").map_err(|report| report.to_string())? {
        match run(&case, &Offline) {
            Verdict::Passed => {}
            Verdict::Skipped(why) => return Err(why),
            Verdict::Failed(failure) => return Err(format!("{}\n{failure}", case.name)),
        }
    }
    Ok(())
}

/// Only if it is not there.
fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// A name for a route's file that no file system objects to, and that no other route of this gateway has.
fn file_name(route: &str, taken: &mut BTreeSet<String>) -> String {
    let kept = |char: char| if char.is_alphanumeric() || "_.".contains(char) { char } else { '-' };
    let words: String = route.chars().map(kept).collect();
    let words: Vec<_> = words.split('-').map(|word| word.trim_matches('.')).filter(|word| !word.is_empty()).collect();
    let stem: String = words.join("-").chars().take(60).collect();
    let stem = if stem.is_empty() { "route".to_owned() } else { stem };
    let mut name = format!("{stem}.yaml");
    let mut turn = 2;
    // some file systems take Orders.yaml and orders.yaml for the same
    while !taken.insert(name.to_lowercase()) {
        name = format!("{stem}-{turn}.yaml");
        turn += 1;
    }
    name
}

/// The path of a file as seen from a folder, with `/` between its parts. Both have to be there.
fn relative(file: &Path, folder: &Path) -> io::Result<String> {
    let (file, folder) = (file.canonicalize()?, folder.canonicalize()?);
    let common = file.components().zip(folder.components()).take_while(|(one, other)| one == other).count();
    if common == 0 {
        return Ok(file.display().to_string());
    }
    let up = folder.components().skip(common).map(|_| "..".into());
    let down = file.components().skip(common).map(|part: Component<'_>| part.as_os_str().to_string_lossy());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_harmless_and_different() {
        let mut taken = BTreeSet::new();
        for (route, wanted) in [
            ("orders", "orders.yaml"),
            ("Orders", "Orders-2.yaml"),
            ("a: b #c", "a-b-c.yaml"),
            ("a/b\\c", "a-b-c-2.yaml"),
            ("../../etc/passwd", "etc-passwd.yaml"),
            ("..", "route.yaml"),
            ("", "route-2.yaml"),
            ("müller.v1", "müller.v1.yaml"),
            (&"x".repeat(300), &format!("{}.yaml", "x".repeat(60))),
        ] {
            assert_eq!(file_name(route, &mut taken), wanted, "{route}");
        }
    }
}
