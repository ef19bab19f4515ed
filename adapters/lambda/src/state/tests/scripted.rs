//! One request at a time against a DynamoDB that answers what it is told to.

use std::collections::VecDeque;
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
pub(super) struct Scripted {
    script: Arc<Mutex<VecDeque<Script>>>,
    pub(super) asked: Arc<Mutex<Vec<Value>>>,
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(serde_json::from_slice(request.body().bytes().unwrap()).unwrap());
        let mut script = self.script.lock().unwrap();
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        HttpConnectorFuture::new(next.unwrap().perform())
    }
}

pub(super) fn scripted(script: impl IntoIterator<Item = Script>) -> (State, Scripted) {
    let connector = Scripted { script: Arc::new(Mutex::new(script.into_iter().collect())), asked: Arc::default() };
    (state("table", connector.clone(), "http://dynamodb.test"), connector)
}

/// Which updates were asked for, by their conditions.
fn conditions(connector: &Scripted) -> Vec<String> {
    let asked = connector.asked.lock().unwrap();
    asked.iter().map(|update| update["ConditionExpression"].as_str().unwrap().to_owned()).collect()
}

const BEGIN: &str = "attribute_not_exists(tat) OR tat < :now";
const CONTINUE: &str = "tat BETWEEN :now AND :last AND (attribute_not_exists(step) OR step <> :step)";

/// What one request against this script comes to, and how often DynamoDB was asked.
async fn one(script: impl IntoIterator<Item = Script>) -> (Result<Verdict, StoreError>, usize) {
    let (state, connector) = scripted(script);
    let started = Instant::now();
    let verdict = state.take("a", &quota(2, 60), 1, NOW, LONG).await;
    assert!(started.elapsed() <= Duration::from_secs(1), "{:?}", started.elapsed());
    let asked = connector.asked.lock().unwrap().len();
    (verdict, asked)
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_one_update_without_a_read() {
    let (state, connector) = scripted([Script::done(None)]);
    let verdict = state.take("a", &quota(2, 60), 1, NOW, LONG).await.unwrap();
    assert!(verdict.allowed && verdict.remaining == 1);
    let asked = connector.asked.lock().unwrap();
    let [update] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(update["TableName"], "table");
    assert_eq!(update["Key"], json!({ "id": { "S": "limit:a" } }));
    assert_eq!(update["ConditionExpression"], BEGIN);
    assert_eq!(update["ExpressionAttributeValues"][":next"]["N"], (NOW.as_micros() + 30_000_000).to_string());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_just_asked_for_is_one_update_too() {
    let tat = NOW.as_micros() + 30_000_000;
    let (state, connector) = scripted([Script::done(None), Script::done(Some(tat)), Script::done(None)]);
    let quota = quota(2, 60);
    assert_eq!(state.take("a", &quota, 1, NOW, LONG).await.unwrap().remaining, 1);
    assert_eq!(state.take("a", &quota, 1, NOW + Duration::from_secs(1), LONG).await.unwrap().remaining, 0);
    // by now its bucket is full again
    state.take("a", &quota, 1, NOW + Duration::from_secs(61), LONG).await.unwrap();
    assert_eq!(conditions(&connector), [BEGIN, CONTINUE, BEGIN]);
}

#[tokio::test(start_paused = true)]
async fn a_denied_request_writes_nothing() {
    let (verdict, asked) = one([Script::not(NOW.as_micros() + 60_000_000)]).await;
    let verdict = verdict.unwrap();
    assert!(!verdict.allowed);
    assert_eq!((verdict.retry_after, asked), (Duration::from_secs(30), 1));
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_full_from_this_moment_on_is_continued() {
    let (state, connector) = scripted([Script::not(NOW.as_micros()), Script::done(Some(NOW.as_micros()))]);
    assert_eq!(state.take("a", &quota(2, 60), 1, NOW, LONG).await.unwrap().remaining, 1);
    assert_eq!(conditions(&connector), [BEGIN, CONTINUE]);
}

#[tokio::test(start_paused = true)]
async fn a_request_is_denied_whether_or_not_a_state_can_be_cut_down() {
    for failure in [BreaksOff, Script::error(400, "AccessDeniedException")] {
        let (state, connector) = scripted([Script::not(NOW.as_micros() + 90_000_000), failure]);
        assert!(!state.take("a", &quota(2, 60), 1, NOW, LONG).await.unwrap().allowed);
        assert_eq!(conditions(&connector), [BEGIN, "tat > :over"]);
    }
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
async fn an_update_that_may_have_been_done_is_followed_by_one_more_and_no_third() {
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
async fn what_follows_a_lost_update_is_the_one_that_holds_if_that_did_not() {
    let tat = NOW.as_micros() + 30_000_000;
    let lost = || [BreaksOff, Script::not(tat), Script::done(Some(tat))];
    let (state, connector) = scripted(lost());
    state.take("a", &quota(3, 90), 1, NOW, LONG).await.unwrap();
    assert_eq!(conditions(&connector), [BEGIN, CONTINUE, CONTINUE]);

    let (state, connector) = scripted([Script::done(None)].into_iter().chain(lost()));
    for _ in 0..2 {
        state.take("a", &quota(3, 90), 1, NOW, LONG).await.unwrap();
    }
    assert_eq!(conditions(&connector), [BEGIN, CONTINUE, BEGIN, CONTINUE]);
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
    assert_eq!(state.read("k", LONG).await.unwrap().unwrap(), "text");
    let (deaf, _) = scripted([Hangs]);
    assert_eq!(deaf.read("k", LONG).await, Err(StoreError));
    assert_eq!(deaf.write("k", b"v", Duration::from_secs(1), NOW, LONG).await, Err(StoreError));
    assert_eq!(connector.asked.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_longer_than_what_is_left_of_the_invocation() {
    let (deaf, _) = scripted([Hangs]);
    for left in [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(500)] {
        let started = Instant::now();
        assert_eq!(deaf.take("a", &quota(2, 60), 1, NOW, left).await, Err(StoreError));
        assert_eq!(deaf.read("k", left).await, Err(StoreError));
        assert_eq!(deaf.write("k", b"v", LONG, NOW, left).await, Err(StoreError));
        // tokio counts in milliseconds
        assert!(started.elapsed() <= 3 * (left + Duration::from_millis(1)), "{left:?}: {:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_for_an_item_is_not_sent() {
    let (state, connector) = scripted([Answers(200, json!({}))]);
    let value = vec![b'x'; 400 * 1024];
    let key = "jwks/test";
    // 64 bytes for the names of attributes and the time
    let fits = value.len() - 64 - key.len();
    state.write(key, &value[..fits], LONG, NOW, LONG).await.unwrap();
    assert_eq!((connector.asked.lock().unwrap().len(), state.too_large.is_completed()), (1, false));
    for _ in 0..2 {
        assert_eq!(state.write(key, &value[..=fits], LONG, NOW, LONG).await, Err(StoreError));
    }
    assert_eq!((connector.asked.lock().unwrap().len(), state.too_large.is_completed()), (1, true));
}

#[tokio::test]
async fn without_credentials_nothing_is_asked() {
    let (_, connector) = scripted([Script::done(None)]);
    for missing in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let all = environment("http://dynamodb.test");
        let some = |name: &str| if name == missing { None } else { all(name) };
        let state = State::of(Table::new("table".to_owned(), connector::client(connector.clone()), some));
        assert_eq!(state.take("a", &quota(1, 1), 1, NOW, LONG).await, Err(StoreError));
    }
    assert!(connector.asked.lock().unwrap().is_empty());
}
