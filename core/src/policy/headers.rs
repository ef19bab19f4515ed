//! Changes to header fields: removed, then set, then added.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::RouteScope;
use crate::config::{At, Code, Compiler, wire};
use crate::template::{Place, Template, Values, Variable};

/// Compiled changes.
#[derive(Debug, Default)]
pub struct HeaderEdit {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, Template)>,
    add: Vec<(HeaderName, Template)>,
}

/// Fields that belong to the connection, to the message's framing or to the gateway itself: nobody may set them by hand.
pub(crate) const RESERVED: [&str; 19] = [
    "connection",
    "content-length",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-portico-debug",
    "x-portico-trace",
    "x-request-id",
];

impl HeaderEdit {
    pub(crate) fn compile(
        wire: &wire::HeaderEdit,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Self {
        Self {
            remove: compiler.header_names(&wire.remove, &at.child_key("remove")),
            set: templates(&wire.set, &at.child_key("set"), scope, compiler),
            add: templates(&wire.add, &at.child_key("add"), scope, compiler),
        }
    }

    /// Fields that are only set, written directly at `at`.
    pub(crate) fn compile_fields(
        fields: &BTreeMap<String, String>,
        at: &At<'_>,
        scope: &RouteScope<'_>,
        compiler: &mut Compiler,
    ) -> Self {
        Self { set: templates(fields, at, scope, compiler), ..Self::default() }
    }

    /// Makes the changes. A value that the request lacks, or that cannot stand in a header, leaves its field out; what came
    /// from outside under a name that is set never stays. The error is a secret that the platform lacks: to go on without
    /// would be to call the upstream without credentials.
    pub fn apply(&self, headers: &mut HeaderMap, values: &impl Values) -> Result<(), &Variable> {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, template) in &self.set {
            match value(template, values)? {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
        for (name, template) in &self.add {
            if let Some(value) = value(template, values)? {
                headers.append(name, value);
            }
        }
        Ok(())
    }

    /// What its templates name.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.set.iter().chain(&self.add).flat_map(|(_, template)| template.variables())
    }
}

fn templates(
    fields: &BTreeMap<String, String>,
    at: &At<'_>,
    scope: &RouteScope<'_>,
    compiler: &mut Compiler,
) -> Vec<(HeaderName, Template)> {
    let mut compiled = Vec::with_capacity(fields.len());
    for (name, text) in fields {
        let at = at.child_key(name);
        let Some(name) = compiler.header_name(name, &at) else { continue };
        if RESERVED.contains(&name.as_str()) {
            compiler
                .error(&at, format!("`{name}` is written by the gateway itself and cannot be set"))
                .code(Code::ReservedName);
        }
        compiler.warn_of_literal_secret(name.as_str(), text, &at);
        compiled.extend(compiler.template(text, &at, scope).map(|template| (name, template)));
    }
    compiled
}

fn value<'t>(template: &'t Template, values: &impl Values) -> Result<Option<HeaderValue>, &'t Variable> {
    match template.render(values, Place::Text) {
        Ok(text) => Ok(HeaderValue::from_str(&text).ok()),
        Err(secret @ Variable::Secret(_)) => Err(secret),
        Err(_) => Ok(None),
    }
}
