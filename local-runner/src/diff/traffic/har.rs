//! HTTP Archives (HAR 1.2), as browsers and proxies save them.

use std::io::Read;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;

use super::recorded::{By, Next, Place, Recorded, Sent, Source, time};

#[derive(Debug, Deserialize)]
struct Archive {
    log: Log,
}

#[derive(Debug, Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: String,
    request: Request,
    response: Response,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Field>,
    post_data: Option<PostData>,
}

#[derive(Debug, Deserialize)]
struct Field {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct PostData {
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Response {
    status: i64,
}

/// The entries of an archive in the order of time, each of them or why it is none. The error says why it is no archive.
pub(super) fn read(archive: impl Read, file: &Source) -> Result<Vec<Next>, String> {
    let archive: Archive = serde_json::from_reader(archive).map_err(|error| format!("not a HAR: {error}"))?;
    let entry = |(index, entry)| {
        let place = Place::Entry(Source::clone(file), index + 1);
        recorded(entry, place.clone()).map_err(|why| (place, why))
    };
    let mut entries: Vec<_> = archive.log.entries.into_iter().enumerate().map(entry).collect();
    // a browser groups them by page
    entries.sort_by_key(|entry| entry.as_ref().map_or(None, |entry| Some(entry.time)));
    Ok(entries)
}

fn recorded(entry: Entry, place: Place) -> Result<Recorded, String> {
    let Entry { started_date_time, request, response } = entry;
    let url = request.url.split('#').next().unwrap_or_default();
    let url: Uri = url.parse().map_err(|_| format!("{url:?} is no URL"))?;
    let authority = url.authority().ok_or_else(|| format!("{url} names no host"))?;
    let secure = matches!(url.scheme_str(), Some("https" | "wss"));
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    // an entry without a response has the status 0
    let status = u16::try_from(response.status).ok().filter(|status| (100..1_000).contains(status));
    let body = request.post_data.map(|data| data.text).unwrap_or_default();
    Ok(Recorded {
        place,
        time: time(&started_date_time).ok_or_else(|| format!("{started_date_time:?} is no time"))?,
        method: Method::from_bytes(request.method.as_bytes())
            .map_err(|_| format!("{:?} is no method", request.method))?,
        target: target.parse().map_err(|_| format!("{target:?} is no path"))?,
        host: Some(host(&request.headers).unwrap_or_else(|| authority.to_string())),
        status: status.ok_or_else(|| "it has no response".to_owned())?,
        by: By::Browser(Box::new(Sent { secure, headers: fields(&request.headers)?, body: body.into() })),
    })
}

/// `Host`, or `:authority` of HTTP/2 and 3.
fn host(fields: &[Field]) -> Option<String> {
    let is_host = |field: &&Field| field.name.eq_ignore_ascii_case("host") || field.name == ":authority";
    fields.iter().find(is_host).map(|field| field.value.clone())
}

/// The header fields without those of HTTP/2 and 3 that are none, and without those that belong to the connection.
fn fields(fields: &[Field]) -> Result<HeaderMap, String> {
    let keep_alive = HeaderName::from_static("keep-alive");
    let proxy_connection = HeaderName::from_static("proxy-connection");
    let connection =
        [CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, keep_alive, proxy_connection];
    let mut headers = HeaderMap::new();
    for Field { name, value } in fields.iter().filter(|field| !field.name.starts_with(':')) {
        let field = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = field.ok_or_else(|| format!("{name:?} is no header field"))?;
        if !connection.contains(&name) {
            headers.append(name, value);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(request: Value) -> Value {
        let mut entry = json!({
            "startedDateTime": "2026-03-01T13:00:00.000+01:00", "time": 12, "cache": {}, "timings": {},
            "request": { "method": "GET", "url": "https://api.example/orders?page=2#top", "httpVersion": "h2" },
            "response": { "status": 200, "content": { "text": "x" } },
        });
        entry["request"].as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        entry
    }

    fn read_all(entries: &[Value]) -> Vec<Next> {
        let archive = json!({ "log": { "version": "1.2", "creator": {}, "entries": entries } }).to_string();
        read(archive.as_bytes(), &"a.har".into()).unwrap()
    }

    #[test]
    fn an_entry_is_the_request_as_it_was_sent() {
        let read = read_all(&[entry(json!({
            "method": "POST",
            "headers": [
                { "name": ":authority", "value": "shop.example" }, { "name": ":method", "value": "POST" },
                { "name": "X-A", "value": "1" }, { "name": "x-a", "value": "2" },
                { "name": "Connection", "value": "close" }, { "name": "content-length", "value": "99" },
            ],
            "postData": { "mimeType": "application/json", "text": "{}" },
        }))]);
        let read = read[0].as_ref().unwrap();
        assert_eq!((read.method.as_str(), read.target.to_string().as_str()), ("POST", "/orders?page=2"));
        assert_eq!(
            (read.host.as_deref(), read.status, read.time.as_secs()),
            (Some("shop.example"), 200, 1_772_366_400)
        );
        let By::Browser(sent) = &read.by else { panic!() };
        let headers: Vec<_> =
            sent.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!((headers, &*sent.body, sent.secure), (vec![("x-a", "1"), ("x-a", "2")], b"{}".as_slice(), true));
        assert_eq!(read.place.to_string(), "a.har: entry 1");
    }

    #[test]
    fn entries_come_in_the_order_of_time_and_bad_ones_are_told() {
        let at = |time: &str| json!({ "startedDateTime": time });
        let with = |mut entry: Value, more: Value| {
            entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            entry
        };
        let read = read_all(&[
            with(entry(json!({})), at("2026-03-01T12:00:02Z")),
            with(entry(json!({})), at("2026-03-01T12:00:01Z")),
            with(entry(json!({})), json!({ "response": { "status": 0 } })),
            entry(json!({ "url": "/relative" })),
            with(entry(json!({})), at("today")),
        ]);
        let told: Vec<_> = read
            .iter()
            .map(|entry| match entry {
                Ok(entry) => entry.place.to_string(),
                Err((place, why)) => format!("{place}: {why}"),
            })
            .collect();
        assert_eq!(
            told,
            [
                "a.har: entry 3: it has no response",
                "a.har: entry 4: /relative names no host",
                "a.har: entry 5: \"today\" is no time",
                "a.har: entry 2",
                "a.har: entry 1",
            ]
        );
    }

    #[test]
    fn what_is_no_archive_is_told() {
        let read = read(b"{\"log\": {\"entries\": 1}}".as_slice(), &"a.har".into());
        assert!(read.unwrap_err().starts_with("not a HAR: invalid type"));
    }
}
