//! Lines of the access log, as `portico serve` writes them.

use std::net::IpAddr;

use http::{Method, Uri};
use portico_core::Country;
use serde::Deserialize;

use super::recorded::{By, Decided, Logged, Place, Recorded, time};

/// A line, as much of it as a replay needs.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Line {
    time: String,
    client: IpAddr,
    country: Option<String>,
    asn: Option<u32>,
    method: String,
    host: Option<String>,
    path: String,
    status: u16,
    route: Option<String>,
    identity: Option<String>,
    consumer: Option<String>,
    decisions: Vec<Decided>,
    config: String,
}

/// Reads a line. The error says why it is none.
pub(super) fn read(line: &[u8], place: Place) -> Result<Recorded, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => format!("not a line of the access log: {}", bare(&error)),
        _ => format!("not JSON: {}", bare(&error)),
    })?;
    let recorded = Recorded {
        place,
        time: time(&line.time).ok_or_else(|| format!("{:?} is no time", line.time))?,
        method: Method::from_bytes(line.method.as_bytes()).map_err(|_| format!("{:?} is no method", line.method))?,
        target: target(&line.path)?,
        host: line.host,
        status: line.status,
        by: By::Log(Box::new(Logged {
            client: line.client,
            country: line.country.as_deref().and_then(Country::parse),
            asn: line.asn,
            route: line.route,
            caller: line.identity.zip(line.consumer),
            decisions: line.decisions,
            config: line.config,
        })),
    };
    Ok(recorded)
}

/// The target of `CONNECT` has no path.
fn target(path: &str) -> Result<Uri, String> {
    let path = if path.is_empty() { "/" } else { path };
    path.parse().map_err(|_| format!("{path:?} is no path"))
}

/// Without ` at line 1 column 2`: a line of a log is one line.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, place)) => {
            let column = place.rsplit_once(' ').map_or(place, |(_, column)| column);
            format!("{message}, at column {column}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::Line("a.log".into(), 7)
    }

    #[test]
    fn a_line_of_the_access_log_is_read() {
        let line = r#"{"time":"2026-03-01T12:03:44.125Z","request_id":"1","trace_id":"2","client":"192.0.2.7","method":"GET",
            "host":"api.example","path":"/orders/7","status":200,"duration_ms":1.5,"route":"orders","identity":"users",
            "consumer":"alice","upstream":"orders http://a","user_agent":null,"decisions":[{"policy":"route","outcome":
            "allow","reason":"route_matched"},{"policy":"auth","outcome":"allow","reason":"token_valid","detail":"x"}],
            "config":"ab12","something_new":{}}"#;
        let read = read(line.as_bytes(), place()).unwrap();
        assert_eq!((read.method.as_str(), read.target.path(), read.status), ("GET", "/orders/7", 200));
        let By::Log(logged) = read.by else { panic!() };
        assert_eq!(logged.caller, Some(("users".to_owned(), "alice".to_owned())));
        assert_eq!(logged.decided("auth").unwrap().reason, "token_valid");
    }

    #[test]
    fn what_is_no_line_is_told() {
        for (line, why) in [
            ("", "not JSON: EOF while parsing a value, at column 0"),
            (r#"{"time":"2026-03-01T12:0"#, "not JSON: EOF while parsing a string, at column 24"),
            (
                "192.0.2.7 - - \"GET / HTTP/1.1\"",
                "not a line of the access log: invalid type: floating point `192.0`, expected an object, at column 5",
            ),
            (
                r#"{"level":"INFO","message":"starting"}"#,
                "not a line of the access log: missing field `time`, at column 37",
            ),
        ] {
            assert_eq!(read(line.as_bytes(), place()).unwrap_err(), why);
        }
    }
}
