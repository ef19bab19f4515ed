//! Portico on Spin and on any other host of `wasi:http`: one component that runs any gateway.
//!
//! What the host gives, as core's [`Platform`](portico_core::Platform): nothing is decided here. The configuration is a bundle that the
//! host mounts, so that another configuration needs no other component.
//!
//! The feature `spin`, on by default, is the name of the host: with it the component imports Spin's own interfaces, and only Spin runs it.
//! Without it there is nothing but WASI 0.3, which gives less: `spin.rs` and `wasi.rs` say what, under the same names.
//!
//! A request: [`handle`](Guest::handle) → `convert::request` → `Gateway::handle` → `convert::response`; what follows a response
//! runs in the same task once it was handed over. The interfaces are `wasi:http` 0.3's own: bodies are the host's streams, which are
//! handed on and not read here, unless a policy reads them or they go upstream (`upload.rs` says why).
//!
//! Spin keeps an instance for some 128 requests and gives it up to 16 at a time. They share what `instance.rs` holds, and no
//! request ever waits for another one: a task of a component cannot wake another. After a panic Spin answers what the
//! instance was serving with 500, drops it and makes another.

#![forbid(unsafe_code)]

mod convert;
mod instance;
mod platform;
mod stream;
mod tee;
mod upload;
mod upstream;

#[cfg(feature = "spin")]
mod cells;
#[cfg(feature = "spin")]
mod limits;
#[cfg(feature = "spin")]
mod responses;
#[cfg(feature = "spin")]
mod spin;
#[cfg(feature = "spin")]
mod values;
#[cfg(not(feature = "spin"))]
mod wasi;

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Request, Response};

use crate::platform::Wasi;
#[cfg(feature = "spin")]
use crate::spin as host;
#[cfg(not(feature = "spin"))]
use crate::wasi as host;

struct Component;

wasip3::http::service::export!(Component);

impl Guest for Component {
    /// Serves one request.
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let Some(gateway) = instance::gateway() else { return Ok(convert::unusable()) };
        let (peer, request) = match convert::request(request) {
            Ok(parts) => parts,
            Err(detail) => return Ok(convert::malformed(detail)),
        };
        let method = request.method().clone();
        let platform = Wasi { variables: instance::variables(&gateway).await };
        let (response, after) = gateway.handle(&platform, &peer, request).await;
        let response = convert::response(response, &method);
        wasip3::spawn(platform.after(gateway, after));
        Ok(response)
    }
}
