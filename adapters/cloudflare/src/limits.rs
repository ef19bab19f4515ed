//! Rate limits: each key has a Durable Object of its own (`RateLimit` in `js/worker.js`), which steps one at a time.

use std::time::Duration;

use js_sys::Promise;
use portico_core::limit::{self, Draw, Rule, State, Verdict};
use portico_core::{StoreError, Timestamp};
use wasm_bindgen::prelude::*;
use worker::Env;

use crate::task::Settled;

/// The binding of the Durable Objects, as `wrangler.toml` names it.
pub(crate) const BINDING: &str = "PORTICO_LIMITS";

#[wasm_bindgen]
extern "C" {
    type RateLimit;

    #[wasm_bindgen(method, catch)]
    fn step(this: &RateLimit, rules: Vec<f64>, draw: u8, units: u32) -> Result<Promise, JsValue>;
}

/// Asks the object of `key` for one step.
pub(crate) async fn step(env: &Env, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
    let stub = env.durable_object(BINDING).and_then(|namespace| namespace.get_by_name(key)).map_err(failed)?;
    let object: RateLimit = stub.into_rpc();
    let (draw, units) = draw.write();
    let answer = object.step(floats(&Rule::write(rules)).collect(), draw, units).map_err(failed)?;
    let answer = Settled::from(answer).await.map_err(failed)?;
    let answer = answer.dyn_into::<js_sys::Float64Array>().map_err(failed)?.to_vec();
    let (verdicts, []) = answer.as_chunks() else { return Err(StoreError) };
    if verdicts.len() != rules.len() {
        return Err(StoreError);
    }
    let micros = |number: f64| if number.is_finite() { Duration::from_micros(number as u64) } else { Duration::MAX };
    let verdict = |&[allowed, remaining, reset, retry_after]: &[f64; 4]| Verdict {
        allowed: allowed == 1.0,
        remaining: remaining as u32,
        reset: micros(reset),
        retry_after: micros(retry_after),
    };
    Ok(verdicts.iter().map(verdict).collect())
}

fn failed(error: impl std::fmt::Debug) -> StoreError {
    worker::console_error!("rate limit: {error:?}");
    StoreError
}

/// One step in numbers, for the object: what it stores, the rules, the time in microseconds since the epoch, and what is done (0 take, 1
/// charge, 2 return) with how many units.
///
/// First comes the length of the answer to the caller, then that: for each rule whether it permits it (1 or 0), how many units are left,
/// microseconds until nothing is missing and until the same request would pass (infinite for never). What follows is to be stored,
/// nothing if nothing changed: when it may be forgotten, and the state. No numbers at all when some cannot be read.
pub(crate) fn decide(stored: &[f64], rules: &[f64], now: f64, draw: u8, units: u32) -> Vec<f64> {
    let Some(draw) = Draw::read(draw, units) else { return Vec::new() };
    let read = |numbers: &[f64]| numbers.iter().map(|number| *number as u64).collect::<Vec<_>>();
    let Some(rules) = Rule::read(&read(rules)) else { return Vec::new() };
    let Some(state) = State::read(&rules, &read(stored.get(1..).unwrap_or_default())) else { return Vec::new() };
    let now = Timestamp::from_micros(now as u64);
    let (verdicts, next) = limit::step(&rules, &state, now, draw);
    let mut answer = vec![4.0 * verdicts.len() as f64];
    for verdict in verdicts {
        let micros =
            |duration: Duration| if duration == Duration::MAX { f64::INFINITY } else { duration.as_micros() as f64 };
        answer.extend([
            f64::from(u8::from(verdict.allowed)),
            f64::from(verdict.remaining),
            micros(verdict.reset),
            micros(verdict.retry_after),
        ]);
    }
    if !state.same_from(&next, now) {
        answer.push(next.idle_at().as_micros() as f64);
        answer.extend(floats(&next.write()));
    }
    answer
}

fn floats(numbers: &[u64]) -> impl Iterator<Item = f64> {
    numbers.iter().map(|number| *number as f64)
}

#[cfg(test)]
mod tests {
    use portico_core::limit::{Quota, Window};

    use super::*;

    const NOW: f64 = 1_700_000_000_000_000.0;

    fn rules() -> Vec<Rule> {
        let second = Duration::from_secs(1);
        vec![Rule::Gcra(Quota::new(2, second, 2).unwrap()), Rule::Window(Window::sliding(3, 60 * second).unwrap())]
    }

    /// What is answered, and what is stored.
    fn answer(stored: &[f64], now: f64, draw: u8, units: u32) -> (Vec<f64>, Vec<f64>) {
        let rules: Vec<f64> = floats(&Rule::write(&rules())).collect();
        let answer = decide(stored, &rules, now, draw, units);
        let (verdicts, next) = answer[1..].split_at(answer[0] as usize);
        (verdicts.to_vec(), next.to_vec())
    }

    #[test]
    fn a_step_in_numbers_is_the_step() {
        let (verdicts, taken) = answer(&[], NOW, 0, 2);
        let back = taken[0];
        assert!((60e6..=61e6).contains(&(back - NOW)));
        assert_eq!(verdicts, [1.0, 0.0, 1e6, 0.0, 1.0, 1.0, back - NOW, 0.0]);
        assert_eq!(taken, [back, NOW + 1e6, 1.0, back, 2.0]);
        let (denied, unchanged) = answer(&taken, NOW, 0, 1);
        assert_eq!(denied, [0.0, 0.0, 1e6, 5e5, 1.0, 1.0, back - NOW, 0.0]);
        assert!(unchanged.is_empty());
        let (charged, empty) = answer(&taken, NOW, 1, 9);
        assert_eq!((charged[1], charged[5], empty[4]), (0.0, 0.0, 3.0));
        let (returned, full) = answer(&empty, NOW, 2, 3);
        assert_eq!((returned[1], returned[5]), (2.0, 3.0));
        assert_eq!(full, [NOW, NOW, 0.0]);
        assert_eq!(answer(&[], NOW, 0, 4).0[7], f64::INFINITY);
    }

    #[test]
    fn a_refused_request_changes_nothing_however_much_is_back_by_then() {
        let (_, taken) = answer(&[], NOW, 0, 2);
        let (_, taken) = answer(&taken, NOW + 1e6, 0, 1);
        for later in [2e6, 30e6] {
            let (denied, next) = answer(&taken, NOW + later, 0, 1);
            assert_eq!((denied[0], denied[4]), (1.0, 0.0));
            assert!(next.is_empty(), "{next:?}");
        }
    }

    #[test]
    fn a_state_that_is_cut_down_is_stored_though_the_request_is_refused() {
        let rules = Rule::write(&[rules()[0]]);
        let rules: Vec<f64> = floats(&rules).collect();
        let far = NOW + 3.6e9;
        assert_eq!(decide(&[far, far], &rules, NOW, 0, 1)[5..], [NOW + 1e6, NOW + 1e6]);
    }

    #[test]
    fn numbers_that_are_no_rules_no_state_or_no_draw_get_none() {
        let rules: Vec<f64> = floats(&Rule::write(&rules())).collect();
        assert!(decide(&[], &rules[1..], NOW, 0, 1).is_empty());
        assert!(decide(&[NOW, NOW], &rules, NOW, 0, 1).is_empty());
        assert!(decide(&[], &rules, NOW, 3, 1).is_empty());
    }
}
