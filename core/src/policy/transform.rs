//! What is changed before a request goes upstream, and before a response goes to the client.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, Response};

use super::RouteScope;
use super::body_edit::BodyEdit;
use super::headers::HeaderEdit;
use crate::body::Body;
use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, Mode, RequestValues};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::Platform;
use crate::route::{self, encode_query};
use crate::template::{Place, Template, Values, Variable};

/// Compiled changes to a request.
#[derive(Debug)]
pub struct RequestTransform {
    path: Option<Template>,
    query: QueryEdit,
    headers: HeaderEdit,
    mode: Mode,
}

#[derive(Debug, Default)]
struct QueryEdit {
    remove: Vec<String>,
    set: Vec<(String, Template)>,
}

/// A request's path and query as they go upstream.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path.
    pub path: Cow<'a, str>,
    /// The query, without its question mark.
    pub query: Option<String>,
}

impl RequestTransform {
    pub(crate) fn compile(
        wire: &wire::RequestTransform,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let path = wire.path.as_ref().and_then(|text| {
            let at = at.child_key("path");
            if !text.starts_with('/') {
                compiler.error(&at, "the upstream's path must start with /");
            }
            if text.contains(['?', '#']) {
                compiler.error(&at, "a path holds no query or fragment").help("use `query: { set: … }`");
            }
            let template = compiler.template(text, &at, scope)?;
            let plain = route::is_canonical(&template.sample(), route::Ambiguities::NONE);
            if !plain && text.starts_with('/') && !text.contains(['?', '#']) {
                let finding = compiler.error(&at, "no request could be sent to this path").code(Code::NothingPasses);
                match text.contains('{') && !text.contains("${") {
                    true => finding.help("values are written ${path.NAME}"),
                    false => finding
                        .help("write it as it goes over the wire: percent-encoded, without `//` and dot segments"),
                };
            }
            Some(template)
        });
        let query_at = at.child_key("query");
        let set_at = query_at.child_key("set");
        let set = wire
            .query
            .set
            .iter()
            .filter_map(|(key, text)| {
                let at = set_at.child_key(key);
                compiler.warn_of_literal_secret(key, text, &at);
                Some((key.clone(), compiler.template(text, &at, scope)?))
            })
            .collect();
        let query = QueryEdit { remove: wire.query.remove.clone(), set };
        let headers = HeaderEdit::compile(&wire.headers, &at.child_key("headers"), scope, compiler);
        Some(Self { path, query, headers, mode })
    }

    /// Whether it writes something that came in a request header.
    pub fn reads_request_headers(&self) -> bool {
        let templates = self.path.iter().chain(self.query.set.iter().map(|(_, template)| template));
        templates.flat_map(Template::variables).chain(self.headers.variables()).any(Variable::is_header)
    }

    /// Step 11 of a request's life: the headers in place, and the path and query to go upstream.
    pub fn apply<P: Platform>(
        &self,
        platform: &P,
        context: &mut Context<'_>,
        headers: &mut HeaderMap,
    ) -> Result<Option<Target<'_>>, Refusal> {
        let values = RequestValues { context: &*context, platform };
        let path = match self.path.as_ref().map(|template| template.render(&values, Place::Path)).transpose() {
            Ok(path) => path,
            Err(missing) => {
                context.refuse(missing.refusal(Policy::Request), self.mode)?;
                return Ok(None);
            }
        };
        // a value may have brought dot segments or worse: what goes upstream is no more open to two readings than what came
        if path.as_ref().is_some_and(|path| !route::is_canonical(path, context.ambiguities)) {
            context.refuse(Refusal::new(Policy::Request, Reason::TemplateValueUnsafe), self.mode)?;
            return Ok(None);
        }
        if self.mode == Mode::Observe {
            context.allow(Policy::Request, Reason::Transformed, "");
            return Ok(None);
        }
        let target = self.headers.apply(headers, &values).and_then(|()| self.target(path, context, &values));
        let target = match target {
            Ok(target) => target,
            Err(missing) => return Err(context.refused(missing.refusal(Policy::Request))),
        };
        context.allow(Policy::Request, Reason::Transformed, "");
        Ok(target)
    }

    /// The path and query to go upstream; `None` when neither changes.
    fn target<'t>(
        &'t self,
        path: Option<Cow<'t, str>>,
        context: &Context<'_>,
        values: &impl Values,
    ) -> Result<Option<Target<'t>>, &'t Variable> {
        if path.is_none() && self.query.is_empty() {
            return Ok(None);
        }
        let path = path.unwrap_or_else(|| Cow::Owned(context.path().to_owned()));
        Ok(Some(Target { path, query: self.query.apply(context.uri.query(), values)? }))
    }
}

