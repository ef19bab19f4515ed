//! Puts what an included file says into the document.

use std::path::Path;
use std::sync::Arc;

use portico_core::config::{Code, Pointer, Severity};
use serde_json::Value;

use super::note::Note;
use super::sources::Sources;
use super::tree::{Entry, Kind, Node, Span};

/// Adds `included` to `root`, the document of the file at `main`. Returns what is wrong; that is left out.
///
/// What is wrong in `root` itself is left as it is, for core to say so.
pub(super) fn merge(root: &mut Node, included: &Node, main: &Path, sources: &Sources) -> Vec<Note> {
    let mut notes = Vec::new();
    match &included.resolved().kind {
        Kind::Map(_) | Kind::Scalar(Value::Null) => {}
        _ => {
            let found = included.describe();
            let message = format!("expected a map with routes, upstreams or identities, found {found}");
            notes.push(error(Code::WrongType, included.span(), message));
        }
    }
    for entry in included.entries() {
        match entry.key.as_str() {
            "routes" => append(root, entry, &mut notes),
            "upstreams" | "identities" => insert(root, entry, sources, &mut notes),
            key => {
                let help = format!("only routes, upstreams and identities can; write it in {}", main.display());
                let message = format!("{key:?} cannot stand in an included file");
                notes.push(error(Code::MisplacedKey, entry.key_span, message).with_help(help));
            }
        }
    }
    notes
}

/// Routes: behind those that are there.
fn append(root: &mut Node, entry: &Entry, notes: &mut Vec<Note>) {
    let Kind::List(new) = &entry.value.resolved().kind else {
        return notes.push(wrong_kind(entry, "a list"));
    };
    if let Some(items) = place_for(root, entry, Kind::List(Vec::new())).and_then(Node::items_mut) {
        items.extend(new.iter().cloned());
    }
}

/// Upstreams and identities: their names must be new.
fn insert(root: &mut Node, entry: &Entry, sources: &Sources, notes: &mut Vec<Note>) {
    let Kind::Map(new) = &entry.value.resolved().kind else {
        return notes.push(wrong_kind(entry, "a map"));
    };
    let pointer = Pointer::root().child_key(&*entry.key);
    let one = if entry.key == "upstreams" { "upstream" } else { "identity" };
    let Some(entries) = place_for(root, entry, Kind::Map(Vec::new())).and_then(Node::entries_mut) else { return };
    for new in new {
        match entries.iter().find(|old| old.key == new.key) {
            None => entries.push(new.clone()),
            Some(old) => {
                let first = sources.name(old.key_span);
                let message = format!("the {one} {:?} is defined twice, first at {first}", new.key);
                let help = "names hold across all files; rename one of them, or remove it";
                let note = error(Code::DuplicateName, new.key_span, message).with_help(help);
                notes.push(note.with_pointer(pointer.child_key(&*new.key)));
            }
        }
    }
}

/// The value of the same key in the document; it is made if need be. `None` if the document is no map.
fn place_for<'a>(root: &'a mut Node, like: &Entry, empty: Kind) -> Option<&'a mut Node> {
    let entries = root.entries_mut()?;
    let at = match entries.iter().position(|entry| entry.key == like.key) {
        Some(at) => at,
        None => {
            let value = Arc::new(Node { span: like.value.span(), kind: empty });
            entries.push(Entry { key: like.key.clone(), key_span: like.key_span, value });
            entries.len() - 1
        }
    };
    entries.get_mut(at).map(|entry| Arc::make_mut(&mut entry.value))
}

fn wrong_kind(entry: &Entry, wanted: &str) -> Note {
    let pointer = Pointer::root().child_key(&*entry.key);
    let message = format!("expected {wanted}, found {}", entry.value.describe());
    error(Code::WrongType, entry.key_span, message).with_pointer(pointer)
}

fn error(code: Code, span: Span, message: String) -> Note {
    Note::at(Severity::Error, code, span, message)
}
