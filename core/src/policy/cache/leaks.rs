//! What could give one caller what was made for another, refused before anything is served.

use super::Key;
use crate::config::wire::{self, Mode};
use crate::config::{At, Code, Compiler, Pointer, outline};
use crate::policy::RouteScope;
use crate::template::{Template, Variable};

/// Where callers are known, the key tells them apart, or somebody says why it need not.
pub(super) fn callers(
    wire: &wire::Cache,
    at: &At<'_>,
    route: &outline::Route,
    scope: &RouteScope<'_>,
    compiler: &mut Compiler,
) {
    let key_at = at.child_key("key");
    let reason = wire.reason.as_deref().map(str::trim);
    match (wire.shared, reason) {
        (true, None | Some("")) => {
            let finding = compiler.error(&at.child_key("shared"), "callers share what is stored, and nothing says why");
            finding
                .code(Code::MissingKey)
                .help("add `reason`, for whoever reads it next year: prices are the same for everybody");
        }
        (false, Some(_)) => {
            let finding = compiler.error(&at.child_key("reason"), "nothing is shared that would need a reason");
            finding.code(Code::NoEffect).help("add `shared: true`, or leave it out");
        }
        _ => {}
    }
    let Some(auth) = crate::policy::on(&route.wire.policies.auth).filter(|auth| auth.mode != Mode::Off) else {
        for (wanted, key) in [(wire.key.by.is_some(), "by"), (!wire.key.claims.is_empty(), "claims")] {
            if wanted {
                caller_unknown(key, &key_at, scope, compiler);
            }
        }
        if wire.shared && route.own.contains(&"cache") {
            let finding =
                compiler.error(&at.child_key("shared"), "the route does not ask who calls: all share already");
            finding.code(Code::NoEffect).help("leave `shared` and `reason` out, or add `auth`");
        }
        return;
    };
    if !wire.key.claims.is_empty() && !scope.has_claims {
        caller_unknown("claims", &key_at, scope, compiler);
    }
    if wire.shared {
        return;
    }
    let apart = wire.key.by.is_some() || !wire.key.claims.is_empty();
    let (message, help) = if !apart {
        let message = format!(
            "`{}` asks who calls, and its key does not: what one caller was told, the next would be",
            scope.name
        );
        (message, "write `key: { by: consumer }`, name `claims`, or say `shared: true` with a `reason`")
    } else if auth.mode == Mode::Observe {
        let message =
            "`auth` only observes: whom the gateway does not know, the upstream may know, and all of them share"
                .to_owned();
        (message, "enforce `auth`, switch the cache off meanwhile, or say `shared: true` with a `reason`")
    } else if auth.forward_credentials && wire.key.by.is_none() {
        let message =
            "the upstream gets the credentials, and may say more to one caller than to another with the same claims"
                .to_owned();
        (message, "add `by: consumer` to the key, drop `forward_credentials`, or say `shared: true` with a `reason`")
    } else {
        return;
    };
    compiler.error(at, message).code(Code::CacheIdentityMissing).help(help);
}

fn caller_unknown(key: &str, at: &At<'_>, scope: &RouteScope<'_>, compiler: &mut Compiler) {
    let message = match key {
        "claims" => format!("the key needs claims, and no identity of `{}` has some", scope.name),
        _ => format!("the key needs a caller who is known, and `{}` authenticates nobody", scope.name),
    };
    let help = "add `auth` with an identity that knows it, or leave it out of the key";
    compiler.error(&at.child_key(key), message).code(Code::CallerUnknown).help(help);
}

/// What templates write into a request or a response is stored with it, so it has to be in the key.
pub(super) fn templates(route: &outline::Route, key: &Key, compiler: &mut Compiler) {
    let mut texts: Vec<(Pointer, &str)> = Vec::new();
    if let Some(request) = crate::policy::on(&route.wire.policies.request).filter(|edit| edit.mode == Mode::Enforce) {
        let at = route.policy_at("request");
        texts.extend(request.path.as_deref().map(|path| (at.child_key("path"), path)));
        let set_at = at.child_key("query").child_key("set");
        texts.extend(request.query.set.iter().map(|(name, text)| (set_at.child_key(name), text.as_str())));
        headers(&request.headers, &at, &mut texts);
    }
    if let Some(response) = crate::policy::on(&route.wire.policies.response).filter(|edit| edit.mode == Mode::Enforce) {
        let at = route.policy_at("response");
        headers(&response.headers, &at, &mut texts);
        varies(&response.headers, &at.child_key("headers"), compiler);
    }
    for (at, text) in texts {
        // what is no template is reported where it is compiled
        let Ok(template) = Template::parse(text) else { continue };
        for variable in template.variables().filter(|variable| !key.tells(variable)) {
            let message = format!("what is stored may hold `${{{}}}`, which its key does not", variable.name());
            compiler.error(&at, message).code(Code::CacheKeyIncomplete).help(way_out(variable));
        }
    }
}

/// What the upstream says that its response depends on stays said: without it one variant would be served as another.
fn varies(edit: &wire::HeaderEdit, at: &Pointer, compiler: &mut Compiler) {
    let is_vary = |name: &String| name.eq_ignore_ascii_case("vary");
    let set = edit.set.keys().find(|name| is_vary(name)).map(|name| at.child_key("set").child_key(name));
    let removed = edit.remove.iter().position(is_vary).map(|index| at.child_key("remove").child_index(index));
    for at in [set, removed].into_iter().flatten() {
        let message = "what is stored would no longer say what it depends on";
        let help = "leave Vary as it is, `add` to it, or write `cache: off` here";
        compiler.error(&at, message).code(Code::CacheKeyIncomplete).help(help);
    }
}

fn headers<'w>(edit: &'w wire::HeaderEdit, at: &Pointer, texts: &mut Vec<(Pointer, &'w str)>) {
    let at = at.child_key("headers");
    for (fields, at) in [(&edit.set, at.child_key("set")), (&edit.add, at.child_key("add"))] {
        texts.extend(fields.iter().map(|(name, text)| (at.child_key(name), text.as_str())));
    }
}

fn way_out(variable: &Variable) -> String {
    match variable {
        Variable::Query(name) => format!("let `cache.key.query` have `{name}`, or take it out"),
        Variable::Header(name) => format!("add {name} to `cache.key.headers`, or take it out"),
        Variable::Claim(name) => format!("add {name} to `cache.key.claims`, or take it out"),
        Variable::Consumer => "write `by: consumer` in `cache.key`, or take it out".to_owned(),
        _ => "no two requests need have the same: take it out, or write `cache: off` here".to_owned(),
    }
}
