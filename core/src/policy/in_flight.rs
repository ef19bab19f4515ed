//! Concurrency limits: how many requests may be under way at once. A place is taken when the request comes by and given back when the
//! platform lets go of [`After`](crate::After), once the response was sent or nobody waits for it any more.

use std::sync::Arc;

use super::RouteScope;
use super::rate_limit::Key;
use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, Mode};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::limit::Instance;

/// A compiled concurrency limit.
#[derive(Debug)]
pub struct InFlight {
    limit: u32,
    key: Key,
    instance: Arc<Instance>,
    mode: Mode,
}

impl InFlight {
    pub(crate) fn compile(
        wire: &wire::InFlight,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        if wire.limit == 0 {
            compiler
                .error(&at.child_key("limit"), "no request could ever be under way")
                .code(Code::NothingPasses)
                .help("write at least 1, or `in_flight: off`");
        }
        let key = Key::compile(wire.by(), ("", &wire.limit.to_string()), mode, &at.child_key("by"), scope, compiler)?;
        Some(Self { limit: wire.limit, key, instance: compiler.instance(), mode })
    }

    /// Whether it can be checked only once the caller is known (step 8 of a request's life instead of step 6).
    pub fn needs_identity(&self) -> bool {
        self.key.needs_identity()
    }

    /// Takes a place for the request.
    pub fn check(&self, context: &mut Context<'_>) -> Result<(), Refusal> {
        let Some(slot) = self.instance.enter(&self.key.of(context), self.limit) else {
            let detail = format!("At most {} may be under way at once.", self.limit);
            return context.refuse(Refusal::new(Policy::InFlight, Reason::TooManyInFlight).detail(detail), self.mode);
        };
        context.held.slot = Some(slot);
        context.allow(Policy::InFlight, Reason::WithinInFlight, "");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use serde_json::{Value, json};

    use crate::after::After;
    use crate::body::Body;
    use crate::decision::{Decision, Outcome, Policy, Reason};
    use crate::sim::{Sim, block_on};
    use crate::{Gateway, config};

    /// A gateway with a route at `/NAME` for each limit, whose callers may say who they are.
    fn gateway(limits: &[(&str, Value)]) -> Gateway {
        let route = |(name, limit): &(&str, Value)| {
            json!({ "name": name, "match": { "path": format!("/{name}") }, "respond": {}, "policies": {
                "auth": { "any_of": ["partners"], "optional": true }, "in_flight": limit,
            } })
        };
        let keys = json!({
            // the SHA-256 of "k" and of "l"
            "acme": { "sha256": "8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a" },
            "globex": { "sha256": "acac86c0e609ca906f632b0e2dacccb2b77d22b0621f20ebece1a4835b93f6f0" },
        });
        let document = json!({
            "portico": 1, "name": "shop", "identities": { "partners": { "api_key": { "keys": keys } } },
            "routes": limits.iter().map(route).collect::<Vec<_>>(),
        });
        config::compile(&document).unwrap().0
    }

    /// Sends a request, with an API key unless that is empty. As long as what comes back is there it is under way.
    fn send(
        gateway: &Gateway,
        path: &str,
        key: &str,
    ) -> (Response<Body<crate::sim::SimStream>>, After<crate::sim::SimStream>) {
        let mut request = Request::get(format!("http://a{path}"));
        if !key.is_empty() {
            request = request.header("X-API-Key", key).header("X-Tenant", key);
        }
        let sim = Sim::new(1);
        block_on(gateway.handle(&sim, &Sim::peer(), request.body(Body::Empty).unwrap()))
    }

    fn decided<S>(after: &After<S>) -> &Decision {
        after.record.decisions.iter().find(|decision| decision.policy == Policy::InFlight).unwrap()
    }

    #[test]
    fn so_many_are_under_way_and_no_more() {
        let gateway = gateway(&[("a", json!({ "limit": 2 })), ("b", json!({ "limit": 1 }))]);
        let (first, second) = (send(&gateway, "/a", "").1, send(&gateway, "/a", "").1);
        assert_eq!((decided(&second).outcome, decided(&second).reason), (Outcome::Allow, Reason::WithinInFlight));
        let (response, third) = send(&gateway, "/a", "");
        assert_eq!((decided(&third).outcome, decided(&third).reason), (Outcome::Deny, Reason::TooManyInFlight));
        assert_eq!(decided(&third).detail, "At most 2 may be under way at once.");
        assert_eq!(response.status(), 429);
        assert!(!response.headers().contains_key("retry-after"), "nobody knows when one ends");
        let Body::Full(problem) = response.into_body() else { panic!("no problem") };
        let problem: Value = serde_json::from_slice(&problem).unwrap();
        assert_eq!([&problem["code"], &problem["title"]], ["too_many_in_flight", "Too many requests at once."]);
        // each route counts for itself
        assert_eq!(send(&gateway, "/b", "").0.status(), 200);
        drop(first);
        let fourth = send(&gateway, "/a", "");
        assert_eq!(fourth.0.status(), 200);
        assert_eq!(send(&gateway, "/a", "").0.status(), 429, "what was refused took no place, and gave none back");
    }

    #[test]
    fn whoever_is_counted_has_places_of_its_own() {
        let by = |by: Value| json!({ "limit": 1, "by": by });
        let gateway = gateway(&[
            ("consumer", by(json!("consumer"))),
            ("header", by(json!({ "header": "X-Tenant" }))),
            ("route", by(json!("route"))),
            ("global", by(json!("global"))),
            ("another", by(json!("global"))),
            ("more", json!({ "limit": 2, "by": "global" })),
        ]);
        for (path, others) in [("/consumer", 200), ("/header", 200), ("/route", 429), ("/global", 429)] {
            let _first = send(&gateway, path, "k");
            assert_eq!(send(&gateway, path, "k").0.status(), 429, "{path}");
            assert_eq!(send(&gateway, path, "l").0.status(), others, "{path}");
        }
        let _first = send(&gateway, "/global", "k");
        assert_eq!(send(&gateway, "/another", "l").0.status(), 429, "the same limit, whatever route names it");
        assert_eq!(send(&gateway, "/more", "l").0.status(), 200, "another limit");
    }

    #[test]
    fn one_that_observes_refuses_nothing_and_takes_no_place_of_another() {
        let limit = |mode: &str| json!({ "limit": 1, "by": "global", "mode": mode });
        let gateway = gateway(&[("watched", limit("observe")), ("kept", limit("enforce"))]);
        let _first = send(&gateway, "/watched", "");
        let (response, second) = send(&gateway, "/watched", "");
        assert_eq!(response.status(), 200);
        assert_eq!((decided(&second).outcome, decided(&second).reason), (Outcome::WouldDeny, Reason::TooManyInFlight));
        assert_eq!(send(&gateway, "/kept", "").0.status(), 200);
    }

    #[test]
    fn who_is_refused_for_its_credentials_is_under_way_until_it_is_told() {
        let by = |by: Value| json!({ "limit": 1, "by": by });
        let gateway = gateway(&[("before", by(json!("route"))), ("after", by(json!("consumer")))]);
        let (refused, held) = send(&gateway, "/before", "wrong");
        assert_eq!((refused.status().as_u16(), held.held.slot.is_some()), (401, true));
        assert_eq!(send(&gateway, "/before", "wrong").0.status(), 429);
        let (refused, held) = send(&gateway, "/after", "wrong");
        assert_eq!((refused.status().as_u16(), held.held.slot.is_some()), (401, false));
    }
}
