//! Where the servers keep cached responses: in memory, and in `--cache-dir DIR`, else the Redis of `state`.

use std::path::PathBuf;

use portico::cache::folder::Folder;
use portico_core::config::units;
use serde_json::Value;

/// The options of a command that serves.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CacheOption {
    /// The memory that cached responses may take
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = units::size)]
    pub(crate) cache_size: u64,
    /// A directory in which cached responses outlive this process, where the configuration says `store: shared`
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// What they may take there
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::size, requires = "cache_dir")]
    cache_disk_size: u64,
}

impl CacheOption {
    /// Opens the directory, if there is to be one. The error tells it.
    pub(crate) fn open(&self) -> Result<Option<Folder>, String> {
        let open = |path: &PathBuf| {
            Folder::open(path, self.cache_disk_size).map_err(|error| format!("{}: {error}", path.display()))
        };
        self.cache_dir.as_ref().map(open).transpose()
    }
}

/// Whether a route of this document shares its cached responses.
pub(crate) fn is_shared(document: &Value) -> bool {
    let cache = |holder: Option<&Value>| Some(holder?.get("cache")?.clone());
    let default = cache(document.get("defaults"));
    let routes = document.get("routes").and_then(Value::as_array);
    routes.into_iter().flatten().any(|route| {
        let cache = cache(route.get("policies")).or_else(|| default.clone()).unwrap_or_default();
        let is = |key: &str, value: &str| cache.get(key).and_then(Value::as_str) == Some(value);
        is("store", "shared") && !is("mode", "off")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_shares_what_it_says_or_else_what_all_say() {
        let (shared, local) = (json!({ "ttl": "1m", "store": "shared" }), json!({ "ttl": "1m", "store": "local" }));
        let off = json!({ "ttl": "1m", "store": "shared", "mode": "off" });
        let document = |default: Option<&Value>, own: Option<&Value>| {
            let policies = |cache: Option<&Value>| cache.map_or(json!({}), |cache| json!({ "cache": cache }));
            json!({ "defaults": policies(default), "routes": [{ "policies": policies(own) }] })
        };
        for (default, own, expected) in [
            (None, None, false),
            (None, Some(&shared), true),
            (None, Some(&local), false),
            (Some(&shared), None, true),
            (Some(&shared), Some(&local), false),
            (Some(&local), Some(&shared), true),
            (Some(&shared), Some(&off), false),
        ] {
            assert_eq!(is_shared(&document(default, own)), expected, "{default:?} {own:?}");
        }
        assert!(!is_shared(&json!({ "defaults": { "cache": shared } })));
    }
}
