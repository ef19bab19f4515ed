//! `js/glue.js`, which says what each of these does.

use js_sys::Promise;
use wasm_bindgen::prelude::*;
use web_sys::ReadableStream;

/// The upstream's end of a WebSocket.
#[derive(Debug, Clone)]
pub(crate) struct Socket(pub(crate) JsValue);

#[wasm_bindgen(raw_module = "portico-glue")]
extern "C" {
    pub(crate) fn respond(
        status: u16,
        base: &JsValue,
        changes: &str,
        body: JsValue,
        socket: JsValue,
    ) -> web_sys::Response;

    pub(crate) fn bounded(stream: &ReadableStream, limit: f64) -> ReadableStream;

    pub(crate) fn tee(stream: &ReadableStream, limit: f64, length: Option<f64>) -> js_sys::Array;

    pub(crate) fn collect(stream: &ReadableStream, limit: f64) -> Promise;

    pub(crate) fn look_up(host: &str, key: &str, limit: f64) -> Promise;

    pub(crate) fn forget(host: &str, key: &str) -> Promise;

    pub(crate) fn put(host: &str, key: &str, bytes: &[u8], seconds: f64) -> Promise;

    pub(crate) fn send(
        id: u32,
        turn: u32,
        service: &JsValue,
        head: &str,
        base: &JsValue,
        body: &JsValue,
        length: Option<f64>,
        timeout: f64,
    ) -> Option<Promise>;

    pub(crate) fn settle(id: u32, turn: u32, promise: &Promise);

    pub(crate) fn listen(id: u32);

    pub(crate) fn ring(id: u32);

    pub(crate) fn random() -> Vec<u8>;

    pub(crate) fn remember(text: Option<&str>, looked: f64);
}

/// What `send` gives: the head of a response and its body, or status 0 and the name of what failed.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) headers: JsValue,
    pub(crate) body: Option<ReadableStream>,
    pub(crate) socket: JsValue,
}

impl Reply {
    /// A reply as a list.
    pub(crate) fn from_list(list: &JsValue) -> Option<Self> {
        let list: &js_sys::Array = list.dyn_ref()?;
        Some(Self {
            status: list.get(0).as_f64()? as u16,
            head: list.get(1).as_string()?,
            headers: list.get(2),
            body: list.get(3).dyn_into().ok(),
            socket: list.get(4),
        })
    }
}
