//! The table of routes, for whoever starts a gateway or checks a configuration.

use portico_core::decision::Policy;
use portico_core::policy::Policies;
use portico_core::{Action, Gateway, Route};
use serde_json::Value;

use crate::log::Readable;

/// One line for each route: what it matches, what it does, which policies are on.
pub(super) fn table(gateway: &Gateway, document: &Value, style: Readable) -> String {
    let wires = document.get("routes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let common = common(gateway);
    // the routes are in the order of the configuration, and all are there when it compiles
    let rows: Vec<_> = gateway.routes().zip(wires).map(|(route, wire)| row(route, wire, &common)).collect();
    let widths = [0, 1, 2].map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut table = String::new();
    for [methods, path, action, policies] in &rows {
        let methods = style.dim(&format!("{methods:<width$}", width = widths[0]));
        let path = style.bold(&format!("{path:<width$}", width = widths[1]));
        let policies = style.dim(policies);
        let line = format!("  {methods}  {path}  {action:<width$}  {policies}", width = widths[2]);
        table.push_str(line.trim_end());
        table.push('\n');
    }
    if !common.is_empty() {
        table.push_str(&style.dim(&format!("  all of them: {}", common.join(" · "))));
        table.push('\n');
    }
    table
}

/// The policies that every route has: naming them in each line would hide what is special about it.
fn common(gateway: &Gateway) -> Vec<&'static str> {
    let mut routes = gateway.routes().map(|route| policies(&route.policies));
    let (first, rest) = (routes.next().unwrap_or_default(), routes.collect::<Vec<_>>());
    if rest.is_empty() {
        return Vec::new();
    }
    first.into_iter().filter(|policy| rest.iter().all(|on| on.contains(policy))).collect()
}

fn row(route: &Route, wire: &Value, common: &[&str]) -> [String; 4] {
    let (methods, path) = route.summary.split_once(' ').unwrap_or(("*", &route.summary));
    let methods = if methods == "*" { "any" } else { methods };
    let number =
        |of: &str, usual: u64| wire.get(of).and_then(|of| of.get("status")).and_then(Value::as_u64).unwrap_or(usual);
    let action = match &route.action {
        Action::Forward(upstream) => {
            let names =
                upstream.targets().iter().map(|target| target.name().split_once(' ').map_or("", |(_, url)| url));
            format!("→ {}", names.collect::<Vec<_>>().join(", "))
        }
        Action::Respond(_) => format!("responds {}", number("respond", 200)),
        Action::Purge => "purges the cache".to_owned(),
        Action::Redirect(_) => {
            let to = wire.get("redirect").and_then(|redirect| redirect.get("to")).and_then(Value::as_str);
            format!("{} to {}", number("redirect", 308), to.unwrap_or_default())
        }
    };
    let policies: Vec<_> = policies(&route.policies).into_iter().filter(|policy| !common.contains(policy)).collect();
    [methods.to_owned(), path.to_owned(), action, policies.join(" · ")]
}

fn policies(policies: &Policies) -> Vec<&'static str> {
    let Policies { cors, ip, body_limit, limits, in_flight, auth, plan, cache, request, response, security_headers } =
        policies;
    // everything else lets bodies pass as they come
    let reads = response.as_ref().is_some_and(|response| response.body().is_some());
    let limited = |policy| limits.iter().any(|limit| limit.policies().any(|part| part == policy));
    let all = [
        ("cors", cors.is_some()),
        ("ip", ip.is_some()),
        ("body_limit", body_limit.is_some()),
        ("rate_limit", limited(Policy::RateLimit)),
        ("quota", limited(Policy::Quota)),
        ("in_flight", in_flight.is_some()),
        ("auth", auth.is_some()),
        ("plan", plan.is_some()),
        ("cache", cache.is_some()),
        ("request", request.is_some()),
        ("response", response.is_some() && !reads),
        ("response (reads JSON bodies whole)", reads),
        ("security_headers", security_headers.is_some()),
    ];
    all.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}
