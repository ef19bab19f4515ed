//! Logs: what is said about requests, and what is said about the server. Nothing here ever makes a request wait.
//!
//! A line goes through a bounded channel to a thread that writes it. When that thread cannot keep up (a terminal that was
//! stopped, a pipe that nobody reads) lines are dropped, counted, and the count is reported once there is room again.

mod readable;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

pub(crate) use readable::{Readable, colour, plain};

/// The most lines that wait to be written.
const WAITING: usize = 8 * 1024;

/// How long lines gather before they are written. Whoever sends one while this thread waits for it has to wake it, which costs a request
/// more than all else about its line; so requests share one waking.
const GATHER: Duration = Duration::from_millis(10);

/// As much as is written at once.
const BATCH: usize = 64 * 1024;

/// Where lines go in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    sender: SyncSender<String>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    ending: AtomicBool,
}

/// The thread that writes them.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// Disconnected once everything is written.
    done: Receiver<()>,
}

impl Lines {
    /// Starts a thread that writes to `stream`, which is called `name` where lines had to be dropped.
    pub(crate) fn to(stream: impl Write + Send + 'static, name: &'static str) -> io::Result<(Self, Writer)> {
        Self::bounded(stream, name, WAITING)
    }

    fn bounded(stream: impl Write + Send + 'static, name: &'static str, waiting: usize) -> io::Result<(Self, Writer)> {
        let (sender, lines) = sync_channel(waiting);
        let (finished, done) = sync_channel(0);
        let shared = Arc::new(Shared::default());
        let output = Output { stream, name, shared: Arc::clone(&shared), failing: false };
        std::thread::Builder::new().name(format!("portico-{name}")).spawn(move || {
            output.run(&lines);
            drop(finished);
        })?;
        Ok((Self { sender, shared: Arc::clone(&shared) }, Writer { shared, done }))
    }

    /// Writes a text, one line or several, which ends with a line break. Returns at once.
    pub(crate) fn send(&self, text: String) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.sender.try_send(text) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Writer {
    /// Waits until everything is written, at most `patience`.
    pub(crate) fn finish(self, patience: Duration) {
        self.shared.ending.store(true, Ordering::Relaxed);
        // disconnected: it is done; a timeout: nobody reads, and waiting longer would not help
        _ = self.done.recv_timeout(patience);
    }
}

struct Output<W> {
    stream: W,
    name: &'static str,
    shared: Arc<Shared>,
    failing: bool,
}

impl<W: Write> Output<W> {
    fn run(mut self, lines: &Receiver<String>) {
        loop {
            // the timeout only matters at the end, when no line may come any more
            let first = match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) if self.shared.ending.load(Ordering::Relaxed) => return,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !self.shared.ending.load(Ordering::Relaxed) {
                std::thread::sleep(GATHER);
            }
            let mut batch = first.into_bytes();
            let mut count = 1;
            while batch.len() < BATCH
                && let Ok(line) = lines.try_recv()
            {
                batch.extend_from_slice(line.as_bytes());
                count += 1;
            }
            let written = self.stream.write_all(&batch).and_then(|()| self.stream.flush());
            self.report(count, written);
        }
    }

    /// What is reported goes through tracing, which writes to a stream like this one, perhaps to this very one: so a
    /// stream that fails says so once, not for every line of that report.
    fn report(&mut self, count: u64, written: io::Result<()>) {
        let stream = self.name;
        match written {
            Err(error) => {
                self.shared.dropped.fetch_add(count, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(stream, %error, "log lines cannot be written; requests are served all the same");
                }
            }
            Ok(()) => {
                self.failing = false;
                let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    tracing::warn!(stream, dropped, "log lines were dropped: they could not be written fast enough");
                }
            }
        }
    }
}

/// One message of tracing's.
pub(crate) struct Message<'a>(&'a Lines);

impl Write for Message<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // tracing-subscriber writes a whole line at a time
        self.0.send(String::from_utf8_lossy(text).into_owned());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Message<'a>;

    fn make_writer(&'a self) -> Message<'a> {
        Message(self)
    }
}

/// What the server has to say besides requests goes to `lines`: as JSON for machines.
pub(crate) fn messages_as_json(lines: Lines) {
    let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).log_internal_errors(false);
    let builder = builder.json().flatten_event(true).with_current_span(false).with_span_list(false).with_target(false);
    set_default(builder.with_writer(lines).finish());
}

/// What the server has to say besides requests goes to `lines`: for people.
pub(crate) fn messages_as_text(lines: Lines, colour: bool) {
    let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).log_internal_errors(false);
    set_default(builder.without_time().with_target(false).with_ansi(colour).with_writer(lines).finish());
}

fn set_default(subscriber: impl tracing::Subscriber + Send + Sync) {
    // fails only when there is one already, and then that one has it
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// Waits a moment for each of the writers, so that the last lines are not lost.
pub(crate) fn finish(writers: impl IntoIterator<Item = Writer>) {
    let end = Instant::now() + Duration::from_secs(2);
    for writer in writers {
        writer.finish(end.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests;
