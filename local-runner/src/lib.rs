//! Portico on a machine of its own: the native server, and what the command line is made of.
//!
//! Everything that is decided about a request is decided in `portico-core`; this crate has the sockets. A library, so
//! that tests and benches can start a server inside their own process:
//!
//! ```no_run
//! # async fn example(gateway: portico_core::Gateway) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use portico::platform::{NativePlatform, Settings};
//! use portico::server::{Listener, Options, serve};
//!
//! let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let current = Arc::new(arc_swap::ArcSwap::from_pointee(gateway));
//! let platform = Arc::new(NativePlatform::new(Settings::default())?);
//! let ended = serve(
//!     vec![Listener { tcp, tls: None }],
//!     Arc::clone(&current), // current.store(…) replaces the gateway, at any time
//!     platform,
//!     Options::default(),
//!     |after| println!("{} {}", after.record.method, after.record.status),
//!     std::future::pending(), // serves forever
//! )
//! .await;
//! # Ok(()) }
//! ```

mod answer;
pub mod cache;
pub mod case;
pub mod config;
pub mod demo;
mod drain;
mod options;
pub mod paint;
pub mod pattern;
pub mod platform;
pub mod server;
pub mod sign;
pub mod state;
pub mod tls;
mod upgrade;
pub mod values;
mod wire;
