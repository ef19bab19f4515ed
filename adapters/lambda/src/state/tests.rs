mod emulator;
mod faults;
mod scripted;

use aws_smithy_runtime_api::client::http::HttpConnector;
use portico_native::tls;
use rustls::RootCertStore;

use super::attempts::Patience;
use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn quota(limit: u32, seconds: u64) -> Quota {
    Quota::new(limit, Duration::from_secs(seconds), limit).unwrap()
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
    let patience = Duration::from_secs(60);
    state.table.patience = Patience { whole: patience, attempt: patience };
    state
}
