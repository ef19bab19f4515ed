//! Finds the route of a request; the rules are in the [module's documentation](super).

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderMap, HeaderName, Method};

use super::host::{HostPattern, normalise};
use super::pattern::{Pattern, Segment};
use super::rule::{Condition, Match, MatchError};
use super::tree::{Captures, Node};

/// What is known of a request when it is routed. Parameters borrow from the path (`'p`) only.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'p, 'a> {
    /// `Host` or `:authority`; may carry a port, any case and a trailing dot.
    pub host: Option<&'a str>,
    /// The [canonical](super::canonical) path.
    pub path: &'p str,
    /// The request's method.
    pub method: &'a Method,
    /// The request's header fields.
    pub headers: &'a HeaderMap,
    /// Names of fields that the actual request will bring, of which a preflight knows no more than that: conditions on
    /// them count as met.
    pub announced: &'a [HeaderName],
    /// What follows the `?`, as it came; `None` and empty are the same.
    pub query: Option<&'a str>,
}

/// The outcome of [`Router::find`].
#[derive(Debug)]
pub enum Found<'r, 'p> {
    /// One route is the best.
    Route {
        /// Its position in the slice that the router was built from.
        index: usize,
        /// The values of its path parameters.
        params: Params<'r, 'p>,
    },
    /// A 405: only the method is in the way.
    MethodNotAllowed {
        /// For the `Allow` field (RFC 9110 §10.2.1): sorted, each once, `HEAD` wherever `GET` is; never empty.
        allow: Vec<Method>,
    },
    /// A 404.
    NotFound,
}

/// The values of a route's path parameters: parts of the canonical path, percent-encoding and all.
///
/// They can go into another path as they are (a catch-all keeps its slashes); for any other use see
/// [`decode_segment`](super::decode_segment).
#[derive(Clone, Copy)]
pub struct Params<'r, 'p> {
    names: &'r [Box<str>],
    captures: Captures<'p>,
}

impl<'r, 'p> Params<'r, 'p> {
    /// The value of the parameter `name`; empty only for a catch-all that had nothing to catch.
    pub fn get(&self, name: &str) -> Option<&'p str> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Names and values from left to right.
    pub fn iter(&self) -> impl Iterator<Item = (&'r str, &'p str)> {
        self.names.iter().map(AsRef::as_ref).zip(self.captures.values().iter().copied())
    }
}

impl fmt::Debug for Params<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// All routes of a gateway, ready to be searched.
#[derive(Debug, Clone, Default)]
pub struct Router {
    routes: Vec<Route>,
    exact: BTreeMap<Box<str>, Node>,
    /// By suffix, with its dot: `.example.com`.
    below: BTreeMap<Box<str>, Node>,
    any: Node,
}

impl Router {
    /// Compiles all routes, or tells all that is wrong: the position of each offender in `matches`, and why.
    pub fn build(matches: &[Match]) -> Result<Self, Vec<(usize, MatchError)>> {
        let mut router = Self::default();
        let mut errors = Vec::new();
        for (index, wanted) in matches.iter().enumerate() {
            let host = wanted.host.as_deref().map_or(Ok(HostPattern::Any), HostPattern::parse);
            let pattern = Pattern::parse(&wanted.path);
            let (conditions, refused) = Condition::parse_all(wanted);
            errors.extend(refused.into_iter().map(|error| (index, error)));
            let (host, pattern) = match (host, pattern) {
                (Ok(host), Ok(pattern)) => (host, pattern),
                (host, pattern) => {
                    errors.extend(host.err().map(|error| (index, error.into())));
                    errors.extend(pattern.err().map(|error| (index, error.into())));
                    continue;
                }
            };
            let route = Route { index, methods: wanted.methods.clone(), conditions, names: pattern.names.into() };
            let duplicate = router.add(host, &pattern.segments, route);
            errors.extend(duplicate.err().map(|error| (index, error)));
        }
        if errors.is_empty() { Ok(router) } else { Err(errors) }
    }

