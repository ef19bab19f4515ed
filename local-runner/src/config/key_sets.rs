//! Key sets that stand in files of their own: `jwks: keys.json`.

use std::path::Path;
use std::sync::Arc;

use portico_core::config::{Code, Pointer, Severity};
use serde_json::{Map, Value};

use super::note::Note;
use super::sources::Sources;
use super::tree::{FileId, Node, Span};
use super::yaml::parse;

/// A `jwks` of an identity that is the path of a file.
#[derive(Debug)]
pub(super) struct Reference {
    identity: String,
    path: String,
    span: Span,
}

/// The references of a document. A URL is none.
pub(super) fn references(root: &Node) -> Vec<Reference> {
    let identities = root.entry("identities").map(|entry| entry.value.entries()).unwrap_or_default();
    let reference = |identity: &super::tree::Entry| {
        let jwks = &identity.value.entry("jwt")?.value.entry("jwks")?.value;
        let path = jwks.text().filter(|text| !is_url(text))?.to_owned();
        Some(Reference { identity: identity.key.clone(), path, span: jwks.span() })
    };
    identities.iter().filter_map(reference).collect()
}

fn is_url(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

impl Reference {
    /// Reads the file, whose path is relative to `directory`. It goes through the YAML parser, of which JSON is a part, so
    /// that what is in it has places too.
    pub(super) fn read(&self, directory: &Path, sources: &mut Sources) -> Result<Node, Vec<Note>> {
        let at = Pointer::root().child_key("identities").child_key(&*self.identity).child_key("jwt").child_key("jwks");
        let path = directory.join(&self.path);
        let id = sources.read(&path, Some(self.span)).map_err(|note| {
            let help = "jwks is the URL of a key set, or the path of a JSON file, relative to this one";
            vec![note.with_pointer(at.clone()).with_help(help)]
        })?;
        let text = sources.text(id);
        match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(_) => parse(text, id),
            Err(error) if error.is_data() => {
                let message = "a key set is a JSON object with `keys`";
                Err(vec![Note::at(Severity::Error, Code::WrongType, Span::start_of(id), message).with_pointer(at)])
            }
            Err(error) => {
                let message = format!("this is not JSON: {}", bare(&error));
                let note = Note::at(Severity::Error, Code::Syntax, place_of(&error, text, id), message);
                Err(vec![note.with_pointer(at)])
            }
        }
    }

    /// Puts the key set in the place of its path.
    pub(super) fn replace(&self, root: &mut Node, set: Node) {
        let place = step(root, "identities")
            .and_then(|identities| step(Arc::make_mut(identities), &self.identity))
            .and_then(|identity| step(Arc::make_mut(identity), "jwt"))
            .and_then(|jwt| step(Arc::make_mut(jwt), "jwks"));
        if let Some(place) = place {
            *place = Arc::new(set);
        }
    }
}

fn step<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Arc<Node>> {
    let entry = node.entries_mut()?.iter_mut().find(|entry| entry.key == key)?;
    Some(&mut entry.value)
}

fn place_of(error: &serde_json::Error, text: &str, file: FileId) -> Span {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (line, column) = (error.line().max(1), error.column().max(1));
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    // serde_json counts bytes, and may stop inside a character.
    let offset = text.floor_char_boundary((start + column - 1).min(text.len()));
    let column = text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
    Span { file, offset: number(offset), length: 0, line: number(line), column: number(column) }
}

/// Without `at line 1 column 2`: the place is shown anyway.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map(|(message, _)| message.to_owned()).unwrap_or(text)
}
