//! What the simulated platform promises to those who test on it.

use super::*;
use crate::limit::{Draw, Quota, Rule};

const START: Timestamp = Timestamp::from_secs(1_767_225_600);
const TIMEOUT: Duration = Duration::from_secs(5);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Asks the upstream `app`, which counts who asks and answers `hello`: what came, whether it was asked, how long it took.
fn ask(sim: &Sim, body: Body<SimStream>) -> (Result<Body<SimStream>, FetchError>, bool, Duration) {
    let asked = Rc::new(Cell::new(false));
    let seen = Rc::clone(&asked);
    sim.upstream("app", move |_| {
        seen.set(true);
        Response::new(Body::from("hello".to_owned()))
    });
    let request = Request::post("http://app/").body(body).unwrap();
    let before = sim.now();
    let answer = block_on(sim.fetch(request, TIMEOUT)).map(Response::into_body);
    (answer, asked.get(), sim.now().since(before))
}

fn hello() -> Result<Body<SimStream>, FetchError> {
    Ok(Body::from("hello".to_owned()))
}

#[test]
fn every_fault_of_an_upstream() {
    let broken = |text: &'static str| Ok(Body::Stream(SimStream { breaks: true, ..SimStream::of([text]) }));
    let (now, delayed) = (Duration::ZERO, UpstreamFault::Delay(secs(3)));
    for (fault, answer, asked, took) in [
        (None, hello(), true, now),
        (Some(UpstreamFault::Connect), Err(FetchError::Connect), false, now),
        (Some(delayed), hello(), true, secs(3)),
        (Some(UpstreamFault::Delay(TIMEOUT)), hello(), true, TIMEOUT),
        (Some(UpstreamFault::Delay(secs(6))), Err(FetchError::Timeout), true, TIMEOUT),
        (Some(UpstreamFault::Timeout), Err(FetchError::Timeout), true, TIMEOUT),
        (Some(UpstreamFault::Reset), Err(FetchError::Reset), true, now),
        (Some(UpstreamFault::ResetBody(0)), broken(""), true, now),
        (Some(UpstreamFault::ResetBody(2)), broken("he"), true, now),
        (Some(UpstreamFault::ResetBody(9)), broken("hello"), true, now),
    ] {
        let sim = Sim::new(1);
        sim.set_upstream_faults("app", [fault]);
        let (answered, was_asked, time) = ask(&sim, Body::Empty);
        let content = |body: Body<SimStream>| match body {
            Body::Stream(stream) => (stream.chunks.concat(), stream.breaks),
            Body::Full(bytes) => (bytes.to_vec(), false),
            Body::Empty => (Vec::new(), false),
        };
        assert_eq!((answered.map(content), was_asked, time), (answer.map(content), asked, took), "{fault:?}");
        assert_eq!(ask(&sim, Body::Empty), (hello(), true, now), "after {fault:?}");
    }
}

#[test]
fn a_response_may_carry_its_faults() {
    let fetch = |own: &[UpstreamFault], other: Option<UpstreamFault>| {
        let (sim, own) = (Sim::new(1), own.to_vec());
        sim.upstream("app", move |_| {
            let mut response = Response::new(Body::from("hello".to_owned()));
            response.extensions_mut().insert(own.clone());
            response
        });
        sim.set_upstream_faults("app", [other]);
        let request = Request::get("http://app/").body(Body::Empty).unwrap();
        let body = block_on(sim.fetch(request, TIMEOUT)).map(|response| match response.into_body() {
            Body::Stream(stream) => (stream.chunks.concat(), stream.breaks),
            body => panic!("{body:?}"),
        });
        (body, sim.now().since(START))
    };
    let (slow, breaks) = (UpstreamFault::Delay(secs(3)), UpstreamFault::ResetBody(2));
    assert_eq!(fetch(&[slow, breaks], None), (Ok((b"he".to_vec(), true)), secs(3)));
    assert_eq!(fetch(&[breaks, slow], Some(slow)), (Err(FetchError::Timeout), TIMEOUT), "they add up");
    assert_eq!(fetch(&[breaks], Some(UpstreamFault::Reset)), (Err(FetchError::Reset), Duration::ZERO));
}

