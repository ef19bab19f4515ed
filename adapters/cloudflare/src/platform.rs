//! Core's seam on Workers.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Request, Response, StatusCode};
use portico_core::cache::{Item, Purge, Reach};
use portico_core::forward::BINDING;
use portico_core::limit::{Draw, Rule, Verdict};
use portico_core::{After, Body, CollectError, FetchError, Gateway, Platform, StoreError, Timestamp, jwt};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::ReadableStream;
use worker::{Context, Delay, Env};

use crate::convert::Fields;
use crate::task::{Sent, Settled};
use crate::{cache, convert, glue, instance, limits, purges, values, verify};

/// One request's view of the runtime: Workers hands its bindings over with each request.
#[derive(Debug)]
pub(crate) struct Workers {
    pub(crate) env: Env,
    /// What outlives the response is told to it.
    pub(crate) context: Rc<Context>,
    /// The client's fields, which most requests upstream have nearly all of.
    pub(crate) came: Fields,
}

/// A body of the runtime's own, which never crosses into WebAssembly unless it is collected.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) js: ReadableStream,
    /// Its length, where the message declares it.
    pub(crate) length: Option<u64>,
}

impl Workers {
    /// A binding that is text: a variable or a secret.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        js_sys::Reflect::get(&self.env, &name.into()).ok()?.as_string()
    }

    /// What follows a response: its line in the access log, and what nobody waits for, if there is anything.
    pub(crate) fn after(self, gateway: Rc<Gateway>, after: After<Stream>) {
        let settings = instance::settings(&self);
        if settings.access_log {
            worker::console_log!("{}", after.record.to_json(self.now()));
        }
        let look = instance::is_override_due(&self, settings);
        if look || !after.follow_up.is_empty() {
            Rc::clone(&self.context).wait_until(async move {
                after.follow_up.run(&gateway, &self).await;
                if look {
                    instance::look_for_override(&self).await;
                }
            });
        }
    }
}

impl Platform for Workers {
    type Stream = Stream;

    async fn fetch(
        &self,
        request: Request<Body<Stream>>,
        timeout: Duration,
    ) -> Result<Response<Body<Stream>>, FetchError> {
        let (parts, body) = request.into_parts();
        let (service, url) = match parts.uri.scheme_str() {
            Some(BINDING) => self.service(&parts.uri, &parts.headers)?,
            _ => (JsValue::UNDEFINED, parts.uri.to_string()),
        };
        let length = match &body {
            Body::Stream(stream) => stream.length.map(|length| length as f64),
            _ => None,
        };
        let head = [&url, "\n", parts.method.as_str(), "\n", &self.came.changes(&parts.headers)].concat();
        let body = convert::body_value(body, JsValue::UNDEFINED);
        let timeout = timeout.as_secs_f64() * 1_000.0;
        let reply = Sent::new(|id, turn| glue::send(id, turn, &service, &head, &self.came.js, &body, length, timeout));
        let reply = reply.await;
        response(reply.ok_or(FetchError::Reset)?)
    }

    async fn collect(&self, stream: Stream, limit: u64) -> Result<Bytes, CollectError> {
        let collected = Settled::from(glue::collect(&stream.js, limit as f64)).await;
        let collected = collected.map_err(|error| {
            worker::console_error!("a body could not be read: {error:?}");
            CollectError::Broken
        })?;
        match collected.dyn_ref::<js_sys::Uint8Array>() {
            Some(bytes) => Ok(bytes.to_vec().into()),
            None if collected == "too_large" => Err(CollectError::TooLarge),
            None => Err(CollectError::Broken),
        }
    }

    fn bounded(&self, stream: Stream, limit: u64) -> Stream {
        match stream.length {
            // HTTP lets nobody send more than was declared, and what was declared has been checked
            Some(length) if length <= limit => stream,
            _ => Stream { js: glue::bounded(&stream.js, limit as f64), length: stream.length },
        }
    }

