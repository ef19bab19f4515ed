//! What only Spin gives: the client's address, variables, a key-value store, and limits that instances share.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use http::{HeaderMap, HeaderName};
use portico_core::Timestamp;
use spin_sdk::variables::{self, Error};

use crate::instance::Unread;
use crate::{cells, limits, responses};

pub(crate) use crate::limits::Limits;
pub(crate) use crate::responses::{LARGEST, cache, cached, forget, purge, purges};
pub(crate) use crate::values::{read, write};

/// What to do where there is no bundle.
pub(crate) const HELP: &str = "run scripts/build-spin, and mount build/spin/files at / in spin.toml";

/// Where Spin says whose connection it was: address and port.
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");

/// What all fields begin with by which Spin tells of a request.
const SPIN: &str = "spin-";

/// Where `spin.toml` mounts the bundle.
pub(crate) fn bundle() -> PathBuf {
    PathBuf::from("/bundle.json")
}

/// Whose connection it was, as Spin says.
///
/// Spin tells of the connection in fields that it adds behind the client's: `spin-client-addr`, `spin-full-url` and others. What a
/// client sends under those names stays in front of them, so the last line of a name is Spin's. None of them goes on: Spin is a part
/// of this gateway, and what it tells about the client is no field of the client's.
pub(crate) fn client(headers: &mut HeaderMap) -> Option<IpAddr> {
    let address = headers.get_all(CLIENT_ADDR).iter().next_back();
    let address = address.and_then(|address| address.to_str().ok()?.parse().ok());
    let told: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with(SPIN)).cloned().collect();
    for name in told {
        headers.remove(name);
    }
    address.map(|address: SocketAddr| address.ip())
}

/// The host that a request is for: Spin says so, and serves no request without one.
pub(crate) fn authority(told: Option<String>) -> Option<String> {
    told
}

/// The value of a variable, if it has one. Spin has their names in lower case.
pub(crate) async fn variable(name: &str) -> Result<Option<String>, Unread> {
    let name = name.to_ascii_lowercase();
    match variables::get(&name).await {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(Error::InvalidName(why)) => {
            eprintln!("{name} can be no variable: {why}\nhelp: give the secret a name of letters, digits and single _");
            Ok(None)
        }
        Err(error) => {
            eprintln!("the variable {name} could not be read: {error}");
            Err(Unread)
        }
    }
}

/// Where limits are counted, as `portico_limits` says.
pub(crate) async fn limits() -> Result<Limits, Unread> {
    let text = variable("PORTICO_LIMITS").await?;
    Ok(Limits::new(&text.unwrap_or_default()))
}

/// Deletes what is of no use any more, where the store does not forget by itself: once an hour, by one instance.
pub(crate) fn clean_up(now: Timestamp) {
    cells::store().clean_up(now, |name| limits::is_over(name, now) || responses::is_over(name, now));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&'static str, &[u8])]) -> (Option<String>, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        let client = client(&mut headers);
        (client.map(|address| address.to_string()), headers)
    }

    #[test]
    fn the_last_address_is_spins_and_none_of_its_fields_goes_on() {
        let (client, headers) = told(&[
            ("spin-client-addr", b"10.0.0.1:1"),
            ("spin-client-addr", b"10.0.0.2:1"),
            ("spin-full-url", b"https://elsewhere/"),
            ("spin-path-match-user", b"root"),
            ("spinning", b"1"),
            ("spin-client-addr", b"[2001:db8::7]:443"),
        ]);
        assert_eq!(client.as_deref(), Some("2001:db8::7"));
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["spinning"]);
    }

    #[test]
    fn without_an_address_nobody_is_known() {
        assert_eq!(told(&[]).0, None);
        for line in [&b""[..], b"192.0.2.7", b"localhost:80", b"\xff"] {
            assert_eq!(told(&[("spin-client-addr", line)]).0, None, "{line:?}");
        }
    }
}
