//! The request, in curl's own words, so that a command line that was meant for curl can be pasted.

use std::io::Read as _;
use std::path::PathBuf;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Options that mean what they mean to curl.
#[derive(Debug, clap::Args)]
pub(crate) struct Curl {
    /// http:// or https://, host, path and query; a path alone is asked of the host that all routes name, or else of localhost
    #[arg(value_name = "URL")]
    url: String,
    /// The method [default: GET; with data POST, with -I HEAD]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header field, "Name: value"; "Name;" is an empty one and "Name:" takes away one that would be sent by itself
    #[arg(short = 'H', long = "header", value_name = "FIELD", allow_hyphen_values = true)]
    headers: Vec<String>,
    /// The body, as a form; @FILE reads it from a file, @- from stdin. Several are joined by &
    #[arg(short = 'd', long, visible_alias = "data-ascii", value_name = "DATA", allow_hyphen_values = true)]
    data: Vec<String>,
    /// The body, as it stands, also if it starts with @
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, conflicts_with_all = ["data", "data_binary", "json"])]
    data_raw: Vec<String>,
    /// The body; a file's line breaks stay
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, conflicts_with_all = ["data", "json"])]
    data_binary: Vec<String>,
    /// The body, as JSON; @FILE and @- as for --data
    #[arg(long, value_name = "DATA", allow_hyphen_values = true, conflicts_with = "data")]
    json: Vec<String>,
    /// Ask for the head alone
    #[arg(short = 'I', long, conflicts_with_all = ["data", "data_raw", "data_binary", "json"])]
    head: bool,
    /// The User-Agent
    #[arg(short = 'A', long, value_name = "NAME")]
    user_agent: Option<String>,
    /// Cookies, "name=value; name=value"
    #[arg(short = 'b', long, value_name = "DATA")]
    cookie: Vec<String>,
    #[command(flatten)]
    ignored: Ignored,
}

/// What changes nothing about the request, or only how curl shows its response.
#[derive(Debug, clap::Args)]
struct Ignored {
    #[arg(short = 'i', long, hide = true)]
    include: bool,
    #[arg(short = 's', long, hide = true)]
    silent: bool,
    #[arg(short = 'S', long, hide = true)]
    show_error: bool,
    #[arg(short = 'v', long, hide = true)]
    verbose: bool,
    #[arg(short = 'k', long, hide = true)]
    insecure: bool,
    #[arg(short = 'L', long, hide = true)]
    location: bool,
    #[arg(short = 'N', long, hide = true)]
    no_buffer: bool,
    #[arg(short = 'f', long, hide = true)]
    fail: bool,
    #[arg(long, hide = true)]
    compressed: bool,
    #[arg(long, hide = true)]
    path_as_is: bool,
    #[arg(short = 'o', long, hide = true, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(short = 'm', long, hide = true, value_name = "SECONDS")]
    max_time: Option<f64>,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Whether the URL says `https`.
    pub(crate) secure: bool,
    /// The URL's host and port, `None` if it has none.
    pub(crate) authority: Option<Authority>,
    /// Path and query, as they are sent.
    pub(crate) target: PathAndQuery,
    /// The header fields, with `Host` unless there is no host to name.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What is wrong, and the way out.
pub(crate) type Wrong = (String, &'static str);

impl Asked {
    /// The URL, for whoever reads.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let host = self.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        let host = self.authority.as_ref().map(|authority| authority.as_str().into()).or(host).unwrap_or_default();
        format!("{scheme}://{host}{}", self.target)
    }
}

impl Curl {
    /// The request. `host` is the one to ask where the URL names none.
    pub(crate) fn asked(&self, host: Option<&str>) -> Result<Asked, Wrong> {
        let (secure, authority, target) = url(&self.url)?;
        let body = self.body()?;
        let method = match (&self.method, &body) {
            (Some(method), _) => Method::from_bytes(method.as_bytes())
                .map_err(|_| (format!("{method:?} is no method"), "write it like -X DELETE"))?,
            (None, _) if self.head => Method::HEAD,
            (None, Some(_)) => Method::POST,
            (None, None) => Method::GET,
        };
        let mut headers = HeaderMap::new();
        let host = authority.as_ref().map(|authority| host_field(authority, secure)).or(host);
        set(&mut headers, HOST, host)?;
        set(&mut headers, USER_AGENT, self.user_agent.as_deref())?;
        set(&mut headers, COOKIE, self.cookies()?.as_deref())?;
        if body.is_some() {
            let json = !self.json.is_empty();
            set(&mut headers, CONTENT_TYPE, Some(if json { JSON } else { FORM }))?;
            set(&mut headers, ACCEPT, json.then_some(JSON))?;
        }
        self.own(&mut headers)?;
        let framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        if let Some(body) = body.as_ref().filter(|_| !framed) {
            headers.insert(CONTENT_LENGTH, body.len().into());
        }
        Ok(Asked { method, secure, authority, target, headers, body: body.unwrap_or_default() })
    }

