//! Everything Portico decides: routing, authentication, limits, transforms, caching.
//!
//! This crate is the same on every runtime. It does no I/O, reads no clock, draws no randomness, starts no thread and holds no
//! global: all of that comes through [`Platform`], the only seam. It reads no YAML either (the command line does), and it
//! knows nothing of the adapters that run it.
//!
//! # The life of a request
//!
//! ```text
//!             ┌──────────────────────────────── Gateway::handle ────────────────────────────────┐
//!  request ─▶ │  1 canonical path      4 CORS, preflight      7 authenticate, authorise         │
//!             │  2 id, trace, client   5 addresses, size      8 plan, limits by consumer, claim │
//!             │  3 route               6 limits by ip        10 cache ─▶ 11 transform ─▶ 12 forward ──▶ upstream
//!             │                                               │                                 │          │
//!  response ◀ │ 15 CORS, RateLimit, security and id headers ◀─┴─ 14 cache ◀─ 13 transform ◀────────────────┘
//!             └─────────────────────────────────────────────────────────────────────────────────┘
//!  16 After: the access log's record, keys fetched anew, responses stored and revalidated
//! ```
//!
//! 9 is kept for validation, which is not there yet.
//! The order is fixed, so that no configuration can put one policy before another it depends on.
//!
//! # Example
//!
//! ```
//! use http::{Request, StatusCode};
//! use portico_core::sim::{Sim, block_on};
//! use portico_core::{Body, config};
//!
//! let document = serde_json::json!({
//!     "portico": 1,
//!     "name": "shop",
//!     "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
//!     "routes": [{
//!         "name": "orders",
//!         "match": { "path": "/api/orders/{id}", "methods": ["GET"] },
//!         "upstream": "orders",
//!         "policies": { "request": { "path": "/v1/orders/${path.id}" } },
//!     }],
//! });
//! let (gateway, _warnings) = config::compile(&document).unwrap();
//!
//! let sim = Sim::new(1);
//! sim.upstream("orders.internal", |request| {
//!     assert_eq!(request.uri().path(), "/v1/orders/7");
//!     http::Response::new(Body::from("seven".to_owned()))
//! });
//! let request = Request::get("http://api.example.com/api/orders/7").body(Body::Empty).unwrap();
//! let (response, after) = block_on(gateway.handle(&sim, &Sim::peer(), request));
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(after.record.route.as_deref(), Some("orders"));
//! ```
//!
//! # Index
//!
//! [`Gateway`] is the spine; [`config`] compiles one; [`policy`] holds what it asks and does, [`route`] and [`forward`] what comes
//! before and after; [`cache`] is RFC 9111; [`decision`] lists every reason; [`explain`] tells them step by step, [`debug`] to whom; [`sim`] stands in
//! for a platform.

#![forbid(unsafe_code)]

mod after;
mod answer;
mod body;
pub mod cache;
pub mod config;
pub mod context;
pub mod debug;
pub mod decision;
pub mod digest;
mod error;
pub mod explain;
pub mod forward;
mod gateway;
pub mod jwt;
pub mod limit;
mod net;
mod peer;
mod platform;
pub mod policy;
pub mod route;
pub mod sim;
pub mod template;
pub mod time;

pub use after::{After, FollowUp, Held, Record, Seen};
pub use answer::{Redirect, Respond};
pub use body::Body;
pub use error::Refusal;
pub use gateway::{Action, Gateway, HEALTH_PATH, Route};
pub use net::Net;
pub use peer::{Certificate, Country, Peer};
pub use platform::{CollectError, FetchError, MAX_KEY, MAX_VALUE, Platform, StoreError, Timestamp, within};

/// The version of Portico, as on the health route.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