    /// The route of a request.
    pub fn find<'r, 'p>(&'r self, lookup: &Lookup<'p, '_>) -> Found<'r, 'p> {
        let Some(rest) = lookup.path.strip_prefix('/') else {
            return Found::NotFound;
        };
        let named_hosts = !self.exact.is_empty() || !self.below.is_empty();
        let host = lookup.host.filter(|_| named_hosts).and_then(normalise);
        let mut captures = Captures::default();
        for table in self.tables(host.as_deref()) {
            let found = table.walk(Some(rest), &mut captures, &mut |routes| self.choose(routes, lookup));
            if let Some(route) = found.and_then(|position| self.routes.get(position)) {
                return Found::Route { index: route.index, params: Params { names: &route.names, captures } };
            }
        }
        let mut allow = Vec::new();
        for table in self.tables(host.as_deref()) {
            table.walk(Some(rest), &mut captures, &mut |routes| {
                let willing = routes.iter().filter_map(|position| self.routes.get(*position));
                for route in willing.filter(|route| route.holds(lookup)) {
                    allow.extend(route.methods.iter().cloned());
                }
                None
            });
        }
        if allow.is_empty() {
            return Found::NotFound;
        }
        if allow.contains(&Method::GET) {
            allow.push(Method::HEAD);
        }
        allow.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        allow.dedup();
        Found::MethodNotAllowed { allow }
    }

    /// Adds a route. The error: with one of its methods, an earlier one takes all that it could take; with those before that
    /// method it is added all the same, so that later ones are compared with it.
    fn add(&mut self, host: HostPattern, segments: &[Segment], mut route: Route) -> Result<(), MatchError> {
        let table = match host {
            HostPattern::Exact(host) => self.exact.entry(host).or_default(),
            HostPattern::Below(suffix) => self.below.entry(suffix).or_default(),
            HostPattern::Any => &mut self.any,
        };
        let positions = table.routes_mut(segments);
        let earlier = positions.iter().filter_map(|position| self.routes.get(*position));
        let alike = earlier.filter(|other| other.conditions == route.conditions);
        let taken = match route.methods.as_slice() {
            [] => alike.clone().find(|other| other.methods.is_empty()).map(|other| (0, other.index, None)),
            methods => methods.iter().enumerate().find_map(|(at, method)| {
                let other = alike.clone().find(|other| other.methods.contains(method))?;
                Some((at, other.index, Some(method.clone())))
            }),
        };
        let added = match taken {
            None => Ok(()),
            Some((0, other, method)) => return Err(MatchError::Duplicate { other, method }),
            Some((at, other, method)) => {
                route.methods.truncate(at);
                Err(MatchError::Duplicate { other, method })
            }
        };
        // most conditions first, declaration order within
        let place = positions.partition_point(|other| {
            self.routes.get(*other).is_some_and(|other| other.conditions.len() >= route.conditions.len())
        });
        positions.insert(place, self.routes.len());
        self.routes.push(route);
        added
    }

    /// The tables in which a host may have routes, the most specific first.
    fn tables<'s>(&'s self, host: Option<&'s str>) -> impl Iterator<Item = &'s Node> {
        let exact = host.and_then(|host| self.exact.get(host));
        let below = host.filter(|_| !self.below.is_empty()).into_iter().flat_map(|host| {
            // the dots from the left give the suffixes from the longest; a dot in front has no label before it
            host.match_indices('.').filter(|(at, _)| *at > 0).filter_map(|(at, _)| self.below.get(host.get(at..)?))
        });
        exact.into_iter().chain(below).chain([&self.any])
    }

    /// The best of the routes with one pattern, sorted by number of conditions.
    fn choose(&self, routes: &[usize], lookup: &Lookup<'_, '_>) -> Option<usize> {
        let mut best: Option<(usize, &Route, Fit)> = None;
        for position in routes {
            let route = self.routes.get(*position)?;
            if best.is_some_and(|(_, best, _)| best.conditions.len() > route.conditions.len()) {
                break;
            }
            let Some(fit) = route.fit(lookup.method) else { continue };
            if best.is_none_or(|(_, _, known)| fit < known) && route.holds(lookup) {
                best = Some((*position, route, fit));
            }
        }
        best.map(|(position, ..)| position)
    }
}

/// A route without its host and path.
#[derive(Debug, Clone)]
struct Route {
    index: usize,
    methods: Vec<Method>,
    conditions: Vec<Condition>,
    names: Box<[Box<str>]>,
}

/// How well a route's methods suit; the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Named,
    GetForHead,
    Any,
}

impl Route {
    fn fit(&self, method: &Method) -> Option<Fit> {
        if self.methods.is_empty() {
            Some(Fit::Any)
        } else if self.methods.contains(method) {
            Some(Fit::Named)
        } else if method == Method::HEAD && self.methods.contains(&Method::GET) {
            // RFC 9110 §9.3.2: HEAD is GET without the content
            Some(Fit::GetForHead)
        } else {
            None
        }
    }

    fn holds(&self, lookup: &Lookup<'_, '_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(lookup))
    }
}
