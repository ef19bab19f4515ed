//! Authentication and authorisation: one of the route's identities must be proven, then scopes and claims must permit the
//! call.

use std::fmt::Write;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::identity::{Aside, Identity, Proof};
use crate::config::{At, Code, Compiler, wire};
use crate::context::{Context, Mode, Principal};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::Platform;

/// A compiled auth policy.
#[derive(Debug)]
pub struct Auth {
    any_of: Vec<Arc<Identity>>,
    scopes: Vec<String>,
    claims: Vec<(String, Vec<String>)>,
    optional: bool,
    forward_credentials: bool,
    mode: Mode,
    realm: String,
}

impl Auth {
    pub(crate) fn compile(wire: &wire::Auth, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let mode = super::mode(wire.mode)?;
        let any_of_at = at.child_key("any_of");
        if wire.any_of.is_empty() {
            compiler
                .error(&any_of_at, "`any_of` is empty: nobody could ever prove who they are")
                .code(Code::NothingPasses)
                .help("name an identity, or write `auth: off`");
        }
        let mut any_of: Vec<Arc<Identity>> = Vec::new();
        for (index, name) in wire.any_of.iter().enumerate() {
            any_of.extend(compiler.identity(name, &any_of_at.child_index(index)));
        }
        if !wire.claims.is_empty() && !any_of.is_empty() && any_of.iter().all(|identity| !identity.has_claims()) {
            compiler
                .error(&at.child_key("claims"), "none of the identities has claims")
                .code(Code::CallerUnknown)
                .help("API keys and certificates have scopes only");
        }
        for (name, _) in wire.claims.iter().filter(|(_, values)| values.0.is_empty()) {
            compiler
                .error(&at.child_key("claims").child_key(name), "no value of this claim would ever permit a call")
                .code(Code::NothingPasses);
        }
        if wire.optional && !(wire.scopes.is_empty() && wire.claims.is_empty()) {
            compiler
                .warning(
                    Code::OptionalAuthWithScopes,
                    &at.child_key("optional"),
                    "whoever leaves out the credentials passes without the scopes and claims",
                )
                .help("drop `optional`, or ask for no scopes and claims");
        }
        let claims = wire.claims.iter().map(|(name, values)| (name.clone(), values.0.clone())).collect();
        Some(Self {
            any_of,
            scopes: wire.scopes.clone(),
            claims,
            optional: wire.optional,
            forward_credentials: wire.forward_credentials,
            mode,
            realm: compiler.realm().replace(['"', '\\'], ""),
        })
    }

    /// The headers that carry credentials.
    pub fn headers(&self) -> Vec<HeaderName> {
        self.any_of.iter().filter_map(|identity| identity.header()).cloned().collect()
    }

    /// Step 7 of a request's life.
    pub async fn check<P: Platform>(&self, platform: &P, context: &mut Context<'_>) -> Result<(), Refusal> {
        let mut aside = Aside::default();
        let caller = self.authenticate(platform, context, &mut aside).await;
        let (errands, note) = aside.into_parts();
        context.errands = errands;
        match caller {
            Ok(Some((reason, principal))) => {
                context.principal = Some(Arc::clone(&principal));
                match self.authorise(&principal) {
                    Ok(()) => {
                        context.allow(Policy::Auth, reason, note);
                        Ok(())
                    }
                    Err(refusal) => context.refuse(refusal, self.mode),
                }
            }
            Ok(None) => {
                context.allow(Policy::Auth, Reason::Anonymous, "");
                Ok(())
            }
            Err(refusal) => context.refuse(refusal, self.mode),
        }
    }

    /// Who proved the first identity that is proven, and what is said of the credentials. When none is, the first that was
    /// refused says why.
    async fn authenticate<P: Platform>(
        &self,
        platform: &P,
        context: &Context<'_>,
        aside: &mut Aside,
    ) -> Result<Option<(Reason, Arc<Principal>)>, Refusal> {
        let mut refusal = None;
        for identity in &self.any_of {
            match identity.prove(platform, context, aside).await {
                Proof::Proven(principal) => return Ok(Some((identity.valid(), principal))),
                Proof::Refused(why) => refusal = refusal.or(Some(why)),
                Proof::Absent => {}
            }
        }
        match refusal {
            Some(refusal) => Err(self.challenge(refusal)),
            None if self.optional => Ok(None),
            None => Err(self.challenge(Refusal::new(Policy::Auth, Reason::CredentialsMissing).detail(self.wanted()))),
        }
    }

    fn authorise(&self, principal: &Principal) -> Result<(), Refusal> {
        if let Some(missing) = self.scopes.iter().find(|scope| !principal.scopes.contains(scope)) {
            let refusal =
                Refusal::new(Policy::Auth, Reason::ScopeMissing).detail(format!("The scope {missing} is required."));
            // RFC 6750 §3.1
            let challenge = format!(
                "Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"{}\"",
                self.realm,
                self.scopes.join(" ").replace(['"', '\\'], "")
            );
            return Err(if principal.claims.is_some() { refusal.challenge(&challenge) } else { refusal });
        }
        let refused = self.claims.iter().find(|(name, permitted)| !principal.has_claim(name, permitted));
        match refused {
            Some((name, _)) => Err(Refusal::new(Policy::Auth, Reason::ClaimRefused)
                .detail(format!("The claim {name} does not permit this."))),
            None => Ok(()),
        }
    }

    /// RFC 9110 §11.6.1: a 401 says how to do better.
    fn challenge(&self, mut refusal: Refusal) -> Refusal {
        if refusal.reason.status() != http::StatusCode::UNAUTHORIZED {
            return refusal;
        }
        let mut schemes: Vec<_> = self.any_of.iter().map(|identity| identity.scheme()).collect();
        schemes.sort_unstable();
        schemes.dedup();
        for scheme in schemes {
            let mut challenge = format!("{scheme} realm=\"{}\"", self.realm);
            if scheme == "Bearer" && refusal.reason.code().starts_with("token_") {
                let _ = write!(challenge, ", error=\"invalid_token\"");
            }
            refusal = refusal.challenge(&challenge);
        }
        refusal
    }

    fn wanted(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for identity in &self.any_of {
            let name = match identity.header() {
                None => "a TLS client certificate".to_owned(),
                Some(&AUTHORIZATION) => "a bearer token in Authorization".to_owned(),
                Some(header) => format!("an API key in {header}"),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        format!("Send {}.", names.join(" or "))
    }

    /// What was meant for the gateway is not sent on, unless the configuration says so.
    pub fn strip_credentials(&self, headers: &mut HeaderMap) {
        if self.forward_credentials || self.mode == Mode::Observe {
            return;
        }
        for header in self.any_of.iter().filter_map(|identity| identity.header()) {
            headers.remove(header);
        }
    }
}

impl Principal {
    /// Whether a claim has one of the permitted values; of a list, whether one of its members has.
    fn has_claim(&self, name: &str, permitted: &[String]) -> bool {
        let Some(value) = self.claims.as_ref().and_then(|claims| claims.claim(name)) else { return false };
        let permits = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => permitted.contains(text),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => permitted.contains(&value.to_string()),
            _ => false,
        };
        match value {
            serde_json::Value::Array(values) => values.iter().any(permits),
            value => permits(value),
        }
    }
}
