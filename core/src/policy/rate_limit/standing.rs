//! How a request stands with its limit: what the response tells the client, and what is settled when its response is known.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::{Limit, seconds};
use crate::body::Body;
use crate::config::wire;
use crate::context::{Context, Mode, header_value};
use crate::decision::Reason;
use crate::limit::{Draw, Rule, Verdict};
use crate::platform::{Platform, Timestamp};

/// How a request stands with one limit.
#[derive(Debug, Clone)]
pub struct Standing<'g> {
    pub(super) limit: &'g Limit,
    pub(super) key: String,
    pub(super) rules: Vec<Rule>,
    /// What was taken, if it was.
    pub(super) taken: u32,
    /// When.
    pub(super) at: Timestamp,
    pub(super) count: Count,
}

/// Who counted a request, and what each rule said.
#[derive(Debug, Clone)]
pub(super) enum Count {
    /// The store, or an instance by what it leased from there.
    Shared(Vec<Verdict>),
    /// The instance by itself, as the store could not be reached.
    Local(Vec<Verdict>),
    /// Nobody, as the store could not be reached.
    Nowhere,
    /// Nobody, as it costs nothing.
    Free,
}

impl Count {
    /// Whether the request's cost was taken, wherever that was.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Shared(verdicts) | Self::Local(verdicts) => verdicts.iter().all(|verdict| verdict.allowed),
            Self::Nowhere | Self::Free => false,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// What may have been a failure of the upstream.
    failure: Option<wire::Failure>,
    /// Bytes of the response, as far as it says.
    size: Option<u64>,
}

impl Outcome {
    /// That of a request that was refused, maybe because its upstream failed.
    pub(crate) const fn refused(reason: Reason) -> Self {
        let failure = match reason {
            Reason::UpstreamUnreachable => Some(wire::Failure::ConnectError),
            Reason::UpstreamTimeout => Some(wire::Failure::Timeout),
            Reason::UpstreamBroken => Some(wire::Failure::Reset),
            _ => None,
        };
        Self { failure, size: None }
    }

    /// That of one that was answered, by an upstream or on the spot.
    pub(crate) fn answered<S>(context: &Context<'_>, response: &Response<Body<S>>) -> Self {
        let failure = context.upstream.map(|_| wire::Failure::Status(response.status().as_u16()));
        let length = || response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let size = match response.body() {
            // what they say is the length of something that is not sent
            _ if context.method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED => None,
            Body::Full(bytes) => u64::try_from(bytes.len()).ok(),
            Body::Empty | Body::Stream(_) => length(),
        };
        Self { failure, size }
    }
}

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const X_RATELIMIT_DEGRADED: HeaderName = HeaderName::from_static("x-ratelimit-degraded");

