//! Callers who bring a TLS client certificate. The platform verifies it; here it is only told whose it is.

use std::sync::Arc;

use super::consumers::{CERTIFICATES, Consumers};
use super::{Proof, refused};
use crate::config::{At, Code, Compiler, wire};
use crate::context::Principal;
use crate::decision::{Policy, Reason};
use crate::error::Refusal;
use crate::peer::Certificate;

/// Whose certificates are accepted.
#[derive(Debug)]
pub(super) enum ClientCert {
    /// Those of these consumers.
    Listed(Consumers),
    /// All that the platform verified; the consumer is the subject.
    Any,
}

impl ClientCert {
    pub(super) fn compile(
        identity: &Arc<str>,
        wire: &wire::ClientCert,
        at: &At<'_>,
        compiler: &mut Compiler,
    ) -> Option<Self> {
        match (&wire.certs, wire.any) {
            (Some(certs), false) => {
                let consumers = certs.iter().map(|(name, cert)| (name, &cert.sha256, cert.scopes.as_slice()));
                let at = at.child_key("certs");
                Some(Self::Listed(Consumers::compile(identity, consumers, &CERTIFICATES, &at, compiler)))
            }
            (None, true) => Some(Self::Any),
            (Some(_), true) | (None, false) => {
                compiler
                    .error(at, "exactly one of `certs` and `any: true` says whose certificates are good")
                    .code(Code::ConflictingKeys)
                    .help("list the consumers in `certs`, each with the SHA-256 of its certificate");
                None
            }
        }
    }

    /// Whose certificate it is.
    pub(super) fn prove(&self, identity: &Arc<str>, certificate: Option<&Certificate>) -> Proof {
        let Some(certificate) = certificate else { return Proof::Absent };
        match self {
            Self::Listed(consumers) => match consumers.find(&certificate.sha256) {
                Some(principal) => Proof::Proven(Arc::clone(principal)),
                None => refused(Reason::CertificateUnknown),
            },
            // all who have none would be one consumer
            Self::Any if certificate.subject.is_empty() => {
                let detail = "The certificate has no subject to tell who is calling.";
                Proof::Refused(Refusal::new(Policy::Auth, Reason::CertificateUnknown).detail(detail))
            }
            Self::Any => Proof::Proven(Arc::new(Principal {
                identity: Arc::clone(identity),
                consumer: certificate.subject.as_str().into(),
                scopes: Vec::new(),
                claims: None,
            })),
        }
    }
}
