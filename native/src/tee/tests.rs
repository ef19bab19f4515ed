//! Sources here say something when a test lets them, and wake only who asked last, as hyper's do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::HeaderMap;
use portico_core::sim::{Random, SEED_VARIABLE, check_seeds};

use super::*;

/// What a source says. Both ends are the same.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<Water>>);

#[derive(Default)]
struct Water {
    parts: VecDeque<Option<Result<Frame<Bytes>, std::io::Error>>>,
    waker: Option<Waker>,
    /// How many parts were read.
    read: usize,
    dropped: bool,
}

impl Tap {
    fn says(&self, part: Option<Result<Frame<Bytes>, std::io::Error>>) {
        let mut water = self.0.lock().unwrap();
        water.parts.push_back(part);
        if let Some(waker) = water.waker.take() {
            waker.wake();
        }
    }

    fn data(&self, text: impl Into<Bytes>) {
        self.says(Some(Ok(Frame::data(text.into()))));
    }

    fn ends(&self) {
        self.says(None);
    }

    fn breaks(&self) {
        self.says(Some(Err(std::io::Error::other("a reset"))));
    }

    fn read(&self) -> usize {
        self.0.lock().unwrap().read
    }

    fn is_dropped(&self) -> bool {
        self.0.lock().unwrap().dropped
    }

    /// The halves of what it says.
    fn tee(&self, limit: u64) -> (NativeBody, NativeBody) {
        NativeBody::new(Source(self.clone())).tee(limit)
    }
}

struct Source(Tap);

impl HttpBody for Source {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let mut water = self.0.0.lock().unwrap();
        match water.parts.pop_front() {
            Some(part) => {
                water.read += 1;
                Poll::Ready(part)
            }
            None => {
                water.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().dropped = true;
    }
}

/// A task that reads a half whenever it is woken.
struct Reader {
    half: Option<NativeBody>,
    woken: Arc<Woken>,
    heard: String,
    /// `end`, `broken` or `too large`.
    outcome: Option<&'static str>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Reader {
    fn of(half: NativeBody) -> Self {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self { half: Some(half), woken, heard: String::new(), outcome: None }
    }

    fn is_woken(&self) -> bool {
        self.half.is_some() && self.woken.0.load(Ordering::SeqCst)
    }

    /// Asks once, if it was woken. Whether there was anything.
    fn step(&mut self) -> bool {
        if !self.is_woken() {
            return false;
        }
        self.woken.0.store(false, Ordering::SeqCst);
        let Some(half) = &mut self.half else { return false };
        let waker = Waker::from(Arc::clone(&self.woken));
        let Poll::Ready(frame) = Pin::new(half).poll_frame(&mut Context::from_waker(&waker)) else { return false };
        self.woken.0.store(true, Ordering::SeqCst);
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.heard.push_str(std::str::from_utf8(&data).unwrap()),
                Err(frame) => self.heard.push_str(&format!("{:?}", frame.into_trailers().unwrap())),
            },
            Some(Err(BodyError::TooLarge)) => self.end("too large"),
            Some(Err(BodyError::Broken(why))) => {
                assert_eq!(why.to_string(), "a reset");
                self.end("broken");
            }
            None => {
                self.end("end");
                self.half = None;
            }
        }
        true
    }

    /// After an error nothing comes.
    fn end(&mut self, outcome: &'static str) {
        self.outcome.get_or_insert(outcome);
    }

    /// Reads as long as there is anything.
    fn read(&mut self) -> (&str, Option<&'static str>) {
        while self.step() {}
        (&self.heard, self.outcome)
    }
}

fn readers(tap: &Tap, limit: u64) -> (Reader, Reader) {
    let (first, second) = tap.tee(limit);
    (Reader::of(first), Reader::of(second))
}

