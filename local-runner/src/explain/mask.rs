//! What must not be shown: the values of secrets become their references, credentials are told by their length.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use portico_core::config::wire;
use portico_core::route::encode_query;
use serde_json::Value;

use crate::configuration;
use crate::secrets::Secrets;

/// A shorter credential is only hidden in its own field: elsewhere it could be anything.
const MIN_CREDENTIAL: usize = 8;

/// Knows what is secret about a request and the configuration that it meets.
#[derive(Debug)]
pub(super) struct Mask {
    /// Texts with what stands for them, longer ones first.
    known: Vec<(String, String)>,
    /// The fields that carry the configuration's API keys.
    fields: Vec<HeaderName>,
}

impl Mask {
    /// For a request with `headers`, and the secrets and identities that `document` names.
    pub(super) fn new(document: &Value, secrets: &Secrets, headers: &HeaderMap) -> Self {
        let mut known = Vec::new();
        for name in configuration::secret_names(document) {
            let value = secrets.get(&name).filter(|value| !value.is_empty());
            known.extend(value.map(|value| (value, format!("${{secret.{name}}}"))));
        }
        let fields = credential_fields(document);
        for (_, value) in headers.iter().filter(|(name, _)| is_credential(name, &fields)) {
            let whole = text_of(value);
            let token = whole.split_once(' ').map(|(_, token)| token.trim().to_owned());
            let parts =
                token.map(|token| (token.clone(), length(&token))).into_iter().chain([(whole.clone(), short(&whole))]);
            known.extend(parts.filter(|(part, _)| part.len() >= MIN_CREDENTIAL));
        }
        // as they stand in paths and queries
        let encoded = known.iter().map(|(value, instead)| (encode_query(value).into(), instead.clone()));
        known.extend(encoded.collect::<Vec<_>>());
        known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self { known, fields }
    }

    /// A text without what must not be shown.
    pub(super) fn text(&self, text: &str) -> String {
        self.masked(text).0
    }

    /// A text without what must not be shown, and whether nothing else was in it.
    fn masked(&self, text: &str) -> (String, bool) {
        let mut masked = String::with_capacity(text.len());
        let (mut rest, mut all) = (text, true);
        while let Some(next) = rest.chars().next() {
            match self.known.iter().find(|(value, _)| rest.starts_with(value.as_str())) {
                Some((value, instead)) => {
                    masked.push_str(instead);
                    rest = &rest[value.len()..];
                }
                None => {
                    masked.push(next);
                    rest = &rest[next.len_utf8()..];
                    all = false;
                }
            }
        }
        (masked, all)
    }

    /// The value of a field without what must not be shown.
    pub(super) fn value(&self, name: &HeaderName, value: &HeaderValue) -> String {
        let whole = text_of(value);
        // a credential with a secret somewhere in it is no less a credential
        let told = |text: &str| self.masked(text).1;
        let told = told(&whole) || scheme(&whole).is_some_and(|(_, credential)| told(credential));
        if is_credential(name, &self.fields) && !told { short(&whole) } else { self.text(&whole) }
    }
}

/// Whether a field carries credentials: a usual one, one of the configuration's, or one that is called like such.
fn is_credential(name: &HeaderName, fields: &[HeaderName]) -> bool {
    let secretive = ["authorization", "token", "secret", "password", "api-key", "apikey"];
    let called = || secretive.iter().any(|word| name.as_str().contains(word));
    [COOKIE, SET_COOKIE].contains(name) || fields.contains(name) || called()
}

