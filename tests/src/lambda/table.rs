//! The table of one case: a DynamoDB that all cases share, behind a door that can be closed, or lose answers.

use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use portico::case::{Payload, Send, Store, http1};
use serde_json::json;

use crate::client;
use crate::dynamodb::DynamoDb;

/// A table. The way to it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    dynamodb: Arc<DynamoDb>,
    door: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Store(Store),
    Over,
}

impl Table {
    /// A new one, with these values.
    pub(super) fn new<'v>(
        dynamodb: &Arc<DynamoDb>,
        values: impl IntoIterator<Item = (&'v String, &'v String)>,
    ) -> Result<Self, String> {
        let name = dynamodb.create()?;
        let trouble = |error: io::Error| format!("no way to DynamoDB: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(trouble)?;
        let door = listener.local_addr().map_err(trouble)?;
        let state = Arc::new(Mutex::new(State::Store(Store::Up)));
        let (inside, behind) = (Arc::clone(&state), dynamodb.address());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if matches!(*lock(&inside), State::Over) {
                    return;
                }
                let state = Arc::clone(&inside);
                // whether it was served or broke off, there is nobody to tell; a connection ends when the function does
                std::thread::spawn(move || drop(serve(stream, behind, &state)));
            }
        });
        let table = Self { name, dynamodb: Arc::clone(dynamodb), door, state };
        values.into_iter().try_for_each(|(key, value)| table.set(key, Some(value)))?;
        Ok(table)
    }

    /// What a function needs in its environment to get there.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.dynamodb.environment().to_vec();
        for (name, value) in &mut environment {
            if *name == "AWS_ENDPOINT_URL_DYNAMODB" {
                *value = format!("http://{}", self.door);
            }
        }
        environment.push(("PORTICO_TABLE", self.name.clone()));
        environment
    }

    /// Puts a value into it as operators do, or takes it away.
    pub(super) fn set(&self, key: &str, value: Option<&str>) -> Result<(), String> {
        let (operation, input) = match value {
            Some(value) => {
                ("PutItem", json!({ "TableName": self.name, "Item": { "id": { "S": key }, "value": { "S": value } } }))
            }
            None => ("DeleteItem", json!({ "TableName": self.name, "Key": { "id": { "S": key } } })),
        };
        self.dynamodb.call(operation, &input).map(drop)
    }

    /// What becomes of all operations from now on.
    pub(super) fn fail(&self, store: Store) {
        *lock(&self.state) = State::Store(store);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        *lock(&self.state) = State::Over;
        // whoever accepts sees it now
        drop(TcpStream::connect(self.door));
    }
}

/// A poisoned lock only means that another thread panicked, which fails the case elsewhere.
fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes requests on until the connection ends.
fn serve(stream: TcpStream, behind: SocketAddr, state: &Mutex<State>) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    while let Some(request) = http1::read_request(&mut reader)? {
        let store = match &*lock(state) {
            State::Store(store) => *store,
            State::Over => return Ok(()),
        };
        let (status, body) = match store {
            // nothing that is worth another attempt
            Store::Down => {
                (400, br#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}"#.to_vec())
            }
            Store::Up | Store::LostResponse | Store::Duplicate | Store::StaleRead => {
                let mut words = request.start.split(' ').map(str::to_owned);
                let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let send = Send { method, target, headers: request.headers, body: Payload::Sized(request.body) };
                let (status, message) = client::exchange(behind, &send)?;
                (status, message.body)
            }
        };
        if matches!(store, Store::LostResponse) {
            return Ok(());
        }
        let head = format!(
            "HTTP/1.1 {status} \r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}
