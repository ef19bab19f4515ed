//! When connections are made. The clock stands still unless a test moves it.

use tokio::net::TcpListener;
use tokio::time::advance;

use super::super::question::Purpose;
use super::super::tests::{Asked, answer, connections, freeze, scripted, scripted_for};
use super::*;

fn ping() -> Question {
    Question::Command(Purpose::Limits, redis::cmd("PING"))
}

#[tokio::test]
async fn a_failure_is_shared_until_the_next_attempt() {
    let _frozen = freeze();
    let (redis, asked) = scripted_for("me:password@", |_, _| "-WRONGPASS invalid").await;
    let ping = ping();
    for _ in 0..3 {
        let (one, other) = tokio::join!(redis.link.ask(&ping), redis.link.ask(&ping));
        assert!(one.is_err() && other.is_err());
    }
    assert_eq!(connections(&asked), [1]);
    advance(PAUSE - Duration::from_millis(1)).await;
    redis.link.ask(&ping).await.unwrap_err();
    assert!(connections(&asked).is_empty());
    advance(Duration::from_millis(1)).await;
    redis.link.ask(&ping).await.unwrap_err();
    redis.link.ask(&ping).await.unwrap_err();
    assert_eq!(connections(&asked), [2]);
}

#[tokio::test]
async fn a_redis_that_no_connection_helps_is_not_stormed() {
    let _frozen = freeze();
    let (redis, asked) = scripted(|_, _| "-READONLY it is a replica").await;
    let ask = async || {
        redis.link.ask(&ping()).await.unwrap_err();
        connections(&asked)
    };
    assert_eq!([ask().await, ask().await, ask().await], [[1, 2], [2, 2], [2, 2]]);
    advance(PAUSE).await;
    assert_eq!([ask().await, ask().await], [[3, 4], [4, 4]]);
}

#[tokio::test]
async fn where_another_node_is_nobody_is_told() {
    let moved = |_: usize, _: &str| "-MOVED 3999 10.0.0.9:6381";
    let ask = |_: usize, _: &str| "-ASK 3999 10.0.0.9:6381";
    for (says, said) in [(moved as fn(_, &_) -> _, "it answered MOVED"), (ask, "it answered ASK")] {
        let (redis, _asked) = scripted(says).await;
        let trouble = redis.link.ask(&ping()).await.unwrap_err();
        assert_eq!(trouble.to_string(), said);
        assert!(trouble.help().contains("put a proxy in front"), "{trouble:?}");
    }
}

/// A link to a listener at which nobody answers yet.
async fn unanswered() -> (Arc<Link>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("redis://{}", listener.local_addr().unwrap());
    (Arc::new(Link::new(&address, RootCertStore::empty).unwrap()), listener)
}

fn ask(link: &Arc<Link>) -> tokio::task::JoinHandle<Result<Value, Trouble>> {
    let link = Arc::clone(link);
    tokio::spawn(async move { link.ask(&ping()).await })
}

#[tokio::test]
async fn an_attempt_does_not_end_with_who_began_it() {
    let _frozen = freeze();
    let (link, listener) = unanswered().await;
    let first = ask(&link);
    let (stream, _) = listener.accept().await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    tokio::spawn(answer(stream, 1, |_, _| "+PONG", Asked::default()));
    assert_eq!(ask(&link).await.unwrap().unwrap(), Value::SimpleString("PONG".to_owned()));
    assert!(listener.into_std().unwrap().accept().is_err(), "one connection");
}

#[tokio::test]
async fn an_attempt_takes_a_second_and_nobody_waits_for_another() {
    let _frozen = freeze();
    let (link, listener) = unanswered().await;
    let first = ask(&link);
    let _silent = listener.accept().await.unwrap();
    advance(TIMEOUT / 2).await;
    let second = ask(&link);
    tokio::task::yield_now().await;
    // timers are due at whole milliseconds
    advance(TIMEOUT / 2 + Duration::from_millis(1)).await;
    // at once: no more time passes
    for asked in [first, second, ask(&link)] {
        assert!(matches!(asked.await.unwrap(), Err(Trouble::Silent)));
    }
    assert!(listener.into_std().unwrap().accept().is_err(), "one connection");
}
