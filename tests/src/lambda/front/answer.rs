//! The response that a client gets of what a function posts. Members that a front does not read are errors here: a function that
//! writes them means something by them.

use std::sync::mpsc::Receiver;

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use super::Front;
use crate::child::HANGS;
use crate::lambda::api::Part;

/// Bytes that a load balancer takes of a function.
const LIMIT_OF_ALB: usize = 1 << 20;
/// Bytes of a stream among which API Gateway looks for the end of its head.
const HEAD_OF_STREAM: usize = 16 << 10;

/// What a client gets.
#[derive(Debug, Default)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// Header fields, names in lower case, one entry a line.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Whether it broke off before its end.
    pub broke: bool,
}

impl Answered {
    /// The values of a field.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

pub(super) fn of(front: Front, posted: &Receiver<Part>, method: &str) -> Result<Answered, String> {
    let next = || posted.recv_timeout(HANGS).map_err(|_| "the function posts nothing".to_owned());
    let mut answered = match next()? {
        Part::Whole(json) if front.is_alb() && json.len() > LIMIT_OF_ALB => {
            return Err(format!(
                "the load balancer takes {LIMIT_OF_ALB} bytes, and the function posted {}",
                json.len()
            ));
        }
        Part::Whole(json) => {
            let mut answered =
                whole(front, &json).map_err(|why| format!("{why}: {}", String::from_utf8_lossy(&json)))?;
            // the front frames what it has
            answered.headers.retain(|(name, _)| name != "content-length");
            if method != "HEAD" && !matches!(answered.status, 204 | 304) {
                answered.headers.push(("content-length".to_owned(), answered.body.len().to_string()));
            }
            answered
        }
        Part::Piece(_) | Part::End if !matches!(front, Front::Url | Front::Rest) => {
            return Err(format!("{} does not stream responses", front.name()));
        }
        Part::Piece(first) => streamed(front, first, next)?,
        Part::End => return Err("the stream is empty".to_owned()),
        Part::Failed(why) => return Err(why),
    };
    if method == "HEAD" {
        answered.body.clear();
    }
    Ok(answered)
}

/// A stream: a head in JSON, eight NUL bytes, the body.
fn streamed(front: Front, mut read: Vec<u8>, next: impl Fn() -> Result<Part, String>) -> Result<Answered, String> {
    let end = loop {
        if let Some(end) = read.windows(8).position(|bytes| bytes == [0; 8]) {
            break end;
        }
        match next()? {
            Part::Piece(piece) => read.extend(piece),
            part => return Err(format!("the stream has no head: {part:?}")),
        }
    };
    if front == Front::Rest && end + 8 > HEAD_OF_STREAM {
        return Err(format!("API Gateway finds no end of a head that has {end} bytes"));
    }
    let members: &[&str] = match front {
        Front::Rest => &["statusCode", "headers", "multiValueHeaders", "cookies"],
        _ => &["statusCode", "headers", "cookies"],
    };
    let body = read.split_off(end + 8);
    read.truncate(end);
    let head = String::from_utf8_lossy(&read).into_owned();
    let head =
        serde_json::from_str(&head).map_err(|error| format!("the head of the stream is no JSON: {error}: {head}"))?;
    let mut answered = Answered { body, ..parsed(&head, members)? };
    loop {
        match next()? {
            Part::Piece(piece) => answered.body.extend(piece),
            Part::Failed(_) => return Ok(Answered { broke: true, ..answered }),
            Part::Whole(_) | Part::End => return Ok(answered),
        }
    }
}

fn whole(front: Front, json: &[u8]) -> Result<Answered, String> {
    let json: Value = serde_json::from_slice(json).map_err(|error| format!("the response is no JSON: {error}"))?;
    let members: &[&str] = match front {
        Front::Url | Front::Http => &["headers", "cookies"],
        Front::Rest => &["headers", "multiValueHeaders"],
        Front::Alb => &["headers", "statusDescription"],
        Front::AlbMulti => &["multiValueHeaders", "statusDescription"],
    };
    let answered = parsed(&json, &[members, &["statusCode", "body", "isBase64Encoded"]].concat())?;
    if front.is_alb()
        && json["statusDescription"].as_str().is_none_or(|text| !text.starts_with(&answered.status.to_string()))
    {
        return Err("a load balancer wants the status and its text as statusDescription".to_owned());
    }
    Ok(answered)
}

fn parsed(json: &Value, members: &[&str]) -> Result<Answered, String> {
    let object = json.as_object().ok_or("the response is no object")?;
    if let Some(other) = object.keys().find(|key| !members.contains(&key.as_str())) {
        return Err(format!("nobody reads the member {other:?}"));
    }
    let status = json["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let mut answered = Answered { status: status.ok_or("there is no statusCode")?, ..Answered::default() };
    let mut field = |name: &str, value: &Value| {
        let value = value.as_str().ok_or_else(|| format!("{name} is no text: {value}"))?;
        answered.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        Ok::<_, String>(())
    };
    for (name, value) in json["headers"].as_object().into_iter().flatten() {
        field(name, value)?;
    }
    for (name, values) in json["multiValueHeaders"].as_object().into_iter().flatten() {
        let values = values.as_array().ok_or_else(|| format!("{name} is no list: {values}"))?;
        values.iter().try_for_each(|value| field(name, value))?;
    }
    let cookies = json["cookies"].as_array().into_iter().flatten();
    cookies.into_iter().try_for_each(|cookie| field("set-cookie", cookie))?;
    let body = json["body"].as_str().unwrap_or_default();
    answered.body = match json["isBase64Encoded"].as_bool() {
        Some(true) => Base64::decode_vec(body).map_err(|error| format!("the body is not base64: {error}"))?,
        _ => body.as_bytes().to_vec(),
    };
    Ok(answered)
}
