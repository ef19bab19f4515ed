//! A run: the clients of a plan at once, and what they see.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::client::{Connection, Response};
use crate::fleet::{Fleet, To, Trouble, request};
use crate::history::{Answer, History, Limit, Request, Told};
use crate::plan::{Plan, Weather};
use crate::store::Store;

/// Runs a plan on gateways of its own.
pub(crate) fn run(store: Store, plan: &Plan) -> Result<History, String> {
    let fleet = Fleet::start(store, plan)?;
    let run =
        Run { store, plan, fleet, begun: AtomicUsize::new(0), troubled: Troubled::default(), clock: Clock::default() };
    let (together, seen) = (Barrier::new(plan.clients.len()), Mutex::new(Ok(Vec::new())));
    thread::scope(|scope| {
        for client in 0..plan.clients.len() {
            let (run, together, seen) = (&run, &together, &seen);
            scope.spawn(move || {
                together.wait();
                let of_client = run.be(client);
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match (&mut *seen, of_client) {
                    (Ok(seen), Ok(requests)) => seen.extend(requests),
                    (seen, Err(error)) => *seen = Err(error),
                    (Err(_), Ok(_)) => {}
                }
            });
        }
    });
    let mut requests = seen.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    requests.sort_by_key(|request| request.sent);
    let slack = plan.limit.slack + run.clock.off.into_inner();
    Ok(History { limit: Limit { slack, ..plan.limit.clone() }, requests })
}

struct Run<'p> {
    store: Store,
    plan: &'p Plan,
    fleet: Fleet,
    /// Requests that were begun.
    begun: AtomicUsize,
    troubled: Troubled,
    clock: Clock,
}

impl Run<'_> {
    /// Does as a client is told by the plan.
    fn be(&self, client: usize) -> Result<Vec<Request>, String> {
        let mut connection = Connection::default();
        let planned = self.plan.clients.get(client).into_iter().flatten();
        planned.map(|(key, node)| self.ask(&mut connection, client, key, *node)).collect()
    }

    fn ask(&self, connection: &mut Connection, client: usize, key: &str, node: usize) -> Result<Request, String> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        self.happens(number)?;
        let (to, life) = self.fleet.locate(node)?;
        let mut sent = 0;
        let response = to.ask(connection, &request(key), || sent = self.clock.now());
        let done = self.clock.now() + 1;
        let answer = match response {
            Ok(response) => answer(&response)?,
            // nobody ends the functions of a run while they serve
            Err(error) if matches!(to, To::Function(_)) => return Err(error),
            Err(error) => Answer::Unanswered(error),
        };
        let late = done - sent >= self.store.patience();
        let counted = match (self.plan.weather, &answer) {
            (Weather::Throttled, Answer::Unanswered(_)) if !late && self.troubled.meets(sent, done) => 0,
            (Weather::LostAnswers, _) if self.troubled.meets(sent, done) => 2,
            _ => 1 + u32::from(late),
        };
        Ok(Request { sent, done, bucket: format!("{key}/{life}"), client, node, counted, answer })
    }

    /// What the plan has for the moment in which so many requests were begun.
    fn happens(&self, begun: usize) -> Result<(), String> {
        let all = self.plan.requests();
        let trouble = match self.plan.weather {
            Weather::Restart if begun == all / 2 => return self.fleet.restart(0),
            Weather::Calm | Weather::Leases | Weather::Restart | Weather::Skewed => return Ok(()),
            Weather::LostAnswers => Trouble::LosesAnswers,
            Weather::Throttled => Trouble::Refuses,
            Weather::Duplicated => Trouble::HearsTwice,
        };
        match begun {
            _ if begun == all / 3 => self.troubled.begin(&self.clock, || self.fleet.set(trouble)),
            _ if begun == all * 2 / 3 => self.troubled.end(&self.clock, || self.fleet.set(Trouble::None)),
            _ => Ok(()),
        }
    }
}

/// When something went wrong in the store.
struct Troubled {
    /// Held while that changes.
    changes: Mutex<()>,
    from: AtomicU64,
    to: AtomicU64,
}

impl Default for Troubled {
    fn default() -> Self {
        Self { changes: Mutex::default(), from: AtomicU64::new(u64::MAX), to: AtomicU64::new(u64::MAX) }
    }
}

impl Troubled {
    /// Nothing is wrong before this; should it have ended already, then it does not any more.
    fn begin(&self, clock: &Clock, set: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        self.to.store(u64::MAX, Ordering::SeqCst);
        self.from.store(clock.now(), Ordering::SeqCst);
        set()
    }

    /// Nothing is wrong after this.
    fn end(&self, clock: &Clock, set: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        let _changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        set()?;
        self.to.store(clock.now(), Ordering::SeqCst);
        Ok(())
    }

    /// Whether a request that was just answered was under way meanwhile.
    fn meets(&self, sent: u64, done: u64) -> bool {
        self.from.load(Ordering::SeqCst) <= done && sent <= self.to.load(Ordering::SeqCst)
    }
}

/// What a response says; an error when it is none of a limit, or its fields contradict each other.
fn answer(response: &Response) -> Result<Answer, String> {
    let field = |name| response.field(name).ok_or_else(|| format!("no {name}, or several: {response:?}"));
    let told = || {
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no number: {response:?}"));
        let (remaining, reset) = (number(field("x-ratelimit-remaining")?)?, number(field("x-ratelimit-reset")?)?);
        let same = format!("\"header\";r={remaining};t={reset}");
        if field("ratelimit")? != same {
            return Err(format!("RateLimit is not {same}: {response:?}"));
        }
        Ok(Told { remaining, reset, retry_after: response.field("retry-after").map(number).transpose()? })
    };
    match response.status {
        200 => told().map(Answer::Passed),
        429 => told().map(Answer::Denied),
        503 => Ok(Answer::Unanswered("503".to_owned())),
        _ => Err(format!("an answer of no limit: {response:?}")),
    }
}

/// One monotonic clock for all clients, in microseconds since the epoch. Those who decide read the clock of the machine, which may be
/// set or slewed meanwhile: by how much is known afterwards.
struct Clock {
    started: Instant,
    at: u64,
    /// The most by which the machine's clock was off.
    off: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), at: machine(), off: AtomicU64::new(0) }
    }
}

impl Clock {
    fn now(&self) -> u64 {
        let now = || self.at + u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (before, machine, after) = (now(), machine(), now());
        let off = before.saturating_sub(machine).max(machine.saturating_sub(after));
        self.off.fetch_max(off, Ordering::Relaxed);
        before
    }
}

fn machine() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[test]
fn a_request_meets_trouble_that_overlaps_it() {
    let (troubled, clock) = (Troubled::default(), Clock::default());
    let before = clock.now();
    assert!(!troubled.meets(before, before));
    troubled.begin(&clock, || Ok(())).unwrap();
    let (from, within) = (troubled.from.load(Ordering::SeqCst), clock.now());
    assert!(!troubled.meets(0, from - 1) && troubled.meets(before, within) && troubled.meets(within, within));
    troubled.end(&clock, || Ok(())).unwrap();
    let to = troubled.to.load(Ordering::SeqCst);
    assert!(troubled.meets(to, to + 2) && !troubled.meets(to + 1, to + 2) && !troubled.meets(0, from - 1));
    // whoever was to begin it came late: it does not end
    troubled.begin(&clock, || Ok(())).unwrap();
    assert!(troubled.meets(u64::MAX - 1, u64::MAX));
}
