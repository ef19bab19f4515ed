//! Files of recorded requests: which format they have, one request after the other, and several files as one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::iter::Peekable;
use std::path::Path;

use super::recorded::{Next, Place, Source};
use super::{har, log};
use crate::diff::side::is_stdin;

/// The requests of one file.
pub(super) enum Requests {
    /// Read line by line.
    Log(Lines),
    /// Read whole: it is not in the order of time.
    Archive(std::vec::IntoIter<Next>),
}

/// The lines of an access log.
pub(super) struct Lines {
    file: Source,
    from: Box<dyn BufRead>,
    number: u64,
    ended: bool,
}

/// A longer line is none of the access log.
const LONGEST: u64 = 1 << 20;

/// Opens a file, or stdin (`-`). The error says why not.
pub(super) fn open(path: &Path) -> Result<Requests, String> {
    let name = if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() };
    let opened: io::Result<Box<dyn Read>> =
        if is_stdin(path) { Ok(Box::new(io::stdin())) } else { File::open(path).map(|file| Box::new(file) as _) };
    let unreadable = |error: io::Error| format!("cannot read {name}: {error}");
    let mut from = opened.map_err(unreadable)?;
    let mut start = Vec::new();
    from.by_ref().take(512).read_to_end(&mut start).map_err(unreadable)?;
    if start.starts_with(b"\xef\xbb\xbf") {
        start.drain(..3);
    }
    let is_archive = is_archive(&start);
    let from = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(from));
    let file = Source::from(name.as_str());
    if is_archive {
        let entries = har::read(from, &file).map_err(|why| format!("{name}: {why}"))?;
        return Ok(Requests::Archive(entries.into_iter()));
    }
    Ok(Requests::Log(Lines::new(file, Box::new(from))))
}

/// A HAR is an object whose first key is `log`; a line of the access log has no such key.
fn is_archive(start: &[u8]) -> bool {
    let object = start.trim_ascii_start().strip_prefix(b"{");
    object.is_some_and(|object| object.trim_ascii_start().starts_with(b"\"log\""))
}

impl Iterator for Requests {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        match self {
            Self::Log(lines) => lines.next(),
            Self::Archive(entries) => entries.next(),
        }
    }
}

impl Iterator for Lines {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        while !self.ended {
            self.number += 1;
            let place = Place::Line(Source::clone(&self.file), self.number);
            let mut line = Vec::new();
            if let Err(error) = self.from.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                self.ended = true;
                return Some(Err((place, format!("cannot be read: {error}"))));
            }
            let whole = line.ends_with(b"\n");
            if !whole && line.len() as u64 == LONGEST {
                self.ended = self.skip_line().is_err();
                return Some(Err((place, "the line is longer than 1 MiB".to_owned())));
            }
            self.ended = !whole;
            if line.trim_ascii().is_empty() {
                continue;
            }
            match log::read(line.trim_ascii(), place.clone()) {
                Ok(recorded) => return Some(Ok(recorded)),
                // the log is still being written: its last line is not complete yet
                Err(_) if !whole => return None,
                Err(why) => return Some(Err((place, why))),
            }
        }
        None
    }
}

impl Lines {
    fn new(file: Source, from: Box<dyn BufRead>) -> Self {
        Self { file, from, number: 0, ended: false }
    }

    /// A log that a test wrote.
    #[cfg(test)]
    pub(super) fn of(name: &str, text: String) -> Self {
        Self::new(name.into(), Box::new(Cursor::new(text)))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let ready = self.from.fill_buf()?;
            let end = ready.iter().position(|byte| *byte == b'\n');
            let (used, done) = (end.map_or(ready.len(), |end| end + 1), end.is_some() || ready.is_empty());
            self.from.consume(used);
            if done {
                return Ok(());
            }
        }
    }
}

/// Several files as one, the earliest request first. Each file keeps its own order: a log is written when a request is answered,
/// so it is in the order of time only nearly.
pub(super) struct Merged<I: Iterator<Item = Next>>(Vec<Peekable<I>>);

impl<I: Iterator<Item = Next>> Merged<I> {
    pub(super) fn new(files: impl IntoIterator<Item = I>) -> Self {
        Self(files.into_iter().map(Iterator::peekable).collect())
    }
}

impl<I: Iterator<Item = Next>> Iterator for Merged<I> {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        // what cannot be read has no time, and is told at once
        let time = |next: &Next| next.as_ref().map_or(None, |recorded| Some(recorded.time));
        let waiting = self.0.iter_mut().enumerate();
        let (_, first) = waiting.filter_map(|(index, file)| file.peek().map(|next| (time(next), index))).min()?;
        self.0.get_mut(first)?.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32) -> String {
        format!(
            "{{\"time\":\"2026-03-01T12:00:{second:02}Z\",\"client\":\"192.0.2.7\",\"method\":\"GET\",\"path\":\"/\",\
             \"status\":200,\"decisions\":[],\"config\":\"\"}}\n"
        )
    }

    fn told(requests: impl Iterator<Item = Next>) -> Vec<String> {
        let told = |next: Next| match next {
            Ok(recorded) => format!("{} {}", recorded.place, recorded.time.as_secs() % 60),
            Err((place, why)) => format!("{place}: {why}"),
        };
        requests.map(told).collect()
    }

    #[test]
    fn a_bad_line_does_not_end_the_file_and_an_incomplete_one_is_none() {
        let start: String = line(3).chars().take(40).collect();
        let text = ["\n", &line(1), "nonsense\n", &"x".repeat(2 << 20), "\n", &line(2), "\r\n", &start].concat();
        assert_eq!(
            told(Lines::of("a", text)),
            ["a:2 1", "a:3: not JSON: expected ident, at column 2", "a:4: the line is longer than 1 MiB", "a:5 2"]
        );
        // the last line need not end
        assert_eq!(told(Lines::of("a", line(1).trim_end().to_owned())), ["a:1 1"]);
        assert_eq!(told(Lines::of("a", String::new())), [""; 0]);
    }

    #[test]
    fn files_are_joined_by_time_and_keep_their_own_order() {
        let one = Lines::of("a", [line(1), line(5), line(4), line(9)].concat());
        let other = Lines::of("b", [line(2), "?\n".to_owned(), line(3), line(6)].concat());
        let told = told(Merged::new([one, other]));
        assert_eq!(
            told,
            [
                "a:1 1",
                "b:1 2",
                "b:2: not JSON: expected value, at column 1",
                "b:3 3",
                "a:2 5",
                "a:3 4",
                "b:4 6",
                "a:4 9"
            ]
        );
    }

    #[test]
    fn an_archive_is_told_from_a_log() {
        assert!(is_archive(b"\n{\n  \"log\": {"));
        assert!(is_archive(b"{\"log\":{}}"));
        assert!(!is_archive(line(1).as_bytes()));
        assert!(!is_archive(b""));
    }
}
