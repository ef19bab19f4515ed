//! A DynamoDB that turns away, breaks off before it did what it was told, and breaks off afterwards.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use portico_core::sim::Random;
use serde_json::json;
use tokio::task::JoinSet;

use super::scripted::Script;
use super::*;

/// What happens to one exchange.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    TurnedAway,
    LostBefore,
    LostAfter,
    FailedAfter,
}

/// A connector with faults, and how many updates were done through it.
#[derive(Debug, Clone)]
pub(super) struct Faulty {
    inner: Arc<Connector>,
    random: Arc<Mutex<Random>>,
    done: Arc<AtomicU64>,
}

impl Faulty {
    pub(super) fn new(random: Random) -> Self {
        Self { inner: Arc::new(Connector(upstreams())), random: Arc::new(Mutex::new(random)), done: Arc::default() }
    }
}

impl HttpConnector for Faulty {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fault = match self.random.lock().unwrap().below(10) {
            0 => Fault::TurnedAway,
            1 => Fault::LostBefore,
            2 => Fault::LostAfter,
            3 => Fault::FailedAfter,
            _ => Fault::None,
        };
        let Self { inner, done, .. } = self.clone();
        HttpConnectorFuture::new(async move {
            match fault {
                Fault::TurnedAway => return Script::error(400, "ThrottlingException").perform().await,
                Fault::LostBefore => return Script::BreaksOff.perform().await,
                Fault::None | Fault::LostAfter | Fault::FailedAfter => {}
            }
            let answer = inner.call(request).await?;
            done.fetch_add(u64::from(answer.status().is_success()), Ordering::Relaxed);
            match fault {
                Fault::LostAfter => Script::BreaksOff.perform().await,
                Fault::FailedAfter => Script::error(500, "InternalServerError").perform().await,
                _ => Ok(answer),
            }
        })
    }
}

#[tokio::test]
async fn with_faults_never_more_than_the_limit_passes_and_nothing_counts_more_than_twice() {
    const WRITERS: u64 = 64;
    let dynamodb = dynamodb();
    for seed in 0..3 {
        let table = dynamodb.create().unwrap();
        let (limit, window) = (40, Duration::from_secs(40 * 60));
        let quota = Quota::new(limit, window, limit).unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let connector = Faulty::new(Random::new(seed * WRITERS + writer));
            let state = patient(state(&table, connector.clone(), &format!("http://{}", dynamodb.address())));
            writers.spawn(async move {
                let verdict = state.take("hot", &quota, 1, NOW, LONG).await;
                (verdict, connector.done.load(Ordering::Relaxed))
            });
        }
        let outcomes = writers.join_all().await;
        let passed = outcomes.iter().filter(|(verdict, _)| verdict.is_ok_and(|verdict| verdict.allowed)).count();
        assert!(passed <= limit as usize, "{passed} passed");
        assert!(passed > 10, "and some do: {passed}");
        assert!(outcomes.iter().all(|(_, done)| *done <= 2), "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .filter(|(verdict, _)| verdict.is_ok_and(|verdict| verdict.allowed))
                .all(|(_, done)| *done > 0)
        );
        let drawn: u64 = outcomes.iter().map(|(_, done)| done).sum();
        let key = json!({ "TableName": table, "Key": { "id": { "S": "limit:hot" } } });
        let tat = &dynamodb.call("GetItem", &key).unwrap()["Item"]["tat"]["N"];
        assert_eq!(*tat, (NOW.as_micros() + drawn * 60_000_000).to_string());
        assert!(drawn <= u64::from(limit));
    }
}

/// A connector that loses so many answers.
#[derive(Debug, Clone)]
pub(super) struct Losing {
    pub(super) inner: Arc<Connector>,
    pub(super) loses: Arc<AtomicUsize>,
}

pub(super) const ALL: usize = usize::MAX;

impl HttpConnector for Losing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { inner, loses } = self.clone();
        HttpConnectorFuture::new(async move {
            let answer = inner.call(request).await?;
            let left = loses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if left.is_ok() { Script::BreaksOff.perform().await } else { Ok(answer) }
        })
    }
}

