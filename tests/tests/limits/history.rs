//! What clients saw of one limit: every request with when it was sent, when it was answered, and what the answer said.
//!
//! As a file it has a line of JSON for the limit and one for each request, in the order in which they were sent. Times are
//! microseconds.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What clients saw, and of which limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) limit: Limit,
    pub(crate) requests: Vec<Request>,
}

/// How units come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// One after the other, as they drip into a bucket.
    #[default]
    Gcra,
    /// Each when `per` is over since it was taken, or up to a slice of that later.
    SlidingWindow,
    /// All at once, when a window of length `per` ends.
    FixedWindow,
}

/// A limit, and what is known of who kept it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limit {
    #[serde(default)]
    pub(crate) algorithm: Algorithm,
    /// Units that come back in `per`.
    pub(crate) limit: u32,
    /// Microseconds.
    pub(crate) per: u64,
    /// Units that may be taken at once from a bucket; of windows it is `limit`.
    pub(crate) burst: u32,
    /// What one request takes.
    pub(crate) cost: u32,
    /// Units that an instance takes from the store at once; `None` where each request is counted there.
    pub(crate) lease: Option<u32>,
    /// Instances that may have held leases at the same time; `None` when nobody knows.
    pub(crate) instances: Option<u32>,
    /// Whether who decides reads the clock before the step is taken: others may come between, and what is denied is denied by a time that
    /// was over.
    #[serde(default)]
    pub(crate) reads_clock_first: bool,
    /// By how many microseconds the clock of each node that decides is ahead of that of the clients; of others by none.
    #[serde(default)]
    pub(crate) ahead: Vec<i64>,
    /// How far the clock of who decided may have been from that of the clients besides.
    pub(crate) slack: u64,
}

impl Limit {
    /// In which one unit comes back, rounded up as core does.
    pub(crate) fn interval(&self) -> u64 {
        self.per.div_ceil(u64::from(self.limit))
    }

    /// In which what one request takes comes back.
    pub(crate) fn drip(&self) -> u64 {
        self.interval() * u64::from(self.cost)
    }

    /// In which an empty bucket fills.
    pub(crate) fn window(&self) -> u64 {
        self.interval() * u64::from(self.burst)
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// When it was sent.
    pub(crate) sent: u64,
    /// When its answer was there, or when it was clear that there will be none.
    pub(crate) done: u64,
    /// Whose bucket it draws from. What a store in memory forgot when it ended, another life does not know.
    pub(crate) bucket: String,
    pub(crate) client: usize,
    pub(crate) node: usize,
    /// How often it may have been counted: twice where an answer of the store may have been lost, and never where the store refused.
    pub(crate) counted: u32,
    pub(crate) answer: Answer,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Passed(Told),
    Denied(Told),
    /// There is no verdict: an answer got lost on the way, a process ended, or the store refused.
    Unanswered(String),
}

/// What the fields of a response say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// `r` of `RateLimit`: units left.
    pub(crate) remaining: u64,
    /// Its `t`: seconds until the bucket is full.
    pub(crate) reset: u64,
    /// `Retry-After`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
}

impl History {
    /// All of it as text.
    pub(crate) fn written(&self) -> String {
        let line = |value: serde_json::Result<String>| value.unwrap_or_else(|error| panic!("{error}"));
        let mut text = line(serde_json::to_string(&self.limit));
        for request in &self.requests {
            let _ = write!(text, "\n{}", line(serde_json::to_string(request)));
        }
        text.push('\n');
        text
    }

    /// What was [`written`](Self::written).
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        let wrong = |(index, error): (usize, serde_json::Error)| format!("line {}: {error}", index + 1);
        let (_, first) = lines.next().ok_or("the file is empty")?;
        let limit = serde_json::from_str(first).map_err(|error| wrong((0, error)))?;
        let request = |(index, line)| serde_json::from_str(line).map_err(|error| wrong((index, error)));
        Ok(Self { limit, requests: lines.map(request).collect::<Result<_, _>>()? })
    }

    /// That of a file.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::read(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

#[test]
fn what_is_written_reads_back() {
    let limit = Limit {
        algorithm: Algorithm::SlidingWindow,
        limit: 7,
        per: 60,
        burst: 3,
        cost: 1,
        lease: Some(2),
        instances: None,
        reads_clock_first: true,
        ahead: vec![-3, 4],
        slack: 9,
    };
    let request =
        |answer| Request { sent: 1, done: 5, bucket: "a/0".to_owned(), client: 3, node: 1, counted: 2, answer };
    let denied = Told { remaining: 0, reset: 2, retry_after: Some(1) };
    let requests = vec![
        request(Answer::Passed(Told::default())),
        request(Answer::Denied(denied)),
        request(Answer::Unanswered("503".to_owned())),
    ];
    let history = History { limit, requests };
    assert_eq!(History::read(&history.written()), Ok(history));
    assert_eq!(History::read("").unwrap_err(), "the file is empty");
    assert!(History::read("{}").unwrap_err().starts_with("line 1: missing field"));
}
