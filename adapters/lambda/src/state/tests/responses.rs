//! Responses that functions share, in a real DynamoDB, as far as moto is one.

use http::{HeaderMap, StatusCode};
use portico_core::cache::{self, Entry, Lifetime};

use super::emulator::{item, number, process};
use super::scripted::{Script, scripted};
use super::*;

/// A response with a body of this length.
pub(super) fn response(length: usize) -> cache::Item {
    let lifetime = Lifetime { fresh: Duration::from_secs(60), ..Lifetime::default() };
    let body = vec![b'x'; length].into();
    cache::Item::Response(Entry::new("a.test/", StatusCode::OK, HeaderMap::new(), body, NOW, NOW, lifetime))
}

#[tokio::test]
async fn what_one_function_keeps_another_finds_until_it_is_over() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let (one, other) = (process(dynamodb, &table), process(dynamodb, &table));
    assert_eq!(one.cached("cache/a/1", NOW, LONG).await, Ok(None));
    for response in [
        response(0),
        response(300_000),
        cache::Item::Varies(cache::Variants { names: vec![http::header::ACCEPT], since: NOW }),
    ] {
        let kept = one.cache("cache/a/1", &response, Duration::from_secs(90), NOW, LONG).await;
        assert_eq!(kept, Ok(Kept::InTable));
        let before = NOW + Duration::from_secs(89);
        let (found, end) = other.cached("cache/a/1", before, LONG).await.unwrap().unwrap();
        assert_eq!((&*found, end), (&response, NOW + Duration::from_secs(90)));
        // DynamoDB deletes it some time
        assert_eq!(other.cached("cache/a/1", end, LONG).await, Ok(None));
    }
}

#[tokio::test]
async fn no_response_is_kept_for_longer_than_a_week() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    process.cache("cache/a/1", &response(1), Duration::MAX, NOW, LONG).await.unwrap();
    let expires = number(&item(dynamodb, &table, "cache/a/1"), "expires");
    assert_eq!(expires, NOW.as_secs() + 7 * 86_400 + 3_600 + 1);
}

#[tokio::test]
async fn what_another_version_wrote_is_nothing_and_what_nobody_did_is_an_error() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    process.write("cache/a/1", b"of another version", Duration::from_secs(9), NOW, LONG).await.unwrap();
    assert_eq!(process.cached("cache/a/1", NOW, LONG).await, Ok(None));
    let item = serde_json::json!({ "id": { "S": "cache/a/2" }, "value": { "N": "1" } });
    dynamodb.call("PutItem", &serde_json::json!({ "TableName": table, "Item": item })).unwrap();
    assert_eq!(process.cached("cache/a/2", NOW, LONG).await, Err(StoreError));
}

#[tokio::test]
async fn what_is_removed_or_cannot_be_taken_is_not_there() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let (one, other) = (process(dynamodb, &table), process(dynamodb, &table));
    one.cache("cache/a/1", &response(1), LONG, NOW, LONG).await.unwrap();
    other.forget("cache/a/1", LONG).await.unwrap();
    assert_eq!(one.cached("cache/a/1", NOW, LONG).await, Ok(None));
    other.forget("cache/a/1", LONG).await.unwrap();
    one.cache("cache/a/1", &response(1), LONG, NOW, LONG).await.unwrap();
    assert_eq!(other.cache("cache/a/1", &response(LARGEST), LONG, NOW, LONG).await, Ok(Kept::Here));
    assert_eq!(one.cached("cache/a/1", NOW, LONG).await, Ok(None), "an older one in its place");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_for_an_item_is_kept_here_and_is_no_error() {
    let (state, _connector) = scripted([(); 3].map(|()| Script::Answers(200, serde_json::json!({}))));
    assert_eq!(state.cache("k", &response(LARGEST), LONG, NOW, LONG).await, Ok(Kept::Here));
    assert!(!state.too_large.is_completed());
    let about = LARGEST - 1_000;
    let overhead = response(about).encode().len() - about + 1;
    assert_eq!(state.cache("k", &response(LARGEST - overhead), LONG, NOW, LONG).await, Ok(Kept::InTable));
    assert_eq!(state.cache("k", &response(LARGEST - overhead + 1), LONG, NOW, LONG).await, Ok(Kept::Here));
}
