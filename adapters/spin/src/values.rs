//! The key-value store: the one that Spin calls `default`.
//!
//! It forgets nothing, so what is written says until when it is of use, and is deleted when it is read later. What others put
//! there says nothing and stays.

use bytes::Bytes;
use portico_core::{MAX_VALUE, StoreError, Timestamp};
use spin_sdk::key_value::{Error, Store};

/// The label of the store.
pub(crate) const LABEL: &str = "default";

/// What a value begins with that was written here; microseconds since the epoch follow, big-endian, then the value.
const MARK: &[u8] = b"\0portico until\0";

/// Reads a value.
pub(crate) async fn read(key: &str, now: Timestamp) -> Result<Option<Bytes>, StoreError> {
    let store = open().await?;
    let Some(stored) = store.get(key).await.map_err(failed)? else { return Ok(None) };
    if stored.len() > MARK.len() + 8 + MAX_VALUE {
        return Err(failed(Error::Other(format!("{key} is larger than {MAX_VALUE} bytes"))));
    }
    let value = unpack(stored.into(), now);
    if value.is_none() {
        store.delete(key).await.map_err(failed)?;
    }
    Ok(value)
}

/// Writes a value that need not be kept for longer than `until`.
pub(crate) async fn write(key: &str, value: &[u8], until: Timestamp) -> Result<(), StoreError> {
    open().await?.set(key, pack(value, until)).await.map_err(failed)
}

/// Removes a value.
pub(crate) async fn delete(key: &str) -> Result<(), StoreError> {
    open().await?.delete(key).await.map_err(failed)
}

fn pack(value: &[u8], until: Timestamp) -> Vec<u8> {
    [MARK, &until.as_micros().to_be_bytes(), value].concat()
}

/// The value that was packed, `None` when its time is over.
fn unpack(stored: Bytes, now: Timestamp) -> Option<Bytes> {
    let Some((until, value)) = stored.strip_prefix(MARK).and_then(<[u8]>::split_first_chunk) else {
        return Some(stored);
    };
    (u64::from_be_bytes(*until) > now.as_micros()).then(|| stored.slice_ref(value))
}

async fn open() -> Result<Store, StoreError> {
    Store::open(LABEL).await.map_err(failed)
}

fn failed(error: Error) -> StoreError {
    match error {
        Error::AccessDenied | Error::NoSuchStore => {
            eprintln!("key-value store: {error}; add `key_value_stores = [\"{LABEL}\"]` to the component in spin.toml");
        }
        error => eprintln!("key-value store: {error}"),
    }
    StoreError
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn a_value_is_of_use_until_its_time() {
        let packed = Bytes::from(pack(b"value", NOW));
        let before = Timestamp::from_micros(NOW.as_micros() - 1);
        assert_eq!(unpack(packed.clone(), before).as_deref(), Some(&b"value"[..]));
        assert_eq!(unpack(packed, NOW), None);
        assert_eq!(unpack(pack(b"", NOW).into(), before).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_others_wrote_stays_as_it_is() {
        for value in [&b""[..], b"{}", MARK, b"\0portico until\x001234567"] {
            assert_eq!(unpack(Bytes::from_static(value), NOW).as_deref(), Some(value));
        }
    }
}
