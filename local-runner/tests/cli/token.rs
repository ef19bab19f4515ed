//! `portico token`: what it signs is accepted, and it never signs with what it should not.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _, SignatureAlgorithm,
};
use serde_json::{Value, json};

use crate::process::{Folder, Server, portico, run};

/// A gateway with one identity `users`, and a route `/me` that asks for it.
fn gateway(jwt: &str) -> Folder {
    Folder::with(&format!(
        "\
portico: 1
name: tokens
identities:
  users: {{ jwt: {{ {jwt}, issuer: \"https://id.example/\", audience: [one, two] }} }}
routes:
  - name: me
    match: {{ path: /me }}
    respond: {{ body: \"${{claims.sub}} ${{claims.level}}\" }}
    policies: {{ auth: {{ any_of: [users], scopes: [a, b], claims: {{ role: [admin] }} }} }}
"
    ))
}

const SHARED: &str = "algorithms: [HS256], secret: \"${secret.PORTICO_TEST_TOKEN}\"";
const WISHES: [&str; 10] =
    ["token", "--sub", "alice", "--scope", "a", "--scope", "b", "--claim", "role=[\"admin\"]", "--claim=level=3"];

fn me(server: &Server, token: &str) -> (u16, String) {
    let answer = server.address.send("GET", "/me", &[("authorization", &format!("Bearer {}", token.trim_end()))]);
    (answer.status, answer.body)
}

#[test]
fn a_shared_secret_signs() {
    let folder = gateway(SHARED);
    let (code, stdout, stderr) = run(&folder.0, &WISHES);
    assert_eq!((code, &*stdout), (2, ""), "without a secret");
    assert!(stderr.contains("PORTICO_TEST_TOKEN") && stderr.contains("dev.env"), "{stderr}");
    folder.write("dev.env", "PORTICO_TEST_TOKEN=short\n");
    assert!(run(&folder.0, &WISHES).2.contains("32"));

    folder.write("dev.env", "PORTICO_TEST_TOKEN=0123456789abcdef0123456789abcdef\n");
    let server = Server::start(&mut portico(&folder.0, &["--listen", "127.0.0.1:0"]));
    let (code, token, stderr) = run(&folder.0, &WISHES);
    assert_eq!((code, token.lines().count(), &*stderr), (0, 1, ""));
    assert_eq!(me(&server, &token), (200, "alice 3".to_owned()));
    for (more, code) in [
        (&["--aud", "two"][..], None),
        (&["--aud", "three"], Some("token_audience")),
        (&["--iss", "https://other.example/"], Some("token_issuer")),
        (&["--expires", "0s"], Some("token_expired")),
        (&["--claim", "nbf=99999999999"], Some("token_not_yet_valid")),
        (&["--claim", "scope=a"], Some("scope_missing")),
        (&["--claim", "role=guest"], Some("claim_refused")),
    ] {
        let (_, token, _) = run(&folder.0, &[&WISHES[..], more].concat());
        let (status, body) = me(&server, &token);
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        assert_eq!((status == 200, problem["code"].as_str()), (code.is_none(), code), "{more:?}");
    }
}

#[test]
fn keys_of_ones_own_sign() {
    for (name, algorithm) in
        [("ES256", &PKCS_ECDSA_P256_SHA256), ("ES384", &PKCS_ECDSA_P384_SHA384), ("EdDSA", &PKCS_ED25519)]
    {
        let folder = gateway(&format!("algorithms: [{name}], jwks: keys.json"));
        let key = key(&folder, algorithm);
        let server = Server::start(&mut portico(&folder.0, &["--listen", "127.0.0.1:0"]));
        let (code, token, stderr) = run(&folder.0, &[&WISHES[..], &["--identity", "users", "--key", &key]].concat());
        assert_eq!(code, 0, "{name}: {stderr}");
        assert_eq!(me(&server, &token), (200, "alice 3".to_owned()), "{name}");
        let (_, token, _) =
            run(&folder.0, &[&WISHES[..], &["--identity", "users", "--key", &key, "--kid", "k1"]].concat());
        assert_eq!(me(&server, &token).0, 200, "{name} by its id");
        let (code, _, stderr) = run(&folder.0, &WISHES);
        assert!(code == 2 && stderr.contains("--identity"), "{stderr}");
        let (code, _, stderr) = run(&folder.0, &[&WISHES[..], &["--identity", "users"]].concat());
        assert!(code == 2 && stderr.contains("--key FILE"), "{stderr}");
    }
}

/// Writes a new key: the private half to `own.pem`, the public one to `keys.json`.
pub(crate) fn key(folder: &Folder, algorithm: &'static SignatureAlgorithm) -> String {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    let public = pair.der_bytes();
    let text = Base64UrlUnpadded::encode_string;
    let jwk = match public.len() {
        32 => json!({ "kid": "k1", "kty": "OKP", "crv": "Ed25519", "x": text(public) }),
        length => {
            let (x, y) = public[1..].split_at(length / 2);
            let curve = if length == 65 { "P-256" } else { "P-384" };
            json!({ "kid": "k1", "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
        }
    };
    folder.write("keys.json", &json!({ "keys": [jwk] }).to_string());
    folder.write("own.pem", &pair.serialize_pem()).to_str().unwrap().to_owned()
}
