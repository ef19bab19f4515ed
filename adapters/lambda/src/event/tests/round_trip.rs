//! Requests of a seeded generator, made into each front's event by an encoder that shares nothing with the code under test: the
//! same request comes out. What a front loses (the order among query keys, lines of a name, `%2F`), the generator does not vary.

mod encoder;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use portico_core::sim::{Random, SEED_VARIABLE, check_seeds};

use crate::event;
use crate::event::Front::{self, Alb, FunctionUrl, Http, HttpPayload1, Rest};

const SEEDS: u64 = 500;

#[test]
fn the_request_that_went_into_an_event_comes_out_of_it() {
    let replay = std::env::var(SEED_VARIABLE).ok();
    check_seeds(SEEDS, replay.as_deref(), |seed| {
        for front in [Rest, HttpPayload1, Http, FunctionUrl, Alb { multi: true }, Alb { multi: false }] {
            let sent = Sent::new(front, &Random::new(seed));
            let event = sent.event(front).to_string();
            let incoming = event::request(event.as_bytes()).unwrap_or_else(|refused| panic!("{refused}: {event}"));
            let request = &incoming.request;
            assert_eq!(incoming.front, front);
            assert_eq!((incoming.peer.address, incoming.peer.secure), (sent.client, sent.secure), "{event}");
            assert_eq!(request.method().as_str(), sent.method, "{event}");
            assert_eq!(request.uri().to_string(), sent.target(), "{event}");
            assert_eq!(request.headers(), &sent.headers(front), "{event}");
            assert_eq!(request.body(), &sent.body, "{event}");
        }
    });
}

fn has_lists(front: Front) -> bool {
    matches!(front, Rest | HttpPayload1 | Alb { multi: true })
}

fn decodes_path(front: Front) -> bool {
    matches!(front, HttpPayload1 | Http)
}

/// A request as a client sends it.
struct Sent {
    client: IpAddr,
    secure: bool,
    method: &'static str,
    /// As they are in the target, encoded.
    segments: Vec<String>,
    query: Vec<(String, Vec<String>)>,
    fields: Vec<(String, Vec<String>)>,
    cookies: Vec<String>,
    /// Who forwarded it to the front, as far as the client says.
    forwarded: Option<&'static str>,
    body: Vec<u8>,
}

impl Sent {
    fn new(front: Front, random: &Random) -> Self {
        let at_most = |bound| 0..=random.below(bound);
        let text = |bound| encoded(random, bound, !decodes_path(front));
        let values = |single: bool| if single { 1 } else { 1 + random.below(3) };
        let query = at_most(3).map(|n| {
            let values = (0..values(front == Alb { multi: false })).map(|_| text(6)).collect();
            // in the order in which `Value` will have them
            (format!("{n}{}", text(4)), values)
        });
        let long = if random.below(20) == 0 { "long;".repeat(3_000) } else { String::new() };
        let fields = at_most(4).map(|n| {
            let value = |_| pick(random, &["", "a", "a, b", "\"q\\\"\t;x", "ü → ✓", "W/\"1\"", &long]);
            (spelled(random, &format!("x-field-{n}")), (0..values(front == Alb { multi: false })).map(value).collect())
        });
        Self {
            client: pick(random, &["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"]).parse().unwrap(),
            secure: random.below(2) == 0,
            method: random.pick(&["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "REPORT"]).unwrap(),
            segments: at_most(4).map(|_| text(5)).collect(),
            query: query.skip(random.below(2) as usize).collect(),
            fields: fields.collect(),
            cookies: at_most(3).skip(1).map(|n| format!("c{n}={}", text(4))).collect(),
            forwarded: *random.pick(&[None, Some("203.0.113.9"), Some("192.0.2.7, 198.51.100.1")]).unwrap(),
            body: match random.below(3) {
                0 => Vec::new(),
                1 => at_most(200).map(|_| random.next() as u8).collect(),
                _ => {
                    pick(random, &["text", "\u{0}\u{1f}\"\\/\u{2028}", "über 🦀", "{\"a\": [1, \"\\n\"]}"]).into_bytes()
                }
            },
        }
    }

    fn target(&self) -> String {
        let query: Vec<_> = self
            .query
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")))
            .collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("/{}{query}", self.segments.join("/"))
    }

    /// The fields as they must come out.
    fn headers(&self, front: Front) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        };
        add("host", "api.example.com");
        add("x-forwarded-proto", if self.secure { "https" } else { "http" });
        for (name, values) in &self.fields {
            if has_lists(front) {
                values.iter().for_each(|value| add(name, value));
            } else {
                add(name, &values.join(","));
            }
        }
        if !self.cookies.is_empty() {
            add("cookie", &self.cookies.join("; "));
        }
        if let Some(forwarded) = self.forwarded {
            add("x-forwarded-for", forwarded);
        }
        if !self.body.is_empty() {
            add("content-length", &self.body.len().to_string());
        }
        headers
    }
}

fn pick(random: &Random, items: &[&str]) -> String {
    (*random.pick(items).unwrap()).to_owned()
}

/// A field's name in letters of either case.
fn spelled(random: &Random, name: &str) -> String {
    name.chars().map(|letter| if random.below(2) == 0 { letter.to_ascii_uppercase() } else { letter }).collect()
}

/// Characters as they are sent, each in its one form, and with their percent-encodings.
const CHARACTERS: [(&str, &str); 14] = [
    ("a", "a"),
    ("Z", "Z"),
    ("7", "7"),
    ("-", "-"),
    (".x", ".x"),
    ("_", "_"),
    ("~", "~"),
    ("%20", " "),
    ("%25", "%"),
    ("%3F", "?"),
    ("%23", "#"),
    ("%C3%BC", "ü"),
    ("%F0%9F%A6%80", "🦀"),
    ("%2F", "/"),
];

fn encoded(random: &Random, bound: u64, slashes: bool) -> String {
    let known = if slashes { &CHARACTERS[..] } else { &CHARACTERS[..13] };
    (0..=random.below(bound)).map(|_| random.pick(known).unwrap().0).collect()
}
