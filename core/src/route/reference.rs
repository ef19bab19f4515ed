//! The router against an implementation of its rules that is too slow and simple to be wrong, on random routes and
//! requests: precedence and falling through are what examples miss.

use std::cmp::Reverse;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::tests::{Random, answer, join, parse};
use super::{Lookup, Match, MatchError, Router};

/// How specific a segment is: text 0, mixed 1, parameter 2, catch-all 3; then the length of its text, and of the part
/// before the parameter. Lower is better, here and below.
type Specificity = (u8, Reverse<usize>, Reverse<usize>);

/// Host, path, conditions, method, order.
type Rank = (Reverse<usize>, Vec<Specificity>, Reverse<usize>, u8, usize);

#[test]
fn the_router_agrees_with_the_rules() {
    let mut random = Random::new(9110);
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..3_000 {
        let routes: Vec<_> = (0..1 + random.below(14)).map(|_| random_route(&mut random)).collect();
        let (routes, router) = build(routes);
        for _ in 0..30 {
            let (method, target, headers, host) = random_request(&mut random);
            let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
            let lookup = Lookup { host, path, method: &method, headers: &headers, announced: &[], query };
            let expected = find(&routes, &lookup);
            assert_eq!(answer(&router.find(&lookup)), expected, "{lookup:?}\n{routes:#?}");
            let kind = expected.split(' ').next().filter(|word| *word == "404" || *word == "405").unwrap_or("route");
            *seen.entry(kind.to_owned()).or_default() += 1;
        }
    }
    assert!(seen.len() == 3 && seen.values().all(|count| *count > 2_000), "{seen:?}");
}

/// Builds what can be built: drops every route that the router calls a duplicate, and checks that it is one.
fn build(mut routes: Vec<Match>) -> (Vec<Match>, Router) {
    let expected: Vec<_> = routes
        .iter()
        .enumerate()
        .filter(|(index, route)| routes.iter().take(*index).any(|earlier| are_same(earlier, route)))
        .map(|(index, _)| index)
        .collect();
    if let Err(errors) = Router::build(&routes) {
        for (index, error) in &errors {
            let MatchError::Duplicate { other, .. } = error else { panic!("{error}: {routes:#?}") };
            assert!(other < index && are_same(&routes[*other], &routes[*index]), "{index} {other} {routes:#?}");
        }
        let found: Vec<_> = errors.into_iter().map(|(index, _)| index).collect();
        assert_eq!(found, expected, "{routes:#?}");
    } else {
        assert!(expected.is_empty(), "{expected:?} {routes:#?}");
    }
    let mut index = 0;
    routes.retain(|_| {
        index += 1;
        !expected.contains(&(index - 1))
    });
    let router = Router::build(&routes).unwrap();
    (routes, router)
}

fn find(routes: &[Match], lookup: &Lookup<'_, '_>) -> String {
    let mut best: Option<(Rank, String)> = None;
    let mut allow: Vec<Method> = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let Some(host) = match_host(route.host.as_deref(), lookup.host) else {
            continue;
        };
        let Some((path, params)) = match_path(&route.path, lookup.path) else {
            continue;
        };
        let conditions = route.headers.len() + route.query.len();
        if !conditions_hold(route, lookup) {
            continue;
        }
        let method = if route.methods.is_empty() {
            2
        } else if route.methods.contains(lookup.method) {
            0
        } else if *lookup.method == Method::HEAD && route.methods.contains(&Method::GET) {
            1
        } else {
            allow.extend(route.methods.clone());
            continue;
        };
        let rank = (host, path, Reverse(conditions), method, index);
        if best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, format!("{index}{params}")));
        }
    }
    if let Some((_, found)) = best {
        return found;
    }
    if allow.contains(&Method::GET) {
        allow.push(Method::HEAD);
    }
    allow.sort_by_key(ToString::to_string);
    allow.dedup();
    if allow.is_empty() { "404".into() } else { format!("405 {}", join(&allow)) }
}

fn match_host(pattern: Option<&str>, host: Option<&str>) -> Option<Reverse<usize>> {
    let Some(pattern) = pattern else {
        return Some(Reverse(0));
    };
    let host = host?.split(':').next()?.to_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if let Some(suffix) = pattern.strip_prefix('*') {
        let below = host.ends_with(suffix) && host.len() > suffix.len();
        return below.then_some(Reverse(suffix.len()));
    }
    (host == pattern).then_some(Reverse(usize::MAX))
}

