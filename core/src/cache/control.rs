//! What a response says of its storage: `Cache-Control` (RFC 9111 §5.2), or a field that speaks to caches such as this one.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, PRAGMA, VARY};
use http::{HeaderMap, HeaderName};

use super::directive::{Directive, delta_seconds, directives, joined};
use super::structured::dictionary;

/// Speaks to shared caches in front of an origin (RFC 9213 §3.1).
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
/// Its forerunner (W3C Note "Edge Architecture Specification" §2.2), which Fastly, Varnish and what was written for them know.
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");
/// Whom a directive of `Surrogate-Control` is meant for, when it is meant for us alone.
const SURROGATE: &[u8] = b"portico";
/// Without these it could be served to whom it is not for, or read as what it is not.
const INDISPENSABLE: [HeaderName; 3] = [VARY, CONTENT_ENCODING, CONTENT_TYPE];

/// The directives of a response (§5.2.2, RFC 5861).
///
/// Of those given twice the stricter holds (§4.2.1). A number that cannot be read is zero, so that the response is stale. What this
/// cache has no use for is ignored (§5.2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// Whether a field that speaks to caches such as this one was heard, in place of `Cache-Control` and `Expires` (RFC 9213 §2.2).
    pub targeted: bool,
    /// §5.2.2.5: it is not to be stored.
    pub no_store: bool,
    /// §5.2.2.4, for all of the response: it is validated before each use. `Pragma: no-cache` says it, too, without `Cache-Control`.
    pub no_cache: bool,
    /// §5.2.2.7, for all of the response: it is for one user.
    pub private: bool,
    /// §5.2.2.9: it may be stored where the rules would not let it.
    pub public: bool,
    /// §5.2.2.2: once stale, it is validated before each use.
    pub must_revalidate: bool,
    /// §5.2.2.8: the same, for shared caches.
    pub proxy_revalidate: bool,
    /// §5.2.2.3: only who understands the status may store it.
    pub must_understand: bool,
    /// §5.2.2.1.
    pub max_age: Option<Duration>,
    /// §5.2.2.10.
    pub s_maxage: Option<Duration>,
    /// RFC 5861 §3.
    pub stale_while_revalidate: Option<Duration>,
    /// RFC 5861 §4.
    pub stale_if_error: Option<Duration>,
    /// The fields that `no-cache` and `private` name: the response is stored without them.
    pub unstored: Vec<HeaderName>,
}

impl Control {
    /// What these fields of a response say. All is as if not said when there are none.
    pub fn of(response: &HeaderMap) -> Self {
        Self::targeted(response).or_else(|| Self::surrogate(response)).unwrap_or_else(|| {
            let mut control = Self::default();
            response.get_all(CACHE_CONTROL).iter().flat_map(directives).for_each(|directive| control.add(directive));
            control.no_cache |= !response.contains_key(CACHE_CONTROL) && pragma_no_cache(response);
            control
        })
    }

    /// `CDN-Cache-Control`. Nothing when it is empty or does not follow its syntax: then others are heard (RFC 9213 §2.2).
    fn targeted(response: &HeaderMap) -> Option<Self> {
        let field = joined(response, &CDN_CACHE_CONTROL)?;
        let members = dictionary(&field)?;
        let mut control = Self { targeted: true, ..Self::default() };
        members.iter().for_each(|directive| control.add(*directive));
        (!members.is_empty()).then_some(control)
    }

    /// `Surrogate-Control`. Nothing when it says nothing of storage, as when it is about how a body is processed.
    fn surrogate(response: &HeaderMap) -> Option<Self> {
        let mut control = Self { targeted: true, ..Self::default() };
        for directive in response.get_all(SURROGATE_CONTROL).iter().flat_map(directives) {
            let Directive { name, argument } = directive;
            let mut parts = argument.unwrap_or(name).split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let said = parts.next().unwrap_or_default();
            // `max-age=60;portico`: what comes behind names whom it is for
            if parts.all(|target| target == SURROGATE) {
                let bare = Directive { name: said, argument: None };
                control.add(argument.map_or(bare, |_| Directive { name, argument: Some(said) }));
            }
        }
        (control.no_store || control.max_age.is_some()).then_some(control)
    }

    fn add(&mut self, directive: Directive<'_>) {
        let argument = directive.argument;
        let stricter = |said: &mut Option<Duration>| {
            let seconds = argument.and_then(delta_seconds).unwrap_or_default();
            *said = Some(said.map_or(seconds, |said| said.min(seconds)));
        };
        if directive.is("max-age") {
            stricter(&mut self.max_age);
        } else if directive.is("s-maxage") {
            stricter(&mut self.s_maxage);
        } else if directive.is("stale-while-revalidate") {
            stricter(&mut self.stale_while_revalidate);
        } else if directive.is("stale-if-error") {
            stricter(&mut self.stale_if_error);
        } else if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("no-cache") {
            self.no_cache |= !self.names_fields(argument);
        } else if directive.is("private") {
            self.private |= !self.names_fields(argument);
        } else if directive.is("must-revalidate") {
            self.must_revalidate = true;
        } else if directive.is("proxy-revalidate") {
            self.proxy_revalidate = true;
        // what loosens must be said as it is to be said
        } else if directive.is("public") && argument.is_none() {
            self.public = true;
        } else if directive.is("must-understand") && argument.is_none() {
            self.must_understand = true;
        }
    }

    /// Takes the names of an argument such as `"Set-Cookie, X-User"`. Without them, when one is none, and when the response would be another
    /// without that field, it is as if all were meant.
    fn names_fields(&mut self, argument: Option<&[u8]>) -> bool {
        let list = argument.unwrap_or_default().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let names = list.filter(|name| !name.is_empty()).map(HeaderName::from_bytes);
        let Ok(names) = names.collect::<Result<Vec<_>, _>>() else { return false };
        let named = !names.is_empty() && !names.iter().any(|name| INDISPENSABLE.contains(name));
        self.unstored.extend(names.into_iter().filter(|_| named));
        named
    }
}

/// Whether a message says `Pragma: no-cache` (§5.4).
pub(super) fn pragma_no_cache(headers: &HeaderMap) -> bool {
    headers.get_all(PRAGMA).iter().flat_map(directives).any(|directive| directive.is("no-cache"))
}

#[cfg(test)]
mod tests;
