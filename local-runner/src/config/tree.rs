//! A document with the place of every key and value.

use std::sync::Arc;

use portico_core::config::{Part, Pointer, Segment};
use serde_json::{Map, Value};

/// One of the files that were read, by its number in [`Sources`](super::Sources).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A place in a file. Offset and length are in bytes; line and column count from 1, columns in characters. The length is
/// 0 where something should be and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Where it begins, in bytes.
    pub offset: u32,
    /// How long it is, in bytes.
    pub length: u32,
    /// Its line, from 1.
    pub line: u32,
    /// Its column, from 1, in characters.
    pub column: u32,
}

impl Span {
    /// The beginning of a file.
    pub const fn start_of(file: FileId) -> Self {
        Self { file, offset: 0, length: 0, line: 1, column: 1 }
    }

    /// From here to the end of another.
    pub(super) const fn until(self, end: u32) -> Self {
        Self { length: end.saturating_sub(self.offset), ..self }
    }

    pub(super) const fn end(self) -> u32 {
        self.offset.saturating_add(self.length)
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// What a value is made of. Shared, because an alias is the same value once more.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Value),
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
    Alias(Arc<Node>),
}

/// A key, where it stands, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Arc<Node>,
}

impl Node {
    /// The document without its places; aliases are written out.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(|item| item.to_value()).collect()),
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            Kind::Alias(target) => target.to_value(),
        }
    }

    /// Where `pointer` points to. If that does not exist, where the nearest thing around it is.
    ///
    /// A map or a list is found by its key, which is where its author looks; so is a value that was left out. The root,
    /// and items of lists that have no key, are found where they begin.
    pub fn locate(&self, pointer: &Pointer, part: Part) -> Span {
        let mut node = self;
        let mut key = None;
        let mut whole = true;
        for segment in pointer.segments() {
            let below = match segment {
                Segment::Key(name) => node.entry(name).map(|entry| (Some(entry.key_span), &*entry.value)),
                Segment::Index(index) => node.items().get(*index).map(|item| (None, &**item)),
            };
            let Some(below) = below else {
                whole = false;
                break;
            };
            (key, node) = below;
        }
        match (key, &node.kind) {
            (Some(key), _) if part == Part::Key && whole => key,
            (Some(key), Kind::List(_) | Kind::Map(_)) => key,
            (Some(key), _) if node.span.length == 0 => key,
            _ => node.span,
        }
    }

    pub(super) const fn span(&self) -> Span {
        self.span
    }

    /// The value itself, where this is an alias.
    pub(super) fn resolved(&self) -> &Self {
        match &self.kind {
            Kind::Alias(target) => target.resolved(),
            _ => self,
        }
    }

    /// The entry of a map; `None` where there is none, or no map.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a map; empty for anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.resolved().kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for anything else.
    pub(super) fn items(&self) -> &[Arc<Self>] {
        match &self.resolved().kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The text; `None` for anything else.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.resolved().kind {
            Kind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map, to be changed here and not where else it is used; `None` for anything else.
    pub(super) fn entries_mut(&mut self) -> Option<&mut Vec<Entry>> {
        match &mut self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Alias(target) => Arc::make_mut(target).entries_mut(),
            Kind::Scalar(_) | Kind::List(_) => None,
        }
    }

    /// The items of a list, to be changed here and not where else it is used; `None` for anything else.
    pub(super) fn items_mut(&mut self) -> Option<&mut Vec<Arc<Self>>> {
        match &mut self.kind {
            Kind::List(items) => Some(items),
            Kind::Alias(target) => Arc::make_mut(target).items_mut(),
            Kind::Scalar(_) | Kind::Map(_) => None,
        }
    }

    /// What it is, in the words of its author.
    pub(super) fn describe(&self) -> String {
        match &self.resolved().kind {
            Kind::Scalar(Value::Null) => "nothing".to_owned(),
            Kind::Scalar(Value::String(_)) => "text".to_owned(),
            Kind::Scalar(Value::Number(number)) => format!("the number {number}"),
            Kind::Scalar(other) => other.to_string(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
            Kind::Alias(_) => "an alias".to_owned(),
        }
    }
}
