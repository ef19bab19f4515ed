use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};
use http::Request;
use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::gateway::Gateway;
use crate::jwt::{Algorithm, Claims, Rules, Untrusted};
use crate::peer::Peer;
use crate::sim::{Random, Sim, check_seeds};

/// A gateway with one route, `r`, and this cache.
fn gateway(cache: Value) -> Gateway {
    let users = json!({ "jwt": { "secret": "${secret.S}", "issuer": "i", "audience": "a", "algorithms": ["HS256"] } });
    let callers = cache["key"].get("by").is_some() || cache["key"].get("claims").is_some();
    let auth = if callers { json!({ "any_of": ["users"], "optional": true }) } else { json!("off") };
    let document = json!({
        "portico": 1, "name": "shop", "identities": { "users": users },
        "upstreams": { "app": { "targets": [{ "url": "http://app" }] } },
        "routes": [{ "name": "r", "match": { "path": "/{*rest}", "ambiguous_path": "allow" }, "upstream": "app",
            "policies": { "auth": auth, "cache": cache } }],
    });
    config::compile(&document).unwrap().0
}

fn key(gateway: &Gateway) -> &Key {
    &gateway.routes().next().unwrap().policies.cache.as_ref().unwrap().key
}

/// A request as the key sees it: past the canonical path.
fn context(url: &str, headers: &[(&str, &str)]) -> Context<'static> {
    let uri: Uri = url.parse().unwrap();
    let secure = uri.scheme_str() == Some("https");
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let head = request.body(()).unwrap().into_parts().0;
    let mut context = Context::new(&Sim::new(1), &Peer::new([192, 0, 2, 1].into(), secure), &[], head);
    context.canonical = Some(route::canonical(context.uri.path()).unwrap().path.into_owned());
    context
}

fn claims(all: &Value) -> Claims {
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let token = format!("{}.{}.AAAA", part(&json!({ "alg": "HS256" })), part(all));
    let mut rules = Rules::new(vec![Algorithm::HS256]);
    rules.require_exp = false;
    Untrusted::parse(&token).unwrap().trust(true).unwrap().claims(&rules, 0).unwrap()
}

fn caller(identity: &str, consumer: &str, token: Option<&Value>) -> Arc<Principal> {
    let (identity, consumer) = (identity.into(), consumer.into());
    Arc::new(Principal { identity, consumer, scopes: Vec::new(), claims: token.map(claims) })
}

fn of(cache: &Value, url: &str, headers: &[(&str, &str)]) -> String {
    key(&gateway(cache.clone())).of(&context(url, headers))
}

