//! The event of a request, as AWS documents it and as captured events show it: each front has ways of its own with the path, the
//! query and fields that have several lines.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use percent_encoding::percent_decode_str;
use portico::case::{Payload, Peer, Send};
use serde_json::{Map, Value, json};

use super::Front;

/// The stage of an API. A REST API does not tell it as a part of the path, an HTTP API does.
const STAGE: &str = "prod";

/// What arrives at the function of a request.
struct Asked {
    method: String,
    path: String,
    query: String,
    /// Names as they were sent, one entry a line.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    host: String,
    client: String,
}

pub(super) fn of(front: Front, send: &Send, peer: &Peer) -> Result<Value, String> {
    let asked = Asked::new(front, send, peer)?;
    let mut event = match front {
        Front::Url | Front::Http => asked.payload_2(front),
        Front::Rest => asked.payload_1(),
        Front::Alb | Front::AlbMulti => asked.of_alb(front),
    };
    // a REST API passes all bodies as binary: its template says so
    let text = match std::str::from_utf8(&asked.body) {
        Ok(text) if asked.is_text() && front != Front::Rest => Some(text),
        _ => None,
    };
    event["isBase64Encoded"] = json!(text.is_none() && !asked.body.is_empty());
    match (front, asked.body.as_slice(), text) {
        (Front::Alb | Front::AlbMulti, [], _) => event["body"] = json!(""),
        (Front::Rest, [], _) => event["body"] = Value::Null,
        (Front::Url | Front::Http, [], _) => {}
        (_, _, Some(text)) => event["body"] = json!(text),
        (_, bytes, None) => event["body"] = json!(Base64::encode_string(bytes)),
    }
    Ok(event)
}

impl Asked {
    fn new(front: Front, send: &Send, peer: &Peer) -> Result<Self, String> {
        let refused = |what: &str| Err(format!("the front refuses {what} itself: no function sees such a request"));
        let mut hosts = send.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = match (hosts.next(), hosts.next()) {
            (Some((_, host)), None) if host.parse::<http::uri::Authority>().is_ok() => host.clone(),
            _ => return refused("a request without one sound Host"),
        };
        if !send.target.starts_with('/') {
            return refused("a target that is no path");
        }
        let (path, query) = send.target.split_once('?').unwrap_or((&send.target, ""));
        let mut fields = send.headers.clone();
        // bodies arrive whole, whatever their framing was
        for (_, coding) in fields.extract_if(.., |(name, _)| name.eq_ignore_ascii_case("transfer-encoding")) {
            if !coding.eq_ignore_ascii_case("chunked") {
                return refused("a transfer coding that it does not know");
            }
        }
        let body = send.body.bytes();
        let mut lengths = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if matches!(send.body, Payload::Sized(_)) && lengths.any(|(_, length)| *length != body.len().to_string()) {
            return refused("a body that is not as long as it says");
        }
        if !matches!(send.body, Payload::None) {
            fields.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
            fields.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        let client = peer.address.to_string();
        let mut asked = Self {
            method: send.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            fields,
            body,
            host,
            client,
        };
        asked.forward(!front.is_alb() || peer.secure);
        Ok(asked)
    }

    /// The fields in which the front says who the client is. What the client said of itself it only goes on after.
    fn forward(&mut self, secure: bool) {
        let told: Vec<_> = self.lines("x-forwarded-for").chain([self.client.as_str()]).map(str::to_owned).collect();
        let own = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"];
        self.fields.retain(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()));
        let (scheme, port) = if secure { ("https", "443") } else { ("http", "80") };
        for (name, value) in
            [("X-Forwarded-For", told.join(", ").as_str()), ("X-Forwarded-Proto", scheme), ("X-Forwarded-Port", port)]
        {
            self.fields.push((name.to_owned(), value.to_owned()));
        }
        if self.lines("x-amzn-trace-id").next().is_none() {
            let trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned();
            self.fields.push(("X-Amzn-Trace-Id".to_owned(), trace));
        }
    }

    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn is_text(&self) -> bool {
        let kind = self.lines("content-type").next().unwrap_or_default().to_ascii_lowercase();
        let texts = ["text/", "application/json", "application/javascript", "application/xml"];
        self.lines("content-encoding").next().is_none() && texts.iter().any(|text| kind.starts_with(text))
    }

