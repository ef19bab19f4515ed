//! Which route a request takes: host, then path, then method, headers and query.
//!
//! [`canonical`] spells the path of a request in one way, [`Router`] finds its route. Both are pure and, on the usual
//! request, free of allocation.
//!
//! # Paths of routes
//!
//! | pattern | matches | does not match |
//! |---|---|---|
//! | `/orders` | `/orders` | `/orders/`, `/Orders` |
//! | `/orders/{id}` | `/orders/7` | `/orders/`, `/orders/7/items` |
//! | `/files/{name}.png` | `/files/a.png` | `/files/.png` |
//! | `/orders/{id}:cancel` | `/orders/7:cancel`, `/orders/7%3Acancel` | `/orders/7` |
//! | `/api/{*rest}` | `/api/`, `/api/a`, `/api/a/b/` | `/api` |
//!
//! A parameter takes at least one character of one segment; a catch-all is the last segment and takes all that is left,
//! if only nothing. A segment has one parameter at most, with any text around it. `{{` and `}}` are braces. Case and a
//! slash at the end count. Literal text may be spelled in any way, `/café` is `/caf%C3%A9`; a character that is allowed
//! in a path matches its percent-encoding, too (`:` and `%3A`), so that nothing slips past a route by its spelling.
//!
//! # Which route wins
//!
//! A route matches when its host, path, method, headers and query all do. Among those that match, the first difference
//! decides:
//!
//! 1. **Host.** The exact host, then wildcards, the longest first (`*.eu.example.com` before `*.example.com`), then
//!    routes without a host. A wildcard stands for one label or more, so `*.example.com` is not `example.com`. Port,
//!    case and a trailing dot do not count.
//! 2. **Path**, segment by segment from the left: text, then text with a parameter (more text first, then more of it
//!    before the parameter), then a parameter, then a catch-all.
//! 3. **Conditions.** More header and query conditions together come first.
//! 4. **Method.** A route that names the method comes before one for any. `GET` routes serve `HEAD` as well
//!    (RFC 9110 §9.3.2) and stand between the two.
//! 5. **Order.** The route that is written first.
//!
//! A route that does not match hides nothing: where `/orders/{id}` wants a header that the request lacks, `/{*rest}`
//! still gets the request, and where the exact host has no route for it, the wildcard's table is asked. This holds for
//! methods as well: a `DELETE` route on `/{*rest}` takes what the `GET` route on `/orders/{id}` does not.
//!
//! When no route matches but some would with another method, the answer is 405, and `Allow` names the methods of all of
//! them. Two routes of which one could never be reached are an error at build time.
//!
//! ```
//! use http::{HeaderMap, Method};
//! use portico_core::route::{Found, Lookup, Match, Router};
//!
//! let orders = Match { path: "/orders/{id}".into(), methods: vec![Method::GET], ..Match::default() };
//! let router = Router::build(&[orders]).unwrap();
//! let headers = HeaderMap::new();
//! let mut lookup =
//!     Lookup { host: None, path: "/orders/7", method: &Method::GET, headers: &headers, announced: &[], query: None };
//! let Found::Route { index: 0, params } = router.find(&lookup) else { panic!() };
//! assert_eq!(params.get("id"), Some("7"));
//!
//! lookup.method = &Method::PUT;
//! let Found::MethodNotAllowed { allow } = router.find(&lookup) else { panic!() };
//! assert_eq!(allow, [Method::GET, Method::HEAD]);
//! ```

mod ambiguity;
mod escape;
mod host;
mod path;
mod pattern;
mod router;
mod rule;
mod shape;
mod tree;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use ambiguity::{Ambiguities, Ambiguity};
pub use escape::{decode_query, decode_segment, encode_query, encode_segment, query_value};
pub use host::{HostError, normalise as host_name};
pub use path::{Canonical, MAX_PATH, PathError, canonical, is_canonical};
pub use pattern::PatternError;
pub use router::{Found, Lookup, Params, Router};
pub use rule::{Match, MatchError};