#[test]
fn a_key_is_the_route_and_a_hash() {
    let key = of(&json!({}), "http://a/", &[]);
    let (route, hash) = key.strip_prefix("cache/").unwrap().split_once('/').unwrap();
    assert_eq!((route, hash.len()), ("r", 64));
    assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn no_name_of_a_route_makes_a_key_that_a_store_cannot_take() {
    let long = "x".repeat(600);
    for (name, prefix) in [("../a b", "cache/___a_b/"), (".", "cache/_/"), ("a-B9", "cache/a-B9/")] {
        let document = json!({
            "portico": 1, "name": "shop", "upstreams": { "app": { "targets": [{ "url": "http://app" }] } },
            "routes": [{ "name": name, "match": { "path": "/a" }, "upstream": "app", "policies": { "cache": {} } },
                { "name": long, "match": { "path": "/b" }, "upstream": "app", "policies": { "cache": {} } }],
        });
        let (gateway, _) = config::compile(&document).unwrap();
        let keys: Vec<_> = gateway.routes().map(|route| &route.policies.cache.as_ref().unwrap().key).collect();
        assert_eq!(keys[0].prefix, prefix);
        assert!(keys[1].of(&context("http://a/b", &[])).len() <= 200);
    }
}

#[test]
fn requests_of_the_same_meaning_have_one_key() {
    for (one, other) in [
        ("http://A.Example/x", "http://a.example/x"),
        ("http://a.example:80/x", "http://a.example/x"),
        ("https://a.example:443/x", "https://a.example/x"),
        ("http://a.example:/x", "http://a.example/x"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("http://a/x/../%7Ey", "http://a/~y"),
        ("http://a/x?b=%7e&a=1", "http://a/x?a=1&b=~"),
    ] {
        let cache = json!({});
        assert_eq!(of(&cache, one, &[]), of(&cache, other, &[]), "{one} and {other}");
        let gateway = gateway(cache);
        let url = |url| key(&gateway).url(&context(url, &[]));
        let named = Address::parse(one).unwrap().urls(&gateway);
        assert_eq!((url(one), named), (url(other), vec![url(other)]));
    }
}

#[test]
fn requests_of_another_meaning_have_another_key() {
    let all = [
        "http://a/x",
        "https://a/x",
        "http://a:443/x",
        "https://a:80/x",
        "http://a:8080/x",
        "http://a./x",
        "http://b/x",
        "http://a/X",
        "http://a/x/",
        "http://a//x",
        "http://a/%2Fx",
        "http://a/x%3Fy",
        "http://a/x?y",
        "http://a/x?",
        "http://a/x?y=",
        "http://a/x%252e",
        "http://a/x%2e",
    ];
    let keys: BTreeSet<_> = all.iter().map(|url| of(&json!({}), url, &[])).collect();
    assert_eq!(keys.len(), all.len());
}

#[test]
fn another_configuration_of_the_route_finds_nothing_of_the_one_before() {
    let key = |cache: Value| of(&cache, "http://a/", &[]);
    assert_eq!(key(json!({ "ttl": "1m" })), key(json!({ "ttl": "1m" })));
    assert_ne!(key(json!({ "ttl": "1m" })), key(json!({ "ttl": "2m" })));
    assert_ne!(key(json!({})), key(json!({ "key": { "query": "none" } })));
}

#[test]
fn what_is_not_chosen_of_the_query_does_not_go_upstream() {
    let gateway = gateway(json!({ "key": { "query": { "except": ["tracking", "session"] } } }));
    let key = key(&gateway);
    let query = "page=2&utm_source=x&session=1&fbclid=y&sort=up";
    assert_eq!(key.query(Some(query)).as_deref(), Some("page=2&sort=up"));
    assert_eq!(key.query(Some("gclid=1")), None);
    let of = |query: &str| key.of(&context(&format!("http://a/?{query}"), &[]));
    assert_eq!(of(query), of("sort=up&page=2&msclkid=1"));
    assert_ne!(of(query), of("sort=up&page=3"));
    assert_eq!(key.url(&context(&format!("http://A/p?{query}"), &[])), "a/p?page=2&sort=up");
}

#[test]
fn fields_are_keyed_as_they_came_and_by_whether_they_go_upstream() {
    let cache = json!({ "key": { "headers": ["X-A", "X-B"] } });
    let of = |headers: &[(&str, &str)]| of(&cache, "http://a/", headers);
    assert_eq!(of(&[("X-A", "1"), ("X-C", "2")]), of(&[("x-a", "1"), ("X-C", "3")]));
    let all: [&[(&str, &str)]; 12] = [
        &[],
        &[("X-A", "")],
        &[("X-A", "1")],
        &[("X-B", "1")],
        &[("X-A", "1"), ("X-B", "1")],
        &[("X-A", "1"), ("X-A", "1")],
        &[("X-A", "1, 1")],
        &[("X-A", "1"), ("X-A", "2")],
        &[("X-A", "2"), ("X-A", "1")],
        &[("X-A", "1"), ("X-A", "11")],
        &[("X-A", "11"), ("X-A", "1")],
        // what goes upstream here is a request without the field
        &[("X-A", "1"), ("Connection", "close, x-a")],
    ];
    let keys: BTreeSet<_> = all.iter().map(|headers| of(headers)).collect();
    assert_eq!(keys.len(), all.len());
    assert_eq!(of(&[("X-A", "1"), ("Connection", "close")]), of(&[("X-A", "1")]));
}

#[test]
fn cookies_that_are_not_keyed_do_not_go_upstream() {
    let keyed = |cookies: &[&str]| {
        let cache = json!({ "key": { "cookies": ["theme", "lang"] } });
        let headers: Vec<_> = cookies.iter().map(|cookies| ("cookie", *cookies)).collect();
        let (gateway, context) = (gateway(cache), context("http://a/", &headers));
        let mut headers = context.headers.clone();
        key(&gateway).clean(&mut headers);
        let sent: Vec<_> = headers.get_all(COOKIE).iter().map(|line| line.to_str().unwrap().to_owned()).collect();
        (key(&gateway).of(&context), sent.join(" / "))
    };
    let (key, sent) = keyed(&["theme=dark; session=1; lang=de"]);
    assert_eq!(sent, "theme=dark; lang=de");
    for same in [&["lang=de; theme=dark"][..], &["theme=dark", "session=2; lang=de"], &["theme=dark;lang=de;x"]] {
        assert_eq!(keyed(same).0, key, "{same:?}");
    }
    let others: [&[&str]; 7] = [
        &["theme=dark"],
        &["theme=light; lang=de"],
        &["theme=dark; theme=light; lang=de"],
        &["theme=light; theme=dark; lang=de"],
        &["Theme=dark; lang=de"],
        &["theme=\"dark; lang=de\""],
        &[],
    ];
    for other in others {
        assert_ne!(keyed(other).0, key, "{other:?}");
    }
    assert_eq!(keyed(&["session=1; Theme=dark; theme"]).1, "");
    assert_eq!(keyed(&["theme=\"a; session=1\""]).1, "theme=\"a", "what is sent is what is keyed");
}

#[test]
fn what_misleads_an_upstream_does_not_go_there_unless_it_is_keyed() {
    let cleaned = |cache: Value, names: &[&str]| {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("v"));
        }
        key(&gateway(cache)).clean(&mut headers);
        let mut left: Vec<_> = headers.keys().map(ToString::to_string).collect();
        left.sort_unstable();
        left
    };
    let names = [
        "X-Forwarded-Host",
        "X-Forwarded-Scheme",
        "X-Forwarded-For",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Host",
        "Forwarded",
        "Cookie",
        "Accept",
    ];
    assert_eq!(cleaned(json!({}), &names), ["accept", "cookie", "x-forwarded-for"]);
    let keyed = cleaned(json!({ "key": { "headers": ["x-host"], "cookies": [] } }), &names);
    assert_eq!(keyed, ["accept", "x-forwarded-for", "x-host"]);
}