#[tokio::test]
async fn a_request_whose_answers_are_all_lost_counts_once() {
    const UNIT: Duration = Duration::from_secs(10);
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let endpoint = format!("http://{}", dynamodb.address());
    let quota = quota(4, 40);
    // units that the request before drew; how much later this one comes; whether the same process knows of it; units drawn afterwards
    let rows = [
        ("a new key", 0, Duration::ZERO, false, Some(1)),
        ("a full bucket", 1, 2 * UNIT, false, Some(1)),
        ("a full bucket, as was known", 1, 2 * UNIT, true, Some(1)),
        ("drawn from by another", 2, UNIT / 2, false, Some(3)),
        ("drawn from, as was known", 2, UNIT / 2, true, Some(3)),
        ("empty", 4, UNIT / 2, false, None),
        ("empty, as was known", 4, UNIT / 2, true, None),
    ];
    for (row, before, later, knows, after) in rows {
        let loses = Arc::new(AtomicUsize::new(0));
        let connector = Losing { inner: Arc::new(Connector(upstreams())), loses: Arc::clone(&loses) };
        let [own, other] = [(); 2].map(|()| patient(state(&table, connector.clone(), &endpoint)));
        if before > 0 {
            let process = if knows { &own } else { &other };
            assert!(process.take(row, &quota, before, NOW, LONG).await.unwrap().allowed);
        }
        let now = NOW + later;
        loses.store(ALL, Ordering::Relaxed);
        assert_eq!(own.take(row, &quota, 1, now, LONG).await, Err(StoreError), "{row}");
        let key = json!({ "TableName": table, "Key": { "id": { "S": format!("limit:{row}") } } });
        let tat = &dynamodb.call("GetItem", &key).unwrap()["Item"]["tat"]["N"];
        let full = |units: u32, since: Timestamp| (since + units * UNIT).as_micros().to_string();
        let expected = match after {
            Some(1) => full(1, now),
            Some(units) => full(units, NOW),
            None => full(before, NOW),
        };
        assert_eq!(*tat, expected, "{row}");
    }
}

#[tokio::test]
async fn a_known_key_that_was_deleted_counts_once_though_all_answers_are_lost() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let loses = Arc::new(AtomicUsize::new(0));
    let connector = Losing { inner: Arc::new(Connector(upstreams())), loses: Arc::clone(&loses) };
    let process = patient(state(&table, connector, &format!("http://{}", dynamodb.address())));
    let quota = quota(4, 40);
    process.take("a", &quota, 2, NOW, LONG).await.unwrap();
    let key = json!({ "TableName": table, "Key": { "id": { "S": "limit:a" } } });
    dynamodb.call("DeleteItem", &key).unwrap();
    loses.store(ALL, Ordering::Relaxed);
    assert_eq!(process.take("a", &quota, 1, NOW, LONG).await, Err(StoreError));
    let tat = &dynamodb.call("GetItem", &key).unwrap()["Item"]["tat"]["N"];
    assert_eq!(*tat, (NOW.as_micros() + 10_000_000).to_string());
}

#[tokio::test]
async fn an_update_that_was_done_although_its_answer_was_lost_is_known_by_its_name() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let loses = Arc::new(AtomicUsize::new(0));
    let connector = Losing { inner: Arc::new(Connector(upstreams())), loses: Arc::clone(&loses) };
    let process = patient(state(&table, connector, &format!("http://{}", dynamodb.address())));
    let quota = quota(2, 20);
    let key = json!({ "TableName": table, "Key": { "id": { "S": "limit:a" } } });
    // it begins, and it continues with the last unit
    for drawn in [1, 2] {
        loses.store(1, Ordering::Relaxed);
        let verdict = process.take("a", &quota, 1, NOW, LONG).await.unwrap();
        assert_eq!((verdict.allowed, verdict.remaining), (true, 2 - drawn));
        assert_eq!(verdict.reset, Duration::from_secs(10) * drawn);
        let tat = &dynamodb.call("GetItem", &key).unwrap()["Item"]["tat"]["N"];
        assert_eq!(*tat, (NOW.as_micros() + 10_000_000 * u64::from(drawn)).to_string());
    }
    loses.store(1, Ordering::Relaxed);
    assert!(!process.take("a", &quota, 1, NOW, LONG).await.unwrap().allowed);
}
