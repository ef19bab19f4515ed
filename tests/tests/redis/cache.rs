//! Nodes that share cached responses and purges by one Redis.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use portico::platform::{NativePlatform, Settings};
use portico::state::Redis as State;
use portico_core::cache::{Entry, Item, Lifetime, Purge, Purged, Purges, Reach, Scope};
use portico_core::{Platform as _, StoreError, Timestamp};
use rustls::RootCertStore;
use tokio::runtime::Runtime;

use super::{calls, url};
use crate::server::Redis;

const MINUTE: Duration = Duration::from_secs(60);

fn node(redis: &Redis) -> NativePlatform {
    let state = State::new(&url(redis), RootCertStore::empty).unwrap();
    NativePlatform::new(Settings { redis: Some(Arc::new(state)), ..Settings::default() }).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A response that is fresh for long.
fn response(body: impl Into<bytes::Bytes>) -> Arc<Item> {
    of_lifetime(body, Duration::from_secs(1 << 40))
}

fn of_lifetime(body: impl Into<bytes::Bytes>, fresh: Duration) -> Arc<Item> {
    Arc::new(Item::Response(Entry {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(http::header::ETAG, "\"1\"".parse().unwrap())]),
        body: body.into(),
        requested: Timestamp::from_secs(1),
        received: Timestamp::from_secs(1),
        age: Duration::ZERO,
        lifetime: Lifetime { fresh, ..Lifetime::default() },
        url: "shop.example/".into(),
        tags: vec!["a".into()],
    }))
}

fn purge(scope: Scope, second: u64) -> Purge {
    Purge { scope, at: Timestamp::from_secs(second), soft: true }
}

#[test]
fn what_one_node_shares_another_finds_and_asks_for_once() {
    let redis = Redis::start();
    runtime().block_on(async {
        let (one, other) = (node(&redis), node(&redis));
        one.cache("cache/a/shared", &response("text"), MINUTE, Reach::Shared).await.unwrap();
        one.cache("cache/a/local", &response("text"), MINUTE, Reach::Local).await.unwrap();
        for _ in 0..3 {
            assert_eq!(other.cached("cache/a/shared", Reach::Shared).await, Ok(Some(response("text"))));
            assert_eq!(one.cached("cache/a/shared", Reach::Shared).await, Ok(Some(response("text"))));
        }
        assert_eq!(calls(&redis, "get"), 1, "it is in memory from then on, where it was put from the beginning");
        assert_eq!(other.cached("cache/a/local", Reach::Shared).await, Ok(None));
        assert_eq!(node(&redis).cached("cache/a/shared", Reach::Local).await, Ok(None));
        assert_eq!(redis.ask("KEYS *"), "portico:cache:cache/a/shared");
        let left: u64 = redis.ask("PTTL portico:cache:cache/a/shared").parse().unwrap();
        assert!((1..=60_000).contains(&left), "{left}");
    });
}

#[test]
fn what_is_too_large_takes_the_place_of_what_was_and_is_not_shared() {
    let redis = Redis::start();
    runtime().block_on(async {
        let (one, other) = (node(&redis), node(&redis));
        for (size, shared) in [(8_000_000, true), (9_000_000, false)] {
            one.cache("cache/a/b", &response(vec![b'x'; size]), MINUTE, Reach::Shared).await.unwrap();
            assert_eq!(node(&redis).cached("cache/a/b", Reach::Shared).await.unwrap().is_some(), shared, "{size}");
        }
        assert_eq!(other.cached("cache/a/b", Reach::Shared).await, Ok(None));
    });
}

#[test]
fn what_is_broken_or_of_another_version_is_not_there() {
    let redis = Redis::start();
    redis.ask("SET portico:cache:cache/a/text text");
    redis.ask("SET portico:cache:cache/a/nothing \0");
    runtime().block_on(async {
        for key in ["cache/a/text", "cache/a/nothing"] {
            assert_eq!(node(&redis).cached(key, Reach::Shared).await, Ok(None));
        }
    });
}

