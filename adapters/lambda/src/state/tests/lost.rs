//! Answers that get lost, updates that arrive twice, and items that are none, where limits compare and swap.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use portico_core::sim::Random;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::emulator::{item, process};
use super::faults::{ALL, Faulty, Losing};
use super::scripted::{Script, scripted};
use super::swap::{allowed, fixed, sliding};
use super::*;

/// What is left of each rule.
async fn left(table: &str, rules: &[Rule]) -> Vec<u32> {
    let verdicts = process(dynamodb(), table).step("a", rules, Draw::Take(0), || NOW, LONG).await.unwrap();
    verdicts.iter().map(|verdict| verdict.remaining).collect()
}

fn losing(table: &str) -> (State, Arc<AtomicUsize>) {
    let loses = Arc::new(AtomicUsize::new(0));
    let connector = Losing { inner: Arc::new(Connector(upstreams())), loses: Arc::clone(&loses) };
    (patient(state(table, connector, &format!("http://{}", dynamodb().address()))), loses)
}

#[tokio::test]
async fn what_was_done_although_its_answer_was_lost_is_known_by_its_name_and_counts_once() {
    let rules = [sliding(4, 60), fixed(9, 86_400, NOW)];
    // the third is denied, and what is denied was only asked
    let rows = [(Draw::Take(2), [2, 7]), (Draw::Charge(2), [0, 5]), (Draw::Take(1), [0, 5]), (Draw::Return(3), [3, 8])];
    for known in [true, false] {
        let table = dynamodb().create().unwrap();
        let (mut own, mut loses) = losing(&table);
        for (draw, remaining) in rows {
            if !known {
                (own, loses) = losing(&table);
            }
            loses.store(1, Ordering::Relaxed);
            let verdicts = own.step("a", &rules, draw, || NOW, LONG).await.unwrap();
            assert_eq!(verdicts.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), remaining, "{draw:?}");
            assert_eq!(left(&table, &rules).await, remaining, "{draw:?}");
        }
    }
}

#[tokio::test]
async fn what_gets_no_answer_counts_once_at_most() {
    let table = dynamodb().create().unwrap();
    let rules = [sliding(4, 60), fixed(9, 86_400, NOW)];
    let (own, loses) = losing(&table);
    loses.store(ALL, Ordering::Relaxed);
    assert_eq!(own.step("a", &rules, Draw::Take(1), || NOW, LONG).await, Err(StoreError));
    assert_eq!(left(&table, &rules).await, [3, 8]);
    // what it does not know of is in its way
    assert_eq!(own.step("a", &rules, Draw::Take(1), || NOW, LONG).await, Err(StoreError));
    assert_eq!(left(&table, &rules).await, [3, 8]);
}

/// A connector of which each operation arrives twice, and the answer of the second is told.
#[derive(Debug, Clone)]
struct Doubling(Arc<Connector>);

impl HttpConnector for Doubling {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            inner.call(request.try_clone().unwrap()).await?;
            inner.call(request).await
        })
    }
}

#[tokio::test]
async fn what_arrives_twice_counts_once() {
    let table = dynamodb().create().unwrap();
    let rules = [sliding(5, 60), fixed(9, 86_400, NOW)];
    let own =
        patient(state(&table, Doubling(Arc::new(Connector(upstreams()))), &format!("http://{}", dynamodb().address())));
    for (draw, remaining) in
        [(Draw::Take(1), [4, 8]), (Draw::Take(3), [1, 5]), (Draw::Return(2), [3, 7]), (Draw::Charge(1), [2, 6])]
    {
        let verdicts = own.step("a", &rules, draw, || NOW, LONG).await.unwrap();
        assert_eq!(verdicts.iter().map(|verdict| verdict.remaining).collect::<Vec<_>>(), remaining, "{draw:?}");
        assert_eq!(left(&table, &rules).await, remaining, "{draw:?}");
    }
}

#[tokio::test]
async fn with_faults_never_more_than_the_limit_passes() {
    const WRITERS: u64 = 48;
    for seed in 0..2 {
        let table = dynamodb().create().unwrap();
        let rules = [fixed(24, 86_400, NOW)];
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let connector = Faulty::new(Random::new(seed * WRITERS + writer));
            let own = patient(state(&table, connector, &format!("http://{}", dynamodb().address())));
            writers.spawn(async move { own.step("a", &rules, Draw::Take(1), || NOW, LONG).await });
        }
        let outcomes = writers.join_all().await;
        let passed = outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(|verdicts| allowed(verdicts))).count();
        assert!((6..=24).contains(&passed), "{passed} passed");
        let taken = 24 - left(&table, &rules).await[0] as usize;
        assert!(taken >= passed, "{taken} were taken, {passed} passed");
    }
}

