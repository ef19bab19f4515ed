//! Items as bytes, for stores.
//!
//! Four bytes say what it is and in which version; then come numbers, and texts with their lengths before them. What another version wrote,
//! or what is not whole, is no item.

use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::entry::{Entry, Item, Lifetime, Variants};
use crate::platform::Timestamp;

const RESPONSE: &[u8] = b"PCR\x01";
const VARIES: &[u8] = b"PCV\x02";

const NO_CACHE: u64 = 1;
const MUST_REVALIDATE: u64 = 2;

/// The most lines of fields, names of variants and tags that are read: no response has so many, and no broken one takes more room.
const MAX_MEMBERS: u64 = 4_096;

impl Item {
    /// The bytes of it.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Response(entry) => encode_entry(entry),
            Self::Varies(Variants { names, since }) => {
                let mut writer = Writer(VARIES.to_vec());
                writer.number(since.as_micros());
                writer.number(names.len() as u64);
                names.iter().for_each(|name| writer.bytes(name.as_str().as_bytes()));
                writer.0.into()
            }
        }
    }

    /// The item of these bytes, without copying the body; `None` when [`encode`](Self::encode) did not write them. That they were not changed
    /// since is not asked.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let mut reader = Reader(bytes.clone());
        let item = match &*reader.take(RESPONSE.len())? {
            RESPONSE => Self::Response(decode_entry(&mut reader)?),
            VARIES => {
                let name = |reader: &mut Reader| HeaderName::from_bytes(&reader.bytes()?).ok();
                let since = Timestamp::from_micros(reader.number()?);
                Self::Varies(Variants { names: reader.members(name)?.collect::<Option<_>>()?, since })
            }
            _ => return None,
        };
        reader.0.is_empty().then_some(item)
    }
}

fn encode_entry(entry: &Entry) -> Bytes {
    let mut writer = Writer(Vec::with_capacity(entry.size()));
    writer.0.extend_from_slice(RESPONSE);
    writer.number(entry.status.as_u16().into());
    writer.number(entry.requested.as_micros());
    writer.number(entry.received.as_micros());
    let Lifetime { fresh, stale_while_revalidate, stale_if_error, no_cache, must_revalidate } = entry.lifetime;
    for duration in [entry.age, fresh, stale_while_revalidate, stale_if_error] {
        writer.number(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }
    writer.number(if no_cache { NO_CACHE } else { 0 } | if must_revalidate { MUST_REVALIDATE } else { 0 });
    writer.bytes(entry.url.as_bytes());
    writer.number(entry.tags.len() as u64);
    entry.tags.iter().for_each(|tag| writer.bytes(tag.as_bytes()));
    writer.number(entry.headers.len() as u64);
    for (name, value) in &entry.headers {
        writer.bytes(name.as_str().as_bytes());
        writer.bytes(value.as_bytes());
    }
    writer.bytes(&entry.body);
    writer.0.into()
}

fn decode_entry(reader: &mut Reader) -> Option<Entry> {
    let status = StatusCode::from_u16(u16::try_from(reader.number()?).ok()?).ok()?;
    let requested = Timestamp::from_micros(reader.number()?);
    let received = Timestamp::from_micros(reader.number()?);
    let age = reader.duration()?;
    let (fresh, stale_while_revalidate) = (reader.duration()?, reader.duration()?);
    let stale_if_error = reader.duration()?;
    let flags = reader.number()?;
    let (no_cache, must_revalidate) = (flags & NO_CACHE != 0, flags & MUST_REVALIDATE != 0);
    if flags > NO_CACHE | MUST_REVALIDATE {
        return None;
    }
    let lifetime = Lifetime { fresh, stale_while_revalidate, stale_if_error, no_cache, must_revalidate };
    let url = reader.text()?;
    let tags = reader.members(Reader::text)?.collect::<Option<_>>()?;
    let mut headers = HeaderMap::new();
    for field in reader.members(Reader::field)? {
        let (name, value) = field?;
        headers.try_append(name, value).ok()?;
    }
    let body = reader.bytes()?;
    Some(Entry { status, headers, body, requested, received, age, lifetime, url, tags })
}

struct Writer(Vec<u8>);

impl Writer {
    /// Seven bits a byte, the lowest first; the eighth says that there are more (LEB128).
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// What is not read yet.
struct Reader(Bytes);

impl Reader {
    fn take(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.0.len()).then(|| self.0.split_to(count))
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.0.first()?;
            self.0.advance(1);
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            if byte & 0x80 == 0 {
                // the last byte has one bit to give
                return (bits << shift >> shift == bits).then_some(number);
            }
        }
        None
    }

    fn duration(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_micros)
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<Box<str>> {
        str::from_utf8(&self.bytes()?).ok().map(Box::from)
    }

    fn field(&mut self) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::from_bytes(&self.bytes()?).ok()?;
        Some((name, HeaderValue::from_maybe_shared(self.bytes()?).ok()?))
    }

    /// So many as the number before them says; `None` when that is too many.
    fn members<T>(&mut self, read: fn(&mut Self) -> T) -> Option<impl Iterator<Item = T>> {
        let count = self.number().filter(|count| *count <= MAX_MEMBERS)?;
        Some((0..count).map(move |_| read(self)))
    }
}

#[cfg(test)]
mod tests;
