//! `waive`: findings that somebody has looked at and accepts, with the reason. Whoever serves requests only sees to it that
//! waivers make sense; `portico check` acts on them.

use super::compile::suggestion;
use super::outline::Outline;
use super::{Code, Compiler, Pointer, wire};

/// One entry of a `waive`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver<'o> {
    /// What is found here or below is waived.
    pub scope: Pointer,
    /// Where the waiver itself is written.
    pub at: Pointer,
    /// The code, as written.
    pub code: &'o str,
    /// Why the finding is accepted.
    pub reason: &'o str,
}

impl Outline {
    /// All waivers: of the gateway, of its upstreams, identities and routes.
    pub fn waivers(&self) -> Vec<Waiver<'_>> {
        let root = Pointer::root();
        let mut waivers = Vec::new();
        collect(&self.gateway.waive, &root, &root, &mut waivers);
        let upstreams_at = root.child_key("upstreams");
        for (name, upstream) in &self.upstreams {
            let at = upstreams_at.child_key(name);
            collect(upstream.iter().flat_map(|upstream| &upstream.waive), &at, &at, &mut waivers);
        }
        let identities_at = root.child_key("identities");
        for (name, identity) in &self.identities {
            let scope = identities_at.child_key(name);
            let (kind, waive) = match identity {
                Some(wire::Identity::Jwt(jwt)) => ("jwt", &jwt.waive),
                Some(wire::Identity::ApiKey(api_key)) => ("api_key", &api_key.waive),
                Some(wire::Identity::ClientCert(_)) | None => continue,
            };
            collect(waive, &scope, &scope.child_key(kind), &mut waivers);
        }
        for route in &self.routes {
            collect(&route.wire.waive, &route.at, &route.at, &mut waivers);
        }
        waivers
    }
}

fn collect<'o>(
    waive: impl IntoIterator<Item = (&'o String, &'o String)>,
    scope: &Pointer,
    within: &Pointer,
    waivers: &mut Vec<Waiver<'o>>,
) {
    let waiver = |(code, reason): (&'o String, &'o String)| {
        let at = within.child_key("waive").child_key(code);
        Waiver { scope: scope.clone(), at, code, reason }
    };
    waivers.extend(waive.into_iter().map(waiver));
}

/// Reports the waivers that could never waive anything, and those without a reason.
pub(super) fn check(outline: &Outline, compiler: &mut Compiler) {
    for waiver in outline.waivers() {
        let (message, help) = match waiver.code.parse::<Code>() {
            Ok(code) if !code.is_waivable() => {
                (format!("`{code}` cannot be waived"), "mend what is found instead".to_owned())
            }
            Err(_) => {
                let waivable = Code::ALL.iter().filter(|code| code.is_waivable()).map(|code| code.as_str());
                (format!("there is no finding `{}`", waiver.code), suggestion(waiver.code, waivable, "codes"))
            }
            Ok(_) if waiver.reason.trim().is_empty() => {
                let help = "say why this is acceptable here, for whoever reads it next year";
                ("a waiver without a reason".to_owned(), help.to_owned())
            }
            Ok(_) => continue,
        };
        compiler.error(&waiver.at, message).code(Code::WaiverInvalid).help(help).on_key();
    }
}
