//! serde's view of a document, which leaves out what was found to be wrong and says where it stumbles.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::error::Error;
use super::skips::Skips;
use super::stand_in::StandIn;
use super::variant::{Entry, Name};
use super::words;
use crate::config::Segment;

/// A value, and what to leave out of it (`None`: nothing, as on every first pass).
#[derive(Clone, Copy)]
pub(super) struct At<'de, 's> {
    pub(super) value: &'de Value,
    pub(super) skips: Option<&'s Skips>,
}

impl<'de> At<'de, '_> {
    fn mismatch(self, wanted: &str) -> Error {
        Error::invalid_type(words::unexpected(self.value), &wanted)
    }

    fn list<V: Visitor<'de>>(self, items: &'de [Value], visitor: V) -> Result<V::Value, Error> {
        let mut access = Items { items, next: 0, skips: self.skips };
        let value = visitor.visit_seq(&mut access)?;
        match items.len() - access.next.min(items.len()) {
            0 => Ok(value),
            left => Err(Error::invalid_length(items.len(), &format!("a list of {}", items.len() - left).as_str())),
        }
    }

    fn map<V: Visitor<'de>>(self, map: &'de serde_json::Map<String, Value>, visitor: V) -> Result<V::Value, Error> {
        let stand_ins = self.skips.map_or(&[][..], Skips::stand_ins);
        visitor.visit_map(Entries { entries: map.iter(), current: None, stand_ins, skips: self.skips })
    }
}

impl<'de> Deserializer<'de> for At<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, Some(number)) => visitor.visit_f64(number),
                _ => Err(self.mismatch("a number in the usual range")),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => self.list(items, visitor),
            Value::Object(map) => self.map(map, visitor),
        }
    }

    /// A key that is there has a value: `auth:` with nothing behind it is not the same as no `auth`.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// A map and nothing else; serde would also take a list, by position.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(map) => self.map(map, visitor),
            _ => Err(self.mismatch("a map")),
        }
    }

    /// A name, or a map with a name as its only key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::String(name) => visitor.visit_enum(Name(name)),
            Value::Object(map) => {
                let skips = self.skips;
                let mut entries = map.iter().filter(|(key, _)| !skips.is_some_and(|skips| skips.has_key(key)));
                match (entries.next(), entries.next()) {
                    (Some((key, value)), None) => {
                        visitor.visit_enum(Entry { key, at: Self { value, skips: skips.and_then(|s| s.key(key)) } })
                    }
                    (first, _) => {
                        let found = if first.is_none() { "an empty map" } else { "several keys" };
                        Err(Error::wrong(format!("expected exactly {}, found {found}", words::one_of(variants)), None))
                    }
                }
            }
            _ => Err(self.mismatch(&words::one_of(variants))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier
    }
}

/// The items of a list. Those that are left out still count in the pointers of those that follow.
struct Items<'de, 's> {
    items: &'de [Value],
    next: usize,
    skips: Option<&'s Skips>,
}

impl<'de> SeqAccess<'de> for &mut Items<'de, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        while let Some(value) = self.items.get(self.next) {
            let index = self.next;
            self.next += 1;
            let skips = self.skips.and_then(|skips| skips.item(index));
            if skips.is_some_and(Skips::is_gone) {
                continue;
            }
            let item = seed.deserialize(At { value, skips });
            return item.map(Some).map_err(|error| error.below(Segment::Index(index)));
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        self.items.len().checked_sub(self.next)
    }
}

/// The entries of a map, then the stand-ins for its missing keys.
struct Entries<'de, 's> {
    entries: serde_json::map::Iter<'de>,
    current: Option<(&'de str, Option<At<'de, 's>>)>,
    stand_ins: &'s [&'static str],
    skips: Option<&'s Skips>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        for (key, value) in self.entries.by_ref() {
            let skips = self.skips.and_then(|skips| skips.key(key));
            if skips.is_some_and(Skips::is_gone) {
                continue;
            }
            self.current = Some((key, Some(At { value, skips })));
            return seed.deserialize(Key(key)).map(Some).map_err(|error| error.on_key(key));
        }
        let Some((key, rest)) = self.stand_ins.split_first() else { return Ok(None) };
        self.stand_ins = rest;
        self.current = Some((key, None));
        seed.deserialize(Key(key)).map(Some).map_err(|_| StandIn::impossible().on_key(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.current.take() {
            Some((key, Some(at))) => seed.deserialize(at).map_err(|error| error.below(Segment::Key(key.to_owned()))),
            // Whatever goes wrong in a stand-in is no fault of the document's.
            Some((key, None)) => seed.deserialize(StandIn::new()).map_err(|_| StandIn::impossible().on_key(key)),
            None => Err(Error::custom("a value was asked for before its key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len() + self.stand_ins.len())
    }
}

/// The key of an entry: always text.
pub(super) struct Key<'de>(pub(super) &'de str);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
