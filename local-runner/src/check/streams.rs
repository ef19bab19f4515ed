//! Body policies on routes whose responses are no documents.

use portico_core::config::outline::{Outline, Route};
use portico_core::config::wire::Mode;
use portico_core::config::{Code, Findings};

/// Media types of responses that go on and on.
const STREAMS: [&str; 4] =
    ["text/event-stream", "application/x-ndjson", "application/json-seq", "application/jsonlines"];

/// Routes that are for streams and have a policy that edits JSON.
pub(super) fn unread(outline: &Outline, findings: &mut Findings) {
    for route in &outline.routes {
        let edits = super::on(&route.wire.policies.response)
            .is_some_and(|response| response.json.is_some() && response.mode != Mode::Off);
        if let Some(header) = streams(route).filter(|_| edits) {
            findings
                .warning(
                    Code::BodyPolicyOnStream,
                    route.at.child_key("match").child_key("headers").child_key(header),
                    "the route is for streams, and `response.json` edits documents only: streams pass as they come",
                )
                .help("have the upstream leave out what clients must not see, or switch `response` off on this route");
        }
    }
}

/// The condition by which a route is for streams.
fn streams(route: &Route) -> Option<&String> {
    let is_for_streams = |(name, value): &(&String, &String)| {
        let value = value.to_ascii_lowercase();
        let accepts = name.eq_ignore_ascii_case("accept") && STREAMS.iter().any(|stream| value.contains(stream));
        accepts || (name.eq_ignore_ascii_case("upgrade") && value.contains("websocket"))
    };
    route.wire.matches.headers.iter().find(is_for_streams).map(|(name, _)| name)
}
