//! A DynamoDB that turns away, breaks off before it did what it was told, and breaks off afterwards.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use portico_core::sim::Random;
use portico_tests::dynamodb::DynamoDb;
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
struct Faulty {
    inner: Arc<Connector>,
    random: Arc<Mutex<Random>>,
    done: Arc<AtomicU64>,
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
    let dynamodb = DynamoDb::start().unwrap();
    for seed in 0..3 {
        let table = dynamodb.create().unwrap();
        let (limit, window) = (40, Duration::from_secs(40 * 60));
        let quota = Quota::new(limit, window, limit).unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let connector = Faulty {
                inner: Arc::new(Connector(upstreams())),
                random: Arc::new(Mutex::new(Random::new(seed * WRITERS + writer))),
                done: Arc::default(),
            };
            let state = patient(state(&table, connector.clone(), &format!("http://{}", dynamodb.address())));
            writers.spawn(async move {
                let verdict = state.take("hot", &quota, 1, NOW).await;
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
