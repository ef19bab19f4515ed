//! The bundle: a configuration as it is deployed. One JSON text in canonical form, with its hash, so that equal
//! configurations are equal bytes whatever their comments, order of keys, includes or YAML style were.

use std::fmt;

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::{Findings, routes};
use crate::{Gateway, digest};

/// The SHA-256 of a configuration's canonical form. Shown in full hex; `{:.12}` gives the first digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of a document, includes resolved.
    pub fn of(document: &Value) -> Self {
        Self(digest::sha256(canonical(document).as_bytes()))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&digest::hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self:.12})")
    }
}

/// A configuration ready to deploy: `{"bundle":1,"hash":"…","checked":"…","config":{…}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// The configuration's document, includes resolved.
    pub document: Value,
    /// Its hash.
    pub hash: Hash,
    /// Whether this version of Portico compiled it when it was built: then it has no errors.
    pub checked: bool,
}

/// Why a text is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not JSON, or not a bundle's keys.
    #[error("not a bundle: {0}")]
    Malformed(String),
    /// A bundle of another format.
    #[error("a bundle of version {0}; this Portico reads version 1")]
    Version(u32),
    /// The configuration is not the one that was hashed.
    #[error("the bundle's hash does not fit its configuration: it was changed after it was built")]
    Hash,
    /// The configuration has errors.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Configuration(Findings),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    bundle: u32,
    checked: Option<String>,
    hash: String,
    config: Value,
}

impl Bundle {
    /// Bundles a document that [compiles](super::compile).
    pub fn new(document: Value) -> Self {
        let hash = Hash::of(&document);
        Self { document, hash, checked: true }
    }

    /// Reads a bundle and checks its hash.
    pub fn parse(text: &str) -> Result<Self, BundleError> {
        let wire: Wire = serde_json::from_str(text).map_err(|error| BundleError::Malformed(error.to_string()))?;
        if wire.bundle != 1 {
            return Err(BundleError::Version(wire.bundle));
        }
        let hash = Hash::of(&wire.config);
        if hash.to_string() != wire.hash {
            return Err(BundleError::Hash);
        }
        Ok(Self { document: wire.config, hash, checked: wire.checked.as_deref() == Some(crate::VERSION) })
    }

    /// Reads a bundle and makes its gateway. Of one that was checked by this version, and is still as it was written, a route's
    /// policies are compiled when the first request takes it.
    pub fn open(text: &str) -> Result<Gateway, BundleError> {
        if let Some(gateway) = as_written(text).and_then(|(config, hash)| routes::open(config, hash)) {
            return Ok(gateway);
        }
        let (gateway, _) = super::compile(&Self::parse(text)?.document).map_err(BundleError::Configuration)?;
        Ok(gateway)
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{\"bundle\":1,\"hash\":\"{}\",", self.hash)?;
        if self.checked {
            write!(formatter, "\"checked\":\"{}\",", crate::VERSION)?;
        }
        write!(formatter, "\"config\":{}}}", canonical(&self.document))
    }
}

/// The configuration of a bundle that this version of Portico checked, if it is still as [`Display`](fmt::Display) wrote it: then
/// its hash is that of the text.
fn as_written(text: &str) -> Option<(&str, Hash)> {
    let (stated, rest) = text.strip_prefix("{\"bundle\":1,\"hash\":\"")?.split_once("\",\"checked\":\"")?;
    let rest = rest.strip_prefix(crate::VERSION)?.strip_prefix("\",\"config\":")?;
    let config = rest.trim_end().strip_suffix('}')?;
    let hash = Hash(digest::sha256(config.as_bytes()));
    (hash.to_string() == stated).then_some((config, hash))
}

/// JSON without white space, keys sorted by their bytes. serde_json's own order depends on a feature that any dependency may
/// switch on, so the sorting is done here.
fn canonical(value: &Value) -> String {
    // nothing in a document refuses to be written
    serde_json::to_string(&Sorted(value)).unwrap_or_default()
}

struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().map(|(key, value)| (key, Self(value))).collect();
                entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
                serializer.collect_map(entries)
            }
            Value::Array(list) => serializer.collect_seq(list.iter().map(Sorted)),
            scalar => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_space_do_not_change_the_hash_and_meaning_does() {
        let hash = |text: &str| Bundle::new(serde_json::from_str(text).unwrap()).hash;
        assert_eq!(hash(r#"{"b":[1,{"y":1,"x":2}],"a":"é"}"#), hash(r#"{ "a" : "é", "b": [1, {"x":2,"y":1}] }"#));
        assert_ne!(hash(r#"{"a":[1,2]}"#), hash(r#"{"a":[2,1]}"#));
    }

    #[test]
    fn keys_are_sorted_at_every_depth_and_texts_are_escaped_as_little_as_json_permits() {
        let document = serde_json::json!({ "b": 1.5, "aa": [{ "y": null, "é": "\"\n/é", "Z": {} }] });
        assert_eq!(canonical(&document), r#"{"aa":[{"Z":{},"y":null,"é":"\"\n/é"}],"b":1.5}"#);
    }

    #[test]
    fn a_bundle_reads_back_and_notices_a_change() {
        let bundle = Bundle::new(serde_json::json!({ "portico": 1, "name": "shop" }));
        let text = bundle.to_string();
        assert_eq!(Bundle::parse(&text), Ok(bundle.clone()));
        let spaced = text.replace(":", " : ");
        assert_eq!(Bundle::parse(&spaced), Ok(bundle.clone()));
        assert_eq!(as_written(&format!("{text}\n")).map(|(_, hash)| hash), Some(bundle.hash));
        assert_eq!(as_written(&spaced), None);
        assert_eq!(Bundle::parse(&text.replace("shop", "shup")), Err(BundleError::Hash));
        assert_eq!(Bundle::parse(&text.replace("\"bundle\":1", "\"bundle\":2")), Err(BundleError::Version(2)));
        assert!(matches!(Bundle::parse("{}"), Err(BundleError::Malformed(_))));
    }

    #[test]
    fn only_what_this_version_checked_is_taken_on_trust() {
        let unchecked = Bundle { checked: false, ..Bundle::new(serde_json::json!({ "portico": 1, "name": "shop" })) };
        let text = unchecked.to_string();
        assert_eq!((as_written(&text), Bundle::parse(&text)), (None, Ok(unchecked.clone())));
        let other = Bundle { checked: true, ..unchecked.clone() }.to_string().replace(crate::VERSION, "0.0.9");
        assert_eq!((as_written(&other), Bundle::parse(&other)), (None, Ok(unchecked)));
    }
}