/// Step 15 of a request's life: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) of every limit, and the older
/// `X-RateLimit-*` of the one of which the fewest units are left; their reset is in seconds from now. `X-RateLimit-Degraded` says that
/// the store could not be reached and what `on_error` made of it; where nobody counted there is nothing else to tell.
pub(crate) fn apply(standings: &[Standing<'_>], headers: &mut HeaderMap) {
    // a limit that only observes must not be felt: no headers either
    let felt = || standings.iter().filter(|standing| standing.limit.mode == Mode::Enforce);
    if felt().next().is_none() {
        return;
    }
    // a gateway further up has limits of its own to tell of
    for name in
        [RATELIMIT, RATELIMIT_POLICY, X_RATELIMIT_LIMIT, X_RATELIMIT_REMAINING, X_RATELIMIT_RESET, X_RATELIMIT_DEGRADED]
    {
        headers.remove(name);
    }
    for standing in felt() {
        let (verdicts, degraded) = match &standing.count {
            Count::Shared(verdicts) => (Some(verdicts), None),
            Count::Local(verdicts) => (Some(verdicts), Some("local")),
            Count::Nowhere => (None, Some("allow")),
            Count::Free => (None, None),
        };
        if let Some(degraded) = degraded {
            headers.insert(X_RATELIMIT_DEGRADED, HeaderValue::from_static(degraded));
        }
        if let Some(verdicts) = verdicts {
            headers.append(RATELIMIT, header_value(standing.items(verdicts)));
            headers.append(RATELIMIT_POLICY, standing.policy_field());
        }
    }
    let all = felt().flat_map(Standing::each);
    if let Some((most, verdict)) = all.min_by_key(|(_, verdict)| (verdict.remaining, std::cmp::Reverse(verdict.reset)))
    {
        headers.insert(X_RATELIMIT_LIMIT, HeaderValue::from(most));
        headers.insert(X_RATELIMIT_REMAINING, HeaderValue::from(verdict.remaining));
        headers.insert(X_RATELIMIT_RESET, HeaderValue::from(seconds(verdict.reset)));
    }
}

impl Standing<'_> {
    /// The most units of each tier, and its verdict.
    fn each(&self) -> impl Iterator<Item = (u32, &Verdict)> {
        let verdicts = match &self.count {
            Count::Shared(verdicts) | Count::Local(verdicts) => verdicts.as_slice(),
            Count::Nowhere | Count::Free => &[],
        };
        self.limit.tiers.iter().map(super::Tier::most).zip(verdicts)
    }

    /// The items of `RateLimit`.
    fn items(&self, verdicts: &[Verdict]) -> String {
        let mut items = String::with_capacity(32);
        let (mut remaining, mut reset) = (itoa::Buffer::new(), itoa::Buffer::new());
        for (tier, verdict) in self.limit.tiers.iter().zip(verdicts) {
            if !items.is_empty() {
                items.push_str(", ");
            }
            let (remaining, reset) = (remaining.format(verdict.remaining), reset.format(seconds(verdict.reset)));
            for part in ["\"", &tier.name, "\";r=", remaining, ";t=", reset] {
                items.push_str(part);
            }
        }
        items
    }

    fn policy_field(&self) -> HeaderValue {
        match &self.limit.policy_field {
            Some(field) => field.clone(),
            None => header_value(super::policy_items(&self.limit.tiers, &self.rules)),
        }
    }

    /// Gives back what its upstream wasted, or takes what its response costs besides. When the store cannot be reached, what was taken
    /// stays taken, and what was not is free.
    pub(crate) async fn settle<P: Platform>(&mut self, platform: &P, outcome: Outcome) {
        let Some(draw) = self.unsettled(platform, outcome) else { return };
        match &mut self.count {
            Count::Shared(verdicts) => {
                if let Ok(settled) = platform.rate_limit(&self.key, &self.rules, draw).await {
                    *verdicts = settled;
                }
            }
            Count::Local(verdicts) => *verdicts = self.limit.instance.step(platform, &self.key, &self.rules, draw),
            Count::Nowhere | Count::Free => {}
        }
    }

    fn unsettled<P: Platform>(&self, platform: &P, outcome: Outcome) -> Option<Draw> {
        let Self { limit, taken, .. } = self;
        let (Count::Shared(verdicts) | Count::Local(verdicts)) = &self.count else { return None };
        if *taken == 0 {
            return None;
        }
        if outcome.failure.is_some_and(|failure| limit.refund.contains(&failure)) {
            // once a window is over what was taken of it is back, and what there is of the next one was taken by others
            let windows = self.rules.iter().zip(verdicts).filter(|(rule, _)| matches!(rule, Rule::Window(_)));
            let over = windows.map(|(_, verdict)| self.at + verdict.reset).min();
            return over.is_none_or(|over| platform.now() < over).then_some(Draw::Return(*taken));
        }
        let more = limit.cost.of_response(outcome.size?).saturating_sub(*taken);
        (more > 0).then_some(Draw::Charge(more))
    }
}
