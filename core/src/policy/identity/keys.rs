//! The keys that tokens are checked with, as the configuration names them.

use http::Uri;

use super::fetch::Place;
use super::freshness;
use super::key_source::KeySource;
use crate::config::{At, Code, Compiler, wire};
use crate::decision::{Policy, Reason};
use crate::digest;
use crate::error::Refusal;
use crate::jwt::{KeyError, KeySet};
use crate::net;
use crate::platform::{Platform, Timestamp};

/// The keys that an identity's tokens are checked with.
#[derive(Debug)]
pub(super) enum Keys {
    /// Part of the configuration.
    Static(KeySet),
    /// The name of the secret that HS256 shares.
    Secret(Box<str>),
    /// The issuer's, or the store's.
    Outside(KeySource),
}

/// How long a key set is fresh, and how long it may be used, in the configuration's words.
const FRESH: &str = "5m";
const STALE: &str = "24h";
const LONGEST_STALE: &str = "30d";

impl Keys {
    /// Whether what was verified with them still holds.
    pub(super) fn are_settled(&self, now: Timestamp) -> bool {
        match self {
            Self::Static(_) | Self::Secret(_) => true,
            Self::Outside(source) => source.is_settled(now),
        }
    }

    /// Those of an issuer.
    pub(super) fn public(jwks: &wire::Jwks, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        match jwks {
            wire::Jwks::Set(set) => key_set(set, at, compiler).map(Keys::Static),
            wire::Jwks::At(place) => source(place, at, compiler).map(Keys::Outside),
        }
    }
}

fn key_set(set: &serde_json::Value, at: &At<'_>, compiler: &mut Compiler) -> Option<KeySet> {
    match KeySet::parse(set) {
        Ok((keys, warnings)) => {
            for warning in warnings {
                compiler.warning(Code::KeySkipped, at, warning.to_string());
            }
            Some(keys)
        }
        Err(error) => {
            let code = match error {
                KeyError::PrivateKey { .. } | KeyError::SharedSecret { .. } => Code::PrivateKey,
                _ => Code::InvalidValue,
            };
            compiler.error(at, error.to_string()).code(code);
            None
        }
    }
}

fn source(wire: &wire::JwksPlace, at: &At<'_>, compiler: &mut Compiler) -> Option<KeySource> {
    for key in &wire.unknown {
        compiler.unknown_key(key, &wire::JwksPlace::KEYS, at);
    }
    let place = match (&wire.url, &wire.store) {
        (Some(url), None) => compiler.check(at, issuer_url(url)).map(|uri| {
            let copy = format!("jwks/url/{}", digest::sha256_hex(uri.to_string().as_bytes()));
            Place::Issuer { uri, copy }
        }),
        (None, Some(name)) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            let good = (1..=128).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.');
            // jwks/url/ has the copies
            if !good || name == "url" {
                let message = format!("{name:?} cannot be the name of a key set in the store");
                let help = "up to 128 letters, digits, `.`, `_` and `-`, no dot first; not `url`";
                compiler.error(&at.child_key("store"), message).code(Code::InvalidName).help(help);
            }
            good.then(|| Place::Store(format!("jwks/{name}")))
        }
        (Some(_), Some(_)) | (None, None) => {
            compiler
                .error(at, "exactly one of `url` and `store` says where the key set is")
                .code(Code::ConflictingKeys)
                .help("keep one of them");
            None
        }
    };
    let times = (wire.fresh.as_deref(), wire.stale.as_deref());
    let (fresh, stale) = freshness::compile(times, (FRESH, STALE, LONGEST_STALE), at, compiler)?;
    Some(KeySource::new(place?, fresh, stale))
}

/// Parses the URL of a key set. Who can change what comes from there decides which tokens are good: so it is `https`, except
/// on this machine.
fn issuer_url(text: &str) -> Result<Uri, String> {
    if !text.contains("://") {
        return Err(format!(
            "the keys at {text:?} were not read: this is no URL, and a file is read by the command line only"
        ));
    }
    let malformed = |why: &str| format!("{why} in {text:?}; expected the https:// URL of a key set");
    let uri: Uri = text.parse().map_err(|_| malformed("not a URL"))?;
    let authority = uri.authority().ok_or_else(|| malformed("no host"))?;
    let port = authority.as_str().rsplit_once(':').filter(|(_, rest)| !rest.ends_with(']'));
    match uri.scheme_str() {
        _ if authority.as_str().contains('@') => Err(malformed("credentials are not allowed")),
        _ if authority.host().is_empty() => Err(malformed("no host")),
        _ if text.contains('#') => Err(malformed("a fragment is not allowed")),
        _ if port.is_some() && authority.port_u16().is_none_or(|port| port == 0) => {
            Err(malformed("no valid port after the colon"))
        }
        Some("https") => Ok(uri),
        Some("http") if net::is_loopback(authority.host()) => Ok(uri),
        Some("http") => Err(format!(
            "{text:?} is not encrypted: whoever is on the way could put in keys of their own; write https://"
        )),
        Some(scheme) => Err(malformed(&format!("the scheme {scheme} is not supported"))),
        None => Err(malformed("no scheme")),
    }
}

/// The key set of a shared secret.
pub(super) fn secret<P: Platform>(platform: &P, name: &str) -> Result<KeySet, Refusal> {
    let missing = |why: String| Refusal::new(Policy::Auth, Reason::SecretMissing).note(why);
    let secret = platform.secret(name).ok_or_else(|| missing(format!("there is no secret {name}")))?;
    KeySet::from_secret(secret.as_bytes())
        .map_err(|error| missing(format!("the secret {name} cannot be used: {error}")))
}
