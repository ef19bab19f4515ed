use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::advance;

use super::super::tests::freeze;
use super::*;

fn server(address: &str) -> Result<Server, AddressError> {
    Server::new(address, RootCertStore::empty)
}

#[test]
fn addresses() {
    let plain = server("redis://redis.internal").unwrap();
    assert_eq!((plain.host.as_str(), plain.port, plain.tls.is_some()), ("redis.internal", 6379, false));
    assert_eq!((plain.login.username(), plain.login.password(), plain.login.db()), (None, None, 0));
    let full = server(" rediss://me:p%40ss@[::1]:6380/2\n").unwrap();
    assert_eq!((full.host.as_str(), full.port, full.tls.is_some()), ("::1", 6380, true));
    assert_eq!((full.login.username(), full.login.password(), full.login.db()), (Some("me"), Some("p@ss"), 2));
}

#[test]
fn what_is_none() {
    for address in [
        "",
        "redis.internal:6379",
        "redis://",
        "http://redis.internal",
        "unix:///run/redis.sock",
        "redis://a:port",
        "redis://a/database",
        // would trust anybody
        "rediss://a/#insecure",
        "redis://a/?protocol=resp3",
    ] {
        assert!(server(address).is_err(), "{address}");
    }
}

/// One that takes any login.
async fn welcoming() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = [0; 1024];
        while stream.read(&mut said).await.is_ok_and(|read| read > 0) {
            // two settings, in one write
            stream.write_all(b"+OK\r\n+OK\r\n").await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
    let _frozen = freeze();
    // the system takes connections for it, and nobody reads what is said there
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Arc::new(server("redis://of-two-addresses.internal").unwrap());
    let addresses = [silent.local_addr().unwrap(), welcoming().await];
    let (connected, ()) = tokio::join!(Arc::clone(&server).connect_to_first(&addresses), advance(TIMEOUT / 2));
    connected.unwrap();
    silent.accept().await.unwrap();
}

#[tokio::test]
async fn an_address_that_refuses_lets_the_next_be_tried_at_once() {
    let _frozen = freeze();
    let server = Arc::new(server("redis://of-some-addresses.internal").unwrap());
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = closed.local_addr().unwrap();
    // no time passes here
    Arc::clone(&server).connect_to_first(&[nobody, nobody, welcoming().await]).await.unwrap();
    let nowhere = Arc::clone(&server).connect_to_first(&[nobody, nobody]).await.map(drop).unwrap_err();
    assert!(nowhere.to_string().contains("refused"), "{nowhere}");
    let nowhere = server.connect_to_first(&[]).await.map(drop).unwrap_err();
    assert!(nowhere.to_string().contains("no address"), "{nowhere}");
}

#[tokio::test]
async fn the_system_watches_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    watch(&tcp).unwrap();
    let socket = SockRef::from(&tcp);
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!((socket.tcp_keepalive_time().unwrap(), socket.tcp_user_timeout().unwrap()), (IDLE, Some(DEAF)));
}
