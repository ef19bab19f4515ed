//! From YAML 1.2 (and so JSON) to a document in which every key and value has its place.
//!
//! The parser is `granit-parser`: its events carry byte offsets, it forbids `unsafe`, bounds itself, and is the one that
//! is being fuzzed and mended; `saphyr-parser`, which it was forked from, counts in characters and has no bounds.
//!
//! Of YAML, a configuration takes what has one meaning: one document a file, keys that are text and occur once, no
//! directives, no tags but the core schema's, no merge keys (YAML 1.2 has none, and `defaults` does that work).
//! Anchors and aliases are taken, and bounded.

use granit_parser::{Event, Marker, Parser, ScalarStyle, StructureStyle, Tag};
use portico_core::config::Code;
use serde_json::Value;

use super::builder::{Builder, Filling, note};
use super::note::Note;
use super::tree::{FileId, Kind, Node, Span};
use super::{scalar, syntax};

/// Larger files are refused.
pub const MAX_BYTES: usize = 8 << 20;

/// Reads a document. An empty one is `null`. On failure: all that is wrong, up to the first error in syntax.
pub fn parse(text: &str, file: FileId) -> Result<Node, Vec<Note>> {
    let mut reader = Reader { text, file, builder: Builder::new(text) };
    if let Err(error) = reader.run() {
        reader.builder.fatal(error);
    }
    let nothing = || Node { span: Span::start_of(file), kind: Kind::Scalar(Value::Null) };
    Ok(reader.builder.build()?.unwrap_or_else(nothing))
}

struct Reader<'a> {
    text: &'a str,
    file: FileId,
    builder: Builder<'a>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), Note> {
        if self.text.len() > MAX_BYTES {
            let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
            return Err(note(Span::start_of(self.file), message).with_code(Code::TooLarge));
        }
        let options = granit_parser::options! { disallow_directives: true, emit_comments: false };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, place) = event.map_err(|error| syntax::note(&error, self.span(*error.marker(), None)))?;
            let span = self.span(place.start, Some(place.end));
            let tag_span = || place.tag_span().map_or(span, |tag| self.span(tag.start, Some(tag.end)));
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let value = self.value(&text, style, tag.as_deref(), span, tag_span());
                    self.builder.scalar(value, span, anchor)?;
                }
                Event::SequenceStart(style, anchor, tag) => {
                    self.check_tag(tag.as_deref(), "seq", tag_span());
                    self.builder.open(Filling::list(), style == StructureStyle::Flow, span, anchor)?;
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.check_tag(tag.as_deref(), "map", tag_span());
                    self.builder.open(Filling::map(), style == StructureStyle::Flow, span, anchor)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.builder.close(span)?,
                Event::Alias(anchor) => self.builder.alias(anchor, span)?,
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(note(span, "a second document begins here").with_help("a file holds one document"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn span(&self, start: Marker, end: Option<Marker>) -> Span {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let offset = number(start.byte_offset().unwrap_or_default().min(self.text.len()));
        let end = end.and_then(|end| end.byte_offset()).map_or(offset, number);
        let (line, column) = (number(start.line()), number(start.col()).saturating_add(1));
        Span { file: self.file, offset, length: end.saturating_sub(offset), line, column }
    }

    /// What a scalar means. What it does not is noted, and null.
    fn value(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span, tag_span: Span) -> Value {
        let plain = style == ScalarStyle::Plain;
        // The parser writes `~` for what is not there.
        let text = if plain && span.length == 0 { "" } else { text };
        if plain && text == "<<" && tag.is_none() && self.builder.awaits_key() {
            let help =
                "use an alias for the whole value, `defaults` for policies, or \"<<\" in quotes if the key is meant";
            self.builder.wrong(note(span, "merge keys are not supported").with_help(help));
            return Value::String(text.to_owned());
        }
        let value = match tag.map(|tag| (tag.handle(), tag.suffix())) {
            None if plain => scalar::plain(text),
            None | Some(("", "!") | (CORE, "str")) => Ok(Value::String(text.to_owned())),
            Some((CORE, kind @ ("null" | "bool" | "int" | "float"))) => match scalar::plain(text) {
                Ok(value) if is(kind, &value) => Ok(value),
                _ => Err("the value is not what its tag says"),
            },
            Some(_) => {
                self.refuse_tag(tag_span);
                Ok(Value::Null)
            }
        };
        value.unwrap_or_else(|message| {
            self.builder.wrong(note(span, message).with_help("put it in quotes if it is text"));
            Value::Null
        })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, kind: &str, span: Span) {
        if tag.is_some_and(|tag| (tag.handle(), tag.suffix()) != (CORE, kind) && tag.suffix() != "!") {
            self.refuse_tag(span);
        }
    }

    fn refuse_tag(&mut self, span: Span) {
        self.builder.wrong(
            note(span, "this tag is not supported").with_help("remove it: what a value is follows from its key"),
        );
    }
}

const CORE: &str = "tag:yaml.org,2002:";

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_u64() || value.is_i64(),
        _ => value.is_number(),
    }
}

#[cfg(test)]
mod tests;
