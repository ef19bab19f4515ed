//! Encrypted connections to the gateway: a certificate for the case, and a client that trusts no other.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A certificate, made for one case.
pub(super) struct Certificate {
    /// The chain, PEM.
    pub(super) chain: String,
    /// The private key, PEM.
    pub(super) key: String,
    client: Arc<ClientConfig>,
}

/// What the certificate is for.
const NAME: &str = "gateway.test";

impl Certificate {
    pub(super) fn new() -> Result<Self, String> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).map_err(|error| error.to_string())?;
        let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), client: Arc::new(client) })
    }

    pub(super) fn connect(&self, stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.client), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, stream))
    }
}
