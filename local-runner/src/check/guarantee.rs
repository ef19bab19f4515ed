//! Rate limits that ask for more than the store of a platform can keep.

use portico_core::config::outline::Outline;
use portico_core::config::wire::Mode;
use portico_core::config::{Code, Findings};
use portico_core::limit::Guarantee;

/// Where a configuration is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// `portico serve`
    Native,
    /// Cloudflare Workers
    Cloudflare,
    /// Fermyon Spin
    Spin,
    /// AWS Lambda
    Lambda,
}

impl Target {
    /// What its store of rate limits keeps, and why no more.
    const fn store(self) -> (Guarantee, &'static str) {
        let alone = (Guarantee::Approximate, "there is no shared store yet, each instance counts for itself");
        match self {
            Self::Native => (Guarantee::Exact, "a process counts in its own memory"),
            Self::Cloudflare | Self::Spin | Self::Lambda => alone,
        }
    }
}

/// Errors for limits that `target` cannot keep.
pub(super) fn kept_on(target: Target, outline: &Outline, findings: &mut Findings) {
    let (kept, why) = target.store();
    for route in &outline.routes {
        let Some(limit) = super::on(&route.wire.policies.rate_limit) else { continue };
        if limit.mode != Mode::Off && limit.guarantee > kept {
            let name = format!("{target:?}").to_lowercase();
            findings
                .error(
                    route.policy_at("rate_limit").child_key("guarantee"),
                    format!("the limit asks for exact counts, and on {name} {why}"),
                )
                .code(Code::LimitGuarantee)
                .help("write `guarantee: approximate` if more than the limit may pass, or run it on native");
        }
    }
}