#[test]
fn the_later_of_two_purges_holds_whichever_is_told_first() {
    let redis = Redis::start();
    runtime().block_on(async {
        let (one, other) = (node(&redis), node(&redis));
        assert_eq!(one.purges().await, Ok(vec![]));
        let tag = || Scope::Tag("a".into());
        for second in [5, 9, 7] {
            one.purge(&[purge(tag(), second)]).await.unwrap();
        }
        other.purge(&[purge(Scope::Url("shop.example/".into()), 6)]).await.unwrap();
        let all = vec![purge(Scope::Url("shop.example/".into()), 6), purge(tag(), 9)];
        assert_eq!((one.purges().await, other.purges().await), (Ok(all.clone()), Ok(all)));
    });
}

#[test]
fn what_is_stale_is_looked_for_again_as_another_node_may_have_renewed_it() {
    let redis = Redis::start();
    runtime().block_on(async {
        let (one, other) = (node(&redis), node(&redis));
        let stale = of_lifetime("old", Duration::ZERO);
        one.cache("cache/a/1", &stale, MINUTE, Reach::Shared).await.unwrap();
        assert_eq!(one.cached("cache/a/1", Reach::Shared).await, Ok(Some(stale)));
        other.cache("cache/a/1", &response("new"), MINUTE, Reach::Shared).await.unwrap();
        assert_eq!(one.cached("cache/a/1", Reach::Shared).await, Ok(Some(response("new"))));
        assert_eq!(calls(&redis, "get"), 2);
    });
}

#[test]
fn what_is_removed_is_not_there_for_whoever_has_no_copy() {
    let redis = Redis::start();
    runtime().block_on(async {
        let (one, other) = (node(&redis), node(&redis));
        one.cache("cache/a/1", &response("text"), MINUTE, Reach::Shared).await.unwrap();
        other.forget("cache/a/1", Reach::Shared).await.unwrap();
        assert_eq!(other.cached("cache/a/1", Reach::Shared).await, Ok(None));
        assert_eq!(one.cached("cache/a/1", Reach::Shared).await, Ok(Some(response("text"))));
    });
}

#[test]
fn a_purge_that_cannot_be_read_is_one_of_everything() {
    let redis = Redis::start();
    runtime().block_on(async {
        redis.ask("ZADD portico:purges 5000000 of-a-later-version");
        let everything = Purge { scope: Scope::Everything, at: Timestamp::from_secs(5), soft: false };
        assert_eq!(node(&redis).purges().await, Ok(vec![everything]));
    });
}

#[test]
fn purges_of_two_nodes_at_once_are_all_there_though_they_are_too_many() {
    let redis = Redis::start();
    let runtime = runtime();
    let tags = 0..1_500_u64;
    let tell = |part: u64| {
        let (node, tags) = (node(&redis), tags.clone());
        runtime.spawn(async move {
            for tag in tags.filter(|tag| tag % 2 == part) {
                node.purge(&[purge(Scope::Tag(tag.to_string().into()), 1_000 + tag)]).await.unwrap();
            }
        })
    };
    let nodes = [tell(0), tell(1)];
    runtime.block_on(async {
        for node in nodes {
            node.await.unwrap();
        }
        let listed = node(&redis).purges().await.unwrap();
        assert!((500..=1_000).contains(&listed.len()), "{}", listed.len());
        let mut purges = Purges::default();
        for purge in &listed {
            purges.add(purge);
        }
        let Item::Response(entry) = &*response("text") else { unreachable!() };
        for tag in tags {
            let requested = Timestamp::from_secs(1_000 + tag);
            let entry = Entry { tags: vec![tag.to_string().into()], requested, ..entry.clone() };
            assert_ne!(purges.verdict(&entry), None, "{tag}");
        }
        let later = Entry { tags: vec!["1499".into()], requested: Timestamp::from_secs(2_500), ..entry.clone() };
        assert_eq!(purges.verdict(&later), None::<Purged>);
    });
}

#[test]
fn without_an_answer_there_is_the_memory() {
    let mut redis = Redis::start();
    runtime().block_on(async {
        let node = node(&redis);
        redis.kill();
        assert_eq!(node.cache("cache/a/b", &response("text"), MINUTE, Reach::Shared).await, Err(StoreError));
        assert_eq!(node.cached("cache/a/b", Reach::Shared).await, Ok(Some(response("text"))));
        assert_eq!(node.cached("cache/a/c", Reach::Shared).await, Err(StoreError));
        assert_eq!(node.purges().await, Err(StoreError));
        assert_eq!(node.purge(&[purge(Scope::Everything, 1)]).await, Err(StoreError));
    });
}
