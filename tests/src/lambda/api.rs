//! The Lambda Runtime API: a function asks it for its next invocation, waits until there is one, and posts what came of it.
//!
//! One execution environment has one: a function that runs alone, one invocation at a time.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::posted::{self, Head};
use crate::child::HANGS;

/// How long a function may take: what its template asks of AWS.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of an event and of a response that is not streamed. Of a larger response AWS makes an error.
const LIMIT: usize = 6_291_556;

/// Of what came of an invocation, the next piece.
#[derive(Debug)]
pub enum Part {
    /// All of a response that is not streamed: the JSON that was posted.
    Whole(Vec<u8>),
    /// The next bytes of one that is.
    Piece(Vec<u8>),
    /// The end of one that is.
    End,
    /// What went wrong: an error in place of a response, or a stream that broke off.
    Failed(String),
}

/// One that listens. It ends, and whoever waits for it is told, when it is dropped.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Invocations that nobody has taken yet.
    waiting: VecDeque<(String, Vec<u8>)>,
    /// Whom to tell what came of those that were taken.
    running: BTreeMap<String, Sender<Part>>,
    /// How many there have been.
    count: u64,
    /// How often a function asked for the next one.
    asked: u64,
    /// Why there will be no more: the function could not start, or it ended.
    over: Option<String>,
}

impl Api {
    /// Starts one at a port that the system chooses.
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&all);
                if shared.state().over.is_some() {
                    return;
                }
                // a connection ends when the function does
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { address, shared })
    }

    /// Waits until the function has asked for an invocation so often. Fails when it says that it cannot start, or ends.
    pub(super) fn asked(&self, times: u64) -> Result<(), String> {
        let state = self.shared.wait(|state| state.asked >= times || state.over.is_some());
        match &state.over {
            Some(why) => Err(why.clone()),
            None if state.asked < times => Err("the function neither asks for an invocation nor ends".to_owned()),
            None => Ok(()),
        }
    }

    /// Hands out an event. What comes of it comes bit by bit.
    pub(super) fn invoke(&self, event: Vec<u8>) -> Result<Receiver<Part>, String> {
        if event.len() > LIMIT {
            return Err(format!("AWS refuses it itself: an event has {LIMIT} bytes at most"));
        }
        let mut state = self.shared.state();
        if let Some(why) = &state.over {
            return Err(why.clone());
        }
        state.count += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", state.count);
        let (sender, receiver) = channel();
        state.running.insert(id.clone(), sender);
        state.waiting.push_back((id, event));
        self.shared.changed.notify_all();
        Ok(receiver)
    }

    /// How many invocations there have been.
    pub(super) fn invocations(&self) -> u64 {
        self.shared.state().count
    }

    /// Tells whoever waits why nothing more comes.
    pub(super) fn end(&self) -> impl FnOnce(String) + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |why| shared.end(why)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shared.end("the test is over".to_owned());
        // whoever accepts sees it now
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// A poisoned lock only means that another thread panicked, which fails the test elsewhere.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is so, but not for ever.
    fn wait(&self, is: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.changed.wait_timeout_while(self.state(), HANGS, |state| !is(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn end(&self, why: String) {
        let mut state = self.state();
        for (_, sender) in std::mem::take(&mut state.running) {
            drop(sender.send(Part::Failed(why.clone())));
        }
        state.over.get_or_insert(why);
        self.changed.notify_all();
    }

    /// The next invocation, once there is one; `None` when there will be none.
    fn next(&self) -> Option<(String, Vec<u8>)> {
        let mut state = self.state();
        state.asked += 1;
        self.changed.notify_all();
        while state.waiting.is_empty() && state.over.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.pop_front()
    }
}

/// Serves a connection until it ends.
fn serve(stream: TcpStream, shared: &Shared) {
    let Ok(read) = stream.try_clone() else { return };
    let (mut reader, mut writer) = (BufReader::new(read), stream);
    while let Ok(Some(head)) = Head::read(&mut reader) {
        let path = head.path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default().to_owned();
        let answered = match (head.method.as_str(), path.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["invocation", "next"]) => match shared.next() {
                Some((id, event)) => invocation(&mut writer, &id, &event),
                None => return,
            },
            ("POST", ["invocation", id, what @ ("response" | "error")]) => {
                let Some(sender) = shared.state().running.remove(*id) else { return };
                let response = *what == "response";
                posted::read(&mut reader, &head, response, &sender, LIMIT)
                    .and_then(|()| answer(&mut writer, "202 Accepted", "{\"status\":\"OK\"}"))
            }
            ("POST", ["init", "error"]) => posted::whole(&mut reader, &head).and_then(|body| {
                shared.end(format!("the function cannot start: {}", String::from_utf8_lossy(&body)));
                answer(&mut writer, "202 Accepted", "{\"status\":\"OK\"}")
            }),
            _ => answer(&mut writer, "404 Not Found", "{\"errorType\":\"NotFound\"}"),
        };
        if answered.is_err() {
            return;
        }
    }
}

fn invocation(writer: &mut TcpStream, id: &str, event: &[u8]) -> io::Result<()> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let mut message = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n\
         Lambda-Runtime-Deadline-Ms: {}\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:123456789012:function:portico\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n\r\n",
        event.len(),
        deadline.as_millis(),
    )
    .into_bytes();
    message.extend(event);
    writer.write_all(&message)
}

fn answer(writer: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    writer.write_all(format!("{head}{body}").as_bytes())
}
