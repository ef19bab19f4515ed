//! The table in a real DynamoDB, as far as moto is one.

use portico_core::limit::MemoryStore;
use portico_core::sim::Random;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::*;

/// A process' view of a table.
pub(super) fn process(dynamodb: &DynamoDb, name: &str) -> State {
    patient(state(name, Connector(upstreams()), &format!("http://{}", dynamodb.address())))
}

pub(super) fn item(dynamodb: &DynamoDb, table: &str, id: &str) -> Value {
    dynamodb.call("GetItem", &json!({ "TableName": table, "Key": { "id": { "S": id } } })).unwrap()["Item"].clone()
}

pub(super) fn number(item: &Value, name: &str) -> u64 {
    item[name]["N"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn of_64_writers_exactly_the_limit_passes_and_another_process_goes_on() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let quota = quota(20, 3_600);
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let process = std::sync::Arc::new(process(dynamodb, &table));
        for _ in 0..8 {
            let process = std::sync::Arc::clone(&process);
            writers.spawn(async move { process.take("hot", &quota, 1, NOW, LONG).await.unwrap().allowed });
        }
    }
    assert_eq!(writers.join_all().await.into_iter().filter(|allowed| *allowed).count(), 20);

    let other = process(dynamodb, &table);
    let denied = other.take("hot", &quota, 1, NOW, LONG).await.unwrap();
    assert!(!denied.allowed);
    assert_eq!(denied.retry_after, Duration::from_secs(180));
    assert!(other.take("hot", &quota, 1, NOW + Duration::from_secs(180), LONG).await.unwrap().allowed);
    assert!(other.take("cold", &quota, 1, NOW, LONG).await.unwrap().allowed);
}

#[tokio::test]
async fn every_step_is_the_one_that_core_would_take() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let processes = [process(dynamodb, &table), process(dynamodb, &table)];
    let random = Random::new(7);
    let next = |below| random.below(below);
    let memory = MemoryStore::new(1_000, 1);
    // the same key under changed quotas: longer, shorter, another burst
    let quotas = [quota(3, 30), quota(5, 10), Quota::new(2, Duration::from_secs(60), 4).unwrap()];
    let mut now = NOW;
    let mut seen = [0; 2];
    for step in 0..400 {
        let key = ["a", "b", "c"][next(3) as usize];
        let quota = &quotas[if next(8) == 0 { next(3) as usize } else { 0 }];
        let cost = 1 + next(3) as u32;
        now = match next(20) {
            0 => Timestamp::from_micros(now.as_micros() - next(20_000_000)),
            1 => now + Duration::from_secs(next(120)),
            _ => now + Duration::from_micros(next(6_000_000)),
        };
        let expected = memory.step(key, &[Rule::Gcra(*quota)], || now, Draw::Take(cost))[0];
        let verdict = processes[next(2) as usize].take(key, quota, cost, now, LONG).await.unwrap();
        assert_eq!(verdict, expected, "step {step}: {key} {quota:?} {cost} {now:?}");
        seen[usize::from(verdict.allowed)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    // a cost that no bucket holds
    assert!(!processes[0].take("d", &quotas[0], 4, now, LONG).await.unwrap().allowed);
}

#[tokio::test]
async fn items_say_when_they_may_go() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    let in_an_hour = |after: u64| NOW.as_secs() + after + 3_600 + 1;
    for (drawn, after) in [(1, 30), (2, 30 + 30)] {
        process.take("a", &quota(2, 60), 1, NOW, LONG).await.unwrap();
        let item = item(dynamodb, &table, "limit:a");
        assert_eq!(number(&item, "tat"), NOW.as_micros() + drawn * 30_000_000);
        assert_eq!(number(&item, "expires"), in_an_hour(60));
        assert!(after <= 60);
    }
    // the quota was lowered: a bucket is ten seconds now
    assert!(!process.take("a", &quota(2, 10), 1, NOW, LONG).await.unwrap().allowed);
    let cut = item(dynamodb, &table, "limit:a");
    assert_eq!((number(&cut, "tat"), number(&cut, "expires")), (NOW.as_micros() + 10_000_000, in_an_hour(10)));

    process.write("keys/a", b"{}", Duration::from_secs(9), NOW, LONG).await.unwrap();
    assert_eq!(number(&item(dynamodb, &table, "keys/a"), "expires"), in_an_hour(9));
}

#[tokio::test]
async fn values_are_written_and_read_whoever_put_them_there() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    assert_eq!(process.read("keys/a", LONG).await, Ok(None));
    for value in [&b"first"[..], b"\0\xff", b""] {
        process.write("keys/a", value, Duration::from_secs(60), NOW, LONG).await.unwrap();
        assert_eq!(process.read("keys/a", LONG).await.unwrap().as_deref(), Some(value));
    }
    let large = vec![b'x'; 390_000];
    process.write("keys/large", &large, Duration::from_secs(60), NOW, LONG).await.unwrap();
    assert_eq!(process.read("keys/large", LONG).await.unwrap().unwrap(), large);

    let put = |value: Value| {
        let item = json!({ "id": { "S": "keys/operator" }, "value": value });
        dynamodb.call("PutItem", &json!({ "TableName": table, "Item": item })).unwrap();
    };
    put(json!({ "S": "{\"consumer\":\"acme\"}" }));
    assert_eq!(process.read("keys/operator", LONG).await.unwrap().unwrap(), "{\"consumer\":\"acme\"}");
    put(json!({ "N": "7" }));
    assert_eq!(process.read("keys/operator", LONG).await, Err(StoreError));
    // a limit is no value
    process.take("a", &quota(1, 1), 1, NOW, LONG).await.unwrap();
    assert_eq!(process.read("a", LONG).await, Ok(None));
}

#[tokio::test]
async fn a_table_that_is_not_there_is_an_error() {
    let dynamodb = dynamodb();
    let process = process(dynamodb, "none");
    assert_eq!(process.take("a", &quota(1, 1), 1, NOW, LONG).await, Err(StoreError));
    assert_eq!(process.read("a", LONG).await, Err(StoreError));
    assert_eq!(process.write("a", b"", Duration::ZERO, NOW, LONG).await, Err(StoreError));
}
