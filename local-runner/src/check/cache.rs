//! Caches where nothing that an instance keeps lasts.

use portico_core::config::outline::Outline;
use portico_core::config::wire::{CacheStore, Mode};
use portico_core::config::{Code, Findings};

use super::{Target, on};

/// Errors where what is kept is gone with the request: each one would go upstream all the same.
pub(super) fn forgotten_on(target: Target, outline: &Outline, findings: &mut Findings) {
    let (name, help) = match target {
        Target::Native | Target::Cloudflare | Target::Lambda => return,
        Target::Spin => ("spin", "write `store: shared`: then it is in the key-value store"),
        Target::Wasi => ("wasi", "leave it out, or run it on another platform: there is no key-value store, either"),
    };
    for route in &outline.routes {
        let Some(cache) = on(&route.wire.policies.cache).filter(|cache| cache.mode != Mode::Off) else { continue };
        if target == Target::Wasi || cache.store == CacheStore::Local {
            findings
                .error(
                    route.policy_at("cache"),
                    format!("on {name} an instance keeps no responses for the next request"),
                )
                .code(Code::CacheLocalOnly)
                .help(help);
        }
    }
}