    /// Adds the fields of -H; the first of a name replaces what would be sent by itself.
    fn own(&self, headers: &mut HeaderMap) -> Result<(), Wrong> {
        let by_itself = std::mem::take(headers);
        let mut taken = Vec::new();
        for text in &self.headers {
            let (name, value) = field(text)?;
            taken.push(name.clone());
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
        let by_itself = by_itself.iter().filter(|(name, _)| !taken.contains(name));
        headers.extend(by_itself.map(|(name, value)| (name.clone(), value.clone())));
        Ok(())
    }

    fn cookies(&self) -> Result<Option<String>, Wrong> {
        if let Some(file) = self.cookie.iter().find(|text| !text.contains('=')) {
            return Err((format!("-b {file} would read cookies from a file"), "write them out: -b 'name=value'"));
        }
        Ok((!self.cookie.is_empty()).then(|| self.cookie.join("; ")))
    }

    fn body(&self) -> Result<Option<Vec<u8>>, Wrong> {
        let (parts, separator): (Vec<_>, &[u8]) = if !self.json.is_empty() {
            (self.json.iter().map(|data| read(data)).collect::<Result<_, _>>()?, b"")
        } else if !self.data_binary.is_empty() {
            (self.data_binary.iter().map(|data| read(data)).collect::<Result<_, _>>()?, b"&")
        } else if !self.data_raw.is_empty() {
            (self.data_raw.iter().map(|data| data.clone().into_bytes()).collect(), b"&")
        } else if !self.data.is_empty() {
            let without_breaks = |data: &String| match read(data) {
                Ok(bytes) if data.starts_with('@') => {
                    Ok(bytes.into_iter().filter(|byte| !b"\r\n\0".contains(byte)).collect())
                }
                read => read,
            };
            (self.data.iter().map(without_breaks).collect::<Result<_, _>>()?, b"&")
        } else {
            return Ok(None);
        };
        Ok(Some(parts.join(separator)))
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) -> Result<(), Wrong> {
    if let Some(value) = value {
        let value = HeaderValue::from_str(value).map_err(|_| {
            (format!("{value:?} cannot be the value of a header field"), "leave control characters out")
        })?;
        headers.insert(name, value);
    }
    Ok(())
}

/// One -H; without a value, the field is not sent.
fn field(text: &str) -> Result<(HeaderName, Option<HeaderValue>), Wrong> {
    let help = "write it like -H 'Accept: application/json'";
    let wrong = || (format!("{text:?} is no header field"), help);
    if text.starts_with('@') {
        return Err((format!("-H {text} would read fields from a file"), "write them out, each with its own -H"));
    }
    let (name, value) = match (text.split_once(':'), text.strip_suffix(';')) {
        (Some((name, value)), _) => (name, Some(value.trim()).filter(|value| !value.is_empty())),
        (None, Some(name)) => (name, Some("")),
        (None, None) => return Err(wrong()),
    };
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let value = value.map(|value| HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())).transpose()?;
    Ok((name, value))
}

/// The data itself, or that of `@FILE`.
fn read(data: &str) -> Result<Vec<u8>, Wrong> {
    let Some(path) = data.strip_prefix('@') else { return Ok(data.as_bytes().to_vec()) };
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().read_to_end(&mut bytes).map(drop),
        path => std::fs::read(path).map(|read| bytes = read),
    };
    read.map_err(|error| {
        (format!("cannot read {path}: {error}"), "name a file that is there; --data-raw takes @ as it is")
    })?;
    Ok(bytes)
}

fn url(text: &str) -> Result<(bool, Option<Authority>, PathAndQuery), Wrong> {
    let help = "write it like https://api.example.com/orders/7?page=2, special characters percent-encoded";
    let wrong = |why: &str| (format!("{text:?} is no URL: {why}"), help);
    let (rest, _fragment) = text.split_once('#').unwrap_or((text, ""));
    let (secure, rest) = match rest.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            return Err(wrong(&format!("a gateway does not speak {scheme}")));
        }
        _ if rest.starts_with('/') => return Ok((false, None, path(rest).ok_or_else(|| wrong("no valid path"))?)),
        _ => (false, rest),
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at_checked(at).unwrap_or((rest, ""));
    if host.contains('@') {
        return Err((format!("{text:?} names a user"), "send credentials with -H 'Authorization: …'"));
    }
    let authority: Authority = host.parse().map_err(|_| wrong("no valid host"))?;
    if authority.host().is_empty() {
        return Err(wrong("no host"));
    }
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok((secure, Some(authority), path(&target).ok_or_else(|| wrong("no valid path"))?))
}

/// The host as curl writes it into `Host`: without the port that the scheme implies.
fn host_field(authority: &Authority, secure: bool) -> &str {
    match authority.port_u16() {
        Some(443) if secure => authority.host(),
        Some(80) if !secure => authority.host(),
        _ => authority.as_str(),
    }
}

fn path(text: &str) -> Option<PathAndQuery> {
    text.parse().ok()
}

#[cfg(test)]
mod tests;
