use serde_json::json;

use crate::config::compile;
use crate::decision::{Decision, Outcome, Policy, Reason};

/// A decision of each kind, and the place behind it on a route.
fn places(route: Option<&str>, decisions: &[(Policy, Reason, &str)]) {
    let jwt = json!({ "jwt": { "secret": "${secret.S}", "algorithms": ["HS256"] } });
    let document = json!({
        "portico": 1,
        "name": "places",
        "upstreams": { "orders": { "targets": [{ "url": "http://orders.internal" }] } },
        "identities": {
            "users": jwt, "staff": jwt, "partners": { "api_key": { "keys": {} } }, "devices": { "client_cert": { "any": true } },
        },
        "defaults": { "cors": { "origins": ["https://a.example"] }, "auth": { "any_of": ["users", "partners", "devices"] } },
        "routes": [
            { "name": "plain", "match": { "path": "/plain" }, "respond": {} },
            {
                "name": "orders", "match": { "path": "/orders" }, "upstream": "orders",
                "policies": { "auth": { "any_of": ["users", "staff"] }, "request": { "path": "/v1" } },
            },
            { "name": "old", "match": { "path": "/old" }, "redirect": { "to": "/orders" } },
        ],
    });
    let (gateway, _) = compile(&document).unwrap();
    for (policy, reason, place) in decisions {
        let decision = Decision { policy: *policy, outcome: Outcome::Deny, reason: *reason, detail: "".into() };
        assert_eq!(gateway.place(route, &decision).to_string(), *place, "{policy} {reason} on {route:?}");
    }
}

#[test]
fn what_a_route_says_itself_is_on_the_route() {
    places(
        Some("orders"),
        &[
            (Policy::Path, Reason::PathAmbiguous, "routes[1].match.ambiguous_path"),
            (Policy::Route, Reason::RouteMatched, "routes[1].match"),
            (Policy::Auth, Reason::CredentialsMissing, "routes[1].policies.auth"),
            (Policy::Auth, Reason::ScopeMissing, "routes[1].policies.auth.scopes"),
            (Policy::Auth, Reason::ClaimRefused, "routes[1].policies.auth.claims"),
            (Policy::Request, Reason::Transformed, "routes[1].policies.request"),
            (Policy::Request, Reason::TemplateValueMissing, "routes[1].policies.request.path"),
            (Policy::Request, Reason::SecretMissing, "routes[1].policies.request"),
            (Policy::Forward, Reason::Forwarded, "routes[1].upstream"),
            (Policy::Forward, Reason::UpstreamTimeout, "upstreams.orders.timeout"),
            (Policy::Forward, Reason::UpstreamUnreachable, "upstreams.orders.targets"),
        ],
    );
}

#[test]
fn what_it_takes_over_is_in_the_defaults() {
    places(
        Some("plain"),
        &[
            (Policy::Cors, Reason::OriginRefused, "defaults.cors.origins"),
            (Policy::Cors, Reason::PreflightRefused, "defaults.cors"),
            (Policy::Auth, Reason::TokenValid, "defaults.auth"),
            (Policy::Forward, Reason::Responded, "routes[0].respond"),
            (Policy::Forward, Reason::SecretMissing, "routes[0].respond"),
        ],
    );
    places(Some("old"), &[(Policy::Forward, Reason::Redirected, "routes[2].redirect")]);
}

#[test]
fn an_identity_decided_when_there_is_no_other_of_its_kind() {
    places(
        Some("plain"),
        &[
            (Policy::Auth, Reason::TokenIssuer, "identities.users.jwt.issuer"),
            (Policy::Auth, Reason::TokenExpired, "identities.users.jwt"),
            (Policy::Auth, Reason::SecretMissing, "identities.users.jwt.secret"),
            (Policy::Auth, Reason::KeyUnknown, "identities.partners.api_key.keys"),
            (Policy::Auth, Reason::CertificateUnknown, "identities.devices.client_cert"),
        ],
    );
    places(Some("orders"), &[(Policy::Auth, Reason::TokenIssuer, "routes[1].policies.auth")]);
}

#[test]
fn without_a_route_little_is_configured() {
    places(
        None,
        &[
            (Policy::Route, Reason::NoRoute, "routes"),
            (Policy::Route, Reason::MethodNotAllowed, "routes"),
            (Policy::Path, Reason::PathMalformed, ""),
            (Policy::Path, Reason::PathAmbiguous, ""),
            (Policy::Cors, Reason::OriginAllowed, "defaults.cors.origins"),
            (Policy::Forward, Reason::ClientGone, ""),
        ],
    );
    places(Some("unknown"), &[(Policy::Auth, Reason::TokenValid, "")]);
}