#[test]
fn a_response_without_a_body_has_nothing_to_break() {
    assert_eq!(stream::broken(Body::Empty, 3), Body::Empty);
}

#[test]
fn faults_befall_one_upstream_and_where_none_stands_no_connection_is_made() {
    let sim = Sim::new(1);
    sim.set_upstream_faults("other", [Some(UpstreamFault::Reset)]);
    assert_eq!(ask(&sim, Body::Empty).0, hello());
    let fetch = || block_on(sim.fetch(Request::get("http://other/").body(Body::Empty).unwrap(), TIMEOUT));
    assert_eq!(fetch().unwrap_err(), FetchError::Connect);
    sim.upstream("other", |_| Response::new(Body::Empty));
    assert!(fetch().is_ok(), "the fault befell the first request");
}

#[test]
fn an_upload_that_is_too_long_or_breaks_off_reaches_nobody() {
    let sim = Sim::new(1);
    let upload = || SimStream::of(["123", "45"]);
    let too_long = Body::Stream(sim.bounded(sim.bounded(upload(), 4), 100));
    assert_eq!(ask(&sim, too_long), (Err(FetchError::RequestTooLarge), false, Duration::ZERO));
    let breaks = Body::Stream(SimStream { breaks: true, ..upload() });
    assert_eq!(ask(&sim, breaks.clone()), (Err(FetchError::ClientGone), false, Duration::ZERO));
    assert_eq!(ask(&sim, Body::Stream(sim.bounded(upload(), 5))).0, hello());
    sim.set_upstream_faults("app", [Some(UpstreamFault::Connect)]);
    assert_eq!(ask(&sim, breaks).0, Err(FetchError::Connect), "nothing is read before there is a connection");
}

#[test]
fn a_body_is_collected_within_its_bound() {
    let sim = Sim::new(1);
    let collect = |stream, limit| block_on(sim.collect(stream, limit));
    assert_eq!(collect(SimStream::of(["123", "45"]), 5), Ok(Bytes::from("12345")));
    assert_eq!(collect(SimStream::of(["123", "45"]), 4), Err(CollectError::TooLarge));
    assert_eq!(collect(SimStream { breaks: true, ..SimStream::of(["1"]) }, 5), Err(CollectError::Broken));
}

/// What is left of ten units after each step, one unit a step.
fn left(sim: &Sim, steps: usize) -> Vec<Option<u32>> {
    let quota = Quota::new(10, secs(1_000), 10).unwrap();
    let rules = [Rule::Gcra(quota)];
    let step = || block_on(sim.rate_limit("key", &rules, Draw::Take(1))).ok().map(|verdicts| verdicts[0].remaining);
    (0..steps).map(|_| step()).collect()
}

#[test]
fn every_fault_of_the_store() {
    use StoreFault::{Duplicate, LostResponse, StaleRead, Throttled};
    for (fault, expected) in [
        (None, [Some(9), Some(8), Some(7), Some(6)]),
        (Some(Throttled), [Some(9), Some(8), None, Some(7)]),
        (Some(LostResponse), [Some(9), Some(8), None, Some(6)]),
        (Some(Duplicate), [Some(9), Some(8), Some(6), Some(5)]),
        (Some(StaleRead(0)), [Some(9), Some(8), Some(7), Some(6)]),
        (Some(StaleRead(1)), [Some(9), Some(8), Some(8), Some(7)]),
        (Some(StaleRead(2)), [Some(9), Some(8), Some(9), Some(8)]),
        (Some(StaleRead(9)), [Some(9), Some(8), Some(9), Some(8)]),
    ] {
        let sim = Sim::new(1);
        sim.set_store_faults([None, None, fault]);
        assert_eq!(left(&sim, 4), expected, "{fault:?}");
    }
}

#[test]
fn a_store_that_is_down_stays_down_until_it_is_up() {
    let sim = Sim::new(1);
    sim.set_store_down(true);
    assert_eq!(left(&sim, 100), vec![None; 100]);
    sim.set_store_down(false);
    assert_eq!(left(&sim, 2), [Some(9), Some(8)]);
}

