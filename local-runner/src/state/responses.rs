//! Cached responses and what was purged of them.
//!
//! A response is under `portico:cache:KEY`, and Redis forgets it in time. What was purged is one sorted set: what, by when. So the later of two
//! purges of the same holds, whichever is told first. When it has too many members the older half becomes one purge of everything, which is there
//! before they are gone: at no moment does less count as purged.

use std::time::Duration;

use bytes::Bytes;
use portico_core::cache::{Purge, Purges, Scope};
use portico_core::{StoreError, Timestamp};
use redis::{Value, cmd};

use super::question::{Purpose, Question};
use super::{Redis, set};
use crate::cache::LARGEST;
use crate::values::is_key;

/// The sorted set.
const PURGES: &str = "portico:purges";

/// The most members that it keeps.
const MEMBERS: i64 = 1_000;

impl Redis {
    /// The bytes under `key`.
    pub(crate) async fn response(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        match self.ask(&Question::Command(Purpose::Responses, cmd("GET").arg(place(key)?).take())).await? {
            Value::BulkString(bytes) if bytes.len() <= LARGEST => Ok(Some(bytes.into())),
            // one that is too large is not ours
            Value::Nil | Value::BulkString(_) => Ok(None),
            _ => Err(StoreError),
        }
    }

    /// Puts `record` under `key`, forgotten after `keep`; without one nothing is there.
    pub(crate) async fn keep_response(
        &self,
        key: &str,
        record: Option<Bytes>,
        keep: Duration,
    ) -> Result<(), StoreError> {
        let key = place(key)?;
        let command = match record {
            Some(record) => set(&key, &record, keep),
            None => cmd("DEL").arg(key).take(),
        };
        self.ask(&Question::Command(Purpose::Shares, command)).await.map(drop)
    }

    /// All purges.
    pub(crate) async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        self.range(Purpose::Purged, 0, -1).await
    }

    /// Adds some, in one step.
    pub(crate) async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        let mut bounded = Purges::default();
        for purge in purges {
            // what names something very long is of more than that
            bounded.add(purge);
        }
        self.add(&bounded.iter().collect::<Vec<_>>()).await?;
        let count = cmd("ZCARD").arg(PURGES).take();
        let Value::Int(count) = self.ask(&Question::Command(Purpose::Purges, count)).await? else {
            return Err(StoreError);
        };
        if count > MEMBERS { self.fold(count / 2).await } else { Ok(()) }
    }

    async fn add(&self, purges: &[Purge]) -> Result<(), StoreError> {
        // GT lets no clock that is behind take a purge back
        let mut add = cmd("ZADD").arg(PURGES).arg("GT").take();
        for purge in purges {
            // what is purged, without the time
            add.arg(purge.at.as_micros()).arg(Purge { at: Timestamp::default(), ..purge.clone() }.encode());
        }
        self.ask(&Question::Command(Purpose::Purges, add)).await.map(drop)
    }

    /// Lets one purge of everything stand for the older ones: all before that of this rank.
    async fn fold(&self, rank: i64) -> Result<(), StoreError> {
        let Some(last) = self.range(Purpose::Purges, rank, rank).await?.pop() else { return Ok(()) };
        self.add(&[Purge { scope: Scope::Everything, at: last.at, soft: false }]).await?;
        // not that one itself, nor what is of the same moment
        let before = format!("({}", last.at.as_micros());
        let remove = cmd("ZREMRANGEBYSCORE").arg(PURGES).arg("-inf").arg(before).take();
        self.ask(&Question::Command(Purpose::Purges, remove)).await.map(drop)
    }

    /// Members by rank.
    async fn range(&self, purpose: Purpose, first: i64, last: i64) -> Result<Vec<Purge>, StoreError> {
        let range = cmd("ZRANGE").arg(PURGES).arg(first).arg(last).arg("WITHSCORES").take();
        let Value::Array(answer) = self.ask(&Question::Command(purpose, range)).await? else { return Err(StoreError) };
        let (pairs, []) = answer.as_chunks() else { return Err(StoreError) };
        pairs.iter().map(|[member, score]| purge(member, score)).collect()
    }
}

fn purge(member: &Value, score: &Value) -> Result<Purge, StoreError> {
    let (Value::BulkString(member), Value::BulkString(score)) = (member, score) else { return Err(StoreError) };
    // below 2^53, so that Redis writes it as a whole number
    let at = str::from_utf8(score).ok().and_then(|score| score.parse().ok()).ok_or(StoreError)?;
    let at = Timestamp::from_micros(at);
    // what another version of Portico put there may concern anything
    let unknown = || Purge { scope: Scope::Everything, at, soft: false };
    let purge = str::from_utf8(member).ok().and_then(Purge::decode).unwrap_or_else(unknown);
    Ok(Purge { at, ..purge })
}

/// Where the response under `key` is.
fn place(key: &str) -> Result<String, StoreError> {
    if is_key(key) { Ok(format!("portico:cache:{key}")) } else { Err(StoreError) }
}
