//! What goes out as an answer, read again as the fronts read it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use portico_core::sim::{Random, SEED_VARIABLE, check_seeds};
use serde_json::{Value, json};

use super::*;

const FRONTS: [Front; 6] = [
    Front::Rest,
    Front::HttpPayload1,
    Front::Http,
    Front::FunctionUrl,
    Front::Alb { multi: true },
    Front::Alb { multi: false },
];

fn head(status: u16, fields: &[(&str, &str)]) -> Parts {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap().into_parts().0
}

fn answer(front: Front, status: u16, fields: &[(&str, &str)], body: &[u8]) -> Value {
    serde_json::from_slice(&whole(front, head(status, fields), body).json).unwrap()
}

#[test]
fn each_front_has_its_own_form() {
    let fields = [
        ("x-a", "1"),
        ("set-cookie", "a=1; Path=/"),
        ("x-a", "2"),
        ("set-cookie", "b=2"),
        ("content-type", "text/plain"),
    ];
    let answer = |front| answer(front, 200, &fields, "ü\"".as_bytes());
    let lines = json!({ "x-a": ["1", "2"], "set-cookie": ["a=1; Path=/", "b=2"], "content-type": ["text/plain"] });
    for front in [Front::Rest, Front::HttpPayload1] {
        assert_eq!(
            answer(front),
            json!({ "statusCode": 200, "multiValueHeaders": lines, "body": "ü\"", "isBase64Encoded": false })
        );
    }
    for front in [Front::Http, Front::FunctionUrl] {
        assert_eq!(
            answer(front),
            json!({
                "statusCode": 200, "headers": { "x-a": "1, 2", "content-type": "text/plain" },
                "cookies": ["a=1; Path=/", "b=2"], "body": "ü\"", "isBase64Encoded": false,
            })
        );
    }
    assert_eq!(
        answer(Front::Alb { multi: true }),
        json!({
            "statusCode": 200, "statusDescription": "200 OK", "multiValueHeaders": lines, "body": "ü\"", "isBase64Encoded": false,
        })
    );
    assert_eq!(
        answer(Front::Alb { multi: false }),
        json!({
            "statusCode": 200, "statusDescription": "200 OK",
            "headers": { "x-a": "1, 2", "content-type": "text/plain", "set-cookie": "a=1; Path=/", "Set-cookie": "b=2" },
            "body": "ü\"", "isBase64Encoded": false,
        })
    );
}

#[test]
fn what_is_no_text_goes_as_base64() {
    let body = |fields: &[(&str, &str)], body| {
        let answer = answer(Front::Http, 200, fields, body);
        (answer["body"].as_str().unwrap().to_owned(), answer["isBase64Encoded"] == true)
    };
    assert_eq!(body(&[], b"\0\x1f\x7f"), ("\0\x1f\x7f".to_owned(), false));
    assert_eq!(body(&[], b""), (String::new(), false));
    assert_eq!(body(&[], b"\xff\x00a"), ("/wBh".to_owned(), true));
    assert_eq!(body(&[("content-encoding", "br")], b"abc"), ("YWJj".to_owned(), true));
    assert_eq!(body(&[("content-encoding", "gzip")], b""), (String::new(), true));
}

#[test]
fn a_status_without_a_name_is_described() {
    let answer = |status| answer(Front::Alb { multi: true }, status, &[], b"")["statusDescription"].clone();
    assert_eq!((answer(404), answer(299)), (json!("404 Not Found"), json!("299 Unknown")));
}

