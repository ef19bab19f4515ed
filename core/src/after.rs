//! What is left to do once the response is on its way: the access log's record, for now.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, Uri};

use crate::config::Hash;
use crate::context::{Context, Principal, RequestId, Trace};
use crate::decision::Decision;
use crate::platform::Timestamp;

/// What the platform does after the response, in its own way (`wait_until`, a task, an await).
#[derive(Debug)]
#[must_use = "the access log and everything else that follows a response depend on it"]
pub struct After {
    /// What happened, for the access log.
    pub record: Record,
}

/// One request as the access log tells it.
#[derive(Debug)]
pub struct Record {
    /// When the request arrived.
    pub received: Timestamp,
    /// The request's id.
    pub id: RequestId,
    /// The trace it belongs to.
    pub trace: Trace,
    /// The client's address.
    pub client: IpAddr,
    /// The method.
    pub method: Method,
    /// The request target as it came.
    pub uri: Uri,
    /// The host the client asked for, with its port if it gave one.
    pub authority: Option<HeaderValue>,
    /// The `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// The route that served it.
    pub route: Option<Arc<str>>,
    /// Who was authenticated.
    pub principal: Option<Arc<Principal>>,
    /// The upstream and target that were asked.
    pub upstream: Option<Arc<str>>,
    /// The response's status.
    pub status: StatusCode,
    /// What each step decided.
    pub decisions: Vec<Decision>,
    /// The configuration that decided it.
    pub config: Hash,
}

impl Record {
    pub(crate) fn new(context: Context<'_>, status: StatusCode, config: Hash) -> Self {
        Self {
            received: context.received,
            trace: context.trace,
            client: context.client,
            route: context.route.map(|route| Arc::clone(&route.name)),
            upstream: context.upstream.map(Arc::clone),
            id: context.id,
            method: context.method,
            uri: context.uri,
            authority: context.authority,
            user_agent: context.user_agent,
            principal: context.principal,
            status,
            decisions: context.decisions,
            config,
        }
    }
}