/// The answer to an update that does not hold where the item holds this.
fn not(text: &str) -> Script {
    let Script::Answers(status, mut answer) = Script::error(400, "ConditionalCheckFailedException") else {
        unreachable!()
    };
    answer["Item"] = json!({ "id": { "S": "limit:a" }, "state": { "S": text } });
    Script::Answers(status, answer)
}

fn got(state: &Value) -> Script {
    Script::Answers(200, json!({ "Item": { "id": { "S": "limit:a" }, "state": state } }))
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_waits_and_reads_first() {
    let rules = [sliding(5, 60)];
    let due = (NOW + Duration::from_secs(30)).as_micros();
    let (one, two, three) = (format!("1 {due} 1"), format!("1 {due} 2"), format!("1 {due} 3"));
    let done = Script::Answers(200, json!({}));
    let (state, connector) = scripted([not(&one), not(&two), got(&json!({ "S": three })), done]);
    let verdicts = state.step("a", &rules, Draw::Take(1), || NOW, LONG).await.unwrap();
    assert_eq!(verdicts[0].remaining, 1);
    let asked = connector.asked.lock().unwrap();
    let old = |at: usize| asked[at]["ExpressionAttributeValues"][":old"]["S"].as_str();
    assert_eq!([old(0), old(1), old(2), old(3)], [None, Some(&*one), None, Some(&*three)]);
    assert_eq!(asked[2]["ConsistentRead"], true);
    assert_eq!(asked[0]["ConditionExpression"], "attribute_not_exists(#state) OR expires < :over");
    assert_eq!(asked[3]["ConditionExpression"], "#state = :old");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_given_back_is_not_given_back_again() {
    let due = (NOW + Duration::from_secs(30)).as_micros();
    // the state before the update, which others have made again, or which it has not reached yet; and one that others made
    for after in [2, 1, 3] {
        let [before, after] = [2, after].map(|units| got(&json!({ "S": format!("1 {due} {units}") })));
        let (state, connector) = scripted([before, Script::BreaksOff, after, Script::Answers(200, json!({}))]);
        assert_eq!(state.step("a", &[sliding(5, 60)], Draw::Return(1), || NOW, LONG).await, Err(StoreError));
        let asked = connector.asked.lock().unwrap();
        let updates: Vec<_> = asked.iter().map(|asked| asked.get("UpdateExpression").is_some()).collect();
        assert_eq!(updates, [false, true, false]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_never_stands_still_is_given_up_in_time() {
    let due = (NOW + Duration::from_secs(30)).as_micros();
    let restless = (0..10_000).flat_map(|_| [not(&format!("1 {due} 1")), got(&json!({ "S": format!("1 {due} 2") }))]);
    let (state, connector) = scripted([not(&format!("1 {due} 1"))].into_iter().chain(restless));
    let started = Instant::now();
    assert_eq!(state.step("a", &[sliding(5, 60)], Draw::Take(1), || NOW, LONG).await, Err(StoreError));
    assert!(started.elapsed() <= Duration::from_millis(1_001), "{:?}", started.elapsed());
    let asked = connector.asked.lock().unwrap().len();
    assert!((10..200).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn items_that_cannot_be_read_are_errors_and_stay_as_they_are() {
    for text in ["", "soon", "1", "1 2", "-1", "2 9 1 8 1", "0 0", "1  2 3"] {
        let (state, connector) = scripted([not(text)]);
        assert_eq!(state.step("a", &[sliding(5, 60)], Draw::Take(1), || NOW, LONG).await, Err(StoreError), "{text}");
        assert_eq!(connector.asked.lock().unwrap().len(), 1, "{text}");
    }
    for none in [json!({ "N": "7" }), json!({ "S": "7 7" })] {
        let (state, connector) = scripted([got(&none)]);
        assert_eq!(state.step("a", &[sliding(5, 60)], Draw::Take(0), || NOW, LONG).await, Err(StoreError));
        assert_eq!(connector.asked.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_key_that_was_deleted_begins_anew() {
    let table = dynamodb().create().unwrap();
    let rules = [fixed(2, 86_400, NOW)];
    let own = process(dynamodb(), &table);
    own.step("a", &rules, Draw::Take(2), || NOW, LONG).await.unwrap();
    let key = json!({ "TableName": table, "Key": { "id": { "S": "limit:a" } } });
    dynamodb().call("DeleteItem", &key).unwrap();
    assert!(allowed(&own.step("a", &rules, Draw::Take(2), || NOW, LONG).await.unwrap()));
    let held = item(dynamodb(), &table, "limit:a");
    assert!(held["state"]["S"].as_str().unwrap().ends_with(" 2"), "{held}");
}