#[test]
fn callers_are_told_apart() {
    let consumer = json!({ "key": { "by": "consumer" } });
    let tenant = json!({ "key": { "claims": ["tenant", "a.b"] } });
    let of = |cache: &Value, caller: Option<Arc<Principal>>| {
        let gateway = gateway(cache.clone());
        let mut context = context("http://a/", &[]);
        context.principal = caller;
        key(&gateway).of(&context)
    };
    let by_consumer = [
        None,
        Some(caller("users", "u", None)),
        Some(caller("users", "v", None)),
        Some(caller("partners", "u", None)),
        Some(caller("partnersu", "", None)),
        Some(caller("users", "u", Some(&json!({ "sub": "u", "iss": "https://a/" })))),
        Some(caller("users", "u", Some(&json!({ "sub": "u", "iss": "https://b/" })))),
        Some(caller("users", "u", Some(&json!({ "sub": "w", "iss": "https://b/" })))),
    ];
    let keys: BTreeSet<_> = by_consumer.iter().map(|caller| of(&consumer, caller.clone())).collect();
    assert_eq!(keys.len(), by_consumer.len());
    let by_claims = [
        json!({}),
        json!({ "tenant": null }),
        json!({ "tenant": "" }),
        json!({ "tenant": "1" }),
        json!({ "tenant": 1 }),
        json!({ "tenant": true }),
        json!({ "tenant": ["1"] }),
        json!({ "tenant": ["1", "2"] }),
        json!({ "tenant": "1\",\"2" }),
        json!({ "a.b": "1" }),
        json!({ "tenant": "1", "a": { "b": "2" } }),
        json!({ "tenant": "1", "iss": "https://a/" }),
    ];
    let keys: BTreeSet<_> =
        by_claims.iter().map(|token| of(&tenant, Some(caller("users", "u", Some(token))))).collect();
    assert_eq!(keys.len(), by_claims.len());
    let one = json!({ "tenant": "1", "sub": "u", "jti": "x" });
    let other = json!({ "tenant": "1", "sub": "v", "jti": "y" });
    let key = |token| of(&tenant, Some(caller("users", "u", Some(token))));
    assert_eq!(key(&one), key(&other), "who has the same claims shares");
}

