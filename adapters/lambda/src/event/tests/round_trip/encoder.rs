//! Requests as the fronts write them down.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::{CHARACTERS, Sent, decodes_path};
use crate::event::Front::{self, Alb, FunctionUrl, Http, HttpPayload1, Rest};

impl Sent {
    pub(super) fn event(&self, front: Front) -> Value {
        let proto = if self.secure { "https" } else { "http" };
        let address = self.client.to_string();
        let chain: Vec<_> = self.forwarded.into_iter().chain([&*address]).collect();
        let mut fields = self.fields.clone();
        fields.insert(0, ("Host".to_owned(), vec!["api.example.com".to_owned()]));
        fields.push(("X-Forwarded-Proto".to_owned(), vec![proto.to_owned()]));
        fields.push(("X-Forwarded-For".to_owned(), vec![chain.join(", ")]));
        if !self.body.is_empty() {
            fields.push(("Content-Length".to_owned(), vec![self.body.len().to_string()]));
        }
        if !self.cookies.is_empty() && front != Http {
            fields.push(("Cookie".to_owned(), vec![self.cookies.join("; ")]));
        }
        let (body, is_base64) = match std::str::from_utf8(&self.body) {
            Ok("") => (Value::Null, false),
            Ok(text) => (json!(text), false),
            Err(_) => (json!(BASE64_STANDARD.encode(&self.body)), true),
        };
        let path = format!("/{}", self.segments.join("/"));
        let path = if decodes_path(front) { format!("/prod{}", decoded(&path)) } else { path };
        let mut event = json!({ "body": body, "isBase64Encoded": is_base64 });
        let mut set = |members: Value| event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        match front {
            Rest | HttpPayload1 => {
                let query =
                    pairs(&self.query, |values| json!(values.iter().map(|value| decoded(value)).collect::<Vec<_>>()));
                let query: Map<_, _> = query.into_iter().map(|(name, values)| (decoded(&name), values)).collect();
                set(json!({
                    "httpMethod": self.method, "path": path,
                    "multiValueHeaders": pairs(&fields, |values| json!(values)),
                    "headers": pairs(&fields, |values| json!(values.last())),
                    "multiValueQueryStringParameters": if query.is_empty() { Value::Null } else { Value::Object(query) },
                    "requestContext": {
                        "stage": "prod", "domainName": "api.example.com", "identity": { "sourceIp": address },
                    },
                }));
                if front == HttpPayload1 {
                    set(json!({ "version": "1.0" }));
                }
            }
            Http | FunctionUrl => {
                let lower: Vec<_> = fields.iter().map(|(name, values)| (name.to_lowercase(), values.clone())).collect();
                let domain = if front == Http { "api.example.com" } else { "abc.lambda-url.eu-central-1.on.aws" };
                set(json!({
                    "version": "2.0", "rawPath": path,
                    "rawQueryString": self.target().split_once('?').map_or("", |(_, query)| query),
                    "headers": pairs(&lower, |values| json!(values.join(","))),
                    "requestContext": {
                        "stage": if front == Http { "prod" } else { "$default" }, "domainName": domain,
                        "http": { "method": self.method, "path": path, "sourceIp": address },
                    },
                }));
                if !self.cookies.is_empty() {
                    set(json!({ "cookies": self.cookies }));
                }
            }
            Alb { multi } => {
                set(json!({ "httpMethod": self.method, "path": path }));
                set(json!({ "requestContext": { "elb": { "targetGroupArn": "arn" } } }));
                set(if multi {
                    let (query, fields) = (pairs(&self.query, |v| json!(v)), pairs(&fields, |v| json!(v)));
                    json!({ "multiValueQueryStringParameters": query, "multiValueHeaders": fields })
                } else {
                    let (query, fields) = (pairs(&self.query, |v| json!(v[0])), pairs(&fields, |v| json!(v[0])));
                    json!({ "queryStringParameters": query, "headers": fields })
                });
            }
        }
        event
    }
}

fn pairs(pairs: &[(String, Vec<String>)], value: impl Fn(&[String]) -> Value) -> Map<String, Value> {
    pairs.iter().map(|(name, values)| (name.clone(), value(values))).collect()
}

fn decoded(text: &str) -> String {
    let known: BTreeMap<&str, &str> = CHARACTERS.into_iter().collect();
    let mut rest = text;
    let mut whole = String::new();
    while !rest.is_empty() {
        let found =
            (1..=rest.len().min(12)).rev().filter_map(|end| rest.get(..end)).find(|part| known.contains_key(part));
        let part = found.unwrap_or(&rest[..1]);
        whole.push_str(known.get(part).unwrap_or(&part));
        rest = &rest[part.len()..];
    }
    whole
}
