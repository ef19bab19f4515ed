use std::sync::mpsc::{Sender, channel};

use super::*;

/// A stream that takes what it is given once it is allowed to.
struct Gate {
    allowed: Receiver<()>,
    written: Sender<String>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.allowed.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
        self.written.send(String::from_utf8_lossy(bytes).into_owned()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gate(waiting: usize) -> (Lines, Writer, Sender<()>, Receiver<String>) {
    let (allow, allowed) = channel();
    let (written, read) = channel();
    let (lines, writer) = Lines::bounded(Gate { allowed, written }, "test", waiting).unwrap();
    (lines, writer, allow, read)
}

#[test]
fn a_stream_that_nobody_reads_costs_lines_and_no_time() {
    let (lines, writer, allow, read) = gate(4);
    for number in 0..100 {
        lines.send(format!("{number}\n"));
    }
    // up to five are in the writer's hands, depending on when it first looked; at least as many as fit are kept
    let dropped = lines.shared.dropped.load(Ordering::Relaxed);
    assert!((90..=96).contains(&dropped), "{dropped}");
    for _ in 0..100 {
        allow.send(()).unwrap();
    }
    writer.finish(Duration::from_secs(60));
    let written: String = read.try_iter().collect();
    assert!(written.starts_with("0\n1\n2\n3\n"), "{written}");
    assert_eq!(written.lines().count() as u64, 100 - dropped);
    assert_eq!(lines.shared.dropped.load(Ordering::Relaxed), 0, "it was reported");
}

#[test]
fn a_stream_that_is_closed_is_survived() {
    let (lines, writer, allow, read) = gate(4);
    drop((allow, read));
    for number in 0..100 {
        lines.send(format!("{number}\n"));
    }
    writer.finish(Duration::from_secs(60));
    assert_eq!(lines.shared.dropped.load(Ordering::Relaxed), 100);
}
