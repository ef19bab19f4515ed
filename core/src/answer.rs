//! Answers that need no upstream: `respond` and `redirect`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, RequestValues};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::Platform;
use crate::policy::RouteScope;
use crate::policy::headers::HeaderEdit;
use crate::template::{Place, Template, Variable};

/// A compiled `respond`.
#[derive(Debug)]
pub struct Respond {
    status: StatusCode,
    headers: HeaderEdit,
    content_type: Option<HeaderValue>,
    body: Content,
}

#[derive(Debug)]
enum Content {
    Fixed(Bytes),
    Text(Template),
}

/// A compiled `redirect`.
#[derive(Debug)]
pub struct Redirect {
    status: StatusCode,
    to: Template,
}

impl Respond {
    pub(crate) fn compile(
        wire: &wire::Respond,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        if wire.body.is_some() && wire.json.is_some() {
            compiler.error(at, "`body` and `json` exclude each other").code(Code::ConflictingKeys);
        }
        let status = StatusCode::from_u16(wire.status).ok().filter(|_| (200..600).contains(&wire.status));
        if status.is_none() {
            compiler.error(&at.child_key("status"), "a final status is a number from 200 to 599");
        }
        let headers = HeaderEdit::compile_fields(&wire.headers, &at.child_key("headers"), scope, compiler);
        let (body, content_type) = match (&wire.body, &wire.json) {
            (Some(text), _) => (
                Content::Text(compiler.template(text, &at.child_key("body"), scope)?),
                Some(HeaderValue::from_static("text/plain; charset=utf-8")),
            ),
            (None, Some(json)) => {
                (Content::Fixed(json.to_string().into()), Some(HeaderValue::from_static("application/json")))
            }
            (None, None) => (Content::Fixed(Bytes::new()), None),
        };
        Some(Self { status: status?, headers, content_type, body })
    }

    /// Step 12 of a request's life, on the spot.
    pub(crate) fn answer<P: Platform>(
        &self,
        platform: &P,
        context: &mut Context<'_>,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let values = RequestValues { context: &*context, platform };
        let body = match &self.body {
            Content::Fixed(bytes) => bytes.clone(),
            Content::Text(template) => match template.render(&values, Place::Text) {
                Ok(text) => Bytes::from(text.into_owned()),
                Err(missing) => return Err(lacking(missing, context)),
            },
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        if let Some(content_type) = &self.content_type {
            response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
        }
        if let Err(missing) = self.headers.apply(response.headers_mut(), &values) {
            return Err(lacking(missing, context));
        }
        context.respond(Policy::Forward, Reason::Responded);
        Ok(response)
    }
}

impl Redirect {
    pub(crate) fn compile(
        wire: &wire::Redirect,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        let to_at = at.child_key("to");
        // the place a client is sent to must be the operator's choice, not the client's
        let fixed_host = ["https://", "http://"].iter().find_map(|scheme| wire.to.strip_prefix(scheme)).map(|rest| {
            let host = rest.split('/').next().unwrap_or_default();
            !host.is_empty() && !host.contains("${") && rest.contains('/')
        });
        let fixed_path = wire.to.starts_with('/') && !wire.to.starts_with("//") && !wire.to.starts_with("/\\");
        if !fixed_host.unwrap_or(fixed_path) {
            compiler
                .error(&to_at, "a redirect must name its host itself, or start with one slash")
                .code(Code::OpenRedirect)
                .help("for example https://new.example/${path.rest}");
        }
        let status = StatusCode::from_u16(wire.status)
            .ok()
            .filter(|status| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308));
        if status.is_none() {
            compiler.error(&at.child_key("status"), "a redirect's status is 301, 302, 303, 307 or 308");
        }
        Some(Self { status: status?, to: compiler.template(&wire.to, &to_at, scope)? })
    }

    /// Step 12 of a request's life, on the spot.
    pub(crate) fn answer<P: Platform>(
        &self,
        platform: &P,
        context: &mut Context<'_>,
    ) -> Result<Response<Body<P::Stream>>, Refusal> {
        let location = match self.to.render(&RequestValues { context: &*context, platform }, Place::Path) {
            Ok(location) => location,
            Err(missing) => return Err(lacking(missing, context)),
        };
        // `/${path.rest}` must not become `//elsewhere`, which browsers read as another host
        let location = HeaderValue::from_str(&location).ok().filter(|_| !location.starts_with("//"));
        let Some(location) = location else {
            return Err(context.refused(Refusal::new(Policy::Forward, Reason::TemplateValueUnsafe)));
        };
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = self.status;
        response.headers_mut().insert(LOCATION, location);
        context.respond(Policy::Forward, Reason::Redirected);
        Ok(response)
    }
}

fn lacking(missing: &Variable, context: &mut Context<'_>) -> Refusal {
    context.refused(missing.refusal(Policy::Forward))
}
