//! The way to DynamoDB itself.

use std::io::Read as _;
use std::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_connection_that_is_none_and_one_that_breaks_off_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let ask = || {
        let request = http::Request::get(&endpoint).body(b"{}".to_vec().into()).unwrap();
        Connector(upstreams()).call(HttpRequest::try_from(request).unwrap())
    };
    let accepting = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
    });
    assert!(!ask().await.unwrap_err().is_io());
    accepting.join().unwrap();
    assert!(ask().await.unwrap_err().is_io());
}
