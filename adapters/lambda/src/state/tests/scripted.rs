//! One request at a time against a DynamoDB that answers what it is told to.

use std::collections::VecDeque;
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::error::ConnectorError;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

#[derive(Debug, Clone)]
pub(super) enum Script {
    Answers(u16, Value),
    Garbage,
    Unreachable,
    BreaksOff,
    Hangs,
}

use Script::{Answers, BreaksOff, Garbage, Hangs, Unreachable};

impl Script {
    pub(super) fn error(status: u16, code: &str) -> Self {
        Answers(status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "so it is" }))
    }

    fn done(before: Option<u64>) -> Self {
        Answers(200, before.map_or(json!({}), |tat| json!({ "Attributes": item(tat) })))
    }

    fn not(stored: u64) -> Self {
        let Answers(status, mut answer) = Self::error(400, "ConditionalCheckFailedException") else { unreachable!() };
        answer["Item"] = item(stored);
        Answers(status, answer)
    }

    pub(super) async fn perform(self) -> Result<HttpResponse, ConnectorError> {
        let (status, text) = match self {
            Answers(status, answer) => (status, answer.to_string()),
            Garbage => (200, "<html>".to_owned()),
            Unreachable => return Err(ConnectorError::io("no connection".into())),
            BreaksOff => return Err(ConnectorError::other("it broke off".into(), None)),
            Hangs => std::future::pending().await,
        };
        Ok(HttpResponse::new(status.try_into().unwrap(), text.into()))
    }
}

fn item(tat: u64) -> Value {
    json!({ "id": { "S": "limit:a" }, "tat": { "N": tat.to_string() } })
}

/// Answers in the order of the script, then its last answer for ever, and keeps what it was asked.
#[derive(Debug, Clone)]
struct Scripted {
    script: Arc<Mutex<VecDeque<Script>>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(serde_json::from_slice(request.body().bytes().unwrap()).unwrap());
        let mut script = self.script.lock().unwrap();
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        HttpConnectorFuture::new(next.unwrap().perform())
    }
}

fn scripted(script: impl IntoIterator<Item = Script>) -> (State, Scripted) {
    let connector = Scripted { script: Arc::new(Mutex::new(script.into_iter().collect())), asked: Arc::default() };
    (state("table", connector.clone(), "http://dynamodb.test"), connector)
}

