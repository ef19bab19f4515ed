//! Limits of any rules, in a real DynamoDB, as far as moto is one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use portico_core::limit;
use portico_core::sim::Random;
use tokio::task::JoinSet;

use super::emulator::{item, number, process};
use super::*;

fn gcra(limit: u32, seconds: u64) -> Rule {
    Rule::Gcra(quota(limit, seconds))
}

pub(super) fn sliding(limit: u32, seconds: u64) -> Rule {
    Rule::Window(Window::sliding(limit, Duration::from_secs(seconds)).unwrap())
}

/// Windows of this length, one of which is that of `now`.
pub(super) fn fixed(limit: u32, seconds: u64, now: Timestamp) -> Rule {
    let begun = now.as_secs() / seconds * seconds;
    let ends = [begun, begun + seconds, begun + 2 * seconds].map(Timestamp::from_secs);
    Rule::Window(Window::fixed(limit, ends))
}

pub(super) fn allowed(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.allowed)
}

/// A connector that keeps which operations it was asked for.
#[derive(Debug, Clone)]
struct Counted {
    inner: Arc<Connector>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Counted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        self.asked.lock().unwrap().push(target.rsplit('.').next().unwrap().to_owned());
        self.inner.call(request)
    }
}

fn counted(dynamodb: &DynamoDb, table: &str) -> (State, Arc<Mutex<Vec<String>>>) {
    let connector = Counted { inner: Arc::new(Connector(upstreams())), asked: Arc::default() };
    let asked = Arc::clone(&connector.asked);
    (patient(state(table, connector, &format!("http://{}", dynamodb.address()))), asked)
}

/// A key's rules at a time. By the number theirs differ.
type Rules = fn(u32, Timestamp) -> Vec<Rule>;

#[tokio::test]
async fn every_step_of_any_rules_is_the_one_that_core_would_take() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let processes = [process(dynamodb, &table), process(dynamodb, &table)];
    let random = Random::new(11);
    let next = |below| random.below(below);
    // what a configuration changes now and then
    let kinds: [(&str, Rules); 5] = [
        ("gcra", |n, _| vec![gcra(4 * n, 20)]),
        ("sliding", |n, _| vec![sliding(4 * n, 30 / u64::from(n))]),
        ("fixed", |n, now| vec![fixed(4 * n, 20, now)]),
        ("two", |n, now| vec![sliding(3 * n, 10), fixed(8 / n, 60, now)]),
        ("three", |n, now| vec![gcra(5, 10 / u64::from(n)), sliding(9, 60 / u64::from(n)), fixed(20, 600, now)]),
    ];
    let mut states: HashMap<&str, limit::State> = HashMap::new();
    let mut now = NOW;
    let mut seen = [0; 2];
    for turn in 0..600 {
        let (key, rules) = kinds[next(5) as usize];
        let rules = rules(if next(10) == 0 { 2 } else { 1 }, now);
        let units = next(4) as u32;
        let draw = match next(8) {
            0 => Draw::Charge(units),
            1 => Draw::Return(units),
            _ => Draw::Take(1 + units % 3),
        };
        now = now + if next(30) == 0 { Duration::from_secs(next(120)) } else { Duration::from_micros(next(2_000_000)) };
        let (expected, after) = limit::step(&rules, states.get(key).unwrap_or(&limit::State::default()), now, draw);
        states.insert(key, after);
        let verdicts = processes[next(2) as usize].step(key, &rules, draw, || now, LONG).await.unwrap();
        assert_eq!(verdicts, expected, "turn {turn}: {key} {rules:?} {draw:?} {now:?}");
        seen[usize::from(allowed(&verdicts))] += 1;
    }
    assert!(seen.iter().all(|count| *count > 60), "{seen:?}");
}

#[tokio::test]
async fn of_64_writers_exactly_the_limit_passes_whatever_the_rules() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let rules: [(&str, Vec<Rule>); 3] = [
        ("sliding", vec![sliding(20, 3_600)]),
        ("fixed", vec![fixed(20, 86_400, NOW)]),
        ("two", vec![gcra(40, 3_600), fixed(20, 86_400, NOW)]),
    ];
    for (key, rules) in rules {
        let rules: Arc<[Rule]> = rules.into();
        let mut writers = JoinSet::new();
        for _ in 0..8 {
            let process = Arc::new(process(dynamodb, &table));
            for _ in 0..8 {
                let (process, rules) = (Arc::clone(&process), Arc::clone(&rules));
                writers.spawn(async move {
                    allowed(&process.step(key, &rules, Draw::Take(1), || NOW, LONG).await.unwrap())
                });
            }
        }
        assert_eq!(writers.join_all().await.into_iter().filter(|allowed| *allowed).count(), 20, "{key}");
        let other = process(dynamodb, &table);
        assert!(!allowed(&other.step(key, &rules, Draw::Take(1), || NOW, LONG).await.unwrap()), "{key}");
    }
}

