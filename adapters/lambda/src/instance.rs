//! What lives as long as the process: the gateway, connections to upstreams, stored responses, the table, and what the environment says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Once;

use portico_core::config::Bundle;
use portico_core::{Gateway, StoreError};
use portico_native::cache::Responses;
use portico_native::tls;
use portico_native::upstream::Upstreams;

use crate::event::Front;
use crate::secrets::Secrets;
use crate::state::State;

/// What to do where there is no bundle.
const HELP: &str = "make one with `portico build --target lambda --out bundle.json`, and put it beside the binary, or its path into \
     PORTICO_BUNDLE";

/// The least memory that a function has, in megabytes.
const LEAST: u64 = 128;

/// One execution environment of a function.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) gateway: Gateway,
    pub(crate) upstreams: Upstreams,
    pub(crate) secrets: Secrets,
    /// Responses that this process keeps for its next requests.
    pub(crate) responses: Responses,
    /// `None` when there is no table.
    state: Option<State>,
    /// How responses are posted, to fronts that leave the choice.
    response: ResponseMode,
    /// Whether each request is told in the log, unless `PORTICO_ACCESS_LOG` is `off`.
    pub(crate) access_log: bool,
}

/// How responses are posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    /// Each as one JSON text, 6 MB at most.
    Whole,
    /// Each as it comes.
    Stream,
}

impl ResponseMode {
    fn of(said: Option<&str>) -> Result<Self, String> {
        match said {
            None | Some("whole") => Ok(Self::Whole),
            Some("stream") => Ok(Self::Stream),
            Some(other) => Err(format!(
                "PORTICO_RESPONSE is {other:?}\nhelp: make it `stream` where the front takes streams, as it is set up; otherwise `whole`"
            )),
        }
    }
}

impl Instance {
    /// Reads the bundle, and opens no connection. The error says what is wrong, where, and what to do.
    pub(crate) fn start() -> Result<Self, String> {
        let response = ResponseMode::of(std::env::var("PORTICO_RESPONSE").ok().as_deref())?;
        let path = bundle(std::env::var_os("PORTICO_BUNDLE"), std::env::var_os("LAMBDA_TASK_ROOT"));
        let wrong = |error: String| format!("{}: {error}\nhelp: {HELP}", path.display());
        let bundle = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let gateway = Bundle::open(&bundle).map_err(|error| wrong(error.to_string()))?;
        let upstreams = upstreams()?;
        // most likely an upstream's or an issuer's: Lambda gives more processor now than to any request
        if bundle.contains("https://") {
            upstreams.prepare();
        }
        let text = |name| std::env::var(name).ok();
        Ok(Self {
            secrets: Secrets::new(&gateway, upstreams.clone()),
            responses: Responses::new(room(text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").as_deref())),
            state: text("PORTICO_TABLE").map(|table| State::new(table, upstreams.clone())),
            gateway,
            upstreams,
            response,
            access_log: text("PORTICO_ACCESS_LOG").as_deref() != Some("off"),
        })
    }

    /// One of a test: without a table, without trust in anybody, silent.
    #[cfg(test)]
    pub(crate) fn of(gateway: Gateway, response: ResponseMode) -> Self {
        let upstreams = Upstreams::new(|| tls::client(rustls::RootCertStore::empty()).unwrap());
        let secrets = Secrets::new(&gateway, upstreams.clone());
        let responses = Responses::new(room(None));
        Self { gateway, upstreams, secrets, responses, state: None, response, access_log: false }
    }

    /// The same with a table.
    #[cfg(test)]
    pub(crate) fn with(self, state: State) -> Self {
        Self { state: Some(state), ..self }
    }

    /// Whether a response to this front is posted as it comes: others than these take none like that.
    pub(crate) fn streams(&self, front: Front) -> bool {
        self.response == ResponseMode::Stream && matches!(front, Front::Rest | Front::FunctionUrl)
    }

    /// The table, if there is one.
    pub(crate) fn table(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Where limits, keys, key sets and shared responses are. Without a table that is an error, and said once.
    pub(crate) fn state(&self) -> Result<&State, StoreError> {
        static COMPLAINT: Once = Once::new();
        self.state.as_ref().ok_or_else(|| {
            COMPLAINT.call_once(|| {
                eprintln!(
                    "limits, stored keys and shared responses need a table, and so do copies of key sets\nhelp: put the name of a DynamoDB table into PORTICO_TABLE"
                );
            });
            StoreError
        })
    }
}

/// Bytes for responses that are kept: a tenth of the memory that the function has.
fn room(megabytes: Option<&str>) -> u64 {
    let megabytes = megabytes.and_then(|megabytes| megabytes.parse::<u64>().ok()).unwrap_or(LEAST);
    megabytes.max(LEAST) * (1 << 20) / 10
}

/// Where the bundle is: what `PORTICO_BUNDLE` says, or bundle.json in the function's folder.
fn bundle(said: Option<OsString>, folder: Option<OsString>) -> PathBuf {
    said.map_or_else(|| Path::new(&folder.unwrap_or_default()).join("bundle.json"), PathBuf::from)
}

/// Those of a gateway that trusts the machine's roots, once it meets the first `https`.
fn upstreams() -> Result<Upstreams, String> {
    let client = tls::Client::new().map_err(|error| error.to_string())?;
    Ok(Upstreams::new(|| {
        let (roots, problems) = tls::native_roots();
        for problem in problems {
            eprintln!("{problem}");
        }
        client.trusting(roots)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_whole_unless_said_otherwise() {
        assert_eq!(ResponseMode::of(None), Ok(ResponseMode::Whole));
        assert_eq!(ResponseMode::of(Some("whole")), Ok(ResponseMode::Whole));
        assert_eq!(ResponseMode::of(Some("stream")), Ok(ResponseMode::Stream));
        assert!(ResponseMode::of(Some("Stream")).is_err_and(|error| error.contains("help: ")));
    }

    #[test]
    fn streams_go_where_they_are_taken_and_wanted() {
        let streams = |response, front| {
            let document = serde_json::json!({ "portico": 1, "name": "nothing", "routes": [] });
            Instance::of(portico_core::config::compile(&document).unwrap().0, response).streams(front)
        };
        for front in [Front::FunctionUrl, Front::Rest] {
            assert!(streams(ResponseMode::Stream, front) && !streams(ResponseMode::Whole, front), "{front:?}");
        }
        for front in [Front::Http, Front::HttpPayload1, Front::Alb { multi: true }, Front::Alb { multi: false }] {
            assert!(!streams(ResponseMode::Stream, front), "{front:?}");
        }
    }

    #[test]
    fn responses_have_a_tenth_of_the_memory() {
        assert_eq!(room(Some("2560")), 256 << 20);
        for least in [None, Some(""), Some("128"), Some("-1")] {
            assert_eq!(room(least), (128 << 20) / 10, "{least:?}");
        }
    }

    #[test]
    fn the_bundle_is_beside_the_binary_unless_said_otherwise() {
        let place = |said: Option<&str>, folder: Option<&str>| {
            bundle(said.map(OsString::from), folder.map(OsString::from)).display().to_string()
        };
        assert_eq!(place(None, Some("/var/task")), "/var/task/bundle.json");
        assert_eq!(place(Some("/opt/a.json"), Some("/var/task")), "/opt/a.json");
        assert_eq!(place(None, None), "bundle.json");
    }
}
