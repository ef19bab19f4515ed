//! Bodies stream through: however large they are, the process stays small.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "the rest is for tests/server")]
mod support;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Channel};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

const GIBIBYTE: u64 = 1 << 30;
const MOST_MEMORY: u64 = 64 << 20;

/// HTTP/2 frames are small and cost a debug build seconds for each gibibyte; its windows are full long before this.
const ENOUGH: u64 = GIBIBYTE / 8;

/// Names the upstream when this executable runs as the gateway, in a process of its own that can be measured.
const UPSTREAM: &str = "PORTICO_TEST_UPSTREAM";

#[test]
fn a_gibibyte_each_way_stays_under_64_mib() {
    if let Ok(upstream) = std::env::var(UPSTREAM) {
        return run_gateway(upstream.parse().unwrap());
    }
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let upstream = support::upstream(|request: Request<Incoming>| async move {
            let received = count(request.into_body()).await;
            let mut response = Response::new(stream(received));
            response.headers_mut().insert("x-received", received.into());
            response
        })
        .await;
        let (gateway, address) = start_gateway(upstream);

        let tcp = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) = hyper::client::conn::http1::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("/").header("host", "a").body(stream(GIBIBYTE)).unwrap();
        assert_passed(client.send_request(request).await.unwrap(), GIBIBYTE).await;
        assert_small(&gateway, "HTTP/1.1");

        let tcp = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), tcp).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("http://a/").body(stream(ENOUGH)).unwrap();
        assert_passed(client.send_request(request).await.unwrap(), ENOUGH).await;
        assert_small(&gateway, "HTTP/2");
    });
}

async fn assert_passed(response: Response<Incoming>, bytes: u64) {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-received"], bytes.to_string());
    assert_eq!(count(response.into_body()).await, bytes);
}

fn stream(bytes: u64) -> Channel<Bytes, std::convert::Infallible> {
    const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 * 1024]);
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for _ in 0..bytes / CHUNK.len() as u64 {
            if sender.send_data(CHUNK).await.is_err() {
                return;
            }
        }
    });
    body
}

async fn count(mut body: Incoming) -> u64 {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().data_ref().map_or(0, |data| data.len() as u64);
    }
    bytes
}

struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start_gateway(upstream: SocketAddr) -> (Gateway, SocketAddr) {
    let mut gateway = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_gibibyte_each_way_stays_under_64_mib", "--nocapture"])
        .env(UPSTREAM, upstream.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .map(Gateway)
        .unwrap();
    let mut lines = BufReader::new(gateway.0.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| line.unwrap().strip_prefix("listening on ")?.parse().ok());
    (gateway, address.unwrap())
}

fn run_gateway(upstream: SocketAddr) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let server = support::start(support::proxy(upstream)).await;
        println!("\nlistening on {}", server.address);
        std::future::pending().await
    })
}

/// The most memory that the process ever had in use, as the kernel counts it.
fn assert_small(gateway: &Gateway, what: &str) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.0.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    let peak = peak.parse::<u64>().unwrap() * 1024;
    assert!(peak < MOST_MEMORY, "{what}: {} MiB at most, not {} MiB", MOST_MEMORY >> 20, peak >> 20);
    println!("{what}: {} KiB", peak >> 10);
}