/// What of a request is keyed, said in another way.
type Meaning =
    (bool, String, String, BTreeMap<String, Vec<Option<String>>>, Vec<Vec<String>>, Vec<Vec<String>>, String);

/// Keys of random requests agree exactly if the requests do, in what is keyed. The texts are those that could run into each other.
#[test]
fn no_two_requests_that_differ_in_what_is_keyed_have_one_key() {
    let cache =
        json!({ "key": { "headers": ["x-a", "x-b"], "cookies": ["c", "d"], "by": "consumer", "claims": ["t"] } });
    let gateway = gateway(cache);
    let key = key(&gateway);
    let tokens = [json!({}), json!({ "t": "u" }), json!({ "t": ["u"] }), json!({ "sub": "u" })];
    check_seeds(8, None, |seed| {
        let random = Random::new(seed);
        let pick = |texts: &[&str]| (*random.pick(texts).unwrap()).to_owned();
        let mut seen: BTreeMap<String, Meaning> = BTreeMap::new();
        let mut known: BTreeMap<Meaning, String> = BTreeMap::new();
        for _ in 0..1_500 {
            let (secure, host, path) = (random.below(2) == 1, pick(&["a", "a:8080", "aa"]), pick(&["/", "/a", "/a/a"]));
            let pairs: Vec<_> = (0..random.below(3))
                .map(|_| {
                    (pick(&["p", "q"]), random.pick(&[None, Some(""), Some("p"), Some("%26q"), Some("q=")]).unwrap())
                })
                .collect();
            let written: Vec<_> = pairs
                .iter()
                .map(|(name, value)| value.map_or_else(|| name.clone(), |value| format!("{name}={value}")))
                .collect();
            let mark = if written.is_empty() { "" } else { "?" };
            let lists: Vec<Vec<String>> =
                (0..4).map(|_| (0..random.below(3)).map(|_| pick(&["", "1", "11", "1,1", "d=1"])).collect()).collect();
            let mut headers = Vec::new();
            for (name, values) in ["x-a", "x-b"].iter().zip(&lists) {
                headers.extend(values.iter().map(|value| (*name, value.clone())));
            }
            for (name, values) in ["c", "d"].iter().zip(lists.iter().skip(2)) {
                headers.extend(values.iter().map(|value| ("cookie", format!("{name}={value}"))));
            }
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let scheme = if secure { "https" } else { "http" };
            let mut context = context(&format!("{scheme}://{host}{path}{mark}{}", written.join("&")), &headers);
            let (identity, consumer) = (pick(&["u", "uu"]), pick(&["", "u", "uu"]));
            let token = random.pick(&tokens).unwrap();
            let anonymous = random.below(4) == 0;
            context.principal = (!anonymous).then(|| caller(&identity, &consumer, Some(token)));
            let mut query: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
            for (name, value) in pairs {
                query.entry(name).or_default().push(value.map(ToOwned::to_owned));
            }
            let who = if anonymous { String::new() } else { json!([identity, consumer, token]).to_string() };
            let (fields, cookies) = (lists[..2].to_vec(), lists[2..].to_vec());
            let meaning = (secure, host, path, query, fields, cookies, who);
            let of = key.of(&context);
            let before = seen.entry(of.clone()).or_insert_with(|| meaning.clone());
            assert_eq!(*before, meaning, "one key for both");
            assert_eq!(*known.entry(meaning).or_insert_with(|| of.clone()), of, "two keys for one");
        }
        assert!(seen.len() > 500);
    });
}
