//! What a gateway should do, said once more and more simply: each request one after the other, buckets of plain numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use portico_core::Timestamp;
use portico_core::limit::SLACK;
use portico_core::sim::{StoreFault, UpstreamFault};

use crate::play::{Exchange, Seen};
use crate::scene::{ANSWER, By, Key, Limit, Route, TIMEOUT};

/// A bucket as one would draw it: it holds some credit and fills as time goes by. Credit is counted in microseconds of filling,
/// so that nothing is rounded. When the clock goes back a little there may be less than none.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    credit: i64,
    at: u64,
}

struct Verdict {
    passes: bool,
    remaining: u64,
    retry_after: u64,
}

impl Bucket {
    fn full(limit: &Limit, now: u64) -> Self {
        Self { credit: (limit.burst * limit.drip()) as i64, at: now }
    }

    /// The bucket at another time. A clock that goes back takes away what it had given, and no more than all of it when it goes back far.
    fn at(self, limit: &Limit, now: u64) -> Self {
        let credit = (self.credit + (now as i64 - self.at as i64)).min((limit.burst * limit.drip()) as i64);
        let credit = if credit < -(SLACK.as_micros() as i64) { 0 } else { credit };
        Self { credit, at: now }
    }

    fn take(self, limit: &Limit) -> (Verdict, Self) {
        let cost = (limit.cost * limit.drip()) as i64;
        let passes = self.credit >= cost;
        let credit = if passes { self.credit - cost } else { self.credit };
        let retry_after = if passes { 0 } else { ((cost - credit) as u64).div_ceil(1_000_000) };
        let remaining = credit.max(0) as u64 / limit.drip();
        (Verdict { passes, remaining, retry_after }, Self { credit, at: self.at })
    }
}

/// All buckets, with everything they ever held.
#[derive(Debug, Default)]
pub(crate) struct Model(BTreeMap<String, Vec<Bucket>>);

/// A refusal's status and code.
type Refused = (u16, &'static str);

impl Model {
    /// What should be seen of an exchange, given what went wrong during it.
    pub(crate) fn expect(&mut self, exchange: &Exchange) -> Seen {
        let mut seen = Seen {
            status: 200,
            body: ANSWER.to_owned(),
            remaining: None,
            retry_after: None,
            cors: exchange.send.origin,
            asked: 0,
            took: Duration::ZERO,
        };
        let (mut store, mut upstream) = (exchange.store.iter().copied(), exchange.upstream.iter().copied());
        if let Err((status, code)) = self.serve(exchange, &mut seen, &mut store, &mut upstream) {
            (seen.status, seen.body) = (status, code.to_owned());
        }
        assert_eq!((store.next(), upstream.next()), (None, None), "nobody should have been asked that often");
        seen
    }

    fn serve(
        &mut self,
        exchange: &Exchange,
        seen: &mut Seen,
        store: &mut impl Iterator<Item = Option<StoreFault>>,
        upstream: &mut impl Iterator<Item = Option<UpstreamFault>>,
    ) -> Result<(), Refused> {
        let send = &exchange.send;
        let route = send.route.as_ref().ok_or((404, "no_route"))?;
        let mut limited = || match exchange.bucket() {
            Some(bucket) => self.limited(route, bucket, exchange.at, seen, store.next().expect("the store is asked")),
            None => Ok(()),
        };
        if route.by != By::Consumer {
            limited()?;
        }
        match send.key {
            Key::Absent if route.auth => return Err((401, "credentials_missing")),
            Key::Unknown if route.auth => return Err((401, "key_unknown")),
            _ => {}
        }
        if route.by == By::Consumer {
            limited()?;
        }
        if !route.forwards {
            return Ok(());
        }
        let fault = upstream.next().expect("an upstream is asked");
        if fault == Some(UpstreamFault::Connect) {
            return Err((502, "upstream_unreachable"));
        }
        if route.body_limit.is_some_and(|limit| send.upload.bytes > limit) {
            return Err((413, "body_too_large"));
        }
        if send.upload.breaks {
            return Err((499, "client_gone"));
        }
        seen.asked = 1;
        match fault {
            None | Some(UpstreamFault::Connect) => {}
            Some(UpstreamFault::Delay(delay)) if delay <= TIMEOUT => seen.took = delay,
            Some(UpstreamFault::Delay(_) | UpstreamFault::Timeout) => {
                seen.took = TIMEOUT;
                return Err((504, "upstream_timeout"));
            }
            Some(UpstreamFault::Reset) => return Err((502, "upstream_broken")),
            Some(UpstreamFault::ResetBody(after)) => seen.body = format!("{}…", &ANSWER[..after]),
        }
        Ok(())
    }

    fn limited(
        &mut self,
        route: &Route,
        bucket: String,
        at: Timestamp,
        seen: &mut Seen,
        fault: Option<StoreFault>,
    ) -> Result<(), Refused> {
        let held = self.0.entry(bucket).or_default();
        let mut take = |age: usize| {
            let before =
                held.len().checked_sub(age + 1).map_or(Bucket::full(&route.limit, at.as_micros()), |at| held[at]);
            let (verdict, after) = before.at(&route.limit, at.as_micros()).take(&route.limit);
            held.push(after);
            verdict
        };
        let verdict = match fault {
            None => Some(take(0)),
            Some(StoreFault::Throttled) => None,
            Some(StoreFault::LostResponse) => {
                take(0);
                None
            }
            Some(StoreFault::Duplicate) => {
                take(0);
                Some(take(0))
            }
            Some(StoreFault::StaleRead(age)) => Some(take(age)),
        };
        match verdict {
            None if route.on_error_allow => Ok(()),
            None => Err((503, "store_unavailable")),
            Some(verdict) => {
                seen.remaining = Some(verdict.remaining);
                seen.retry_after = (!verdict.passes).then_some(verdict.retry_after);
                if verdict.passes { Ok(()) } else { Err((429, "rate_limited")) }
            }
        }
    }
}

/// What a limit promises, straight from its words: in no stretch of time passes more than the burst and what came back
/// meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Promise(Vec<Timestamp>);

impl Promise {
    /// The units by which the promise would be broken if a request passed at `now`, which is not before any that did.
    pub(crate) fn excess(&self, limit: &Limit, now: Timestamp) -> u64 {
        let stretches = (1..).zip([now].into_iter().chain(self.0.iter().rev().copied()));
        let excess = stretches.map(|(requests, since)| {
            let came_back = (now.as_micros() - since.as_micros()) / limit.drip();
            (requests * limit.cost).saturating_sub(limit.burst + came_back)
        });
        excess.max().unwrap_or(0)
    }

    /// A request passes.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        self.0.push(now);
    }
}
