//! What the script does in Redis, core says of it: the same state, for any quota, cost and time.

use std::time::Duration;

use portico_core::Timestamp;
use portico_core::limit::script::{SCRIPT, arguments, key, verdict};
use portico_core::limit::{Quota, decide};

use crate::server::Redis;

const STEPS: u32 = 20_000;

#[test]
fn the_script_leaves_what_core_decides() {
    let redis = Redis::start();
    let mut connection = redis.connect();
    // from empty within a step or two to longer than the test; more than the bucket costs, too
    let quotas = [(1, 1, 1), (3, 1, 5), (1_000, 1, 10), (50_000, 1, 50_000), (7, 60, 7), (1, 86_400, 3)];
    let quotas = quotas.map(|(limit, seconds, burst)| Quota::new(limit, Duration::from_secs(seconds), burst).unwrap());
    let (mut random, mut passed) = (0x9E37_79B9_7F4A_7C15_u64, 0);
    for _ in 0..STEPS {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // keys meet quotas that are not the ones they were counted with
        let name = key(&format!("a:ip:192.0.2.{}", random % 7));
        let quota = quotas[(random >> 8) as usize % quotas.len()];
        let cost = 1 + (random >> 16) as u32 % (quota.burst() + 1);
        let mut step = redis::cmd("EVAL");
        step.arg(SCRIPT).arg(1).arg(&name).arg(&arguments(&quota, cost));
        let answer: [i64; 2] = step.query(&mut connection).unwrap();
        let [now, found] = answer.map(|micros| Timestamp::from_micros(u64::try_from(micros).unwrap()));
        let (decided, left) = decide(Some(found), &quota, now, cost);
        assert_eq!(verdict(&answer, &quota, cost), Ok(decided));
        passed += u32::from(decided.allowed);
        let kept: Option<u64> = redis::cmd("GET").arg(&name).query(&mut connection).unwrap();
        match kept {
            Some(kept) => assert_eq!(kept, left.as_micros(), "{quota:?} {cost} {answer:?}"),
            None => {
                let (seconds, micros): (u64, u64) = redis::cmd("TIME").query(&mut connection).unwrap();
                let over = left.as_micros() <= seconds * 1_000_000 + micros;
                assert!(over, "{quota:?} {cost} {answer:?}");
            }
        }
    }
    assert!((STEPS / 100..STEPS).contains(&passed), "{passed} passed");
}
