//! The fields by which Spin tells a component of a request. What the client sent under these names stays, before Spin's own
//! lines: Spin appends (`prepare_request` in spinframework/spin, crates/trigger-http/src/wasi.rs at 079bb6aa, and
//! `compute_default_headers` in headers.rs at 4370dbef).

use std::net::SocketAddr;

use http::header::{HOST, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Uri};
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

/// The route of the only component.
const ROUTE: &str = "/...";

/// Makes the target of a request absolute, as Spin's `set_req_uri` (server.rs at 0502aa08) does. Fails where the host is not
/// there, is none, or is another than that of the target.
pub(crate) fn absolute(target: &Uri, headers: &HeaderMap, scheme: Scheme) -> Result<Uri> {
    let mut parts = target.clone().into_parts();
    let host = |host: &HeaderValue| -> Result<Authority> {
        host.to_str().context("Host is not text")?.parse::<Authority>().context("Host is no host")
    };
    parts.authority = Some(match (headers.get(HOST).map(host).transpose()?, parts.authority) {
        (None, None) => bail!("there is no Host"),
        (Some(host), Some(authority)) if host != authority => bail!("Host is another than that of the target"),
        (Some(host), _) | (None, Some(host)) => host,
    });
    parts.scheme = Some(scheme);
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(parts).context("the target is no URL")
}

/// Adds what Spin tells of a request. Fails when a field of the request is not UTF-8, as in Spin.
pub(crate) fn tell(headers: &mut HeaderMap, target: &Uri, client: SocketAddr) -> Result<()> {
    for value in headers.values() {
        std::str::from_utf8(value.as_bytes()).context("a field is not UTF-8")?;
    }
    let host = headers.get(HOST).map_or(Ok("localhost"), HeaderValue::to_str)?.to_owned();
    let scheme = target.scheme_str().unwrap_or("http");
    let path_and_query = target.path_and_query().map_or("/", |path| path.as_str());
    let mut append = |name, value: &str| -> Result<()> {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value)?);
        Ok(())
    };
    append("spin-path-info", &path_info(target.path()))?;
    append("spin-full-url", &format!("{scheme}://{host}{path_and_query}"))?;
    append("spin-matched-route", ROUTE)?;
    append("spin-base-path", "/")?;
    append("spin-raw-component-route", ROUTE)?;
    append("spin-component-route", "")?;
    append("spin-client-addr", &client.to_string())
}

/// The part of a path that the route leaves open (`trailing_wildcard` in crates/http/src/routes.rs at 0865eb4f): without its
/// slashes at either end, and one of each put back.
fn path_info(path: &str) -> String {
    let open = path.trim_matches('/');
    match (open.is_empty(), path.ends_with('/')) {
        (true, false) => String::new(),
        (true, true) => "/".to_owned(),
        (false, false) => format!("/{open}"),
        (false, true) => format!("/{open}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str, sent: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        tell(&mut headers, &url.parse().unwrap(), "192.0.2.1:50000".parse().unwrap()).unwrap();
        headers
    }

    #[test]
    fn what_spin_tells() {
        let headers = told("https://a.example/foo/bar?x=1", &[("host", "a.example")]);
        let mut list: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        list.sort_unstable();
        let expected = [
            ("host", "a.example"),
            ("spin-base-path", "/"),
            ("spin-client-addr", "192.0.2.1:50000"),
            ("spin-component-route", ""),
            ("spin-full-url", "https://a.example/foo/bar?x=1"),
            ("spin-matched-route", "/..."),
            ("spin-path-info", "/foo/bar"),
            ("spin-raw-component-route", "/..."),
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn what_a_client_says_of_itself_stays_before_what_spin_says() {
        let headers = told("http://a.example/", &[("spin-client-addr", "203.0.113.9:1")]);
        let lines: Vec<_> = headers.get_all("spin-client-addr").iter().collect();
        assert_eq!(lines, ["203.0.113.9:1", "192.0.2.1:50000"]);
    }

    #[test]
    fn a_target_and_its_host_must_agree() {
        let with = |target: &str, host: Option<&'static str>| {
            let headers = host.map(|host| (HOST, HeaderValue::from_static(host))).into_iter().collect();
            absolute(&target.parse().unwrap(), &headers, Scheme::HTTP).map(|uri| uri.to_string()).ok()
        };
        assert_eq!(with("/a?b", Some("a.example")).as_deref(), Some("http://a.example/a?b"));
        assert_eq!(with("http://a.example/a", None).as_deref(), Some("http://a.example/a"));
        assert_eq!(with("http://a.example/a", Some("b.example")), None);
        assert_eq!(with("/a", Some("not a host")), None);
        assert_eq!(with("/a", None), None);
    }

    #[test]
    fn the_open_part_of_a_path() {
        let cases = [("/", "/"), ("/foo", "/foo"), ("/foo/", "/foo/"), ("/foo/bar", "/foo/bar"), ("", "")];
        for (path, open) in cases {
            assert_eq!(path_info(path), open);
        }
    }
}
