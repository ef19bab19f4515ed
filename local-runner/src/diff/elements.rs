//! Values whose order does not count: what their elements are compared by, and what they are shown as.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portico_core::config::wire;
use portico_core::jwt::{Algorithm, KeySet};
use serde_json::Value;

/// What a set consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// Texts, or numbers, as they stand.
    Text,
    /// Names of header fields.
    Header,
    /// Origins; letter case does not count.
    Origin,
    /// Addresses and networks; countries and autonomous systems have one spelling.
    Net,
    /// SHA-256 hashes of keys: told apart by all digits, shown by their first.
    Fingerprint,
    /// The keys of a JWK Set: told apart by their thumbprints. Of one that is elsewhere, where it is.
    PublicKey,
}

/// The elements of a list, or of one text: what each is compared by, and what it is shown as.
pub(super) fn set(element: Element, value: &Value) -> BTreeMap<String, String> {
    if element == Element::PublicKey {
        return public_keys(value);
    }
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    items.iter().map(text).map(|text| (compared(element, &text), abridged(element, text))).collect()
}

fn compared(element: Element, text: &str) -> String {
    match element {
        Element::Text | Element::PublicKey => text.to_owned(),
        Element::Header | Element::Origin | Element::Fingerprint => text.to_ascii_lowercase(),
        Element::Net => net(text).unwrap_or_else(|| text.to_owned()),
    }
}

fn abridged(element: Element, text: String) -> String {
    match (element, text.get(..8)) {
        (Element::Fingerprint, Some(start)) => format!("{}…", start.to_ascii_lowercase()),
        _ => text,
    }
}

/// The network with its prefix written out.
fn net(text: &str) -> Option<String> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = prefix.map_or(Some(whole), |prefix| prefix.parse().ok())?;
    Some(format!("{address}/{prefix}"))
}

/// `k1 (3f2a9c0b…)` for each key that can be used, by everything that its use depends on; or the place where they are.
fn public_keys(value: &Value) -> BTreeMap<String, String> {
    if let Some(place) = elsewhere(value) {
        return BTreeMap::from([(place.clone(), place)]);
    }
    let Ok((keys, _)) = KeySet::parse(value) else { return BTreeMap::new() };
    let described = keys.keys().iter().map(|key| {
        let thumbprint: String = key.thumbprint().iter().map(|byte| format!("{byte:02x}")).collect();
        let algorithms: Vec<_> = Algorithm::ALL.into_iter().filter(|algorithm| key.fits(*algorithm)).collect();
        let (id, start) = (key.id().unwrap_or("a key without an id"), thumbprint.get(..8).unwrap_or_default());
        (format!("{thumbprint} {:?} {algorithms:?}", key.id()), format!("{id} ({start}…)"))
    });
    described.collect()
}

/// Where a key set is that is not in the configuration.
pub(super) fn elsewhere(jwks: &Value) -> Option<String> {
    match serde_json::from_value(jwks.clone()) {
        Ok(wire::Jwks::At(wire::JwksPlace { url: Some(url), .. })) => Some(url),
        Ok(wire::Jwks::At(wire::JwksPlace { store: Some(name), .. })) => Some(format!("{name} in the store")),
        _ => None,
    }
}

/// The targets of an upstream: one that takes nothing is none, two of one URL are one.
pub(super) fn targets(value: &Value) -> BTreeMap<String, String> {
    let mut weights = BTreeMap::new();
    for target in value.as_array().into_iter().flatten() {
        let url = target.get("url").and_then(Value::as_str).unwrap_or_default();
        let weight = target.get("weight").map_or(Some(1), Value::as_u64).unwrap_or_default();
        *weights.entry(url.trim_end_matches('/')).or_insert(0) += weight;
    }
    weights.retain(|_, weight| *weight > 0);
    let only = weights.len() == 1;
    let described = weights.into_iter().map(|(url, weight)| match only {
        // the share of one is all, whatever its weight
        true => (url.to_owned(), url.to_owned()),
        false => (format!("{url} {weight}"), format!("{url} (weight {weight})")),
    });
    described.collect()
}
