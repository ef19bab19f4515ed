//! What is posted to the Runtime API: responses, whole or as they come, and errors.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body::{Body as HttpBody, Frame};
use lambda_runtime::{Diagnostic, Error, LambdaInvocation};
use lambda_runtime_api_client::PooledClient;
use lambda_runtime_api_client::body::Body;
use portico_core::Body as CoreBody;
use portico_native::body::{NativeBody, Payload};

/// The path of everything.
const RUNTIME: &str = "/2018-06-01/runtime";

/// Says which attempt an answer belongs to, and comes back with it.
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");

/// What ends the head of a stream.
pub(crate) const DELIMITER: [u8; 8] = [0; 8];

/// The Runtime API.
#[derive(Debug)]
pub(crate) struct Api(PooledClient);

/// Which invocation it is about.
#[derive(Debug)]
pub(crate) struct Id {
    request: String,
    invocation: Option<HeaderValue>,
}

impl Id {
    pub(crate) fn of(invocation: &LambdaInvocation) -> Self {
        let request = invocation.context.request_id.clone();
        Self { request, invocation: invocation.parts.headers.get(INVOCATION_ID).cloned() }
    }
}

impl Api {
    /// The one that the environment names.
    pub(crate) fn from_environment() -> Result<Self, String> {
        let help = "help: Lambda starts this binary; to serve on a machine of your own, run `portico serve`";
        let text = std::env::var("AWS_LAMBDA_RUNTIME_API");
        let text = text.map_err(|_| format!("AWS_LAMBDA_RUNTIME_API does not say where the Runtime API is\n{help}"))?;
        let endpoint = Uri::try_from(&text).ok().filter(|endpoint| endpoint.authority().is_some());
        let endpoint =
            endpoint.ok_or_else(|| format!("AWS_LAMBDA_RUNTIME_API is no host and port: {text:?}\n{help}"))?;
        Ok(Self::at(endpoint))
    }

    /// The one at this address.
    pub(crate) fn at(endpoint: Uri) -> Self {
        Self(PooledClient::builder().with_endpoint(endpoint).build())
    }

    /// Posts a response: the JSON of one.
    pub(crate) async fn respond(&self, id: &Id, response: Vec<u8>) -> Result<(), Error> {
        self.post(id.post("response"), response.into()).await
    }

    /// Posts a response as it comes: the JSON of its head, and its body. Done when all of it was sent.
    pub(crate) async fn stream(&self, id: &Id, head: Vec<u8>, body: CoreBody<NativeBody>) -> Result<(), Error> {
        let request = id
            .post("response")
            .header(RESPONSE_MODE, "streaming")
            .header(CONTENT_TYPE, "application/vnd.awslambda.http-integration-response")
            .header("trailer", ERROR_TYPE)
            .header("trailer", ERROR_BODY);
        let head = [&*head, &DELIMITER].concat();
        self.post(request, Body::new(Streamed { head: Some(head.into()), body: Payload(body) })).await
    }

    /// Posts an error in place of a response.
    pub(crate) async fn fail(&self, id: &Id, kind: &str, message: String) -> Result<(), Error> {
        let request = id.post("error").header(ERROR_TYPE, kind);
        self.post(request, serde_json::to_vec(&diagnostic(kind, message))?.into()).await
    }

    /// Says that there will be no invocation.
    pub(crate) async fn cannot_start(&self, message: &str) {
        let kind = "Portico.CannotStart";
        let request = Request::post(format!("{RUNTIME}/init/error")).header(ERROR_TYPE, kind);
        let body = serde_json::to_vec(&diagnostic(kind, message.to_owned())).unwrap_or_default();
        if let Err(error) = self.post(request, body.into()).await {
            eprintln!("the Runtime API does not answer: {error}");
        }
    }

    async fn post(&self, request: http::request::Builder, body: Body) -> Result<(), Error> {
        let response = self.0.call(request.body(body)?).await?;
        if !response.status().is_success() {
            // such as one that comes too late; the next invocation may go better
            eprintln!("the Runtime API refused what was posted with {}", response.status());
        }
        Ok(())
    }
}

impl Id {
    fn post(&self, what: &str) -> http::request::Builder {
        let builder = Request::post(format!("{RUNTIME}/invocation/{}/{what}", self.request));
        match &self.invocation {
            Some(id) => builder.header(INVOCATION_ID, id),
            None => builder,
        }
    }
}

fn diagnostic(kind: &str, message: String) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: message }
}

/// A response that is posted as it comes.
struct Streamed {
    /// What goes before the body.
    head: Option<Bytes>,
    body: Payload,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) if frame.is_data() => Some(Ok(frame)),
                // Lambda has trailers for errors only
                Some(Ok(_)) => continue,
                Some(Err(error)) => Some(Ok(Frame::trailers(broken_off(error.to_string())))),
                None => None,
            });
        }
    }
}

/// The trailers by which Lambda knows that a stream is not whole, and breaks it off towards the client, too.
fn broken_off(message: String) -> HeaderMap {
    let kind = "Portico.StreamBroken";
    let body = serde_json::to_vec(&diagnostic(kind, message)).unwrap_or_default();
    let mut trailers = HeaderMap::new();
    trailers.insert(ERROR_TYPE, HeaderValue::from_static(kind));
    if let Ok(body) = HeaderValue::try_from(BASE64_STANDARD.encode(body)) {
        trailers.insert(ERROR_BODY, body);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use http_body_util::BodyExt as _;

    use super::*;

    /// An upstream's body: some parts, and then its end.
    struct Parts(VecDeque<Result<Frame<Bytes>, io::Error>>);

    impl HttpBody for Parts {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn part(text: &'static str) -> Result<Frame<Bytes>, io::Error> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    async fn streamed<const N: usize>(parts: [Result<Frame<Bytes>, io::Error>; N]) -> (Vec<u8>, Option<HeaderMap>) {
        let body = Payload(CoreBody::Stream(NativeBody::new(Parts(parts.into()))));
        let collected = Streamed { head: Some(Bytes::from_static(b"{}")), body }.collect().await.unwrap();
        let trailers = collected.trailers().cloned();
        (collected.to_bytes().into(), trailers)
    }

    #[tokio::test]
    async fn a_stream_is_head_and_body_without_trailers() {
        let trailers = Ok(Frame::trailers(broken_off(String::new())));
        assert_eq!(streamed([part("a"), part("b"), trailers]).await, (b"{}ab".into(), None));
        assert_eq!(streamed([]).await, (b"{}".into(), None));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_said_to() {
        let (bytes, trailers) = streamed([part("a"), Err(io::ErrorKind::ConnectionReset.into())]).await;
        assert_eq!(bytes, b"{}a");
        let trailers = trailers.unwrap();
        assert_eq!(trailers[ERROR_TYPE], "Portico.StreamBroken");
        let told = BASE64_STANDARD.decode(trailers[ERROR_BODY].as_bytes()).unwrap();
        assert_eq!(told, br#"{"errorType":"Portico.StreamBroken","errorMessage":"the body broke off"}"#);
    }
}
