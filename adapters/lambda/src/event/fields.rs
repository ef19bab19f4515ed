//! Header fields, and what the front itself wrote into them.

use std::net::{IpAddr, SocketAddr};

use http::header::{CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use portico_core::context::{X_FORWARDED_FOR, X_FORWARDED_PROTO};

use super::wire::Text;

/// The fields of a message, each line of its own.
pub(super) fn fields<'f>(lines: impl Iterator<Item = (&'f str, &'f str)>) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::with_capacity(24);
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "The name of a field is malformed.")?;
        let value = HeaderValue::from_str(value).map_err(|_| "A field has control characters.")?;
        headers.try_append(name, value).map_err(|_| "There are too many fields.")?;
    }
    Ok(headers)
}

/// Puts the cookies, which payload 2.0 has in a list, where they came: into one line (RFC 6265 §5.4). Function URLs leave it
/// among the fields, too.
pub(super) fn insert_cookies(headers: &mut HeaderMap, cookies: &[Text<'_>]) -> Result<(), &'static str> {
    if cookies.is_empty() {
        return Ok(());
    }
    let cookies: Vec<_> = cookies.iter().map(|cookie| &*cookie.0).collect();
    let line = HeaderValue::from_str(&cookies.join("; ")).map_err(|_| "A cookie has control characters.")?;
    headers.insert(COOKIE, line);
    Ok(())
}

/// Corrects a declared length: a front may declare that of another form of the body.
pub(super) fn correct_length(headers: &mut HeaderMap, length: usize) {
    if headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Whether the front says that the client's connection was encrypted; `None` when it says nothing.
pub(super) fn secure(headers: &HeaderMap) -> Option<bool> {
    let proto = headers.get_all(X_FORWARDED_PROTO).iter().next_back()?.to_str().ok()?;
    Some(proto.rsplit(',').next()?.trim().eq_ignore_ascii_case("https"))
}

/// Who opened the connection to a load balancer: the address that it appended.
pub(super) fn appended_address(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all(X_FORWARDED_FOR).iter().next_back()?;
    address(line.to_str().ok()?.rsplit(',').next()?)
}

/// Takes out of `X-Forwarded-For` what the front appended: the peer's address, and what stands behind it. The front is a part of
/// this gateway, which adds the peer itself; what came from the peer stays.
pub(super) fn take_off_own_hops(headers: &mut HeaderMap, peer: IpAddr) {
    let lines: Option<Vec<_>> = headers.get_all(X_FORWARDED_FOR).iter().map(|line| line.to_str().ok()).collect();
    let Some(lines) = lines else { return };
    let mut chain: Vec<_> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    let Some(own) = chain.iter().rposition(|entry| address(entry) == Some(peer)) else { return };
    chain.truncate(own);
    match HeaderValue::try_from(chain.join(", ")) {
        Ok(line) if !line.is_empty() => headers.insert(X_FORWARDED_FOR, line),
        _ => headers.remove(X_FORWARDED_FOR),
    };
}

/// An address, bare or with the port that a load balancer may be told to add.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[&str]) -> HeaderMap {
        fields(lines.iter().map(|line| ("X-Forwarded-For", *line))).unwrap()
    }

    #[test]
    fn a_load_balancers_word_is_the_last() {
        let appended = |lines: &[&str]| appended_address(&forwarded(lines)).map(|address| address.to_string());
        assert_eq!(appended(&["1.1.1.1, 2.2.2.2", "3.3.3.3,4.4.4.4"]).as_deref(), Some("4.4.4.4"));
        assert_eq!(appended(&["1.1.1.1:4711"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(appended(&["1.1.1.1, 2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(appended(&["[2001:db8::1]:4711"]).as_deref(), Some("2001:db8::1"));
        for unknown in [&[][..], &[""], &["1.1.1.1, unknown"], &["1.1.1.1,"]] {
            assert_eq!(appended(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn only_what_came_from_the_peer_stays() {
        let left = |lines: &[&str], peer: &str| {
            let mut headers = forwarded(lines);
            take_off_own_hops(&mut headers, peer.parse().unwrap());
            headers.get_all(X_FORWARDED_FOR).iter().map(|line| line.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(left(&["2.2.2.2"], "2.2.2.2"), [""; 0]);
        assert_eq!(left(&["1.1.1.1", "9.9.9.9, 2.2.2.2"], "2.2.2.2"), ["1.1.1.1, 9.9.9.9"]);
        assert_eq!(left(&["2.2.2.2, 1.1.1.1, 2.2.2.2, 3.3.3.3"], "2.2.2.2"), ["2.2.2.2, 1.1.1.1"]);
        assert_eq!(left(&["1.1.1.1, 2001:DB8:0::1"], "2001:db8::1"), ["1.1.1.1"]);
        assert_eq!(left(&["1.1.1.1"], "2.2.2.2"), ["1.1.1.1"]);
        assert_eq!(left(&["1.1.1.1", ""], "2.2.2.2"), ["1.1.1.1", ""]);
    }

    #[test]
    fn the_scheme_is_the_last_that_was_written() {
        let secure = |line: &str| secure(&fields([("x-forwarded-proto", line)].into_iter()).unwrap());
        assert_eq!((secure("https"), secure("HTTPS"), secure("http")), (Some(true), Some(true), Some(false)));
        assert_eq!((secure("https, http"), secure("http,https")), (Some(false), Some(true)));
        assert_eq!(super::secure(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_no_field_is_told() {
        let error = |name: &str, value: &str| fields([(name, value)].into_iter()).unwrap_err();
        assert!(error("a b", "").contains("name") && error("", "").contains("name") && error("ü", "").contains("name"));
        assert!(error("a", "\r\nx: y").contains("control") && error("a", "\0").contains("control"));
        let many: Vec<_> = (0..40_000).map(|n| n.to_string()).collect();
        assert!(fields(many.iter().map(|name| (&**name, ""))).unwrap_err().contains("many"));
    }
}
