//! Requests that would reach a route if any request did.
//!
//! What competes with a route for a request are the other routes that match it as well. A probe therefore has nothing in it that
//! the route does not ask for, and where the route asks for anything at all (a parameter, a catch-all, any host, any method,
//! `*`) it has what no route names. Every route that matches a probe matches all requests that are like it, so a route that
//! loses all its probes loses all its requests.

use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use portico::pattern::{Parameter, fill};
use portico_core::config::outline::Outline;
use portico_core::config::wire::{self, AmbiguousPath};
use portico_core::route::{Match, canonical, decode_segment, encode_query};

/// A request that a route matches.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) host: Option<String>,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) query: Option<String>,
}

/// What the router is built from; `None` when a part of it could not be read.
pub(super) fn matches(outline: &Outline) -> Option<Vec<Match>> {
    outline.routes.iter().map(|route| matched(&route.wire.matches)).collect()
}

fn matched(wire: &wire::Match) -> Option<Match> {
    let methods = wire.methods.iter().map(|method| Method::from_bytes(method.as_bytes()).ok());
    let headers = wire.headers.iter().map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.clone())));
    Some(Match {
        host: wire.host.clone(),
        path: wire.path.clone(),
        methods: methods.collect::<Option<_>>()?,
        headers: headers.collect::<Option<_>>()?,
        query: wire.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    })
}

/// Makes the probes of a table of routes.
#[derive(Debug)]
pub(super) struct Probes {
    /// A character that stands in none of the table's texts.
    unnamed: char,
    /// The segments of the longest path.
    longest: usize,
    /// A method that no route names.
    pub(super) unnamed_method: Method,
}

impl Probes {
    /// `None` when no character or method is left, which no table comes near.
    pub(super) fn of(matches: &[Match]) -> Option<Self> {
        let mut texts = Vec::new();
        for route in matches {
            // a path may spell a character in percent-encoding
            texts.push(decode_segment(&route.path)?.into_owned());
            texts.extend(route.host.iter().map(|host| host.to_ascii_lowercase()));
            texts.extend(route.headers.iter().map(|(_, value)| value.clone()));
            texts.extend(route.query.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
        }
        let mut candidates = "~_!*'(),".chars().chain('0'..='9').chain('a'..='z');
        let unnamed = candidates.find(|candidate| !texts.iter().any(|text| text.contains(*candidate)))?;
        let methods =
            (0..=matches.len()).filter_map(|number| Method::from_bytes(format!("PROBE{number}").as_bytes()).ok());
        let named = |method: &Method| matches.iter().any(|route| route.methods.contains(method));
        Some(Self {
            unnamed,
            longest: matches.iter().map(|route| route.path.split('/').count()).max().unwrap_or_default(),
            unnamed_method: methods.into_iter().find(|method| !named(method))?,
        })
    }

    /// The probes of one route, for whichever of its methods. None when its path cannot be spelled.
    pub(super) fn of_route(&self, route: &Match, ambiguous: AmbiguousPath) -> Vec<Probe> {
        let value = |text: &str| if text == "*" { self.unnamed.to_string() } else { text.to_owned() };
        let mut headers = HeaderMap::new();
        for (name, text) in &route.headers {
            let Ok(value) = HeaderValue::from_str(&value(text)) else { return Vec::new() };
            headers.append(name.clone(), value);
        }
        let pairs: Vec<_> = route
            .query
            .iter()
            .map(|(name, text)| format!("{}={}", encode_query(name), encode_query(&value(text))))
            .collect();
        let host = route.host.as_deref().map(|host| match host.strip_prefix('*') {
            Some(suffix) => format!("{}{suffix}", self.unnamed),
            None => host.to_owned(),
        });
        let paths = self.paths(&route.path, ambiguous).into_iter();
        let query = (!pairs.is_empty()).then(|| pairs.join("&"));
        paths.map(|path| Probe { host: host.clone(), path, headers: headers.clone(), query: query.clone() }).collect()
    }

    /// One path for each way in which a catch-all can be filled, just one where there is none. A longer rest than the longest
    /// path is matched by catch-alls only, like the longest here.
    fn paths(&self, pattern: &str, ambiguous: AmbiguousPath) -> Vec<String> {
        let unnamed = self.unnamed.to_string();
        let mut rests = vec![String::new()];
        let mut catch_all = false;
        fill(pattern, |parameter| {
            catch_all |= matches!(parameter, Parameter::Rest(_));
            "".into()
        });
        if catch_all {
            for length in 1..=self.longest + 1 {
                let rest = vec![&*unnamed; length].join("/");
                rests.extend([format!("{rest}/"), rest]);
            }
            if ambiguous == AmbiguousPath::Allow {
                rests.push("/".to_owned());
            }
        }
        let spell = |rest: String| {
            let path = fill(pattern, |parameter| match parameter {
                Parameter::Segment(_) => (&*unnamed).into(),
                Parameter::Rest(_) => (&*rest).into(),
            });
            Some(canonical(&path).ok()?.path.into_owned())
        };
        rests.into_iter().filter_map(spell).collect()
    }
}
