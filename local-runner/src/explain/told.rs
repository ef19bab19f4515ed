//! What there is to tell of one request, whether it was simulated or sent.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use portico::config::{Place, Sources};
use portico_core::Gateway;
use portico_core::config::Pointer;
use portico_core::decision::{Decision, Outcome, Policy, Reason};
use portico_core::explain::Explanation;
use serde::Deserialize;

use super::curl::Asked;
use super::mask::Mask;
use super::near::Near;

/// One request and what became of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(super) asked: Asked,
    pub(super) trace: Trace,
    /// For each step of the trace the line that decided, as far as it is known.
    pub(super) places: Vec<Option<Place>>,
    pub(super) upstream: Upstream,
    pub(super) reply: Reply,
    /// Routes that would have served it if it were a little different.
    pub(super) near: Vec<Near>,
    /// How much the leased limits that decided let pass, and where their leases are written.
    pub(super) bounds: Vec<(Pointer, String)>,
    pub(super) mask: Mask,
}

/// What is known of the request that goes upstream.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// It would be this one.
    Sent(Box<Sent>),
    /// None would be sent.
    Nothing,
    /// The request was sent to a gateway, which does not tell.
    Untold,
}

/// A request that would go upstream.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(super) method: Method,
    pub(super) uri: Uri,
    /// With `Host`.
    pub(super) headers: HeaderMap,
    /// What the upstream is taken to answer.
    pub(super) answer: StatusCode,
}

/// What the client gets.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// As much of the body as there is.
    pub(super) body: Vec<u8>,
}

/// An [`Explanation`](portico_core::explain::Explanation), as it is read.
#[derive(Debug, Deserialize)]
pub(crate) struct Trace {
    pub(super) config: String,
    pub(super) request: Facts,
    pub(super) route: Option<String>,
    pub(super) caller: Option<Caller>,
    pub(super) upstream: Option<String>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) id_kept: bool,
    pub(super) trace_id: String,
    pub(super) trace_continued: bool,
    pub(super) canonical_path: Option<String>,
    pub(super) client: String,
    pub(super) client_from: String,
    pub(super) country: Option<String>,
    pub(super) asn: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Caller {
    pub(super) identity: String,
    pub(super) consumer: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) step: String,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) detail: String,
    pub(super) place: Option<String>,
}

impl Told {
    /// Whether `gateway` has the configuration that decided.
    pub(crate) fn is_of(&self, gateway: &Gateway) -> bool {
        self.trace.config == gateway.hash().to_string()
    }

    /// The hash of the configuration that decided.
    pub(crate) fn config(&self) -> &str {
        &self.trace.config
    }
}

impl Reply {
    /// The body, as far as it is text.
    pub(super) fn text(&self, mask: &Mask) -> String {
        std::str::from_utf8(&self.body).map(|text| mask.text(text)).unwrap_or_default()
    }
}

impl Trace {
    /// For each step the line of the configuration that decided. `sources` must be those of the gateway that wrote the trace.
    pub(super) fn places(&self, gateway: &Gateway, sources: &Sources) -> Vec<Option<Place>> {
        // a name that was shortened is nobody's, and without its route a decision has another place
        let known = |name: &str| gateway.routes().any(|route| *route.name == *name);
        let known = self.route.as_deref().is_none_or(known);
        let place = |step: &Step| {
            step.place.as_ref().filter(|_| known)?;
            sources.place(&gateway.place(self.route.as_deref(), &step.decision()?))
        };
        self.steps.iter().map(place).collect()
    }
}

impl From<&Explanation<'_>> for Trace {
    fn from(explanation: &Explanation<'_>) -> Self {
        let Explanation { config, request, route, caller, upstream, steps, .. } = explanation;
        let step = |step: &portico_core::explain::Step<'_>| Step {
            step: step.step.as_str().to_owned(),
            outcome: step.outcome.as_str().to_owned(),
            reason: step.reason.map(str::to_owned),
            detail: step.detail.to_owned(),
            place: Some(step.place.to_string()).filter(|place| !place.is_empty()),
        };
        Self {
            config: config.clone(),
            request: Facts {
                id: request.id.to_owned(),
                id_kept: request.id_kept,
                trace_id: request.trace_id.clone(),
                trace_continued: request.trace_continued,
                canonical_path: request.canonical_path.map(str::to_owned),
                client: request.client.clone(),
                client_from: request.client_from.to_owned(),
                country: request.country.map(str::to_owned),
                asn: request.asn,
            },
            route: route.map(str::to_owned),
            caller: caller
                .as_ref()
                .map(|caller| Caller { identity: caller.identity.to_owned(), consumer: caller.consumer.to_owned() }),
            upstream: upstream.map(str::to_owned),
            steps: steps.iter().map(step).collect(),
        }
    }
}

impl Step {
    /// The reason, if this portico knows it.
    pub(super) fn reason(&self) -> Option<Reason> {
        let code = self.reason.as_deref()?;
        Reason::ALL.iter().copied().find(|reason| reason.code() == code)
    }

    /// The outcome of a decision.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == self.outcome)
    }

    fn decision(&self) -> Option<Decision> {
        let policy = Policy::ALL.into_iter().find(|policy| policy.as_str() == self.step)?;
        Some(Decision { policy, outcome: self.outcome()?, reason: self.reason()?, detail: "".into() })
    }
}

impl Sent {
    /// Path and query.
    pub(super) fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        let authority = self.uri.authority().map(ToString::to_string).unwrap_or_default();
        format!("{}://{authority}", self.uri.scheme_str().unwrap_or_default())
    }
}

/// Header fields in the order in which they are shown: `Host`, then all others by their names.
pub(super) fn fields(headers: &HeaderMap) -> Vec<(&HeaderName, &HeaderValue)> {
    let mut fields: Vec<_> = headers.iter().collect();
    fields.sort_by_key(|(name, _)| (**name != http::header::HOST, name.as_str()));
    fields
}
