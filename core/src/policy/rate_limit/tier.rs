//! One limit of those that are decided together: its algorithm and numbers, and what a response says of it.

use std::time::Duration;

use crate::config::{At, Code, Compiler, units, wire};
use crate::decision::{Policy, Reason};
use crate::limit::window::ends;
use crate::limit::{Calendar, Quota, Rule, Unit, Window, Zone};
use crate::platform::Timestamp;

/// One limit.
#[derive(Debug)]
pub(super) struct Tier {
    /// Whose it is: a rate limit's or a quota's.
    pub(super) policy: Policy,
    /// What `RateLimit` calls it.
    pub(super) name: String,
    kind: Kind,
    /// Its numbers as they are written: the same limit has the same.
    numbers: String,
}

#[derive(Debug)]
enum Kind {
    /// The same at all times.
    Steady(Rule),
    /// Windows of one length since the epoch.
    Every(u32, Duration),
    /// Windows of the calendar.
    Calendar(u32, Calendar),
}

/// What a tier's configuration says, of a rate limit itself or of one of its tiers.
pub(super) struct Numbers<'w> {
    limit: u32,
    per: &'w str,
    algorithm: wire::Algorithm,
    burst: Option<u32>,
}

impl<'w> From<&'w wire::RateLimit> for Numbers<'w> {
    fn from(wire: &'w wire::RateLimit) -> Self {
        Self { limit: wire.limit, per: &wire.per, algorithm: wire.algorithm, burst: wire.burst }
    }
}

impl<'w> From<&'w wire::Tier> for Numbers<'w> {
    fn from(wire: &'w wire::Tier) -> Self {
        Self { limit: wire.limit, per: &wire.per, algorithm: wire.algorithm, burst: wire.burst }
    }
}

impl Tier {
    /// That of a rate limit.
    pub(super) fn compile(numbers: &Numbers<'_>, name: String, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let Numbers { limit, per, algorithm, burst } = *numbers;
        if burst.is_some() && algorithm != wire::Algorithm::Gcra {
            compiler
                .error(&at.child_key("burst"), "a window lets its whole limit pass at once")
                .code(Code::ConflictingKeys)
                .help("leave `burst` out, or write `algorithm: gcra`");
        }
        let numbers = format!("{limit}:{per}:{}", burst.unwrap_or(limit));
        let per = compiler.check(&at.child_key("per"), units::duration(per))?;
        let wrong = |error: crate::limit::QuotaError| error.to_string();
        let kind = match algorithm {
            wire::Algorithm::Gcra => {
                Quota::new(limit, per, burst.unwrap_or(limit)).map(|quota| Kind::Steady(Rule::Gcra(quota)))
            }
            wire::Algorithm::SlidingWindow => {
                Window::sliding(limit, per).map(|window| Kind::Steady(Rule::Window(window)))
            }
            // what makes no sliding window makes no fixed one, of which stores are told three ends
            wire::Algorithm::FixedWindow => {
                Window::sliding(limit, per.saturating_mul(3)).map(|_| Kind::Every(limit, per))
            }
        };
        let kind = compiler.check(at, kind.map_err(wrong))?;
        Some(Self { policy: Policy::RateLimit, name, kind, numbers })
    }

    /// That of a quota.
    pub(super) fn quota(wire: &wire::Quota, name: String, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        if wire.limit == 0 {
            compiler.error(&at.child_key("limit"), "limit must be greater than zero");
            return None;
        }
        let zone = match wire.zone.as_deref().map(Zone::named) {
            None => Zone::UTC,
            Some(Ok(zone)) => zone,
            Some(Err(error)) => {
                compiler.error(&at.child_key("zone"), error.to_string()).help(error.help());
                return None;
            }
        };
        let unit = match wire.per {
            wire::Period::Month => Unit::Month,
            wire::Period::Week => Unit::Week,
            wire::Period::Day => Unit::Day,
            wire::Period::Hour => Unit::Hour,
        };
        let kind = Kind::Calendar(wire.limit, Calendar::new(unit, zone));
        let numbers = format!("{}:{unit:?}:{}", wire.limit, wire.zone.as_deref().unwrap_or("UTC"));
        Some(Self { policy: Policy::Quota, name, kind, numbers })
    }

    /// The rule as of now.
    pub(super) fn rule(&self, now: Timestamp) -> Rule {
        let (limit, ends) = match &self.kind {
            Kind::Steady(rule) => return *rule,
            Kind::Every(limit, per) => (*limit, ends(*per, now)),
            Kind::Calendar(limit, calendar) => (*limit, calendar.ends(now)),
        };
        Rule::Window(Window::fixed(limit, ends))
    }

    /// The units that may be taken at once.
    pub(super) const fn most(&self) -> u32 {
        match &self.kind {
            Kind::Steady(Rule::Gcra(quota)) => quota.burst(),
            Kind::Steady(Rule::Window(window)) => window.limit(),
            Kind::Every(limit, _) | Kind::Calendar(limit, _) => *limit,
        }
    }

    /// The algorithm, as keys of the store tell it.
    pub(super) const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Steady(Rule::Gcra(_)) => "gcra",
            Kind::Steady(Rule::Window(_)) => "sliding_window",
            Kind::Every(..) => "fixed_window",
            Kind::Calendar(..) => "quota",
        }
    }

    /// What a response says of it in `RateLimit-Policy`. Of the same length at all times unless it is a calendar's.
    pub(super) fn policy_item(&self, rule: &Rule) -> String {
        let window = match rule {
            Rule::Gcra(quota) => quota.window(),
            Rule::Window(window) => window.length(),
        };
        format!("\"{}\";q={};w={}", self.name, self.most(), super::seconds(window))
    }

    pub(super) fn numbers(&self) -> &str {
        &self.numbers
    }

    pub(super) const fn is_calendar(&self) -> bool {
        matches!(self.kind, Kind::Calendar(..))
    }
}

/// Why a request passes what is this policy's, and why it does not.
pub(super) const fn reasons(policy: Policy) -> (Reason, Reason) {
    match policy {
        Policy::Quota => (Reason::WithinQuota, Reason::QuotaExceeded),
        _ => (Reason::WithinRateLimit, Reason::RateLimited),
    }
}
