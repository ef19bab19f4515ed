//! Case files as text: short values on one line, long ones on several, comments where they help.

use std::fmt::Write as _;

use serde_json::Value;

/// Lines are no longer, unless one text is.
const WIDTH: usize = 110;

/// A value, in the order in which it is to be written.
#[derive(Debug, Clone)]
pub(super) enum Yaml {
    /// As it stands in the file.
    Scalar(String),
    /// Items.
    List(Vec<Self>),
    /// Entries.
    Map(Vec<Entry>),
}

/// An entry of a map.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Lines above it; none if empty.
    comment: String,
    key: String,
    value: Yaml,
}

/// An entry without a comment.
pub(super) fn entry(key: impl Into<String>, value: impl Into<Yaml>) -> Entry {
    Entry { comment: String::new(), key: key.into(), value: value.into() }
}

impl Entry {
    /// With a comment above it, which may have several lines.
    pub(super) fn about(self, comment: impl Into<String>) -> Self {
        Self { comment: comment.into(), ..self }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Scalar(scalar(text))
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Vec<Entry>> for Yaml {
    fn from(entries: Vec<Entry>) -> Self {
        Self::Map(entries)
    }
}

impl From<Vec<Self>> for Yaml {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl From<&Value> for Yaml {
    fn from(value: &Value) -> Self {
        match value {
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(map) => map.iter().map(|(key, value)| entry(key, value)).collect::<Vec<_>>().into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Scalar(value.to_string()),
        }
    }
}

/// A whole file. Its outermost entries stand apart.
pub(super) fn file(heading: &str, entries: &[Entry]) -> String {
    let mut out = comment(heading, 0);
    for entry in entries {
        out.push('\n');
        out.push_str(&lines(entry, 0));
    }
    out
}

/// A text as YAML reads it back: as it stands where nothing can be meant by it but itself, otherwise in double quotes.
fn scalar(text: &str) -> String {
    let first = |char: char| char.is_ascii_alphabetic() || char == '/';
    let rest = |char: char| char.is_ascii_alphanumeric() || "/_-.+@ ".contains(char);
    // of YAML 1.1 as well, which other tools read
    let word = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(first)
        && text.chars().all(rest)
        && !text.ends_with(' ')
        && !word.iter().any(|word| word.eq_ignore_ascii_case(text));
    if plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for char in text.chars() {
        // writing to a String does not fail
        _ = match char {
            '"' | '\\' => write!(out, "\\{char}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            char if is_hidden(char) => write!(out, "\\U{:08x}", u32::from(char)),
            char => write!(out, "{char}"),
        };
    }
    out + "\""
}

/// What would end a line for some reader, or what nobody would see.
fn is_hidden(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A text that can stand in a comment.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|char| if is_hidden(char) { ' ' } else { char }).collect()
}

fn comment(text: &str, indent: usize) -> String {
    text.lines().map(|line| format!("{:indent$}{}\n", "", format!("# {line}").trim_end())).collect()
}

fn lines(entry: &Entry, indent: usize) -> String {
    let key = scalar(&entry.key);
    let mut out = comment(&entry.comment, indent);
    match flow(&entry.value).filter(|flow| indent + key.len() + flow.len() + 2 <= WIDTH || is_scalar(&entry.value)) {
        Some(flow) => out + &format!("{:indent$}{key}: {flow}\n", ""),
        None => {
            _ = writeln!(out, "{:indent$}{key}:", "");
            out + &block(&entry.value, indent + 2)
        }
    }
}

fn is_scalar(value: &Yaml) -> bool {
    matches!(value, Yaml::Scalar(_))
}

/// On lines of its own.
fn block(value: &Yaml, indent: usize) -> String {
    match value {
        Yaml::Scalar(text) => format!("{:indent$}{text}\n", ""),
        Yaml::Map(entries) => entries.iter().map(|entry| lines(entry, indent)).collect(),
        Yaml::List(items) => items.iter().map(|one| item(one, indent)).collect(),
    }
}

fn item(value: &Yaml, indent: usize) -> String {
    if let Some(flow) = flow(value).filter(|flow| indent + flow.len() + 2 <= WIDTH || is_scalar(value)) {
        return format!("{:indent$}- {flow}\n", "");
    }
    let Yaml::Map(entries) = value else {
        return format!("{:indent$}-\n{}", "", block(value, indent + 2));
    };
    // what is said of the first entry is said of the item
    let (first, rest) = entries.split_first().map_or((None, entries.as_slice()), |(first, rest)| (Some(first), rest));
    let above = first.map(|first| comment(&first.comment, indent)).unwrap_or_default();
    let first = first.map(|first| lines(&Entry { comment: String::new(), ..first.clone() }, indent + 2));
    let first = first.unwrap_or_default();
    let rest: String = rest.iter().map(|entry| lines(entry, indent + 2)).collect();
    format!("{above}{:indent$}- {}{rest}", "", first.trim_start())
}

/// On one line; `None` where there are comments.
fn flow(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Scalar(text) => Some(text.clone()),
        Yaml::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(flow).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Yaml::Map(entries) if entries.is_empty() => Some("{}".to_owned()),
        Yaml::Map(entries) => {
            let one = |entry: &Entry| {
                let value = flow(&entry.value).filter(|_| entry.comment.is_empty())?;
                Some(format!("{}: {value}", scalar(&entry.key)))
            };
            let entries: Option<Vec<_>> = entries.iter().map(one).collect();
            Some(format!("{{ {} }}", entries?.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests;
