//! Puts the parser's events together to a document, within bounds.

use std::collections::HashMap;
use std::sync::Arc;

use portico_core::config::{Code, Severity};
use serde_json::Value;

use super::note::Note;
use super::tree::{Entry, Kind, Node, Span};

/// Deeper nesting is refused, aliases written out.
pub const MAX_DEPTH: u32 = 64;
/// More values are refused, aliases written out.
pub const MAX_NODES: u64 = 1_000_000;
/// More text is refused, aliases written out.
const MAX_TEXT: u64 = 32 << 20;
/// After so many errors the rest waits.
pub(super) const MAX_NOTES: usize = 100;

/// A document that is not yet complete.
pub(super) struct Builder<'a> {
    text: &'a str,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Weighed>,
    root: Option<Arc<Node>>,
    notes: Vec<Note>,
}

/// A node, and how large it is when its aliases are written out.
#[derive(Clone)]
struct Weighed {
    node: Arc<Node>,
    weight: Weight,
}

#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: u64,
    text: u64,
    depth: u32,
}

/// A collection that is still open.
struct Frame {
    span: Span,
    anchor: usize,
    /// In brackets, so that its end is where they are.
    flow: bool,
    weight: Weight,
    filling: Filling,
}

/// What is in an open collection so far.
pub(super) enum Filling {
    /// Items.
    List(Vec<Arc<Node>>),
    /// Entries, the places of their keys, and the key that waits for its value.
    Map { entries: Vec<Entry>, seen: HashMap<String, Span>, key: Option<Key> },
}

impl Filling {
    pub(super) const fn list() -> Self {
        Self::List(Vec::new())
    }

    pub(super) fn map() -> Self {
        Self::Map { entries: Vec::new(), seen: HashMap::new(), key: None }
    }
}

/// A key. `None`: it was refused, and its value goes with it.
type Key = Option<(String, Span)>;

impl<'a> Builder<'a> {
    /// Nothing yet of the document `text`.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, frames: Vec::new(), anchors: HashMap::new(), root: None, notes: Vec::new() }
    }

    /// The document, `None` if there is nothing in it; or all that is wrong.
    pub(super) fn build(self) -> Result<Option<Node>, Vec<Note>> {
        if self.notes.is_empty() { Ok(self.root.map(Arc::unwrap_or_clone)) } else { Err(self.notes) }
    }

    /// Notes an error after which reading goes on.
    pub(super) fn wrong(&mut self, note: Note) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        }
    }

    /// Notes the error after which it does not.
    pub(super) fn fatal(&mut self, note: Note) {
        self.notes.push(note);
    }

    pub(super) fn scalar(&mut self, value: Value, span: Span, anchor: usize) -> Result<(), Note> {
        let text = value.as_str().map_or(0, str::len) as u64;
        self.finish(Kind::Scalar(value), span, anchor, Weight { text, ..Weight::default() })
    }

    pub(super) fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Note> {
        // An anchor is known once its value is complete.
        let Some(target) = self.anchors.get(&anchor).cloned() else {
            return Err(note(span, "this alias stands inside the value that it repeats"));
        };
        self.finish(Kind::Alias(target.node), span, 0, target.weight)
    }

    /// Whether what comes next is a key.
    pub(super) fn awaits_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { filling: Filling::Map { key: None, .. }, .. }))
    }

    /// Begins a list or a map.
    pub(super) fn open(&mut self, filling: Filling, flow: bool, span: Span, anchor: usize) -> Result<(), Note> {
        self.frames.push(Frame { span, anchor, flow, weight: Weight::default(), filling });
        if self.frames.len() as u64 > u64::from(MAX_DEPTH) { Err(too_deep(span)) } else { Ok(()) }
    }

    /// Ends it.
    pub(super) fn close(&mut self, end: Span) -> Result<(), Note> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let (kind, last) = match frame.filling {
            Filling::List(items) => {
                let last = items.last().map(|item| item.span.end());
                (Kind::List(items), last)
            }
            Filling::Map { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end().max(entry.key_span.end()));
                (Kind::Map(entries), last)
            }
        };
        // A block ends where the next thing begins; what is shown of it ends with its last value.
        let until = if frame.flow { end.end() } else { last.unwrap_or(frame.span.offset) };
        self.finish(kind, frame.span.until(until), frame.anchor, frame.weight)
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, kind: Kind, span: Span, anchor: usize, inside: Weight) -> Result<(), Note> {
        let level = u32::from(matches!(kind, Kind::List(_) | Kind::Map(_)));
        let weight = Weight { nodes: inside.nodes + 1, depth: inside.depth + level, ..inside };
        let node = Arc::new(Node { span, kind });
        if anchor != 0 {
            self.anchors.insert(anchor, Weighed { node: Arc::clone(&node), weight });
        }
        let depth = self.frames.len() as u64 + u64::from(weight.depth);
        if depth > u64::from(MAX_DEPTH) {
            return Err(too_deep(span));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let sum = &mut frame.weight;
        *sum = Weight {
            nodes: sum.nodes.saturating_add(weight.nodes),
            text: sum.text.saturating_add(weight.text),
            depth: sum.depth.max(weight.depth),
        };
        if sum.nodes > MAX_NODES || sum.text > MAX_TEXT {
            let message = format!("the document is too large: more than {MAX_NODES} values, aliases written out");
            let help = "split it into several files and `include` them";
            return Err(note(span, message).with_code(Code::TooLarge).with_help(help));
        }
        match &mut frame.filling {
            Filling::List(items) => items.push(node),
            Filling::Map { entries, seen, key } => match key.take() {
                None => match self.read_key(&node) {
                    Ok(text) => self.set_key(Some((text, span))),
                    Err(refusal) => {
                        self.wrong(refusal);
                        self.set_key(None);
                    }
                },
                Some(None) => {}
                Some(Some((text, key_span))) => {
                    if let Some(first) = seen.get(&text) {
                        let message = format!("the key {text:?} is here twice, first in line {}", first.line);
                        self.wrong(note(key_span, message).with_code(Code::DuplicateKey));
                    } else {
                        seen.insert(text.clone(), key_span);
                        entries.push(Entry { key: text, key_span, value: node });
                    }
                }
            },
        }
        Ok(())
    }

    fn set_key(&mut self, new: Key) {
        if let Some(Frame { filling: Filling::Map { key, .. }, .. }) = self.frames.last_mut() {
            *key = Some(new);
        }
    }

    fn read_key(&self, node: &Node) -> Result<String, Note> {
        if let Some(text) = node.text() {
            return Ok(text.to_owned());
        }
        let span = node.span();
        let written = self.text.get(span.offset as usize..span.end() as usize).unwrap_or_default();
        match &node.resolved().kind {
            Kind::Scalar(_) if written.is_empty() => Err(note(span, "a key is missing here")),
            Kind::Scalar(_) => {
                let help = format!("write \"{written}\"");
                Err(note(span, format!("a key is text, found {}", node.describe())).with_help(help))
            }
            _ => Err(note(span, format!("a key is text, found {}", node.describe()))),
        }
    }
}

fn too_deep(span: Span) -> Note {
    note(span, format!("nested deeper than {MAX_DEPTH} levels")).with_code(Code::TooLarge)
}

/// An error at a place.
pub(super) fn note(span: Span, message: impl Into<String>) -> Note {
    Note::at(Severity::Error, Code::Syntax, span, message)
}
