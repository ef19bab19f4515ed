//! Consumers that are known by a hash of what they bring: a key, or a certificate.

use std::collections::BTreeMap;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::config::{At, Code, Compiler, wire::OneOrMany};
use crate::context::Principal;
use crate::digest;

/// Hashes with their consumers, sorted by hash.
#[derive(Debug)]
pub(super) struct Consumers(Vec<([u8; 32], Arc<Principal>)>);

/// What is hashed, in the words of the configuration's errors.
#[derive(Debug)]
pub(super) struct Hashed {
    thing: &'static str,
    /// How to get the hash.
    help: &'static str,
    /// Two consumers have the same.
    duplicate: Code,
}

pub(super) const KEYS: Hashed =
    Hashed { thing: "key", help: "printf %s \"$KEY\" | sha256sum", duplicate: Code::DuplicateApiKey };

pub(super) const CERTIFICATES: Hashed = Hashed {
    thing: "certificate",
    help: "openssl x509 -in FILE -outform DER | sha256sum",
    duplicate: Code::DuplicateCertificate,
};

impl Consumers {
    /// Compiles a map of consumers: the name of each, its hashes in hex and its scopes.
    pub(super) fn compile<'w>(
        identity: &Arc<str>,
        consumers: impl IntoIterator<Item = (&'w String, &'w OneOrMany, &'w [String])>,
        hashed: &Hashed,
        at: &At<'_>,
        compiler: &mut Compiler,
    ) -> Self {
        let Hashed { thing, help, duplicate } = hashed;
        let mut all = BTreeMap::new();
        for (consumer, hashes, scopes) in consumers {
            let at = at.child_key(consumer);
            if consumer.is_empty() {
                compiler.error(&at, "a consumer needs a name").code(Code::InvalidName);
            }
            let hashes_at = at.child_key("sha256");
            if hashes.0.is_empty() {
                let message = format!("a consumer needs at least one {thing}");
                compiler.error(&hashes_at, message).code(Code::NothingPasses);
            }
            let principal = Arc::new(Principal {
                identity: Arc::clone(identity),
                consumer: consumer.as_str().into(),
                scopes: scopes.to_vec(),
                claims: None,
            });
            for text in &hashes.0 {
                let Some(hash) = digest::parse_hex(text) else {
                    let message = format!("expected the SHA-256 of the {thing}: 64 hex digits");
                    compiler.error(&hashes_at, message).help(*help);
                    continue;
                };
                if let Some(other) = all.insert(hash, Arc::clone(&principal)) {
                    let message = format!("`{}` has the same {thing}", other.consumer);
                    compiler.error(&hashes_at, message).code(*duplicate);
                }
            }
        }
        Self(all.into_iter().collect())
    }

    /// Whose hash this is. It is found by its first bytes and compared in constant time: whoever guesses keys learns nothing
    /// from how long it took, as nobody can choose what a guess hashes to.
    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<&Arc<Principal>> {
        let prefix = |hash: &[u8; 32]| hash.first_chunk::<8>().copied();
        let from = self.0.partition_point(|(known, _)| prefix(known) < prefix(hash));
        let mut candidates = self.0.iter().skip(from).take_while(|(known, _)| prefix(known) == prefix(hash));
        candidates.find(|(known, _)| known.ct_eq(hash).into()).map(|(_, principal)| principal)
    }
}