    async fn sleep(&self, duration: Duration) {
        // as long as the runtime's timers can
        Delay::from(duration.min(Duration::from_millis(i32::MAX as u64))).await;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(js_sys::Date::now() as u64 * 1_000)
    }

    fn random(&self) -> u128 {
        instance::random()
    }

    async fn rate_limit(&self, key: &str, rules: &[Rule], draw: Draw) -> Result<Vec<Verdict>, StoreError> {
        limits::step(&self.env, key, rules, draw).await
    }

    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        values::read(&self.env, key).await
    }

    async fn write(&self, key: &str, value: Bytes, keep: Duration) -> Result<(), StoreError> {
        values::write(&self.env, key, value, keep).await
    }

    async fn cached(&self, key: &str, reach: Reach) -> Result<Option<Arc<Item>>, StoreError> {
        cache::read(self, key, reach).await
    }

    async fn cache(&self, key: &str, item: &Arc<Item>, keep: Duration, reach: Reach) -> Result<(), StoreError> {
        cache::write(self, key, item, keep, reach).await
    }

    async fn forget(&self, key: &str, reach: Reach) -> Result<(), StoreError> {
        cache::forget(self, key, reach).await
    }

    fn largest(&self, _: Reach) -> u64 {
        cache::MAX_ITEM as u64
    }

    fn tee(&self, stream: Stream, limit: u64) -> (Stream, Stream) {
        let both = glue::tee(&stream.js, limit as f64, stream.length.map(|length| length as f64));
        let half = |index| Stream { js: both.get(index).unchecked_into(), length: stream.length };
        (half(0), half(1))
    }

    async fn purges(&self) -> Result<Vec<Purge>, StoreError> {
        purges::all(&self.env).await
    }

    async fn purge(&self, purges: &[Purge]) -> Result<(), StoreError> {
        purges::tell(&self.env, purges).await
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.text(name)
    }

    async fn verify(&self, algorithm: jwt::Algorithm, key: &jwt::Key, message: &[u8], signature: &[u8]) -> bool {
        verify::verify(algorithm, key, message, signature).await
    }
}

impl Workers {
    /// A service binding as an upstream, and the URL that the other worker sees: of the host that it is asked for.
    fn service(&self, uri: &http::Uri, headers: &HeaderMap) -> Result<(JsValue, String), FetchError> {
        let name = uri.host().unwrap_or_default();
        let service = js_sys::Reflect::get(&self.env, &name.into()).unwrap_or_default();
        if !js_sys::Reflect::get(&service, &"fetch".into()).is_ok_and(|fetch| fetch.is_function()) {
            worker::console_error!("no service is bound as {name}: add it to [[services]] in wrangler.toml");
            return Err(FetchError::Connect);
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or(name);
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Ok((service, format!("https://{host}{target}")))
    }
}

fn response(reply: glue::Reply) -> Result<Response<Body<Stream>>, FetchError> {
    let glue::Reply { status, head, headers, body, socket } = reply;
    if status == 0 {
        return Err(failed(&head));
    }
    let map = convert::fields(head).map_err(|_| FetchError::Reset)?;
    let body = match body {
        None => Body::Empty,
        Some(js) => Body::Stream(Stream { js, length: convert::declared_length(&map) }),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| FetchError::Reset)?;
    match status {
        101 if socket.is_object() => drop(response.extensions_mut().insert(glue::Socket(socket))),
        200..=599 => {}
        // the runtime takes it and would not give it
        _ => return Err(FetchError::Reset),
    }
    response.extensions_mut().insert(Fields { js: headers, map: map.clone() });
    *response.headers_mut() = map;
    Ok(response)
}

fn failed(failure: &str) -> FetchError {
    match failure {
        "timeout" => FetchError::Timeout,
        "too_large" => FetchError::RequestTooLarge,
        "client_gone" => FetchError::ClientGone,
        "client_timeout" => FetchError::ClientTimeout,
        "unsendable" => FetchError::Unsendable,
        _ => FetchError::Reset,
    }
}
