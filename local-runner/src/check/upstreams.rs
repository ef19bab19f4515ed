//! Upstreams that are waited for too long, or asked twice for what should be done once.

use portico_core::config::outline::Outline;
use portico_core::config::wire::Upstream;
use portico_core::config::{Code, Findings, Pointer};

/// Methods of which the registry says that doing them twice is not doing them once (RFC 9110 §9.2.2).
const NOT_IDEMPOTENT: [&str; 3] = ["LOCK", "PATCH", "POST"];

fn upstreams(outline: &Outline) -> impl Iterator<Item = (&String, &Upstream, Pointer)> {
    let root = Pointer::root().child_key("upstreams");
    outline.upstreams.iter().filter_map(move |(name, upstream)| Some((name, upstream.as_ref()?, root.child_key(name))))
}

/// Upstreams without a timeout of their own.
pub(super) fn timeouts(outline: &Outline, findings: &mut Findings) {
    for (name, _, at) in upstreams(outline).filter(|(_, upstream, _)| upstream.timeout.is_none()) {
        findings
            .warning(Code::TimeoutMissing, at, format!("`{name}` has no timeout, so the default of 30s holds"))
            .help("add `timeout`, a little more than its slowest answer takes");
    }
}

/// Retries of methods that are not idempotent.
pub(super) fn retries(outline: &Outline, findings: &mut Findings) {
    for (_, upstream, at) in upstreams(outline) {
        let methods = upstream.retry.iter().flat_map(|retry| retry.methods.iter().flatten()).enumerate();
        for (index, method) in methods.filter(|(_, method)| NOT_IDEMPOTENT.contains(&method.as_str())) {
            let at = at.child_key("retry").child_key("methods").child_index(index);
            findings
                .warning(Code::RetryUnsafeMethod, at, format!("a {method} that was done may be sent again"))
                .help("take it out: a request with an Idempotency-Key is retried all the same");
        }
    }
}