/// What one request against this script comes to, and how often DynamoDB was asked.
async fn one(script: impl IntoIterator<Item = Script>) -> (Result<Verdict, StoreError>, usize) {
    let (state, connector) = scripted(script);
    let started = Instant::now();
    let verdict = state.take("a", &quota(2, 60), 1, NOW).await;
    assert!(started.elapsed() <= Duration::from_secs(1), "{:?}", started.elapsed());
    let asked = connector.asked.lock().unwrap().len();
    (verdict, asked)
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_one_update_without_a_read() {
    let (state, connector) = scripted([Script::done(None)]);
    let verdict = state.take("a", &quota(2, 60), 1, NOW).await.unwrap();
    assert!(verdict.allowed && verdict.remaining == 1);
    let asked = connector.asked.lock().unwrap();
    let [update] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(update["TableName"], "table");
    assert_eq!(update["Key"], json!({ "id": { "S": "limit:a" } }));
    assert_eq!(update["ConditionExpression"], "attribute_not_exists(tat) OR tat < :now");
    assert_eq!(update["ExpressionAttributeValues"][":next"]["N"], (NOW.as_micros() + 30_000_000).to_string());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_just_asked_for_is_one_update_too() {
    let tat = NOW.as_micros() + 30_000_000;
    let (state, connector) = scripted([Script::done(None), Script::done(Some(tat)), Script::done(None)]);
    let quota = quota(2, 60);
    assert_eq!(state.take("a", &quota, 1, NOW).await.unwrap().remaining, 1);
    assert_eq!(state.take("a", &quota, 1, NOW).await.unwrap().remaining, 0);
    // by now its bucket is full again
    state.take("a", &quota, 1, NOW + Duration::from_secs(61)).await.unwrap();
    let asked = connector.asked.lock().unwrap();
    let updates: Vec<_> = asked.iter().map(|update| update["UpdateExpression"].as_str().unwrap()).collect();
    assert_eq!(
        updates,
        [
            "SET tat = :next, expires = :expires",
            "SET tat = tat + :drawn, expires = :expires",
            "SET tat = :next, expires = :expires"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_denied_request_writes_nothing() {
    let (verdict, asked) = one([Script::not(NOW.as_micros() + 60_000_000)]).await;
    let verdict = verdict.unwrap();
    assert!(!verdict.allowed);
    assert_eq!((verdict.retry_after, asked), (Duration::from_secs(30), 1));
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_tries_again_for_a_while() {
    let throttled = || Script::error(400, "ProvisionedThroughputExceededException");
    for turned_away in [throttled(), Script::error(400, "ThrottlingException"), Unreachable] {
        let (verdict, asked) = one([turned_away.clone(), turned_away.clone(), Script::done(None)]).await;
        assert!(verdict.unwrap().allowed);
        assert_eq!(asked, 3, "{turned_away:?}");
        assert_eq!(one([turned_away]).await, (Err(StoreError), 6));
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_that_may_have_been_done_is_made_once_more_and_not_twice() {
    for lost in [BreaksOff, Hangs, Garbage, Script::error(500, "InternalServerError"), Answers(503, json!({}))] {
        let (verdict, asked) = one([lost.clone(), Script::done(None)]).await;
        assert!(verdict.unwrap().allowed, "{lost:?}");
        assert_eq!(asked, 2, "{lost:?}");
        assert_eq!(one([lost.clone(), lost.clone(), Script::done(None)]).await, (Err(StoreError), 2), "{lost:?}");
        // nor when it was turned away in between
        let throttled = Script::error(400, "ThrottlingException");
        assert_eq!(one([lost.clone(), throttled, lost, Script::done(None)]).await, (Err(StoreError), 3));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_although_its_answer_was_lost_counts_twice_at_most() {
    // the first update was done: of a bucket of two this request has both
    let tat = NOW.as_micros() + 30_000_000;
    let (verdict, asked) = one([BreaksOff, Script::not(tat), Script::done(Some(tat))]).await;
    let verdict = verdict.unwrap();
    assert_eq!((verdict.allowed, verdict.remaining, asked), (true, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn what_will_always_fail_is_asked_once() {
    for code in ["AccessDeniedException", "ResourceNotFoundException", "ValidationException", "Unheard"] {
        assert_eq!(one([Script::error(400, code)]).await, (Err(StoreError), 1), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_never_stands_still_and_one_that_is_none_are_errors() {
    let (full, rested) = (NOW.as_micros() + 1, NOW.as_micros() - 1);
    let restless = [full, rested, full, rested, full, rested].map(Script::not);
    assert_eq!(one(restless).await, (Err(StoreError), 5));
    for none in [json!({ "S": "soon" }), json!({ "N": "-1" }), json!({ "N": "1.5" })] {
        let answer = Answers(200, json!({ "Attributes": { "id": { "S": "limit:a" }, "tat": none } }));
        assert_eq!(one([answer]).await, (Err(StoreError), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn values_are_asked_for_again_as_well() {
    let value = Answers(200, json!({ "Item": { "id": { "S": "k" }, "value": { "S": "text" } } }));
    let (state, connector) = scripted([Script::error(400, "ThrottlingException"), BreaksOff, value]);
    assert_eq!(state.read("k").await.unwrap().unwrap(), "text");
    let (deaf, _) = scripted([Hangs]);
    assert_eq!(deaf.read("k").await, Err(StoreError));
    assert_eq!(deaf.write("k", b"v", Duration::from_secs(1), NOW).await, Err(StoreError));
    assert_eq!(connector.asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn without_credentials_nothing_is_asked() {
    let (_, connector) = scripted([Script::done(None)]);
    for missing in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let all = environment("http://dynamodb.test");
        let some = |name: &str| if name == missing { None } else { all(name) };
        let state = State::of(Table::new("table".to_owned(), connector::client(connector.clone()), some));
        assert_eq!(state.take("a", &quota(1, 1), 1, NOW).await, Err(StoreError));
    }
    assert!(connector.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_none_and_one_that_breaks_off_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let ask = || {
        let request = http::Request::get(&endpoint).body(b"{}".to_vec().into()).unwrap();
        Connector(upstreams()).call(HttpRequest::try_from(request).unwrap())
    };
    let accepting = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
    });
    assert!(!ask().await.unwrap_err().is_io());
    accepting.join().unwrap();
    assert!(ask().await.unwrap_err().is_io());
}