#[test]
fn both_get_all_of_it_whoever_is_slow() {
    for second_reads_first in [false, true] {
        let tap = Tap::default();
        let (first, second) = readers(&tap, 10);
        let (mut fast, mut slow) = if second_reads_first { (second, first) } else { (first, second) };
        tap.data("hello");
        assert_eq!(fast.read(), ("hello", None));
        tap.data("world");
        let mut trailers = HeaderMap::new();
        trailers.insert("digest", "x".parse().unwrap());
        tap.says(Some(Ok(Frame::trailers(trailers))));
        tap.ends();
        let all = r#"helloworld{"digest": "x"}"#;
        assert_eq!(fast.read(), (all, Some("end")));
        assert!(tap.is_dropped());
        assert_eq!(slow.read(), (all, Some("end")));
        assert_eq!(tap.read(), 4);
    }
}

#[test]
fn a_slow_first_half_is_waited_for_at_the_limit() {
    let tap = Tap::default();
    let (mut first, mut second) = readers(&tap, 4);
    (0..5).for_each(|_| tap.data("ab"));
    tap.ends();
    // the third is too much, which it cannot know before
    assert_eq!(second.read(), ("abab", Some("too large")));
    assert_eq!(tap.read(), 3);
    assert_eq!(first.read(), ("ababababab", Some("end")));
}

