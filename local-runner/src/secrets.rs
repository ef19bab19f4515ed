//! Secrets: the environment variable of their name, and while developing the file `dev.env` beside the configuration.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The name of the file that `portico dev` and `portico token` read.
const FILE: &str = "dev.env";

/// Where a command looks for secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    /// What `dev.env` says; empty in production.
    pub(crate) file: BTreeMap<String, String>,
}

impl Secrets {
    /// The environment, and behind it `dev.env` beside the configuration at `config`, if there is one.
    pub(crate) fn beside(config: &Path) -> Result<Self, String> {
        let path = file_beside(config);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Ok(Self { file: parse(&text).map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))? })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// The environment alone.
    pub(crate) fn environment() -> Self {
        Self::default()
    }

    /// A secret by name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().or_else(|| self.file.get(name).cloned())
    }
}

/// The `dev.env` that belongs to the configuration at `config`.
pub(crate) fn file_beside(config: &Path) -> PathBuf {
    config.with_file_name(FILE)
}

/// Lines of `KEY=VALUE`; empty ones and those that start with `#` say nothing. A value is taken as it stands, without
/// the white space around it and without one pair of quotes. The error is a line's number and what is wrong with it.
fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, String)> {
    let mut secrets = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let pair = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        let Some((key, value)) = pair.filter(|(key, _)| is_name(key)) else {
            return Err((number, "expected KEY=VALUE, the key of letters, digits and _".to_owned()));
        };
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        if secrets.insert(key.to_owned(), quoted.unwrap_or(value).to_owned()).is_some() {
            return Err((number, format!("{key} is given twice")));
        }
    }
    Ok(secrets)
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_pairs() {
        let read = parse("# for development\n\nA=1\n B = two words \nC=\"in quotes\"\nD='a=b'\nE=\n").unwrap();
        let read: Vec<_> = read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(read, [("A", "1"), ("B", "two words"), ("C", "in quotes"), ("D", "a=b"), ("E", "")]);
    }

    #[test]
    fn what_is_no_pair_has_a_line() {
        for (text, line) in [("A=1\nnonsense", 2), ("=1", 1), ("export A=1", 1), ("A=1\n\nA=2", 3)] {
            assert_eq!(parse(text).map_err(|(line, _)| line), Err(line), "{text}");
        }
    }
}
