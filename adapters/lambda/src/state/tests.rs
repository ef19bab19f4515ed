mod connection;
mod emulator;
mod faults;
mod lost;
mod purges;
mod responses;
mod scripted;
mod swap;

use std::sync::OnceLock;

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use portico_core::limit::{Quota, Window};
use portico_native::tls;
use portico_tests::dynamodb::DynamoDb;
use rustls::RootCertStore;

use super::attempts::Patience;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// An invocation that may take as long as it likes.
const LONG: Duration = Duration::from_secs(60);

fn quota(limit: u32, seconds: u64) -> Quota {
    Quota::new(limit, Duration::from_secs(seconds), limit).unwrap()
}

/// One for all tests, each of which has a table of its own. It ends with this process, which is its standard input.
fn dynamodb() -> &'static DynamoDb {
    static SHARED: OnceLock<DynamoDb> = OnceLock::new();
    SHARED.get_or_init(|| DynamoDb::start().unwrap())
}

fn upstreams() -> Upstreams {
    Upstreams::new(|| tls::client(RootCertStore::empty()).unwrap())
}

/// What Lambda sets, for a DynamoDB at `endpoint`.
fn environment(endpoint: &str) -> impl Fn(&str) -> Option<String> {
    let endpoint = endpoint.to_owned();
    move |name| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => Some("tests".to_owned()),
        "AWS_ENDPOINT_URL_DYNAMODB" => Some(endpoint.clone()),
        _ => None,
    }
}

fn state(name: &str, connector: impl HttpConnector + 'static, endpoint: &str) -> State {
    State::of(Table::new(name.to_owned(), connector::client(connector), environment(endpoint)))
}

/// The same, where it does not matter how long moto takes, which does one thing at a time.
fn patient(mut state: State) -> State {
    state.table.patience = Patience { whole: LONG, attempt: LONG };
    state
}

impl State {
    /// A table that never answers.
    pub(crate) fn deaf() -> Self {
        state("table", Deaf, "http://dynamodb.test")
    }

    /// A table that takes everything and has nothing.
    pub(crate) fn accepting() -> Self {
        scripted::scripted([scripted::Script::Answers(200, serde_json::json!({}))]).0
    }

    /// One step of a lone GCRA.
    async fn take(
        &self,
        key: &str,
        quota: &Quota,
        cost: u32,
        now: Timestamp,
        left: Duration,
    ) -> Result<Verdict, StoreError> {
        let verdicts = self.step(key, &[Rule::Gcra(*quota)], Draw::Take(cost), || now, left).await?;
        let [verdict] = verdicts[..] else { panic!("{verdicts:?}") };
        Ok(verdict)
    }
}

#[derive(Debug)]
struct Deaf;

impl HttpConnector for Deaf {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(std::future::pending())
    }
}