    /// Payload format 2.0: lines of a field joined by commas, cookies a list, the query as it was sent.
    fn payload_2(&self, front: Front) -> Value {
        let mut headers = BTreeMap::<_, String>::new();
        for (name, value) in self.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("cookie")) {
            let joined = headers.entry(name.to_ascii_lowercase()).or_default();
            *joined = if joined.is_empty() { value.clone() } else { format!("{joined},{value}") };
        }
        let cookies: Vec<_> = self.lines("cookie").flat_map(|line| line.split("; ")).collect();
        let (path, stage, domain, account) = match front {
            Front::Http => (self.decoded_path(), STAGE, self.host.as_str(), "123456789012"),
            _ => (self.path.clone(), "$default", "abcdefghijklmnop.lambda-url.eu-central-1.on.aws", "anonymous"),
        };
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": self.query,
            "headers": headers,
            "requestContext": {
                "accountId": account,
                "apiId": "abcdefghij",
                "domainName": domain,
                "domainPrefix": domain.split('.').next(),
                "http": {
                    "method": self.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.client,
                    "userAgent": self.lines("user-agent").next().unwrap_or_default(),
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "stage": stage,
                "time": "01/Jan/2026:00:00:00 +0000",
                "timeEpoch": 1_767_225_600_000_u64,
            },
        });
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        if !self.query.is_empty() {
            event["queryStringParameters"] = self.parameters(decode_form, |values| json!(values.join(",")));
        }
        event
    }

    /// An HTTP API decodes the path, begins it with its stage, and ends it where there is a question mark then.
    fn decoded_path(&self) -> String {
        let path = decode(&self.path);
        format!("/{STAGE}{}", path.split('?').next().unwrap_or_default())
    }

    /// Payload format 1.0: everything twice, the last value of each, and all of them; the query decoded.
    fn payload_1(&self) -> Value {
        let keep = |name: &str| name.to_owned();
        json!({
            "resource": "/{proxy+}",
            "path": self.path,
            "httpMethod": self.method,
            "headers": self.headers(keep, last),
            "multiValueHeaders": self.headers(keep, all),
            "queryStringParameters": self.parameters(decode_form, last),
            "multiValueQueryStringParameters": self.parameters(decode_form, all),
            "pathParameters": { "proxy": self.path.trim_start_matches('/') },
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": self.host,
                "domainPrefix": self.host.split('.').next(),
                "extendedRequestId": "JKJaXmPLvHcESHA=",
                "httpMethod": self.method,
                "identity": { "sourceIp": self.client, "userAgent": self.lines("user-agent").next() },
                "path": format!("/{STAGE}{}", self.path),
                "protocol": "HTTP/1.1",
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "requestTime": "01/Jan/2026:00:00:00 +0000",
                "requestTimeEpoch": 1_767_225_600_000_u64,
                "resourcePath": "/{proxy+}",
                "stage": STAGE,
            },
        })
    }

    /// A load balancer: names in lower case, the query as it was sent, and either the last value of each or all of them.
    fn of_alb(&self, front: Front) -> Value {
        let lower = str::to_ascii_lowercase;
        let mut event = json!({
            "requestContext": {
                "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/portico/abcdefgh" },
            },
            "httpMethod": self.method,
            "path": self.path,
        });
        let (headers, parameters) = match front {
            Front::AlbMulti => {
                event["multiValueHeaders"] = self.headers(lower, all);
                ("multiValueQueryStringParameters", self.parameters(str::to_owned, all))
            }
            _ => {
                event["headers"] = self.headers(lower, last);
                ("queryStringParameters", self.parameters(str::to_owned, last))
            }
        };
        event[headers] = match parameters {
            Value::Null => json!({}),
            parameters => parameters,
        };
        event
    }

    fn headers(&self, name: impl Fn(&str) -> String, value: impl Fn(&[String]) -> Value) -> Value {
        grouped(self.fields.iter().map(|(field, line)| (name(field), line.clone())), value)
    }

    /// The query by its keys; `null` without one.
    fn parameters(&self, text: impl Fn(&str) -> String, value: impl Fn(&[String]) -> Value) -> Value {
        if self.query.is_empty() {
            return Value::Null;
        }
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        grouped(pairs.map(|(key, value)| (text(key), text(value))), value)
    }
}

fn grouped(pairs: impl Iterator<Item = (String, String)>, value: impl Fn(&[String]) -> Value) -> Value {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (name, line) in pairs {
        match groups.iter_mut().find(|(found, _)| *found == name) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((name, vec![line])),
        }
    }
    Value::Object(groups.into_iter().map(|(name, lines)| (name, value(&lines))).collect::<Map<_, _>>())
}

fn last(lines: &[String]) -> Value {
    json!(lines.last())
}

fn all(lines: &[String]) -> Value {
    json!(lines)
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Of a query: a plus sign is a space there.
fn decode_form(text: &str) -> String {
    decode(&text.replace('+', " "))
}