#[test]
fn an_answer_is_as_long_as_the_front_takes_and_no_longer() {
    let fields = [
        ("content-type", "text/html"),
        ("etag", "\"1\""),
        ("cache-control", "max-age=60"),
        ("set-cookie", "a=1"),
        ("x-request-id", "request-7"),
        ("access-control-allow-origin", "https://shop.example"),
        ("ratelimit", "\"default\";r=1"),
    ];
    for front in FRONTS {
        let limit = if matches!(front, Front::Alb { .. }) { ALB_LIMIT } else { LIMIT };
        let around = whole(front, head(203, &fields), b"").json.len();
        let text = |length: usize| vec![b'x'; length - around];
        let fits = whole(front, head(203, &fields), &text(limit));
        assert_eq!((fits.status.as_u16(), fits.json.len()), (203, limit), "{front:?}");

        let over = whole(front, head(203, &fields), &text(limit + 1));
        assert_eq!(over.status.as_u16(), 502, "{front:?}");
        let seen = seen(front, &over.json);
        assert_eq!(seen.status, 502);
        assert_eq!(seen.headers["content-type"], "application/problem+json");
        assert_eq!(seen.headers["access-control-allow-origin"], "https://shop.example");
        assert_eq!(seen.headers["ratelimit"], "\"default\";r=1");
        for gone in ["etag", "cache-control", "set-cookie"] {
            assert!(!seen.headers.contains_key(gone), "{gone}");
        }
        let problem: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!((&problem["code"], &problem["instance"]), (&json!("response_too_large"), &json!("request-7")));
        assert!(problem["detail"].as_str().unwrap().contains(&limit.to_string()), "{problem}");
    }
    // escapes and base64 count as they are written
    assert_eq!(whole(Front::Http, head(200, &[]), &vec![b'"'; LIMIT / 2]).status, 502);
    assert_eq!(whole(Front::Http, head(200, &[]), &vec![0xff; LIMIT / 4 * 3]).status, 502);
    assert_eq!(whole(Front::Http, head(200, &[]), &vec![0xff; LIMIT / 4 * 3 - 200]).status, 200);
}

#[test]
fn a_problem_drops_all_that_was_said_about_the_body() {
    let names = "accept-ranges age cache-control content-disposition content-encoding content-language content-length \
                 content-location content-range content-type etag expires last-modified set-cookie";
    let fields: Vec<_> = names.split_whitespace().map(|name| (name, "1")).chain([("x-kept", "1")]).collect();
    let problem = instead(Front::Rest, head(200, &fields), &Refusal::new(Policy::Forward, Reason::UpstreamBroken));
    let seen = seen(Front::Rest, &problem.json);
    let left: std::collections::BTreeSet<_> = seen.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(left, ["content-type", "x-kept"].into());
    assert_eq!(seen.headers["content-type"], "application/problem+json");
}

#[test]
fn a_prelude_says_the_same_as_a_whole_answer() {
    let mut parts = head(206, &[("x-a", "1"), ("set-cookie", "a=1"), ("x-a", "2"), ("set-cookie", "b=ü"), ("x-b", "")]);
    parts.headers.append("x-c", HeaderValue::from_bytes(b"\xfc").unwrap());
    let prelude = |front| serde_json::from_slice::<Value>(&prelude(front, &parts)).unwrap();
    assert_eq!(
        prelude(Front::FunctionUrl),
        json!({ "statusCode": 206, "headers": { "x-a": "1, 2", "x-b": "", "x-c": "ü" }, "cookies": ["a=1", "b=ü"] })
    );
    let lines = json!({ "x-a": ["1", "2"], "set-cookie": ["a=1", "b=ü"], "x-b": [""], "x-c": ["ü"] });
    assert_eq!(prelude(Front::Rest), json!({ "statusCode": 206, "multiValueHeaders": lines }));
    for front in FRONTS {
        let mut whole: Value = serde_json::from_slice(&whole(front, parts.clone(), b"").json).unwrap();
        whole.as_object_mut().unwrap().retain(|name, _| name != "body" && name != "isBase64Encoded");
        assert_eq!(prelude(front), whole, "{front:?}");
    }
}

