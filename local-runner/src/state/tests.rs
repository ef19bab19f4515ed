//! Against a Redis that is asked for nothing but says what a test wants to hear. Real ones are in tests/tests/redis.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use portico_core::StoreError;
use portico_core::limit::{Quota, Rule};
use rustls::RootCertStore;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Lets the clock stand still until this is dropped, but for a test that moves it. By itself it would jump whenever a test waits for
/// anything but the clock; it does not while there is work outside.
pub(super) fn freeze() -> mpsc::Sender<()> {
    tokio::time::pause();
    let (frozen, thaws) = mpsc::channel();
    tokio::task::spawn_blocking(move || {
        // a net under a test that waits for the clock; what passes never waits for it
        if thaws.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("somebody waits for a clock that stands still");
            std::process::exit(101);
        }
    });
    frozen
}

/// What it was asked, by which connection.
pub(super) type Asked = Arc<Mutex<Vec<(usize, String)>>>;

/// One that answers as `says` says of the number of the connection and a command, whose words have spaces between them. Where that is
/// nothing it hangs up.
pub(super) async fn scripted(says: fn(usize, &str) -> &'static str) -> (Redis, Asked) {
    scripted_for("", says).await
}

/// The same, for whoever logs in as this.
pub(super) async fn scripted_for(user: &str, says: fn(usize, &str) -> &'static str) -> (Redis, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        for number in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(stream, number, says, Arc::clone(&told)));
        }
    });
    (Redis::new(&format!("redis://{user}{address}"), RootCertStore::empty).unwrap(), asked)
}

