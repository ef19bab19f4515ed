//! serde's view of an enum's variant: a name, or the only key of a map.

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, VariantAccess, Visitor};

use super::deserializer::{At, Key};
use super::error::Error;
use crate::config::Segment;

/// A variant given by its name alone.
pub(super) struct Name<'de>(pub(super) &'de str);

impl<'de> EnumAccess<'de> for Name<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(Key(self.0))?, self))
    }
}

impl Name<'_> {
    fn needs_a_value(&self) -> Error {
        let help = format!("write {{ {}: … }}", self.0);
        Error::wrong(format!("`{}` needs a value", self.0), Some(help))
    }
}

impl<'de> VariantAccess<'de> for Name<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(self.needs_a_value())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(self.needs_a_value())
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        Err(self.needs_a_value())
    }
}

/// A variant given as the only key of a map.
pub(super) struct Entry<'de, 's> {
    pub(super) key: &'de str,
    pub(super) at: At<'de, 's>,
}

impl<'de, 's> EnumAccess<'de> for Entry<'de, 's> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        match seed.deserialize(Key(self.key)) {
            Ok(variant) => Ok((variant, self)),
            Err(error) => Err(error.variant_as_key().on_key(self.key)),
        }
    }
}

impl<'de> VariantAccess<'de> for Entry<'de, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        let help = format!("write just {}", self.key);
        Err(Error::wrong(format!("`{}` takes no value", self.key), Some(help)).on_key(self.key))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.at).map_err(|error| error.below(Segment::Key(self.key.to_owned())))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        let value = self.at.deserialize_tuple(length, visitor);
        value.map_err(|error| error.below(Segment::Key(self.key.to_owned())))
    }

    fn struct_variant<V: Visitor<'de>>(self, keys: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let value = self.at.deserialize_struct("", keys, visitor);
        value.map_err(|error| error.below(Segment::Key(self.key.to_owned())))
    }
}
