//! Identities: the ways in which a caller proves who it is. Each looks for its own credentials and checks them.

mod api_key;
mod client_cert;
mod consumers;
mod fetch;
mod freshness;
mod jwt;
mod key_source;
mod key_state;
mod keys;
mod records;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use self::api_key::ApiKey;
use self::client_cert::ClientCert;
use self::jwt::Jwt;
use self::key_source::Chore;
use crate::config::{At, Compiler, wire};
use crate::context::{Context, Principal};
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::platform::Platform;

/// A compiled identity. Shared by the routes that accept it, so that a token verified on one is known on all.
#[derive(Debug)]
pub struct Identity {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Jwt(Arc<Jwt>),
    ApiKey(ApiKey),
    ClientCert(ClientCert),
}

/// What an identity makes of a request.
#[derive(Debug)]
pub enum Proof {
    /// It carries none of this identity's credentials.
    Absent,
    /// It carries credentials, and they are good.
    Proven(Arc<Principal>),
    /// It carries credentials, and they are not good.
    Refused(Refusal),
}

/// What came up while somebody's credentials were checked.
#[derive(Debug, Default)]
pub struct Aside {
    chores: Vec<(Arc<Jwt>, Chore)>,
    /// What whoever runs the gateway should know although all went well.
    note: Cow<'static, str>,
}

impl Aside {
    fn note(&mut self, note: String) {
        self.note = Cow::Owned(note);
    }

    /// What is to be done after the response, and what the log should say.
    pub(crate) fn into_parts(self) -> (Vec<Errand>, Cow<'static, str>) {
        (self.chores.into_iter().map(|(jwt, chore)| Errand { jwt, chore }).collect(), self.note)
    }
}

/// Something about an identity that is to be done after the response.
#[derive(Debug)]
pub(crate) struct Errand {
    jwt: Arc<Jwt>,
    chore: Chore,
}

impl Errand {
    pub(crate) async fn run<P: Platform>(&self, platform: &P) {
        self.jwt.follow_up(platform, &self.chore).await;
    }
}

impl Identity {
    pub(crate) fn compile(name: &str, wire: &wire::Identity, at: &At<'_>, compiler: &mut Compiler) -> Option<Self> {
        let name: Arc<str> = name.into();
        let kind = match wire {
            wire::Identity::Jwt(jwt) => Kind::Jwt(Arc::new(Jwt::compile(jwt, &at.child_key("jwt"), compiler)?)),
            wire::Identity::ApiKey(keys) => {
                Kind::ApiKey(ApiKey::compile(&name, keys, &at.child_key("api_key"), compiler)?)
            }
            wire::Identity::ClientCert(certs) => {
                Kind::ClientCert(ClientCert::compile(&name, certs, &at.child_key("client_cert"), compiler)?)
            }
        };
        Some(Self { name, kind })
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The header that carries the credentials; `None` when they come with the connection.
    pub fn header(&self) -> Option<&HeaderName> {
        match &self.kind {
            Kind::Jwt(_) => Some(&AUTHORIZATION),
            Kind::ApiKey(api_key) => Some(api_key.header()),
            Kind::ClientCert(_) => None,
        }
    }

    /// Whether its callers have claims.
    pub fn has_claims(&self) -> bool {
        matches!(self.kind, Kind::Jwt(_))
    }

    /// The scheme of its challenge (RFC 9110 §11.6.1). No registered one is about TLS certificates, and a 401 has to have one.
    pub fn scheme(&self) -> &'static str {
        match self.kind {
            Kind::Jwt(_) => "Bearer",
            Kind::ApiKey(_) => "ApiKey",
            Kind::ClientCert(_) => "ClientCertificate",
        }
    }

    /// What is said of good credentials.
    pub(crate) fn valid(&self) -> Reason {
        match self.kind {
            Kind::Jwt(_) => Reason::TokenValid,
            Kind::ApiKey(_) => Reason::KeyValid,
            Kind::ClientCert(_) => Reason::CertificateValid,
        }
    }

    /// Looks for credentials and checks them.
    pub async fn prove<P: Platform>(&self, platform: &P, context: &Context<'_>, aside: &mut Aside) -> Proof {
        let (headers, now) = (&context.headers, context.received);
        match &self.kind {
            Kind::ApiKey(api_key) => match credentials(headers, api_key.header()) {
                Ok(value) => api_key.prove(platform, value, now, aside).await,
                Err(proof) => proof,
            },
            Kind::Jwt(jwt) => match credentials(headers, &AUTHORIZATION) {
                Ok(value) => jwt.prove(&self.name, platform, value, now, aside).await,
                Err(proof) => proof,
            },
            Kind::ClientCert(client_cert) => client_cert.prove(&self.name, context.certificate.as_deref()),
        }
    }
}

/// The one value of the header that carries credentials, or what its absence proves.
fn credentials<'h>(headers: &'h HeaderMap, header: &HeaderName) -> Result<&'h HeaderValue, Proof> {
    let mut values = headers.get_all(header).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(Proof::Absent),
        (Some(value), None) => Ok(value),
        // two readers could pick different ones
        (Some(_), Some(_)) => Err(refused(Reason::CredentialsAmbiguous)),
    }
}

fn refused(reason: Reason) -> Proof {
    Proof::Refused(Refusal::new(Policy::Auth, reason))
}