impl QueryEdit {
    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }

    fn apply(&self, query: Option<&str>, values: &impl Values) -> Result<Option<String>, &Variable> {
        if self.is_empty() {
            return Ok(query.map(ToOwned::to_owned));
        }
        let mut edited = String::with_capacity(query.map_or(0, str::len));
        let dropped = |pair: &str| {
            let key = pair.split_once('=').map_or(pair, |(key, _)| key);
            let key = route::decode_query(key);
            let mut names = self.remove.iter().chain(self.set.iter().map(|(key, _)| key));
            key.is_some_and(|key| names.any(|name| *name == key))
        };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !dropped(pair)) {
            let separator = if edited.is_empty() { "" } else { "&" };
            let _ = write!(edited, "{separator}{pair}");
        }
        for (key, template) in &self.set {
            let value = match template.render(values, Place::Query) {
                Ok(value) => value,
                Err(secret @ Variable::Secret(_)) => return Err(secret),
                Err(_) => continue,
            };
            let separator = if edited.is_empty() { "" } else { "&" };
            let literal = template.as_literal().map(encode_query);
            let _ = write!(edited, "{separator}{}={}", encode_query(key), literal.unwrap_or(value));
        }
        Ok((!edited.is_empty()).then_some(edited))
    }
}

/// Compiled changes to a response.
#[derive(Debug)]
pub struct ResponseTransform {
    headers: HeaderEdit,
    json: Option<BodyEdit>,
    mode: Mode,
}

impl ResponseTransform {
    pub(crate) fn compile(
        wire: &wire::ResponseTransform,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let headers = HeaderEdit::compile(&wire.headers, &at.child_key("headers"), scope, compiler);
        let json = wire.json.as_ref().and_then(|json| BodyEdit::compile(json, &at.child_key("json"), compiler));
        Some(Self { headers, json, mode })
    }

    /// Whether it writes something that came in a request header.
    pub fn reads_request_headers(&self) -> bool {
        self.headers.variables().any(Variable::is_header)
    }

    /// How it reads bodies, if it does.
    pub fn body(&self) -> Option<&BodyEdit> {
        self.json.as_ref().filter(|_| self.mode == Mode::Enforce)
    }

    /// Step 13 of a request's life. `timeout`: how long to wait for a body that has to be read.
    pub async fn apply<P: Platform>(
        &self,
        platform: &P,
        context: &mut Context<'_>,
        response: Response<Body<P::Stream>>,
        timeout: Duration,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let edited = match self.body() {
            Some(edit) => edit.apply(platform, &context.method, response, timeout).await,
            None => Ok(response),
        };
        let mut response = edited.map_err(|reason| context.refused(Refusal::new(Policy::Response, reason)))?;
        if self.mode == Mode::Enforce {
            let values = RequestValues { context: &*context, platform };
            if let Err(missing) = self.headers.apply(response.headers_mut(), &values) {
                return Err(context.refused(missing.refusal(Policy::Response)));
            }
        }
        context.allow(Policy::Response, Reason::Transformed, "");
        Ok(response)
    }
}
