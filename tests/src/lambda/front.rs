//! What stands before a function on AWS and speaks HTTP with clients: it makes an event of a request, and a response of what the
//! function posts.

mod answer;
mod event;

use std::sync::mpsc::Receiver;

use portico::case::{Peer, Send};
use serde_json::Value;

pub use self::answer::Answered;
use super::api::Part;

/// A front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// A Lambda Function URL: payload format 2.0, the path as it was sent.
    Url,
    /// An HTTP API of API Gateway with a named stage: payload format 2.0, the path decoded.
    Http,
    /// A REST API of API Gateway: payload format 1.0.
    Rest,
    /// An Application Load Balancer: one value a field.
    Alb,
    /// An Application Load Balancer whose target group has multi-value headers.
    AlbMulti,
}

impl Front {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Url, Self::Http, Self::Rest, Self::Alb, Self::AlbMulti];

    /// Its name, as `PORTICO_LAMBDA_FRONT` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Http => "http",
            Self::Rest => "rest",
            Self::Alb => "alb",
            Self::AlbMulti => "alb-multi",
        }
    }

    /// The one that `PORTICO_LAMBDA_FRONT` names: a Function URL unless it says otherwise.
    pub fn chosen() -> Result<Self, String> {
        let Some(name) = std::env::var_os("PORTICO_LAMBDA_FRONT") else { return Ok(Self::Url) };
        let names = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|front| name == front.name());
        found.ok_or_else(|| format!("PORTICO_LAMBDA_FRONT={}: expected one of {}", name.display(), names()))
    }

    /// The event of a client's request. Fails when the front would refuse that itself, or forward what no function can tell from
    /// another request.
    pub fn event(self, send: &Send, peer: &Peer) -> Result<Value, String> {
        event::of(self, send, peer)
    }

    /// What a client gets for a request of `method`. Fails when the front would make an error of what was posted.
    pub fn answer(self, posted: &Receiver<Part>, method: &str) -> Result<Answered, String> {
        answer::of(self, posted, method)
    }

    const fn is_alb(self) -> bool {
        matches!(self, Self::Alb | Self::AlbMulti)
    }
}
