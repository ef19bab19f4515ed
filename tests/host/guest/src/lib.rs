//! A component that uses everything the host has, one path for each, and answers with plain text. The root is the "hello world"
//! that benchmarks compare with.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt;
use spin_sdk::experimental::wasi::keyvalue::{atomics, batch, store};
use spin_sdk::http::{BoxBody, FullBody, Request, Response, StatusCode, box_body};
use spin_sdk::http_service;
use spin_sdk::key_value::Store;
use spin_sdk::redis::{Connection, RedisParameter, RedisResult};

/// How many requests this instance has had.
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// How many it has now.
static NOW: AtomicUsize = AtomicUsize::new(0);

/// What went wrong, as text.
type Answer = Result<String, String>;

#[http_service]
async fn handle(request: Request) -> Response<BoxBody> {
    let count = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
    let path = request.uri().path().to_owned();
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    let (what, key, rest) = (parts.next(), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let answer = match what.unwrap_or("") {
        "" => return text(StatusCode::OK, "hello"),
        "echo" => return Response::new(box_body(request.into_body())),
        "count" => Ok(count.to_string()),
        "headers" => Ok(headers(&request)),
        "file" => std::fs::read_to_string(format!("/{key}")).map_err(|error| error.to_string()),
        "write" => std::fs::write(format!("/{key}"), "x").map(|()| String::new()).map_err(|error| error.to_string()),
        "environment" => std::env::var(key).map_err(|error| error.to_string()),
        "variable" => spin_sdk::variables::get(key).await.map_err(|error| format!("{error:?}")),
        "memory" => key.parse().map(grow).map_err(|_| "no number".to_owned()),
        "print" => Ok(print(key)),
        "trap" => std::process::abort(),
        "panic" => panic!("as asked"),
        "fetch" => fetch(&format!("http://{key}/{rest}")).await,
        "values" => values(request, key).await.map_err(|error| format!("{error:?}")),
        "increment" => increment(key, rest).map_err(|error| format!("{error:?}")),
        "race" => race(key).map_err(|error| format!("{error:?}")),
        "batch" => many(key).map_err(|error| format!("{error:?}")),
        "redis" => execute(request).await.map_err(|error| format!("{error:?}")),
        _ => return text(StatusCode::NOT_FOUND, "no such path"),
    };
    match answer {
        Ok(told) => text(StatusCode::OK, told),
        Err(error) => text(StatusCode::BAD_GATEWAY, error),
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<BoxBody> {
    let mut response = Response::new(box_body(FullBody::new(text.into())));
    *response.status_mut() = status;
    response
}

/// The fields of a request, one line each.
fn headers(request: &Request) -> String {
    let line = |(name, value): (&_, &spin_sdk::http::HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    request.headers().iter().map(line).collect()
}

/// Takes so many bytes of memory, and gives them back.
fn grow(bytes: usize) -> String {
    std::hint::black_box(vec![1_u8; bytes]).len().to_string()
}

fn print(line: &str) -> String {
    println!("{line}");
    eprintln!("{line}");
    String::new()
}

/// Asks an upstream, and says how many requests this instance had at the same time when the answer came.
async fn fetch(url: &str) -> Answer {
    let _now = Now::new();
    let response = spin_sdk::http::get(url).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let now = NOW.load(Ordering::Relaxed);
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(format!("{} {now} {}", status.as_u16(), String::from_utf8_lossy(&body)))
}

struct Now;

impl Now {
    fn new() -> Self {
        NOW.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Now {
    fn drop(&mut self) {
        NOW.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `spin:key-value`: GET, PUT and DELETE of a key; GET without one lists them.
async fn values(request: Request, key: &str) -> Result<String, spin_sdk::key_value::Error> {
    let store = Store::open_default().await?;
    match request.method().as_str() {
        "GET" if key.is_empty() => Ok(store.get_keys().await.collect().await?.join(",")),
        "GET" => Ok(shown(store.get(key).await?)),
        "DELETE" => store.delete(key).await.map(|()| String::new()),
        _ => {
            let body = request.into_body().collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
            store.set(key, body).await.map(|()| String::new())
        }
    }
}

fn shown(value: Option<Vec<u8>>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
}

/// `wasi:keyvalue`: adds to a number.
fn increment(key: &str, delta: &str) -> Result<String, store::Error> {
    let bucket = store::open("default")?;
    atomics::increment(&bucket, key, delta.parse().unwrap_or(0)).map(|after| after.to_string())
}

/// `wasi:keyvalue`: two callers read a value before either of them swaps it.
fn race(key: &str) -> Result<String, store::Error> {
    let bucket = store::open("default")?;
    let callers = [atomics::Cas::new(&bucket, key)?, atomics::Cas::new(&bucket, key)?];
    for caller in &callers {
        caller.current()?;
    }
    let mut told = Vec::new();
    for (number, caller) in callers.into_iter().enumerate() {
        told.push(match atomics::swap(caller, format!("by {number}").as_bytes()) {
            Ok(()) => "swapped".to_owned(),
            Err(atomics::CasError::CasFailed(fresh)) => format!("failed at {}", shown(fresh.current()?)),
            Err(atomics::CasError::StoreError(error)) => format!("{error:?}"),
        });
    }
    Ok(told.join(", "))
}

/// `wasi:keyvalue`: sets two keys at once, reads them and one that is not there, and takes them away.
fn many(prefix: &str) -> Result<String, store::Error> {
    let bucket = store::open("default")?;
    let keys = ["a", "b", "c"].map(|end| format!("{prefix}{end}")).to_vec();
    let pairs: Vec<_> = keys.iter().take(2).map(|key| (key.clone(), key.clone().into_bytes())).collect();
    batch::set_many(&bucket, &pairs)?;
    let read = batch::get_many(&bucket, &keys)?;
    batch::delete_many(&bucket, &keys)?;
    let left = keys.iter().filter(|key| bucket.exists(key).unwrap_or(true)).count();
    let read: Vec<_> = read.into_iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
    Ok(format!("{} left {left}", read.join(" ")))
}

/// `spin:redis`: the body is a command, one argument a line, to the server that the variable `redis` names.
async fn execute(request: Request) -> Result<String, spin_sdk::redis::Error> {
    let address = spin_sdk::variables::get("redis").await.unwrap_or_default();
    let connection = Connection::open(&address).await?;
    let body = request.into_body().collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
    let body = String::from_utf8_lossy(&body).into_owned();
    let mut words = body.lines();
    let command = words.next().unwrap_or("PING");
    let arguments: Vec<_> = words.map(|word| RedisParameter::Binary(word.as_bytes().to_vec())).collect();
    let results = connection.execute(command, arguments).await?;
    let results: Vec<_> = results.into_iter().map(result).collect();
    Ok(results.join(" "))
}

fn result(result: RedisResult) -> String {
    match result {
        RedisResult::Nil => "nil".to_owned(),
        RedisResult::Status(text) => text,
        RedisResult::Int64(number) => number.to_string(),
        RedisResult::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}