fn match_path(pattern: &str, path: &str) -> Option<(Vec<Specificity>, String)> {
    let mut specificity = Vec::new();
    let mut params = String::new();
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        let Some((before, rest)) = wanted.split_once('{') else {
            if wanted != segment {
                return None;
            }
            specificity.push((0, Reverse(0), Reverse(0)));
            continue;
        };
        let (name, after) = rest.split_once('}').unwrap();
        if let Some(name) = name.strip_prefix('*') {
            let rest: Vec<_> = std::iter::once(segment).chain(segments.by_ref()).collect();
            params += &format!(" {name}={}", rest.join("/"));
            specificity.push((3, Reverse(0), Reverse(0)));
            break;
        }
        let value = segment.strip_prefix(before)?.strip_suffix(after)?;
        if value.is_empty() {
            return None;
        }
        params += &format!(" {name}={value}");
        let text = before.len() + after.len();
        specificity.push((if text > 0 { 1 } else { 2 }, Reverse(text), Reverse(before.len())));
    }
    segments.next().is_none().then_some((specificity, params))
}

fn conditions_hold(route: &Match, lookup: &Lookup<'_, '_>) -> bool {
    let pairs: Vec<_> =
        lookup.query.unwrap_or("").split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    route.headers.iter().all(|(name, wanted)| {
        lookup.headers.get_all(name).iter().any(|value| wanted == "*" || value == wanted.as_str())
    }) && route
        .query
        .iter()
        .all(|(name, wanted)| pairs.iter().any(|(known, value)| known == name && (wanted == "*" || value == wanted)))
}

/// Whether the later of two routes can never be reached with some method.
fn are_same(one: &Match, other: &Match) -> bool {
    let same_methods = if one.methods.is_empty() || other.methods.is_empty() {
        one.methods.is_empty() && other.methods.is_empty()
    } else {
        one.methods.iter().any(|method| other.methods.contains(method))
    };
    let unnamed = |route: &Match| route.path.replace(['1', '2', '3'], "");
    same_methods
        && one.host == other.host
        && unnamed(one) == unnamed(other)
        && one.headers == other.headers
        && one.query == other.query
}

fn random_route(random: &mut Random) -> Match {
    const HOSTS: [&str; 8] = ["", "", "", "a.test ", "b.a.test ", "*.a.test ", "*.test ", "*.b.a.test "];
    const METHODS: [&str; 8] = ["", "", "", "GET ", "HEAD ", "POST ", "GET,POST ", "HEAD,PUT "];
    const SEGMENTS: [&str; 9] = ["a", "b", "ab", "aab", "{x}", "{x}", "a{x}", "{x}b", "a{x}b"];
    const LAST: [&str; 4] = ["", "{*x}", "{*x}", "a"];
    const CONDITIONS: [&str; 8] = ["", "", "", " h=1", " h=*", " ?q=1", " h=1 ?q=*", " i=2"];
    let mut text = [random.pick(&HOSTS), random.pick(&METHODS)].concat();
    let depth = 1 + random.below(3);
    for place in 1..=depth {
        let last = place == depth && random.below(3) == 0;
        let segment = if last { random.pick(&LAST) } else { random.pick(&SEGMENTS) };
        // names differ from segment to segment, and between routes of one shape
        let name = ["x1", "x2", "x3", "x11", "x22", "x33"][place - 1 + 3 * random.below(2)];
        text += &["/", &segment.replace('x', name)].concat();
    }
    parse(&(text + random.pick(&CONDITIONS)))
}

fn random_request(random: &mut Random) -> (Method, String, HeaderMap, Option<&'static str>) {
    const HOSTS: [Option<&str>; 8] = [
        None,
        Some("a.test"),
        Some("A.test:80"),
        Some("b.a.test"),
        Some("c.b.a.Test."),
        Some("d.a.test"),
        Some("test"),
        Some("other"),
    ];
    const SEGMENTS: [&str; 8] = ["a", "b", "ab", "aab", "abb", "c", "acb", ""];
    const METHODS: [&str; 6] = ["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS"];
    const QUERIES: [&str; 5] = ["", "", "?q=1", "?p=1&q=2", "?q"];
    const HEADERS: [&[(&str, &str)]; 5] =
        [&[], &[("h", "1")], &[("h", "2")], &[("h", "1"), ("i", "2")], &[("h", "2"), ("h", "1")]];
    let mut target = String::new();
    for _ in 0..1 + random.below(4) {
        target += &["/", random.pick(&SEGMENTS)].concat();
    }
    target += random.pick(&QUERIES);
    let mut headers = HeaderMap::new();
    for (name, value) in HEADERS[random.below(HEADERS.len())] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    (random.pick(&METHODS).parse().unwrap(), target, headers, HOSTS[random.below(HOSTS.len())])
}