#[test]
fn weather_comes_as_often_as_it_should_and_is_the_seeds() {
    let odds = [(30, 'a'), (10, 'b')];
    let draw = |seed| Sim::new(seed).weather(&odds).take(10_000).collect::<Vec<_>>();
    let days = draw(1);
    let count = |day| days.iter().filter(|drawn| **drawn == day).count();
    assert!((2_800..3_200).contains(&count(Some('a'))), "{}", count(Some('a')));
    assert!((900..1_100).contains(&count(Some('b'))), "{}", count(Some('b')));
    assert_eq!(days, draw(1));
    assert_ne!(days, draw(2));
    let sim = Sim::new(1);
    let (first, second): (Vec<_>, Vec<_>) = sim.weather(&odds).zip(sim.weather(&odds)).take(100).unzip();
    assert_ne!(first, second, "two weathers of one platform are independent");
    assert_eq!(sim.weather(&[(100, 'a')]).take(50).collect::<Vec<_>>(), [Some('a'); 50]);
    assert_eq!(sim.weather::<char>(&[]).take(50).collect::<Vec<_>>(), [None; 50]);
}

#[test]
fn the_clock_goes_where_it_is_told() {
    let sim = Sim::new(1);
    assert_eq!(sim.now(), START);
    sim.advance(secs(2));
    block_on(sim.sleep(secs(3)));
    assert_eq!(sim.now(), START + secs(5));
    sim.set_now(Timestamp::from_secs(7));
    assert_eq!(sim.now(), Timestamp::from_secs(7));
}

#[test]
fn equal_seeds_draw_equally() {
    let draw = |seed| {
        let sim = Sim::new(seed);
        [sim.random(), sim.random()]
    };
    assert_eq!(draw(5), draw(5));
    assert_ne!(draw(5), draw(6));
    assert_ne!(draw(5)[0], draw(5)[1]);
}

#[test]
fn values_are_kept_for_as_long_as_asked() {
    let sim = Sim::new(1);
    sim.set_value("a", "for good");
    block_on(sim.write("b", Bytes::from("for a minute"), Duration::from_secs(60))).unwrap();
    assert_eq!(block_on(sim.read("c")), Ok(None));
    sim.advance(Duration::from_secs(59));
    assert_eq!(sim.value("b").as_deref(), Some(&b"for a minute"[..]));
    sim.advance(Duration::from_secs(1));
    assert_eq!(block_on(sim.read("b")), Ok(None));
    assert_eq!(block_on(sim.read("a")), Ok(Some(Bytes::from("for good"))));
    sim.remove_value("a");
    assert_eq!(block_on(sim.read("a")), Ok(None));
}

#[test]
fn faults_befall_reads_and_writes_of_values() {
    let sim = Sim::new(1);
    let (minute, write) = (Duration::from_secs(60), |text: &'static str| Bytes::from(text));
    block_on(sim.write("a", write("one"), minute)).unwrap();
    sim.set_value_faults([Some(ValueFault::Throttled), Some(ValueFault::LostResponse), Some(ValueFault::StaleRead)]);
    assert_eq!(block_on(sim.write("a", write("two"), minute)), Err(StoreError));
    assert_eq!(sim.value("a"), Some(write("one")), "nothing was changed");
    assert_eq!(block_on(sim.write("a", write("three"), minute)), Err(StoreError));
    assert_eq!(block_on(sim.read("a")), Ok(Some(write("one"))), "what stood there before");
    assert_eq!(block_on(sim.read("a")), Ok(Some(write("three"))));
    sim.set_values_down(true);
    assert_eq!(block_on(sim.read("a")), Err(StoreError));
    sim.set_values_down(false);
    let large = Bytes::from(vec![0; crate::platform::MAX_VALUE + 1]);
    assert_eq!(block_on(sim.write("a", large.clone(), minute)), Err(StoreError));
    sim.set_value("a", large);
    assert_eq!(block_on(sim.read("a")), Err(StoreError));
}