#[test]
fn what_waits_for_a_second_half_is_bounded_and_then_dropped() {
    let tap = Tap::default();
    let (mut first, mut second) = readers(&tap, 4);
    /// Bytes that count how many there are.
    struct Counted(Arc<AtomicUsize>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            b"ab"
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let held = Arc::new(AtomicUsize::new(0));
    for expected in [1, 2, 0, 0] {
        held.fetch_add(1, Ordering::SeqCst);
        tap.data(Bytes::from_owner(Counted(Arc::clone(&held))));
        first.read();
        assert_eq!(held.load(Ordering::SeqCst), expected);
    }
    assert_eq!(second.read(), ("", Some("too large")));
    tap.ends();
    assert_eq!(first.read(), ("abababab", Some("end")));
}

#[test]
fn when_one_is_dropped_the_other_goes_on() {
    for drops_second in [false, true] {
        let tap = Tap::default();
        let (mut first, mut second) = readers(&tap, 100);
        tap.data("a");
        assert_eq!((first.read().0, second.read().0), ("a", "a"));
        let (mut goes_on, dropped) = if drops_second { (first, second) } else { (second, first) };
        drop(dropped);
        assert!(!tap.is_dropped());
        tap.data("b");
        tap.ends();
        assert_eq!(goes_on.read(), ("ab", Some("end")));
    }
}

#[test]
fn a_source_that_nobody_reads_is_dropped() {
    let tap = Tap::default();
    let (first, second) = tap.tee(1);
    drop(first);
    assert!(!tap.is_dropped());
    drop(second);
    assert!(tap.is_dropped());
    // the one is gone, the other may not read on
    let tap = Tap::default();
    let (first, mut second) = readers(&tap, 1);
    drop(first);
    tap.data("ab");
    assert_eq!(second.read().1, Some("too large"));
    assert!(tap.is_dropped());
    // and the other way round
    let tap = Tap::default();
    let (mut first, _second) = readers(&tap, 1);
    tap.data("ab");
    assert_eq!(first.read().0, "ab");
    drop(first);
    assert!(tap.is_dropped());
}

#[test]
fn both_learn_that_it_broke_off_after_what_came_before() {
    let tap = Tap::default();
    let (mut first, mut second) = readers(&tap, 100);
    tap.data("ab");
    tap.breaks();
    assert_eq!(first.read(), ("ab", Some("broken")));
    assert!(tap.is_dropped());
    assert_eq!(second.read(), ("ab", Some("broken")));
}

#[test]
fn whoever_waits_is_woken_by_the_source_and_by_the_other() {
    let tap = Tap::default();
    let (mut first, mut second) = readers(&tap, 100);
    // the source knows the waker of the first only
    assert_eq!((second.step(), first.step()), (false, false));
    tap.data("a");
    assert!(first.is_woken() && second.is_woken());
    assert_eq!((second.read().0, first.read().0), ("a", "a"));
    // what the first happens to find the second has been waiting for
    assert!(!first.is_woken() && !second.is_woken());
    tap.0.lock().unwrap().parts.push_back(Some(Ok(Frame::data("b".into()))));
    first.woken.0.store(true, Ordering::SeqCst);
    assert_eq!(first.read().0, "ab");
    assert!(second.is_woken());
}

#[test]
fn the_declared_length_remains() {
    let (mut first, second) = NativeBody::new(http_body_util::Full::new(Bytes::from("hello"))).tee(100);
    assert_eq!((first.size_hint().exact(), second.size_hint().exact()), (Some(5), Some(5)));
    assert!(!first.is_end_stream() && !second.is_end_stream());
    let frame = Pin::new(&mut first).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    // what waits counts
    assert_eq!((first.size_hint().exact(), second.size_hint().exact()), (Some(0), Some(5)));
    assert!(first.is_end_stream() && !second.is_end_stream());
    let (first, _) = NativeBody::new(http_body_util::Empty::new()).tee(0);
    assert!(first.is_end_stream());
}

#[tokio::test]
async fn a_fill_collects_what_a_client_reads() {
    let tap = Tap::default();
    let (mut first, second) = readers(&tap, 100);
    let fill = tokio::spawn(second.half.unwrap().collect(100));
    tokio::task::yield_now().await;
    assert_eq!(first.read().0, "");
    tap.data("ab");
    assert_eq!(first.read().0, "ab");
    drop(first);
    tap.data("cd");
    tap.ends();
    assert_eq!(fill.await.unwrap(), Ok(Bytes::from("abcd")));
}

/// Readers read when they were woken and at no other time, so that a wake-up that is lost leaves one without an end.
#[test]
fn any_interleaving_gives_both_the_same() {
    let replay = std::env::var(SEED_VARIABLE).ok();
    check_seeds(1_000, replay.as_deref(), |seed| {
        let random = Random::new(seed);
        let (limit, parts) = (random.below(20), random.below(12));
        let tap = Tap::default();
        let (mut first, mut second) = readers(&tap, limit);
        let (mut said, mut ended) = (String::new(), None);
        let mut dropped = [false; 2];
        for _ in 0..200 {
            match random.below(20) {
                0..6 if ended.is_none() && (said.len() as u64) < parts * 3 => {
                    let letter = char::from(b'a' + random.below(26) as u8);
                    let part = letter.to_string().repeat(random.below(4) as usize);
                    said.push_str(&part);
                    tap.data(part);
                }
                6 if ended.is_none() && random.below(4) == 0 => {
                    ended = Some(if random.below(3) == 0 { "broken" } else { "end" });
                    if ended == Some("end") { tap.ends() } else { tap.breaks() }
                }
                7 if random.below(30) == 0 => {
                    first.half = None;
                    dropped[0] = true;
                }
                8 if random.below(30) == 0 => {
                    second.half = None;
                    dropped[1] = true;
                }
                9..14 => drop(first.step()),
                _ => drop(second.step()),
            }
        }
        if ended.is_none() {
            ended = Some("end");
            tap.ends();
        }
        while first.step() || second.step() {}
        if dropped[0] {
            assert!(said.starts_with(&first.heard));
        } else {
            assert_eq!((first.heard.as_str(), first.outcome), (said.as_str(), ended));
        }
        if dropped[1] || said.len() as u64 > limit {
            assert!(said.starts_with(&second.heard) && second.heard.len() as u64 <= limit);
            assert!(dropped[1] || second.outcome == Some("too large"), "{:?}", second.outcome);
        } else {
            assert_eq!((second.heard.as_str(), second.outcome), (said.as_str(), ended));
        }
        drop((first, second));
        assert!(tap.is_dropped());
    });
}
