//! Where stubs are told to listen.

use std::net::SocketAddr;
use std::str::FromStr;

/// Where the stub of an upstream is to listen: `NAME=ADDRESS:PORT`, or `ADDRESS:PORT` for all that have none of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub(super) upstream: Option<String>,
    pub(super) address: SocketAddr,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (upstream, address) = match text.rsplit_once('=') {
            Some((name, address)) => (Some(name.to_owned()), address),
            None => (None, text),
        };
        let address: SocketAddr = address.parse().map_err(|_| {
            "expected ADDRESS:PORT or NAME=ADDRESS:PORT, such as 127.0.0.1:9001 or orders=0.0.0.0:9001".to_owned()
        })?;
        match address.port() {
            0 => Err("the port must be the one that the gateway's targets have".to_owned()),
            _ => Ok(Self { upstream, address }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_names_an_address_and_perhaps_an_upstream() {
        for (text, upstream, address) in [
            ("127.0.0.1:9001", None, "127.0.0.1:9001"),
            ("orders=0.0.0.0:9001", Some("orders"), "0.0.0.0:9001"),
            ("a=b=[::1]:9001", Some("a=b"), "[::1]:9001"),
        ] {
            let wanted = Given { upstream: upstream.map(str::to_owned), address: address.parse().unwrap() };
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        for text in ["", "9001", "orders", "orders=", "orders=9001", "orders=host:9001", "127.0.0.1:0"] {
            assert!(text.parse::<Given>().is_err(), "{text}");
        }
    }
}
