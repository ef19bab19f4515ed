//! TLS towards upstreams: whom a client trusts. rustls, with ring as its only cryptography.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// The machine's own trusted roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` replace them), and what was wrong with those that
/// could not be read. No roots are built in: they would age with the binary, and the operator's own authority
/// would be missing from them.
pub fn native_roots() -> (RootCertStore, Vec<String>) {
    let found = rustls_native_certs::load_native_certs();
    let mut problems: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        problems.push(format!("{unusable} of the machine's trusted roots are not valid"));
    }
    if roots.is_empty() {
        problems.push(
            "no trusted roots were found, so no https upstream can be reached: install ca-certificates or set SSL_CERT_FILE"
                .to_owned(),
        );
    }
    (roots, problems)
}

/// A client's side of TLS that trusts `roots`.
pub fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    Ok(Client::new()?.trusting(roots))
}

/// A client's side of TLS that does not know yet whom it trusts.
#[derive(Debug)]
pub struct Client(ConfigBuilder<ClientConfig, WantsVerifier>);

impl Client {
    /// TLS 1.3 and 1.2.
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self(ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?))
    }

    /// One that trusts `roots`.
    pub fn trusting(self, roots: RootCertStore) -> ClientConfig {
        self.0.with_root_certificates(roots).with_no_client_auth()
    }
}

/// Named wherever it is needed: a process-wide default would be a global that tests and embedders share.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
