//! Rate limits: each key has a Durable Object of its own (`RateLimit` in `js/worker.js`), which steps one at a time.

use std::time::Duration;

use portico_core::limit::{Quota, Verdict, decide};
use portico_core::{StoreError, Timestamp};
use wasm_bindgen::prelude::*;
use worker::Env;

/// The binding of the Durable Objects, as `wrangler.toml` names it.
const BINDING: &str = "PORTICO_LIMITS";

#[wasm_bindgen]
extern "C" {
    type RateLimit;

    #[wasm_bindgen(method, catch)]
    async fn take(this: &RateLimit, interval: f64, burst: u32, cost: u32) -> Result<JsValue, JsValue>;
}

/// Asks the object of `key` for one step.
pub(crate) async fn take(env: &Env, key: &str, quota: &Quota, cost: u32) -> Result<Verdict, StoreError> {
    let stub = env.durable_object(BINDING).and_then(|namespace| namespace.get_by_name(key)).map_err(failed)?;
    let object: RateLimit = stub.into_rpc();
    let answer = object.take(quota.interval_micros() as f64, quota.burst(), cost).await.map_err(failed)?;
    let answer: Vec<f64> = answer.dyn_into::<js_sys::Float64Array>().map_err(failed)?.to_vec();
    let [allowed, remaining, reset, retry_after, ..] = answer[..] else { return Err(StoreError) };
    let micros = |number: f64| if number.is_finite() { Duration::from_micros(number as u64) } else { Duration::MAX };
    Ok(Verdict {
        allowed: allowed == 1.0,
        remaining: remaining as u32,
        reset: micros(reset),
        retry_after: micros(retry_after),
    })
}

fn failed(error: impl std::fmt::Debug) -> StoreError {
    worker::console_error!("rate limit: {error:?}");
    StoreError
}

/// [`decide`] in numbers: whether the units were taken (1 or 0), how many are left, microseconds until the bucket is full
/// and until the same request would pass (infinite for never), and the state to store, in microseconds since the epoch.
pub(crate) fn step(stored: Option<f64>, interval: f64, burst: u32, now: f64, cost: u32) -> Vec<f64> {
    let time = |micros: f64| Timestamp::from_micros(micros as u64);
    let Ok(quota) = Quota::from_interval(interval as u64, burst) else { return Vec::new() };
    let (verdict, next) = decide(stored.map(time), &quota, time(now), cost);
    let micros =
        |duration: Duration| if duration == Duration::MAX { f64::INFINITY } else { duration.as_micros() as f64 };
    vec![
        f64::from(u8::from(verdict.allowed)),
        f64::from(verdict.remaining),
        micros(verdict.reset),
        micros(verdict.retry_after),
        next.as_micros() as f64,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_numbers_is_the_step() {
        let now = 1_700_000_000_000_000.0;
        let first = step(None, 30_000_000.0, 2, now, 1);
        assert_eq!(first, [1.0, 1.0, 30_000_000.0, 0.0, now + 30_000_000.0]);
        let second = step(Some(first[4]), 30_000_000.0, 2, now, 1);
        assert_eq!(second, [1.0, 0.0, 60_000_000.0, 0.0, now + 60_000_000.0]);
        let denied = step(Some(second[4]), 30_000_000.0, 2, now, 1);
        assert_eq!(denied, [0.0, 0.0, 60_000_000.0, 30_000_000.0, second[4]]);
        assert_eq!(step(None, 30_000_000.0, 2, now, 3)[3], f64::INFINITY);
        assert!(step(None, 0.0, 2, now, 1).is_empty());
    }
}
