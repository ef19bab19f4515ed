//! Portico on Cloudflare Workers.
//!
//! What Workers gives, as core's [`Platform`](portico_core::Platform): nothing is decided here. `js/worker.js` is the entry, and holds
//! the Durable Object of rate limits and purges; `js/instance.js` owns the WebAssembly instance and replaces one that panicked;
//! `js/glue.js` is what Rust asks of the runtime.
//!
//! A request: `worker.js` → [`fetch`] → `convert::request` → `Gateway::handle` → `convert::response` → `worker.js`. Between its
//! steps it is a task of its own (`task.rs`). Heads of messages cross between JavaScript and WebAssembly as one text each. Bodies
//! do not cross at all, unless a policy reads them: the runtime's own streams are handed on.

#![forbid(unsafe_code)]

mod cache;
mod convert;
mod glue;
mod instance;
mod limits;
mod platform;
mod purges;
mod task;
mod values;
mod verify;

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, Response};
use worker::{Context, Env, worker_sys};

use crate::convert::Fields;
use crate::platform::Workers;
use crate::task::Arrived;

/// Compiles the bundle that was deployed with the worker. Called once for each WebAssembly instance, before any request; one
/// that replaces another is told what `remember` of `glue.js` was told last.
#[wasm_bindgen]
pub fn start(bundle: &str, in_force: Option<String>, looked: f64) -> Result<(), JsError> {
    instance::start(bundle, in_force, looked).map_err(|error| JsError::new(&error))
}

/// Serves one request: its head as `head.js` writes it, its fields as the runtime holds them, and its body. The response if there is one at once; otherwise
/// [`poll`], [`resume`] or [`settle`] give it.
#[wasm_bindgen]
pub fn fetch(
    id: u32,
    head: String,
    headers: JsValue,
    body: Option<ReadableStream>,
    env: Env,
    context: worker_sys::Context,
) -> Result<Option<Response>, JsError> {
    let gateway = instance::gateway().ok_or_else(|| JsError::new("the gateway was not started"))?;
    let (peer, came, request) = match convert::request(head, body) {
        Ok(parts) => parts,
        Err(detail) => return Ok(Some(convert::malformed(detail))),
    };
    let context = Rc::new(Context::new(context));
    let platform = Workers { env, context, came: Fields { js: headers, map: came } };
    Ok(task::start(id, async move {
        let (response, after) = gateway.handle(&platform, &peer, request).await;
        let response = convert::response(response);
        platform.after(gateway, after);
        response
    }))
}

/// Goes on with a request that was woken.
#[wasm_bindgen]
pub fn poll(id: u32) -> Option<Response> {
    task::go_on(id)
}

/// Goes on with a request whose upstream replied: what `send` of `glue.js` gives, and the turn it was told.
#[wasm_bindgen]
pub fn resume(
    id: u32,
    turn: u32,
    status: u16,
    head: String,
    headers: JsValue,
    body: Option<ReadableStream>,
    socket: JsValue,
) -> Option<Response> {
    task::resume(id, turn, Arrived::Reply(glue::Reply { status, head, headers, body, socket }))
}

/// Goes on with a request whose promise was settled: `settle` of `glue.js`.
#[wasm_bindgen]
pub fn settle(id: u32, turn: u32, fulfilled: bool, value: JsValue) -> Option<Response> {
    task::resume(id, turn, Arrived::Settled(if fulfilled { Ok(value) } else { Err(value) }))
}

/// Drops a request that nobody waits for.
#[wasm_bindgen]
pub fn forget(id: u32) {
    task::forget(id);
}

/// One step of a rate limit, for the Durable Object that keeps its state; `limits::decide` says what the numbers are.
#[wasm_bindgen]
pub fn limit(stored: &[f64], rules: &[f64], now: f64, draw: u8, units: u32) -> Vec<f64> {
    limits::decide(stored, rules, now, draw, units)
}

/// Adds purges, for the Durable Object that keeps them: a line for each, as core writes them. Nothing if they cannot be read.
#[wasm_bindgen]
pub fn purge(known: &str, more: &str) -> Option<String> {
    purges::add(known, more)
}
