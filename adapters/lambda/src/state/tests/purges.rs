//! Purges, in a real DynamoDB, as far as moto is one.

use portico_core::cache::{Purge, Purges, Scope};
use tokio::task::JoinSet;

use super::emulator::process;
use super::scripted::{Script, scripted};
use super::*;

/// How long a purge is of use.
const WEEK: Duration = Duration::from_secs(7 * 86_400 + 3_600);

fn tag(name: &str, at: Timestamp) -> Purge {
    Purge { scope: Scope::Tag(name.into()), at, soft: false }
}

fn seconds(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

#[tokio::test]
async fn of_many_at_once_all_are_there() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    assert_eq!(process(dynamodb, &table).purges(NOW, LONG).await, Ok(Vec::new()));
    let mut writers = JoinSet::new();
    for index in 0..40 {
        let process = process(dynamodb, &table);
        writers.spawn(async move { process.purge(&tag(&index.to_string(), NOW), NOW, LONG).await.unwrap() });
    }
    writers.join_all().await;
    let mut purges = process(dynamodb, &table).purges(NOW, LONG).await.unwrap();
    purges.sort_unstable_by_key(|purge| format!("{:?}", purge.scope));
    let mut expected: Vec<_> = (0..40).map(|index| tag(&index.to_string(), NOW)).collect();
    expected.sort_unstable_by_key(|purge| format!("{:?}", purge.scope));
    assert_eq!(purges, expected);
}

#[tokio::test]
async fn of_two_of_the_same_thing_the_later_stays_and_a_soft_one_takes_no_hard_ones_place() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    let soft = Purge { soft: true, ..tag("a", seconds(3)) };
    for purge in [tag("a", seconds(2)), tag("a", seconds(1)), soft.clone(), tag("a", seconds(2))] {
        process.purge(&purge, NOW, LONG).await.unwrap();
    }
    assert_eq!(process.purges(NOW, LONG).await.unwrap(), [tag("a", seconds(2)), soft]);
}

#[tokio::test]
async fn what_is_over_goes() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    process.purge(&tag("a", NOW), NOW, LONG).await.unwrap();
    process.purge(&tag("b", seconds(9)), seconds(9), LONG).await.unwrap();
    let all =
        |item: serde_json::Value| item.as_object().unwrap().keys().filter(|name| name.starts_with("purge:")).count();
    let now = NOW + WEEK;
    assert_eq!(process.purges(now, LONG).await.unwrap().len(), 2);
    let now = now + Duration::from_secs(1);
    assert_eq!(process.purges(now, LONG).await.unwrap(), [tag("b", seconds(9))]);
    assert_eq!(all(emulator::item(dynamodb, &table, "cache:purges")), 2);
    process.purge(&tag("c", now), now, LONG).await.unwrap();
    assert_eq!(all(emulator::item(dynamodb, &table, "cache:purges")), 2);
    assert_eq!(process.purges(now, LONG).await.unwrap(), [tag("b", seconds(9)), tag("c", now)]);
}

/// However many there are, everything that was purged is, and the item does not grow.
#[tokio::test]
async fn the_oldest_of_many_become_one_of_everything() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    let long = "x".repeat(1_900);
    for index in 0..100 {
        process.purge(&tag(&format!("{long}{index}"), seconds(index)), NOW, LONG).await.unwrap();
        let item = emulator::item(dynamodb, &table, "cache:purges").to_string();
        assert!(item.len() < 72 * 1024, "{}", item.len());
        let purges = process.purges(NOW, LONG).await.unwrap();
        let everything: Vec<_> = purges.iter().filter(|purge| purge.scope == Scope::Everything).collect();
        assert!(everything.len() <= 1 && everything.iter().all(|purge| !purge.soft && purge.at < seconds(index)));
        let until = everything.first().map(|purge| purge.at);
        for before in 0..=index {
            let held = purges.contains(&tag(&format!("{long}{before}"), seconds(before)));
            assert!(held || until >= Some(seconds(before)), "{before} of {index}");
        }
    }
    // what is purged softly is folded softly
    let table = dynamodb.create().unwrap();
    let process = emulator::process(dynamodb, &table);
    for index in 0..40 {
        let purge = Purge { soft: true, ..tag(&format!("{long}{index}"), seconds(index)) };
        process.purge(&purge, NOW, LONG).await.unwrap();
    }
    let purges = process.purges(NOW, LONG).await.unwrap();
    assert!(purges.iter().any(|purge| purge.scope == Scope::Everything) && purges.iter().all(|purge| purge.soft));
}

#[tokio::test]
async fn what_is_named_by_a_very_long_name_is_purged_with_what_begins_so() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let process = process(dynamodb, &table);
    let purge = Purge { scope: Scope::Url("x".repeat(500_000).into()), at: NOW, soft: true };
    process.purge(&purge, NOW, LONG).await.unwrap();
    let mut expected = Purges::default();
    expected.add(&purge);
    assert_eq!(process.purges(NOW, LONG).await.unwrap(), expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_another_version_wrote_purges_everything_until_then() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let value = format!("{:020} {{\"scope\":\"half\"}}", NOW.as_micros());
    let item = serde_json::json!({ "id": { "S": "cache:purges" }, "purge:x": { "S": value } });
    dynamodb.call("PutItem", &serde_json::json!({ "TableName": table, "Item": item })).unwrap();
    let everything = Purge { scope: Scope::Everything, at: NOW, soft: false };
    assert_eq!(process(dynamodb, &table).purges(NOW, LONG).await.unwrap(), [everything]);
}

#[tokio::test(start_paused = true)]
async fn one_whose_answer_is_lost_is_sent_once_more() {
    let there = Script::error(400, "ConditionalCheckFailedException");
    let (state, connector) = scripted([Script::BreaksOff, there]);
    assert_eq!(state.purge(&tag("a", NOW), NOW, LONG).await, Ok(()));
    assert_eq!(connector.asked.lock().unwrap().len(), 2);
    let (state, _) = scripted([Script::BreaksOff]);
    assert_eq!(state.purge(&tag("a", NOW), NOW, LONG).await, Err(StoreError));
}
