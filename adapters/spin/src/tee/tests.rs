use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};

use portico_core::sim::Random;

use super::*;

/// What the origin has sent so far, and whether that was all.
#[derive(Default)]
struct Origin {
    sent: VecDeque<Vec<u8>>,
    ended: Option<Result<(), ErrorCode>>,
    asked: Option<Waker>,
    /// Whether nobody reads it any more.
    gone: bool,
}

#[derive(Default, Clone)]
struct Wire(Rc<RefCell<Origin>>);

impl Wire {
    fn send(&self, part: &[u8]) {
        self.0.borrow_mut().sent.push_back(part.to_vec());
        self.ring();
    }

    fn end(&self, ended: Result<(), ErrorCode>) {
        self.0.borrow_mut().ended = Some(ended);
        self.ring();
    }

    fn ring(&self) {
        let asked = self.0.borrow_mut().asked.take();
        if let Some(waker) = asked {
            waker.wake();
        }
    }
}

struct Reader(Wire);

impl Source for Reader {
    async fn part(&mut self) -> Option<Vec<u8>> {
        poll_fn(|task| {
            let mut origin = self.0.0.borrow_mut();
            match origin.sent.pop_front() {
                Some(part) => Poll::Ready(Some(part)),
                None if origin.ended.is_some() => Poll::Ready(None),
                None => {
                    origin.asked = Some(task.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    async fn end(self) -> Ended {
        let ended = self.0.0.borrow().ended.clone();
        ended.unwrap_or(Ok(())).map(|()| None)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.0.borrow_mut().gone = true;
    }
}

/// Counts how often a task was woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll(half: &mut Half<Reader>, woken: &Arc<Woken>) -> Poll<Option<Vec<u8>>> {
    let waker = Waker::from(Arc::clone(woken));
    pin!(half.part()).poll(&mut Context::from_waker(&waker))
}

fn part(text: &str) -> Poll<Option<Vec<u8>>> {
    Poll::Ready(Some(text.as_bytes().to_vec()))
}

fn teed(limit: u64) -> (Wire, Half<Reader>, Half<Reader>, [Arc<Woken>; 2]) {
    let wire = Wire::default();
    let (first, second) = halves(Reader(wire.clone()), limit);
    (wire, first, second, Default::default())
}

#[test]
fn both_read_all_of_it_whoever_is_slow() {
    let (wire, mut first, mut second, [a, b]) = teed(100);
    wire.send(b"one");
    wire.send(b"two");
    assert_eq!(poll(&mut first, &a), part("one"));
    assert_eq!(poll(&mut first, &a), part("two"));
    assert_eq!(poll(&mut first, &a), Poll::Pending);
    assert_eq!(poll(&mut second, &b), part("onetwo"));
    wire.send(b"three");
    wire.end(Ok(()));
    assert_eq!(poll(&mut second, &b), part("three"));
    assert_eq!(poll(&mut second, &b), Poll::Ready(None));
    assert_eq!(poll(&mut first, &a), part("three"));
    assert_eq!(poll(&mut first, &a), Poll::Ready(None));
    assert!(first.end().is_ok() && second.end().is_ok());
    assert!(wire.0.borrow().gone);
}

#[test]
fn both_that_wait_are_woken_whoever_asked_last() {
    for order in [[0, 1], [1, 0]] {
        let (wire, mut first, mut second, woken) = teed(100);
        for side in order {
            let half = if side == 0 { &mut first } else { &mut second };
            assert_eq!(poll(half, &woken[side]), Poll::Pending);
        }
        wire.send(b"one");
        assert_eq!(woken.map(|woken| woken.0.load(Ordering::Relaxed)), [1, 1]);
    }
}

#[test]
fn a_half_that_is_dropped_while_it_waits_takes_nothing_with_it() {
    let (wire, mut first, mut second, [a, b]) = teed(100);
    assert_eq!(poll(&mut first, &a), Poll::Pending);
    assert_eq!(poll(&mut second, &b), Poll::Pending);
    drop(second);
    wire.send(b"one");
    assert_eq!(a.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(&mut first, &a), part("one"));
    assert!(!wire.0.borrow().gone);
    drop(first);
    assert!(wire.0.borrow().gone);

    let (wire, first, mut second, [_, b]) = teed(100);
    drop(first);
    wire.send(b"one");
    assert_eq!(poll(&mut second, &b), part("one"));
}

#[test]
fn more_than_the_limit_ends_the_second_only() {
    let (wire, mut first, mut second, [a, b]) = teed(5);
    wire.send(b"12345");
    assert_eq!(poll(&mut first, &a), part("12345"));
    wire.send(b"6");
    assert_eq!(poll(&mut first, &a), part("6"));
    assert_eq!(poll(&mut second, &b), Poll::Ready(None), "what waited is dropped, too");
    assert!(matches!(second.end(), Err(ErrorCode::HttpResponseBodySize(None))));
    wire.end(Ok(()));
    assert_eq!(poll(&mut first, &a), Poll::Ready(None));
    assert!(first.end().is_ok());
}

#[test]
fn nothing_beyond_the_limit_waits_for_a_slow_first() {
    let (wire, mut first, mut second, [a, b]) = teed(5);
    for _ in 0..10 {
        wire.send(b"123");
    }
    assert_eq!(poll(&mut second, &b), part("123"));
    assert_eq!(poll(&mut second, &b), Poll::Ready(None));
    assert_eq!(poll(&mut second, &b), Poll::Ready(None));
    assert_eq!(wire.0.borrow().sent.len(), 8, "it reads no further");
    assert_eq!(poll(&mut first, &a), part("123123"));
}

#[test]
fn both_learn_that_it_broke_off() {
    let (wire, mut first, mut second, [a, b]) = teed(100);
    wire.end(Err(ErrorCode::ConnectionTerminated));
    assert_eq!(poll(&mut second, &b), Poll::Ready(None));
    assert_eq!(poll(&mut first, &a), Poll::Ready(None));
    for half in [first, second] {
        assert!(matches!(half.end(), Err(ErrorCode::ConnectionTerminated)));
    }
}

#[test]
fn however_they_take_turns_each_reads_the_same() {
    let random = Random::new(5);
    for _ in 0..1_000 {
        let limit = random.below(60);
        let (wire, first, second, woken) = teed(limit);
        let mut halves = [Some(first), Some(second)];
        let (mut sent, mut read) = (Vec::new(), [Vec::new(), Vec::new()]);
        let drops = random.below(4) as usize;
        for turn in 0..40 {
            let side = random.below(2) as usize;
            match random.below(3) {
                0 => {
                    let part = vec![turn; 1 + random.below(5) as usize];
                    sent.extend_from_slice(&part);
                    wire.send(&part);
                }
                _ => {
                    if let Some(half) = &mut halves[side]
                        && let Poll::Ready(Some(part)) = poll(half, &woken[side])
                    {
                        read[side].extend(part);
                    }
                }
            }
            if turn == 20 && drops < 2 {
                halves[drops] = None;
            }
        }
        wire.end(Ok(()));
        for side in [1, 0] {
            let Some(mut half) = halves[side].take() else { continue };
            while let Poll::Ready(Some(part)) = poll(&mut half, &woken[side]) {
                read[side].extend(part);
            }
            match half.end() {
                Ok(_) => assert_eq!(read[side], sent),
                Err(_) => assert!(side == 1 && sent.len() as u64 > limit && sent.starts_with(&read[1])),
            }
        }
    }
}