/// The fields of the configuration's API keys.
fn credential_fields(document: &Value) -> Vec<HeaderName> {
    let mut fields = Vec::new();
    let identities = document.get("identities").and_then(Value::as_object);
    for identity in identities.into_iter().flat_map(serde_json::Map::values) {
        // it compiled: each can be read
        if let Ok(wire::Identity::ApiKey(keys)) = serde_json::from_value(identity.clone()) {
            fields.extend(keys.header.as_deref().unwrap_or("X-API-Key").parse());
        }
    }
    fields
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// `Bearer … (231 bytes)`: the scheme tells what it is, the length whether it is whole.
fn short(value: &str) -> String {
    scheme(value).map_or_else(|| length(value), |(scheme, rest)| format!("{scheme} {}", length(rest)))
}

/// `Bearer`, and what is behind it.
fn scheme(value: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = value.split_once(' ')?;
    scheme.bytes().all(|byte| byte.is_ascii_alphabetic()).then(|| (scheme, rest.trim()))
}

fn length(value: &str) -> String {
    format!("… ({} byte{})", value.len(), if value.len() == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
    use serde_json::json;

    use super::*;

    fn mask(headers: &[(HeaderName, &str)]) -> Mask {
        let document = json!({
            "identities": { "partners": { "api_key": { "header": "X-Key", "keys": {} } } },
            "a": "${secret.ONE}", "b": ["${secret.TWO} ${secret.EMPTY} ${secret.UNSET}"],
        });
        let file = [("ONE", "s3/cret"), ("TWO", "s3/cret-two"), ("EMPTY", "")];
        let secrets = Secrets { file: file.map(|(name, value)| (name.to_owned(), value.to_owned())).into() };
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        Mask::new(&document, &secrets, &headers.collect())
    }

    fn shown(mask: &Mask, name: &HeaderName, value: &str) -> String {
        mask.value(name, &HeaderValue::from_str(value).unwrap())
    }

    #[test]
    fn secrets_are_shown_as_references_wherever_they_stand() {
        let mask = mask(&[]);
        assert_eq!(mask.text("x s3/crets3/cret-two y"), "x ${secret.ONE}${secret.TWO} y");
        assert_eq!(mask.text("/a?b=s3%2Fcret"), "/a?b=${secret.ONE}");
        assert_eq!(mask.text("nothing to häide"), "nothing to häide");
    }

    #[test]
    fn credentials_are_told_by_their_length() {
        let key = HeaderName::from_static("x-key");
        let mask = mask(&[(AUTHORIZATION, "Bearer aaaa.bbbb.cccc"), (key.clone(), "k")]);
        assert_eq!(shown(&mask, &AUTHORIZATION, "Bearer aaaa.bbbb.cccc"), "Bearer … (14 bytes)");
        assert_eq!(shown(&mask, &HOST, "aaaa.bbbb.cccc"), "… (14 bytes)", "wherever it goes");
        assert_eq!(shown(&mask, &key, "k"), "… (1 byte)");
        assert_eq!(shown(&mask, &CONTENT_TYPE, "k"), "k");
        assert_eq!(shown(&mask, &COOKIE, "a=1; b=2"), "… (8 bytes)");
        assert_eq!(shown(&mask, &AUTHORIZATION, "Basic s3/cret"), "Basic ${secret.ONE}", "what the gateway puts there");
        let token = HeaderName::from_static("x-auth-token");
        assert_eq!(shown(&mask, &token, "abc"), "… (3 bytes)", "of another gateway");
        let mask = self::mask(&[(key, "ab/cd+ef==")]);
        assert_eq!(mask.text("/a?key=ab%2Fcd%2Bef%3D%3D"), "/a?key=… (10 bytes)", "also in a query");
    }

    #[test]
    fn a_credential_that_is_known_in_part_is_hidden_whole() {
        let mask = mask(&[(COOKIE, "sid=0123456789"), (COOKIE, "pin=42")]);
        assert_eq!(shown(&mask, &COOKIE, "sid=0123456789; pin=42"), "… (22 bytes)", "joined on its way");
        assert_eq!(shown(&mask, &AUTHORIZATION, "Bearer aaas3/cretbbb"), "Bearer … (13 bytes)", "a secret in it");
        assert_eq!(shown(&mask, &AUTHORIZATION, "Bearer s3/crets3/cret-two"), "Bearer ${secret.ONE}${secret.TWO}");
    }
}
