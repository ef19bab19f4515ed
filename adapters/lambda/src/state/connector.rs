//! The SDK's way to DynamoDB: the connections to upstreams, so that there is one pool, one TLS and one list of authorities.

use std::time::Duration;

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use bytes::Bytes;
use portico_core::{Body, FetchError};
use portico_native::upstream::Upstreams;

/// No answer is larger: an item has at most 400 KB, a third more in Base64.
const LARGEST: u64 = 1 << 20;

/// Whoever asks gives up sooner.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The SDK's view of a connector.
pub(super) fn client(connector: impl HttpConnector + 'static) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// The connections to upstreams.
#[derive(Debug)]
pub(super) struct Connector(pub(super) Upstreams);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let upstreams = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&upstreams, request).await })
    }
}

async fn exchange(upstreams: &Upstreams, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let request = request.map(|body| Body::from(Bytes::copy_from_slice(body.bytes().unwrap_or_default())));
    let (head, body) = upstreams.fetch(request, TIMEOUT).await.map_err(failed)?.into_parts();
    let broken = |error| ConnectorError::other(error, None);
    let body = match body {
        Body::Empty => Bytes::new(),
        Body::Full(bytes) => bytes,
        Body::Stream(stream) => stream.collect(LARGEST).await.map_err(|error| broken(error.into()))?,
    };
    HttpResponse::try_from(http::Response::from_parts(head, body.into())).map_err(|error| broken(error.into()))
}

/// `io` says that nothing was sent, and nothing else does.
fn failed(error: FetchError) -> ConnectorError {
    match error {
        FetchError::Connect => ConnectorError::io(error.into()),
        error => ConnectorError::other(error.into(), None),
    }
}