pub(super) async fn answer(stream: TcpStream, number: usize, says: fn(usize, &str) -> &'static str, asked: Asked) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let mut words = Vec::new();
        for _ in 0..line.trim_end()[1..].parse().unwrap() {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let mut word = vec![0; line.trim_end()[1..].parse::<usize>().unwrap() + 2];
            stream.read_exact(&mut word).await.unwrap();
            words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
        }
        line.clear();
        let command = words.join(" ");
        // what the crate says of itself
        let answer = if command.starts_with("CLIENT") { "+OK" } else { says(number, &command) };
        if !command.starts_with("CLIENT") {
            asked.lock().unwrap().push((number, command));
        }
        if answer.is_empty() {
            return;
        }
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

fn told(asked: &Asked) -> Vec<(usize, String)> {
    std::mem::take(&mut *asked.lock().unwrap())
}

/// What is said of one of three units.
async fn take(redis: &Redis) -> Result<bool, StoreError> {
    step(redis, Draw::Take(1)).await
}

async fn step(redis: &Redis, draw: Draw) -> Result<bool, StoreError> {
    let quota = Quota::new(3, Duration::from_secs(3), 3).unwrap();
    let verdicts = redis.step("a", &[Rule::Gcra(quota)], draw).await?;
    Ok(verdicts.iter().all(|verdict| verdict.allowed))
}

/// By which connections it was asked anything.
pub(super) fn connections(asked: &Asked) -> Vec<usize> {
    told(asked).into_iter().map(|(connection, _)| connection).collect()
}

/// What the script answers.
const OK: &str = "*2\r\n:5\r\n$1\r\n5";

#[tokio::test]
async fn values_are_written_with_their_time() {
    let (redis, asked) = scripted(|_, _| "+OK").await;
    redis.write("jwks/one", Bytes::from("text"), Duration::from_secs(60)).await.unwrap();
    redis.write("jwks/one", Bytes::new(), Duration::ZERO).await.unwrap();
    redis.write("jwks/one", Bytes::new(), Duration::MAX).await.unwrap();
    let told = told(&asked);
    let set = |text: &str, millis: u64| (1, format!("SET portico:value:jwks/one {text} PX {millis}"));
    assert_eq!(told, [set("text", 60_000), set("", 1), set("", LONGEST)]);
    assert_eq!(redis.write("jwks/one", vec![0; MAX_VALUE + 1].into(), Duration::MAX).await, Err(StoreError));
    for key in ["", "..", "a b", "a/../b"] {
        assert_eq!(redis.write(key, Bytes::new(), Duration::MAX).await, Err(StoreError), "{key}");
        assert_eq!(redis.read(key).await, Err(StoreError), "{key}");
    }
}

#[tokio::test]
async fn values_are_read_as_they_are() {
    let says = |_: usize, command: &str| match command {
        "GET portico:value:there" => "$4\r\ntext",
        "GET portico:value:list" => "*0",
        _ => "$-1",
    };
    let (redis, _) = scripted(says).await;
    assert_eq!(redis.read("there").await, Ok(Some(Bytes::from("text"))));
    assert_eq!(redis.read("nowhere").await, Ok(None));
    assert_eq!(redis.read("list").await, Err(StoreError));
}

#[tokio::test]
async fn an_answer_of_another_form_is_none() {
    let others: [fn(usize, &str) -> &'static str; 5] = [
        |_, _| "+OK",
        |_, _| "*0",
        |_, _| "*1\r\n:1",
        |_, _| "*2\r\n:1\r\n:1",
        // of other rules
        |_, _| "*2\r\n:1\r\n$3\r\n1 2",
    ];
    for says in others {
        let (redis, asked) = scripted(says).await;
        assert_eq!(take(&redis).await, Err(StoreError), "{}", says(0, ""));
        assert_eq!(told(&asked).len(), 1, "{}", says(0, ""));
    }
}

#[tokio::test]
async fn who_refuses_is_not_asked_twice() {
    let (redis, asked) = scripted(|_, _| "-MOVED 3999 10.0.0.9:6381").await;
    for _ in 0..2 {
        assert_eq!(take(&redis).await, Err(StoreError));
    }
    assert_eq!(connections(&asked), [1, 1]);
}

#[tokio::test]
async fn who_is_not_the_one_to_ask_any_more_is_looked_for_anew() {
    // as Redis says it since 7, and before
    let new = |connection: usize, _: &str| if connection == 1 { "-READONLY it is a replica" } else { OK };
    let old = |connection: usize, _: &str| {
        if connection == 1 {
            "-ERR Error running script (call to f_1): @user_script:9: -READONLY You can't write"
        } else {
            OK
        }
    };
    for says in [new as fn(usize, &str) -> &'static str, old] {
        // whatever is done: a replica has not done it
        for draw in [Draw::Take(1), Draw::Return(1)] {
            let (redis, asked) = scripted(says).await;
            assert!(step(&redis, draw).await.unwrap());
            assert_eq!(connections(&asked), [1, 2], "{draw:?}");
        }
    }
}

#[tokio::test]
async fn what_may_have_been_given_back_is_not_given_back_again() {
    let says = |connection: usize, _: &str| if connection == 1 { "" } else { OK };
    for draw in [Draw::Take(1), Draw::Charge(1)] {
        let (redis, asked) = scripted(says).await;
        assert_eq!(step(&redis, draw).await, Ok(true), "{draw:?}");
        assert_eq!(connections(&asked), [1, 2], "{draw:?}");
    }
    let (redis, asked) = scripted(says).await;
    assert_eq!(step(&redis, Draw::Return(1)).await, Err(StoreError));
    assert_eq!(connections(&asked), [1]);
    assert!(take(&redis).await.unwrap(), "and whoever comes next is not waiting for it");
    assert_eq!(connections(&asked), [2]);
}

#[tokio::test]
async fn a_login_that_was_refused_is_tried_again_by_a_later_request() {
    let says = |connection: usize, command: &str| match (connection, command.starts_with("AUTH")) {
        (1, true) => "-WRONGPASS invalid username-password pair or user is disabled.",
        (_, true) => "+OK",
        (_, false) => OK,
    };
    let _frozen = freeze();
    let (redis, _asked) = scripted_for("me:password@", says).await;
    assert_eq!(take(&redis).await, Err(StoreError));
    tokio::time::advance(link::PAUSE).await;
    assert!(take(&redis).await.unwrap());
}

#[tokio::test]
async fn cached_responses_are_written_with_their_time_and_read_as_they_are() {
    let says = |_: usize, command: &str| match command {
        "GET portico:cache:there" => "$4\r\ntext",
        "GET portico:cache:list" => "*0",
        "GET portico:cache:nowhere" => "$-1",
        _ => "+OK",
    };
    let (redis, asked) = scripted(says).await;
    redis.keep_response("there", Some(Bytes::from("text")), Duration::from_secs(60)).await.unwrap();
    redis.keep_response("there", None, Duration::from_secs(60)).await.unwrap();
    let commands = ["SET portico:cache:there text PX 60000", "DEL portico:cache:there"];
    assert_eq!(told(&asked), commands.map(|command| (1, command.to_owned())));
    assert_eq!(redis.response("there").await, Ok(Some(Bytes::from("text"))));
    assert_eq!(redis.response("nowhere").await, Ok(None));
    assert_eq!(redis.response("list").await, Err(StoreError));
    assert_eq!(redis.response("..").await, Err(StoreError));
    // beside them limits have a connection of their own
    assert_eq!(take(&redis).await, Err(StoreError));
    assert_eq!(connections(&asked).last(), Some(&2));
}

#[tokio::test]
async fn too_many_purges_become_one_of_everything_before_they_go() {
    use portico_core::cache::{Purge, Scope};

    let says = |_: usize, command: &str| match command.split(' ').next() {
        Some("ZCARD") => ":1001",
        Some("ZRANGE") => {
            "*2\r\n$48\r\n{\"scope\":{\"tag\":\"a-tag-of\"},\"at\":0,\"soft\":false}\r\n$16\r\n1700000000000001"
        }
        _ => ":1",
    };
    let (redis, asked) = scripted(says).await;
    let at = portico_core::Timestamp::from_micros(1_700_000_000_000_009);
    redis.purge(&[Purge { scope: Scope::Tag("b".into()), at, soft: true }]).await.unwrap();
    let commands: Vec<_> = told(&asked).into_iter().map(|(_, command)| command).collect();
    assert_eq!(
        commands,
        [
            r#"ZADD portico:purges GT 1700000000000009 {"scope":{"tag":"b"},"at":0,"soft":true}"#,
            "ZCARD portico:purges",
            "ZRANGE portico:purges 500 500 WITHSCORES",
            r#"ZADD portico:purges GT 1700000000000001 {"scope":"everything","at":0,"soft":false}"#,
            "ZREMRANGEBYSCORE portico:purges -inf (1700000000000001",
        ]
    );
}
