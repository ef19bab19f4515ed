//! Purges: one Durable Object keeps them for the whole world. It is of the class of rate limits (`RateLimit` in `js/worker.js`), so
//! that there is nothing more to bind, under a name that no limit has.

use js_sys::Promise;
use portico_core::StoreError;
use portico_core::cache::{Purge, Purges, Scope};
use wasm_bindgen::prelude::*;
use worker::Env;

use crate::limits::BINDING;
use crate::task::Settled;

/// The name of the object. Names of limits have a colon.
const NAME: &str = "purges";

#[wasm_bindgen]
extern "C" {
    type Object;

    #[wasm_bindgen(method, catch)]
    fn purges(this: &Object) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn purge(this: &Object, lines: &str) -> Result<Promise, JsValue>;
}

/// What was purged. Without the binding nothing can have been.
pub(crate) async fn all(env: &Env) -> Result<Vec<Purge>, StoreError> {
    if env.durable_object(BINDING).is_err() {
        return Ok(Vec::new());
    }
    let lines = object(env)?.purges().map_err(failed)?;
    let lines = Settled::from(lines).await.map_err(failed)?;
    let lines = lines.as_string().ok_or_else(|| failed("no text"))?;
    let purges: Option<_> = lines.lines().map(Purge::decode).collect();
    purges.ok_or_else(|| failed("what another version of Portico wrote cannot be read"))
}

/// Adds purges. When this returns, they are durable.
pub(crate) async fn tell(env: &Env, purges: &[Purge]) -> Result<(), StoreError> {
    let told = object(env)?.purge(&lines(purges.iter().cloned())).map_err(failed)?;
    Settled::from(told).await.map(drop).map_err(failed)
}

fn lines(purges: impl Iterator<Item = Purge>) -> String {
    purges.map(|purge| purge.encode()).collect::<Vec<_>>().join("\n")
}

fn object(env: &Env) -> Result<Object, StoreError> {
    let stub = env.durable_object(BINDING).and_then(|namespace| namespace.get_by_name(NAME)).map_err(failed)?;
    Ok(stub.into_rpc())
}

fn failed(error: impl std::fmt::Debug) -> StoreError {
    worker::console_error!("purges: {error:?}");
    StoreError
}

/// One step of the object: the lines of purges with those of `more`, folded as core does. Nothing when `more` cannot be read, or is empty.
pub(crate) fn add(known: &str, more: &str) -> Option<String> {
    let more: Vec<Purge> = more.lines().map(Purge::decode).collect::<Option<_>>()?;
    let at = more.iter().map(|purge| purge.at).max()?;
    let mut purges = Purges::default();
    for line in known.lines() {
        // whatever it concerned, if another version of Portico wrote it
        let everything = || Purge { scope: Scope::Everything, at, soft: false };
        purges.add(&Purge::decode(line).unwrap_or_else(everything));
    }
    for purge in &more {
        purges.add(purge);
    }
    Some(lines(purges.iter()))
}

#[cfg(test)]
mod tests {
    use portico_core::Timestamp;

    use super::*;

    fn purge(scope: Scope, at: u64) -> Purge {
        Purge { scope, at: Timestamp::from_secs(at), soft: false }
    }

    fn read(lines: &str) -> Vec<Purge> {
        let mut purges: Vec<_> = lines.lines().map(|line| Purge::decode(line).unwrap()).collect();
        purges.sort_by_key(|purge| purge.at);
        purges
    }

    #[test]
    fn a_purge_comes_to_those_that_are_there() {
        let (first, second) = (purge(Scope::Tag("a\nb".into()), 1), purge(Scope::Url("a.example/\u{e9}?q".into()), 2));
        let lines = add("", &first.encode()).unwrap();
        let lines = add(&lines, &second.encode()).unwrap();
        assert_eq!(read(&lines), [first.clone(), second.clone()]);
        assert_eq!(read(&add("", &lines).unwrap()), [first, second], "several at once");
    }

    #[test]
    fn what_is_purged_again_has_one_line() {
        let lines = add("", &purge(Scope::Everything, 1).encode()).unwrap();
        let lines = add(&lines, &purge(Scope::Everything, 2).encode()).unwrap();
        assert_eq!(read(&lines), [purge(Scope::Everything, 2)]);
    }

    #[test]
    fn lines_are_bounded() {
        let mut lines = String::new();
        for at in 1..=1_100 {
            lines = add(&lines, &purge(Scope::Tag(at.to_string().into()), at).encode()).unwrap();
        }
        let purges = read(&lines);
        assert!(purges.len() <= 1_001, "{}", purges.len());
        assert!(purges.iter().any(|purge| purge.scope == Scope::Everything));
    }

    #[test]
    fn what_cannot_be_read_purges_all_or_is_refused() {
        let lines = add("of a later version", &purge(Scope::Tag("a".into()), 7).encode()).unwrap();
        assert!(read(&lines).contains(&purge(Scope::Everything, 7)));
        assert_eq!((add("", "of a later version"), add("", "")), (None, None));
    }
}