#[tokio::test]
async fn what_changes_nothing_is_read_and_not_written() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let (process, asked) = counted(dynamodb, &table);
    let asked = || std::mem::take(&mut *asked.lock().unwrap());
    let rules = [gcra(5, 1), sliding(2, 60), fixed(100, 86_400, NOW)];
    for _ in 0..2 {
        assert!(allowed(&process.step("a", &rules, Draw::Take(1), || NOW, LONG).await.unwrap()));
    }
    assert_eq!(asked(), ["UpdateItem", "UpdateItem"], "one each");
    // the bucket is full again by then, which is nothing to write either
    let later = NOW + Duration::from_secs(30);
    for draw in [Draw::Take(1), Draw::Take(0), Draw::Charge(0), Draw::Return(0)] {
        process.step("a", &rules, draw, || later, LONG).await.unwrap();
        assert_eq!(asked(), ["GetItem"], "{draw:?}");
    }
    let (other, asked) = counted(dynamodb, &table);
    assert!(!allowed(&other.step("a", &rules, Draw::Take(1), || later, LONG).await.unwrap()));
    assert_eq!(*asked.lock().unwrap(), ["UpdateItem"], "and a failed one says what the item holds");
}

#[tokio::test]
async fn nobody_is_denied_by_what_is_over() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let [one, other] = [process(dynamodb, &table), process(dynamodb, &table)];
    let rules = [fixed(2, 86_400, NOW)];
    let take = async |process: &State| allowed(&process.step("a", &rules, Draw::Take(2), || NOW, LONG).await.unwrap());
    assert!(take(&one).await);
    assert!(!take(&one).await);
    other.step("a", &rules, Draw::Return(2), || NOW, LONG).await.unwrap();
    assert!(take(&one).await);
    assert!(!take(&other).await);
}

#[tokio::test]
async fn each_attempt_has_a_time_of_its_own() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let [one, other] = [process(dynamodb, &table), process(dynamodb, &table)];
    let rules = [sliding(1, 60)];
    one.step("a", &rules, Draw::Take(1), || NOW, LONG).await.unwrap();
    // it thinks that the key is new, and asks again when the window is over
    let times = AtomicUsize::new(0);
    let now = || NOW + if times.fetch_add(1, Ordering::Relaxed) < 1 { Duration::ZERO } else { Duration::from_secs(62) };
    assert!(allowed(&other.step("a", &rules, Draw::Take(1), now, LONG).await.unwrap()));
    assert_eq!(times.into_inner(), 2);
}

#[tokio::test]
async fn a_lone_gcra_is_one_item_whatever_is_done() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let [one, other] = [process(dynamodb, &table), process(dynamodb, &table)];
    let rules = [gcra(10, 100)];
    for (process, draw, units) in [
        (&one, Draw::Charge(2), 2),
        (&other, Draw::Take(3), 5),
        (&one, Draw::Return(4), 1),
        (&one, Draw::Take(1), 2),
        (&one, Draw::Charge(100), 10),
        (&other, Draw::Return(1), 9),
    ] {
        let verdicts = process.step("a", &rules, draw, || NOW, LONG).await.unwrap();
        assert_eq!(verdicts[0].remaining, 10 - units, "{draw:?}");
        let item = item(dynamodb, &table, "limit:a");
        assert_eq!(number(&item, "tat"), (NOW + Duration::from_secs(10) * units).as_micros());
    }
}

#[tokio::test]
async fn items_of_any_rules_say_when_they_may_go_and_begin_anew_when_they_are_over() {
    let dynamodb = dynamodb();
    let table = dynamodb.create().unwrap();
    let rules = [sliding(2, 60), fixed(5, 86_400, NOW)];
    let own = process(dynamodb, &table);
    own.step("a", &rules, Draw::Take(2), || NOW, LONG).await.unwrap();
    let midnight = NOW.as_secs() / 86_400 * 86_400 + 86_400;
    assert_eq!(number(&item(dynamodb, &table, "limit:a"), "expires"), midnight + 3_600 + 1);
    own.step("a", &rules, Draw::Return(2), || NOW, LONG).await.unwrap();
    // as if it had never been, and no longer ago than that
    assert_eq!(number(&item(dynamodb, &table, "limit:a"), "expires"), NOW.as_secs() + 3_600 + 1);

    // who never saw it needs one update
    let (other, asked) = counted(dynamodb, &table);
    let then = NOW + Duration::from_secs(2);
    assert!(allowed(&other.step("a", &rules, Draw::Take(1), || then, LONG).await.unwrap()));
    assert_eq!(*asked.lock().unwrap(), ["UpdateItem"]);
    let held = item(dynamodb, &table, "limit:a");
    assert_eq!(held["state"]["S"].as_str().unwrap().split(' ').count(), 6, "{held}");
}
