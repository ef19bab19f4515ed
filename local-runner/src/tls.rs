//! TLS: what the server shows its clients, and whom it trusts upstream. rustls, with ring as its only cryptography.

use std::path::{Path, PathBuf};

pub(crate) use portico_native::tls::client;
pub use portico_native::tls::native_roots;
use portico_native::tls::provider;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a certificate or its key cannot be used. Each names the file and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is no PEM.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key are each readable but not usable together.
    #[error("{} and {}: {problem}", certificates.display(), key.display())]
    Pair {
        /// The file of the certificate chain.
        certificates: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// What is wrong with them.
        problem: String,
    },
}

/// A server's side of TLS from two PEM files: the certificate chain, the server's own first, and its private key (PKCS#8,
/// PKCS#1 or SEC1). HTTP/2 and HTTP/1.1 are offered, TLS 1.3 and 1.2.
pub fn server(certificates: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|error| file(certificates, &error, "certificate"))?;
    if chain.is_empty() {
        return Err(file(certificates, &pem::Error::NoItemsFound, "certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file(key, &error, "private key"))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| TlsError::Pair {
            certificates: certificates.to_owned(),
            key: key.to_owned(),
            problem: match error {
                rustls::Error::InconsistentKeys(_) => {
                    "the private key does not belong to the first certificate".to_owned()
                }
                other => other.to_string(),
            },
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn file(path: &Path, error: &pem::Error, what: &str) -> TlsError {
    let problem = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => format!("there is no {what} in it (\"-----BEGIN … {}-----\")", what.to_uppercase()),
        other => format!("not valid PEM: {other}"),
    };
    TlsError::File { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{ClientConfig, RootCertStore};

    use super::*;

    fn problem(certificates: &str, key: &str) -> String {
        // the process id keeps two checkouts' test runs apart
        let folder = std::env::temp_dir().join(format!("portico-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("own.pem"), own.cert.pem()).unwrap();
        std::fs::write(folder.join("own.key"), own.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.join("other.key"), other.signing_key.serialize_pem()).unwrap();
        let result = server(&folder.join(certificates), &folder.join(key));
        result.map_or_else(|error| error.to_string().replace(&format!("{}/", folder.display()), ""), |_| String::new())
    }

    #[test]
    fn errors_name_the_file_and_what_is_wrong() {
        assert_eq!(problem("own.pem", "own.key"), "");
        assert!(problem("none.pem", "own.key").starts_with("none.pem: No such file"));
        let missing = "own.key: there is no certificate in it (\"-----BEGIN … CERTIFICATE-----\")";
        assert_eq!(problem("own.key", "own.key"), missing);
        let missing = "own.pem: there is no private key in it (\"-----BEGIN … PRIVATE KEY-----\")";
        assert_eq!(problem("own.pem", "own.pem"), missing);
        let mismatch = "own.pem and other.key: the private key does not belong to the first certificate";
        assert_eq!(problem("own.pem", "other.key"), mismatch);
    }

    #[test]
    fn both_versions_of_tls_and_of_http_are_spoken() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = std::env::temp_dir().join(format!("portico-tls-versions-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (chain, key) = (folder.join("own.pem"), folder.join("own.key"));
        std::fs::write(&chain, own.cert.pem()).unwrap();
        std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
        let ours = Arc::new(server(&chain, &key).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for protocol in ["h2", "http/1.1"] {
                let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]);
                let builder = builder.unwrap().with_root_certificates(roots.clone());
                let mut theirs = builder.with_no_client_auth();
                theirs.alpn_protocols = vec![protocol.as_bytes().to_vec()];
                let name = "localhost".try_into().unwrap();
                let mut client = rustls::ClientConnection::new(Arc::new(theirs), name).unwrap();
                let mut server = rustls::ServerConnection::new(Arc::clone(&ours)).unwrap();
                while client.is_handshaking() || server.is_handshaking() {
                    let mut bytes = Vec::new();
                    client.write_tls(&mut bytes).unwrap();
                    server.read_tls(&mut bytes.as_slice()).unwrap();
                    server.process_new_packets().unwrap();
                    bytes.clear();
                    server.write_tls(&mut bytes).unwrap();
                    client.read_tls(&mut bytes.as_slice()).unwrap();
                    client.process_new_packets().unwrap();
                }
                assert_eq!(client.protocol_version(), Some(version.version));
                assert_eq!(client.alpn_protocol(), Some(protocol.as_bytes()));
            }
        }
    }
}
