//! Cases behind every front: what a front does to paths, queries, fields and bodies must not be seen, except where it cannot be undone.

use std::path::Path;

use portico::case;
use portico::case::run::run;
use portico_tests::lambda::{Front, Lambda};
use portico_tests::skips::{Settled, Skip, settle};

/// The groups of cases.
const GROUPS: [&str; 9] = [
    "access/body_limit",
    "answers/respond",
    "forwarding/forwarded",
    "forwarding/responses",
    "forwarding/spoofing",
    "identity/client_address",
    "paths/opted_in",
    "routing/methods",
    "transform/requests",
];

/// What a front makes of a request, or of a response, whatever the function does.
struct Lost {
    fronts: &'static [Front],
    case: &'static str,
    why: &'static str,
}

const PAYLOAD_2: &[Front] = &[Front::Url, Front::Http];
const ALWAYS_ENCRYPTED: &[Front] = &[Front::Url, Front::Http, Front::Rest];
const QUERY_IN_PARTS: &[Front] = &[Front::Rest, Front::Alb, Front::AlbMulti];
const ALBS: &[Front] = &[Front::Alb, Front::AlbMulti];

const fn lost(fronts: &'static [Front], case: &'static str, why: &'static str) -> Lost {
    Lost { fronts, case, why }
}

const LOST: [Lost; 21] = [
    lost(&Front::ALL, "routing/methods/CONNECT makes no tunnel", "refused by the front"),
    lost(&Front::ALL, "routing/methods/OPTIONS for the whole server has no path to route", "refused by the front"),
    lost(ALWAYS_ENCRYPTED, "forwarding/forwarded/the first hop writes all of it", "always https"),
    lost(ALWAYS_ENCRYPTED, "forwarding/forwarded/a host with a port is quoted", "always https"),
    lost(ALWAYS_ENCRYPTED, "forwarding/forwarded/what a stranger wrote is replaced", "always https"),
    lost(
        ALWAYS_ENCRYPTED,
        "forwarding/forwarded/a trusted proxy that says nothing gets the same as a first hop",
        "always https",
    ),
    lost(ALWAYS_ENCRYPTED, "forwarding/forwarded/an IPv6 client is written as RFC 7239 §6 wants it", "always https"),
    lost(ALWAYS_ENCRYPTED, "forwarding/forwarded/Connection cannot make them disappear", "always https"),
    lost(ALBS, "forwarding/forwarded/a trusted proxy's chain is continued", "the scheme is the front's own word"),
    lost(&[Front::Alb], "forwarding/responses/cookies stay apart", "their order is that of a JSON object"),
    lost(&[Front::Alb], "forwarding/spoofing/several Cookie lines become one", "only the last line"),
    lost(&[Front::Http], "paths/opted_in/an encoded slash stays data of one segment", "the path is decoded"),
    lost(&[Front::Http], "paths/opted_in/one route's leave does not open another", "the path is decoded"),
    lost(&[Front::Http], "paths/opted_in/what cannot be read at all is refused here, too", "the path is decoded"),
    lost(
        &[Front::Http],
        "transform/requests/encoded characters of a path parameter stay as they are",
        "the path is decoded",
    ),
    lost(&[Front::Alb], "transform/requests/any other value becomes one segment", "only the last value of a key"),
    lost(
        QUERY_IN_PARTS,
        "transform/requests/a path from a template, the query untouched",
        "whether a key had an equals sign",
    ),
    lost(
        QUERY_IN_PARTS,
        "transform/requests/the query is edited, and the rest of it stays as it came",
        "the order of keys, and whether one had an equals sign",
    ),
    lost(
        &[Front::Rest],
        "transform/requests/a query value cannot add keys of its own",
        "which characters of the query were encoded",
    ),
    lost(
        PAYLOAD_2,
        "transform/requests/of several values the first counts, and a UUID is made up",
        "lines of a field are joined",
    ),
    lost(
        &[Front::Alb],
        "transform/requests/of several values the first counts, and a UUID is made up",
        "only the last line",
    ),
];

fn hold_behind(front: Front) {
    hold(front, &Lambda::behind(front));
}

fn hold(front: Front, subject: &Lambda) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let (mut wrong, mut ran) = (Vec::new(), 0);
    for group in GROUPS {
        for case in case::load(&folder.join(format!("{group}.yaml")), &folder).unwrap() {
            let lost = LOST.iter().find(|lost| lost.case == case.name && lost.fronts.contains(&front));
            let skip = lost.map(|lost| Skip {
                subject: "lambda".to_owned(),
                case: case.name.clone(),
                reason: lost.why.to_owned(),
            });
            match settle(run(&case, subject), skip.as_ref()) {
                Settled::Passed => ran += 1,
                Settled::Ignored(_) => {}
                Settled::Failed(why) => wrong.push(format!("{}\n{why}", case.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", front.name(), wrong.join("\n"));
    assert!(ran > 60, "{ran}");
}

#[test]
fn cases_hold_behind_a_function_url() {
    hold_behind(Front::Url);
}

#[test]
fn cases_hold_behind_an_http_api() {
    hold_behind(Front::Http);
}

#[test]
fn cases_hold_behind_a_rest_api() {
    hold_behind(Front::Rest);
}

#[test]
fn cases_hold_behind_a_load_balancer() {
    hold_behind(Front::Alb);
}

#[test]
fn cases_hold_behind_a_load_balancer_with_multi_value_headers() {
    hold_behind(Front::AlbMulti);
}

#[test]
fn cases_hold_behind_a_function_url_that_streams() {
    hold(Front::Url, &Lambda::behind(Front::Url).streaming());
}

#[test]
fn cases_hold_behind_a_rest_api_that_streams() {
    hold(Front::Rest, &Lambda::behind(Front::Rest).streaming());
}
