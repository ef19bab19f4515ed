//! Headers that make browsers careful. What the upstream set itself stays.

use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{At, Compiler, units, wire};
use crate::context::Mode;

/// Compiled security headers.
#[derive(Debug)]
pub struct SecurityHeaders {
    fields: Vec<(HeaderName, HeaderValue)>,
    /// Only over TLS: a browser ignores it elsewhere (RFC 6797 §8.1).
    hsts: Option<HeaderValue>,
    mode: Mode,
}

impl SecurityHeaders {
    pub(crate) fn compile(wire: &wire::SecurityHeaders, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let mut fields = vec![(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))];
        let texts = [
            ("frame_options", X_FRAME_OPTIONS, Some(wire.frame_options.as_deref().unwrap_or("DENY"))),
            (
                "referrer_policy",
                REFERRER_POLICY,
                Some(wire.referrer_policy.as_deref().unwrap_or("strict-origin-when-cross-origin")),
            ),
            ("content_security_policy", CONTENT_SECURITY_POLICY, wire.content_security_policy.as_deref()),
        ];
        for (key, name, text) in texts {
            let Some(text) = text else { continue };
            let value = HeaderValue::from_str(text).map_err(|_| "not a valid header value".to_owned());
            fields.extend(compiler.check(&at.child_key(key), value).map(|value| (name, value)));
        }
        let hsts = wire.hsts.as_deref().unwrap_or("365d");
        let seconds = compiler.check(&at.child_key("hsts"), units::duration(hsts))?.as_secs();
        let hsts = (seconds > 0).then(|| HeaderValue::from_str(&format!("max-age={seconds}")).ok()).flatten();
        Some(Self { fields, hsts, mode })
    }

    /// Whether they are sent: the policy does not only observe.
    pub(crate) fn are_sent(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// Step 15 of a request's life.
    pub fn apply(&self, headers: &mut HeaderMap, secure: bool) {
        if !self.are_sent() {
            return;
        }
        for (name, value) in &self.fields {
            if !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
        if let Some(hsts) = self.hsts.as_ref().filter(|_| secure && !headers.contains_key(STRICT_TRANSPORT_SECURITY)) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
    }
}