#[test]
fn a_rest_api_that_takes_no_longer_fields_in_a_stream_gets_a_problem() {
    let problem = |front, length| {
        let parts = head(200, &[("x-request-id", "id-1"), ("x-long", &"a".repeat(length))]);
        too_long(front, &parts, &prelude(front, &parts))
    };
    let rest = prelude(Front::Rest, &head(200, &[("x-request-id", "id-1"), ("x-long", "")])).len();
    assert!(problem(Front::Rest, 16 * 1024 - 8 - rest).is_none());
    let response = problem(Front::Rest, 16 * 1024 - 8 - rest + 1).unwrap();
    let told: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!((response.status().as_u16(), &told["code"]), (502, &json!("response_too_large")));
    assert_eq!(response.headers()["x-request-id"], "id-1");
    assert!(problem(Front::FunctionUrl, 32 * 1024).is_none());
}

#[test]
fn what_is_no_request_is_answered_with_a_problem() {
    let response = refused(&Refusal::new(Policy::Path, Reason::RequestMalformed).detail("The method is malformed."), 7);
    let problem: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!((response.status().as_u16(), &problem["code"]), (400, &json!("request_malformed")));
    assert_eq!(problem["detail"], "The method is malformed.");
    assert_eq!(problem["instance"], response.headers()[X_REQUEST_ID].to_str().unwrap());
}

/// A response as the client of a front sees it.
struct Seen {
    status: u64,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn seen(front: Front, json: &[u8]) -> Seen {
    let answer: Value = serde_json::from_slice(json).unwrap();
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
    };
    let single = matches!(front, Front::Http | Front::FunctionUrl | Front::Alb { multi: false });
    for (name, value) in answer[if single { "headers" } else { "multiValueHeaders" }].as_object().unwrap() {
        value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().for_each(|line| add(name, line));
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        add("set-cookie", cookie);
    }
    let body = answer["body"].as_str().unwrap();
    let coded = answer["isBase64Encoded"].as_bool().unwrap();
    let body = if coded { BASE64_STANDARD.decode(body).unwrap() } else { body.as_bytes().to_vec() };
    Seen { status: answer["statusCode"].as_u64().unwrap(), headers, body }
}

#[test]
fn the_response_that_went_into_an_answer_comes_out_of_it() {
    let replay = std::env::var(SEED_VARIABLE).ok();
    check_seeds(500, replay.as_deref(), |seed| {
        let random = Random::new(seed);
        let status = 200 + random.below(400) as u16;
        let several = 1 + random.below(3);
        let cookies: Vec<_> = (0..random.below(6))
            .map(|n| format!("c{n}={}; Expires=Wed, 09 Jun 2027 10:18:14 GMT", random.next()))
            .collect();
        let values = ["", "a", "a, b", "\"q\\\"\t", "ü"];
        let lines: Vec<_> = (0..several).map(|_| *random.pick(&values).unwrap()).collect();
        let mut fields: Vec<_> = lines.iter().map(|line| ("x-lines", *line)).collect();
        fields.extend(cookies.iter().map(|cookie| ("set-cookie", &**cookie)));
        if random.below(4) == 0 {
            fields.push(("content-encoding", "gzip"));
        }
        let body: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8 >> random.below(3)).collect();
        for front in FRONTS {
            let answer = whole(front, head(status, &fields), &body);
            let seen = seen(front, &answer.json);
            assert_eq!((answer.status.as_u16(), seen.status), (status, u64::from(status)));
            assert_eq!(seen.body, body, "{front:?}");
            let lines_seen: Vec<_> = seen
                .headers
                .get_all("x-lines")
                .iter()
                .map(|line| String::from_utf8(line.as_bytes().to_vec()).unwrap())
                .collect();
            match front {
                Front::Rest | Front::HttpPayload1 | Front::Alb { multi: true } => assert_eq!(lines_seen, lines),
                _ => assert_eq!(lines_seen, [lines.join(", ")]),
            }
            let mut cookies_seen: Vec<_> =
                seen.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
            // those told apart by their spelling come in any order
            cookies_seen.sort_by_key(|cookie| cookies.iter().position(|sent| sent == cookie));
            assert_eq!(cookies_seen, cookies, "{front:?}");
        }
    });
}
