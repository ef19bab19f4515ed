//! The table of one case: a DynamoDB that all cases share, behind a door by which a test decides what becomes of operations.

use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portico::case::{Payload, Send, http1};
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

/// What becomes of operations on their way to the table, and of their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They arrive, and so do the answers.
    Open,
    /// They are refused, and another attempt will be.
    Closed,
    /// They are done, and the answers get lost.
    LosesAnswers,
    /// Three of four are refused, as DynamoDB does when it is asked too much.
    Throttles,
    /// Each is done twice, with nothing in between; the answer is by turns that of the first and that of the second.
    Doubles,
}

/// How it is now.
#[derive(Debug)]
struct State {
    way: Way,
    /// Operations so far.
    count: u32,
    over: bool,
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
        let state = Arc::new(Mutex::new(State { way: Way::Open, count: 0, over: false }));
        let (inside, behind) = (Arc::clone(&state), Arc::new(Behind(Mutex::new(dynamodb.address()))));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if lock(&inside).over {
                    return;
                }
                let (state, behind) = (Arc::clone(&inside), Arc::clone(&behind));
                // whether it was served or broke off, there is nobody to tell; a connection ends when the function does
                std::thread::spawn(move || drop(serve(stream, &behind, &state)));
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
    pub(super) fn set_way(&self, way: Way) {
        lock(&self.state).way = way;
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        lock(&self.state).over = true;
        // whoever accepts sees it now
        drop(TcpStream::connect(self.door));
    }
}

/// A poisoned lock only means that another thread panicked, which fails the case elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// DynamoDB, which does one operation after the other.
struct Behind(Mutex<SocketAddr>);

impl Behind {
    /// Has an operation done so often, with nothing in between; each status and body.
    fn perform(&self, send: &Send, times: u32) -> io::Result<Vec<(u16, Vec<u8>)>> {
        let address = lock(&self.0);
        let perform = |_| client::exchange(*address, send).map(|(status, message)| (status, message.body));
        (0..times).map(perform).collect()
    }
}

/// Passes requests on until the connection ends.
fn serve(stream: TcpStream, behind: &Behind, state: &Mutex<State>) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    while let Some(request) = http1::read_request(&mut reader)? {
        let (way, count) = {
            let mut state = lock(state);
            if state.over {
                return Ok(());
            }
            state.count = state.count.wrapping_add(1);
            (state.way, state.count)
        };
        let refused = |error: &str| {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{error}"}}"#);
            vec![(400, body.into_bytes())]
        };
        let mut words = request.start.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let send = Send { method, target, headers: request.headers, body: Payload::Sized(request.body) };
        let mut answers = match way {
            Way::Closed => refused("ResourceNotFoundException"),
            Way::Throttles if count % 4 != 0 => refused("ProvisionedThroughputExceededException"),
            Way::Open | Way::LosesAnswers | Way::Throttles => behind.perform(&send, 1)?,
            Way::Doubles => behind.perform(&send, 2)?,
        };
        if way == Way::LosesAnswers {
            return Ok(());
        }
        if count % 2 == 0 {
            answers.truncate(1);
        }
        let (status, body) = answers.pop().unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status} \r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}
