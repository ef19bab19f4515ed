//! Addresses to listen on.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::Failure;

/// Reads the value of `--listen`.
pub(super) fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let help =
        "expected an address and a port: 127.0.0.1:8080 for this machine only, 0.0.0.0:8080 or [::]:8080 for all";
    text.parse().map_err(|_| help.to_owned())
}

/// Listens. The error says how to get around what is in the way.
pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = TcpListener::bind(address).await;
    let bound = bound.and_then(|tcp| tcp.local_addr().map(|address| (tcp, address)));
    bound.map_err(|error| {
        let elsewhere = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(8080));
        match error.kind() {
            ErrorKind::AddrInUse => Failure::runtime(
                format_args!("{address} is in use by another program"),
                format_args!("choose another port with --listen {elsewhere}, or stop the other program"),
            ),
            ErrorKind::PermissionDenied => Failure::runtime(
                format_args!("listening on {address} is not permitted: {error}"),
                "ports below 1024 need a privilege; choose another with --listen, for example --listen 127.0.0.1:8080",
            ),
            ErrorKind::AddrNotAvailable => Failure::runtime(
                format_args!("this machine has no address {}", address.ip()),
                "--listen 127.0.0.1:8080 for this machine only, --listen 0.0.0.0:8080 for all its addresses",
            ),
            _ => Failure::runtime(
                format_args!("cannot listen on {address}: {error}"),
                "choose another address with --listen, for example --listen 127.0.0.1:8080",
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_complete() {
        assert_eq!(parse("127.0.0.1:0").map(|address| address.to_string()), Ok("127.0.0.1:0".to_owned()));
        assert_eq!(parse("localhost:81").map(|address| address.to_string()), Ok("127.0.0.1:81".to_owned()));
        assert_eq!(parse("[::1]:81").map(|address| address.to_string()), Ok("[::1]:81".to_owned()));
        for text in ["", "8080", ":8080", "localhost", "127.0.0.1", "127.0.0.1:99999", "gateway.example:80"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
