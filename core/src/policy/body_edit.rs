//! A response body that is read and written again. Everything else about a response streams; this is the one thing that holds it
//! back, so it is bounded in size and in time, and what cannot be read is refused: it could hold what was to be removed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_RANGE, RANGE, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::json_edit::JsonEdit;
use crate::body::Body;
use crate::config::{At, Code, Compiler, units, wire};
use crate::decision::Reason;
use crate::platform::{CollectError, MAX_BUFFERED, Platform, within};

/// Compiled changes to a body.
#[derive(Debug)]
pub struct BodyEdit {
    json: JsonEdit,
    max: u64,
}

/// Digests of the body as it was (RFC 9530, and what was before it).
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

impl BodyEdit {
    pub(crate) fn compile(wire: &wire::JsonEdit, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let remove_at = at.child_key("remove");
        if wire.remove.is_empty() {
            compiler
                .error(&remove_at, "nothing is removed")
                .code(Code::NoEffect)
                .help("name members, or leave `json` out");
        }
        // written like in JSONPath they would be names that no member has
        let path = |name: &str| name.split('.').any(|key| matches!(key, "$" | "*") || key.ends_with(']'));
        for (index, _) in wire.remove.iter().enumerate().filter(|(_, name)| path(name)) {
            compiler
                .error(&remove_at.child_index(index), "only keys lead to a member")
                .help("a list on the way stands for each of its items: lines.cost");
        }
        let max = compiler.check(&at.child_key("max"), units::size(wire.max.as_deref().unwrap_or("1MiB")))?;
        if max == 0 {
            compiler.error(&at.child_key("max"), "no JSON is that short").code(Code::NothingPasses);
        }
        if max > MAX_BUFFERED {
            compiler.error(&at.child_key("max"), "at most 64MiB of one response are held in memory");
        }
        match JsonEdit::parse(&wire.remove) {
            Ok(json) => Some(Self { json, max }),
            Err(index) => {
                compiler
                    .error(&remove_at.child_index(index), "a key is empty")
                    .help("write keys with dots between them: customer.email");
                None
            }
        }
    }

    /// Asks the upstream for what can be read: all of it, and not compressed.
    pub fn prepare(&self, headers: &mut HeaderMap) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
    }

    /// The response with its body changed. One that is not JSON passes as it is.
    pub async fn apply<P: Platform>(
        &self,
        platform: &P,
        method: &Method,
        response: Response<Body<P::Stream>>,
        timeout: Duration,
    ) -> Result<Response<Body<P::Stream>>, Reason> {
        if !may_be_json(response.headers()) {
            return Ok(response);
        }
        let (mut head, body) = response.into_parts();
        let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if method == Method::HEAD || bodiless {
            forget_body(&mut head.headers);
            return Ok(Response::from_parts(head, body));
        }
        let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
        if head.status == StatusCode::PARTIAL_CONTENT || !head.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
            return Err(Reason::ResponseUnreadable);
        }
        let bytes = match body {
            Body::Empty => Bytes::new(),
            Body::Full(bytes) => bytes,
            Body::Stream(stream) => {
                let collected = within(platform.sleep(timeout), platform.collect(stream, self.max)).await;
                collected.ok_or(Reason::UpstreamTimeout)?.map_err(|error| match error {
                    CollectError::TooLarge => Reason::ResponseTooLarge,
                    CollectError::Broken => Reason::UpstreamBroken,
                })?
            }
        };
        if bytes.is_empty() {
            return Ok(Response::from_parts(head, Body::Empty));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Reason::ResponseUnreadable)?;
        let edited = self.json.apply(text).map_err(|_| Reason::ResponseUnreadable)?;
        forget_body(&mut head.headers);
        // they were left behind with the stream
        head.headers.remove(TRAILER);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(edited.len()));
        Ok(Response::from_parts(head, Body::from(edited)))
    }
}

/// Whether a client may find JSON in it: `application/json` and its relatives (RFC 6839 §3.1), but for sequences of texts; parts
/// of anything; and what names no type, as then a client guesses. Of several types one is enough: which of them a client believes
/// is anybody's guess, too.
fn may_be_json(headers: &HeaderMap) -> bool {
    let types = headers.get_all(CONTENT_TYPE).iter().flat_map(|types| types.as_bytes().split(|byte| *byte == b','));
    let essences = types.filter_map(|media_type| media_type.split(|byte| *byte == b';').next());
    let mut essences = essences.map(|essence| essence.trim_ascii().to_ascii_lowercase());
    let known: [&[u8]; 4] = [b"application/json", b"text/json", b"multipart/byteranges", b""];
    !headers.contains_key(CONTENT_TYPE)
        || essences.any(|essence| known.contains(&&*essence) || essence.ends_with(b"+json"))
}

/// What a header says about a body that is not the same any more.
fn forget_body(headers: &mut HeaderMap) {
    headers.remove(CONTENT_LENGTH);
    for name in DIGESTS {
        headers.remove(HeaderName::from_static(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_whatever_else_the_type_says() {
        let such = |types: &[&[u8]]| {
            let types = types.iter().map(|bytes| (CONTENT_TYPE, HeaderValue::from_bytes(bytes).unwrap()));
            may_be_json(&types.collect())
        };
        for json in [
            &[&b"application/json"[..]][..],
            &[b"Application/JSON ; charset=utf-8"],
            &[b"application/problem+json"],
            &[b"text/json"],
            &[b"application/json; profile=\"\xe9\""],
            &[b"text/plain", b"application/json"],
            &[b"application/json", b"text/plain"],
            &[b"text/plain, application/json"],
            &[b"multipart/byteranges; boundary=x"],
            &[b""],
            &[],
        ] {
            assert!(such(json), "{json:?}");
        }
        for other in
            [&b"text/plain"[..], b"application/json-seq", b"application/x-ndjson", b"text/html; a=\"application/json\""]
        {
            assert!(!such(&[other]), "{other:?}");
        }
    }
}
