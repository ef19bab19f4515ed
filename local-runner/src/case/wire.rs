//! A case file as it is written. `docs/cases.md` is its manual; these types are also the source of `portico schema --cases`, so
//! every doc comment here is read by users in their editors.

mod shapes;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;

use self::shapes::{Config, Decisions, Lines, ReasonCode, Text};

/// The JSON Schema of a case file, for editors.
pub fn schema() -> Schema {
    let mut schema = schemars::schema_for!(File);
    schema.insert("title".to_owned(), "Portico cases".into());
    schema
}

/// Derives what every wire type has.
macro_rules! wire {
    ($($item:item)*) => {
        $(
            #[derive(Debug, Clone, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields, rename_all = "snake_case")]
            $item
        )*
    };
}

wire! {
    /// Cases: what a gateway is configured with, what stands behind it, what is sent, and what must come of it. Several that share
    /// what they have in common (`cases`), or one (`steps` or `refused`).
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct File {
        /// What the file is about; shown when a case fails.
        pub(super) about: Option<String>,
        /// A place for anchors; not looked at.
        pub(super) shared: Option<Value>,
        /// The name of the only case. Default: that of the file.
        pub(super) name: Option<String>,
        /// The gateway's configuration, for every case that has none of its own.
        #[schemars(with = "Option<Config>")]
        pub(super) config: Option<Value>,
        /// The secrets that the platform has, by name; it has no others. For every case that has none of its own.
        pub(super) secrets: Option<BTreeMap<String, String>>,
        /// Tokens that steps may send, by name: `Authorization: Bearer ${token.NAME}`. For every case that has none of its own.
        pub(super) tokens: Option<BTreeMap<String, Token>>,
        /// What each upstream answers, by its name in the configuration; one that is not here answers 200 and nothing else. For
        /// every case that has none of its own.
        pub(super) upstreams: Option<BTreeMap<String, Vec<Rule>>>,
        /// What is answered at the URLs of key sets (`jwks` of an identity). One that is not here has the keys that were made for
        /// `tokens`; if there are none, nobody is there. For every case that has none
        /// of its own.
        pub(super) issuers: Option<BTreeMap<String, Vec<Rule>>>,
        /// What the key-value store holds at the beginning, by key: text, JSON, or { keys_of: [TOKEN] }. Key sets that are not here are
        /// made of the keys that were made for `tokens`. For every case that has none
        /// of its own.
        pub(super) values: Option<BTreeMap<String, Value>>,
        /// Who connects, for every case that does not say it itself.
        pub(super) peer: Option<Peer>,
        /// What a subject must be able to do for all the cases.
        pub(super) needs: Vec<Need>,
        /// The steps of the only case.
        #[schemars(with = "Option<Vec<Step>>")]
        pub(super) steps: Option<Vec<Value>>,
        /// The only case is a configuration that must be refused, with exactly these errors.
        pub(super) refused: Option<Vec<Refused>>,
        /// The cases.
        #[schemars(with = "Vec<Case>")]
        pub(super) cases: Vec<Value>,
    }

    /// One of several cases. What it does not say itself it has from its file.
    #[derive(Default)]
    pub(super) struct Case {
        /// The behaviour, as a sentence. Unique in its file.
        pub(super) name: String,
        /// Why it is so, and where that is written; shown when the case fails.
        pub(super) about: Option<String>,
        /// The gateway's configuration.
        #[schemars(with = "Option<Config>")]
        pub(super) config: Option<Value>,
        /// The secrets that the platform has, by name; it has no others.
        pub(super) secrets: Option<BTreeMap<String, String>>,
        /// Tokens that steps may send, by name: `Authorization: Bearer ${token.NAME}`.
        pub(super) tokens: Option<BTreeMap<String, Token>>,
        /// What each upstream answers, by its name in the configuration; one that is not here answers 200 and nothing else.
        pub(super) upstreams: Option<BTreeMap<String, Vec<Rule>>>,
        /// What is answered at the URLs of key sets (`jwks` of an identity). One that is not here has the keys that were made for
        /// `tokens`; if there are none, nobody is there.
        pub(super) issuers: Option<BTreeMap<String, Vec<Rule>>>,
        /// What the key-value store holds at the beginning, by key: text, JSON, or { keys_of: [TOKEN] }. Key sets that are not here are
        /// made of the keys that were made for `tokens`.
        pub(super) values: Option<BTreeMap<String, Value>>,
        /// Who connects.
        pub(super) peer: Option<Peer>,
        /// What a subject must be able to do for this case.
        #[serde(default)]
        pub(super) needs: Vec<Need>,
        /// What is done, one after the other, and what must come of it.
        #[schemars(with = "Option<Vec<Step>>")]
        pub(super) steps: Option<Vec<Value>>,
        /// The configuration must be refused, with exactly these errors.
        pub(super) refused: Option<Vec<Refused>>,
    }

    /// Who connects: a client, or a proxy in front of the gateway.
    pub(super) struct Peer {
        /// Its address. Default: 127.0.0.1.
        pub(super) address: Option<String>,
        /// Whether the connection is encrypted. Default: false.
        #[serde(default)]
        pub(super) secure: bool,
        /// The country that the platform knows for the address: ISO 3166-1 alpha-2, such as DE. Default: unknown.
        pub(super) country: Option<String>,
        /// The number of the autonomous system that the platform knows for the address. Default: unknown.
        pub(super) asn: Option<u32>,
        /// The TLS client certificate that the platform verified; needs `secure`. Default: none.
        pub(super) certificate: Option<Certificate>,
    }

    /// A TLS client certificate, as the platform tells of it.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Certificate {
        /// The distinguished name of its subject, such as `CN=device-7,O=Example`. Default: empty.
        pub(super) subject: String,
        /// The distinguished name of its issuer. Default: empty.
        pub(super) issuer: String,
        /// Its serial number, in hex. Default: empty.
        pub(super) serial: String,
        /// Its SHA-256: 64 hex digits. Default: all zeros.
        pub(super) sha256: Option<String>,
    }

    /// What not every subject can do.
    #[derive(Copy)]
    pub(super) enum Need {
        /// Time that stands still between steps: what is expected depends on it.
        Clock,
        /// A platform that knows countries, autonomous systems and certificates of clients. A case whose `peer` has one needs it
        /// anyhow.
        Client,
    }

    /// A token, signed when the case begins.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Token {
        /// The JWT identity of the configuration that is to take it. Default: the only one.
        pub(super) identity: Option<String>,
        /// What it says. Unless said here, `iss` and `aud` are the first that the identity accepts, and `iat` and `exp` follow
        /// from `age` and `expires_in`; null leaves a claim out.
        pub(super) claims: BTreeMap<String, Value>,
        /// How long it is valid, from when it was issued. Default: 1h.
        pub(super) expires_in: Option<String>,
        /// How long ago it was issued when the case begins. Default: 0s.
        pub(super) age: Option<String>,
        /// HS256, RS256, PS256, ES256, ES384 or EdDSA. Default: one that the identity accepts.
        pub(super) algorithm: Option<String>,
        /// The PEM file of the private key that signs, relative to this file. Default, except for HS256: a key that is made for
        /// the case, and whose public half takes the place of the identity's `jwks`.
        pub(super) key: Option<String>,
        /// The header's `kid`. Tokens with different ones have different keys. Default: none.
        pub(super) kid: Option<String>,
        /// `forged`: the signature is not that of this token. Default: valid.
        pub(super) signature: Signature,
    }

    /// Whether a token's signature is its own.
    #[derive(Copy, Default)]
    pub(super) enum Signature {
        /// It is.
        #[default]
        Valid,
        /// It is that of something else.
        Forged,
    }

    /// What an upstream does with a request: either `respond` or `fail`. The first rule that matches a request answers it.
    pub(super) struct Rule {
        /// What the request must be like. Default: anything.
        #[serde(default)]
        pub(super) when: When,
        /// How many requests it answers; then the next rule does. Default: all.
        #[schemars(range(min = 1))]
        pub(super) times: Option<u32>,
        /// A response.
        pub(super) respond: Option<Respond>,
        /// No response.
        pub(super) fail: Option<Fault>,
    }

    /// What a request must be like; what is not named may be anything.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct When {
        /// The method.
        pub(super) method: Option<String>,
        /// The path as sent.
        pub(super) path: Option<String>,
        /// The query as sent, without the question mark; empty for none.
        pub(super) query: Option<String>,
        /// Header fields; `"*"` is any value.
        pub(super) headers: BTreeMap<String, String>,
    }

    /// An upstream's response. At most one of `json`, `body`, `chunks` and `keys_of`.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Respond {
        /// The status. Default: 200.
        #[schemars(range(min = 100, max = 999))]
        pub(super) status: Option<u16>,
        /// Header fields: a text, or a list of texts for several lines.
        #[schemars(with = "BTreeMap<String, Lines>")]
        pub(super) headers: BTreeMap<String, Value>,
        /// A body as JSON; `Content-Type` is application/json unless `headers` has one.
        pub(super) json: Option<Value>,
        /// A body as text.
        pub(super) body: Option<String>,
        /// A body in parts, sent without its length.
        pub(super) chunks: Option<Vec<String>>,
        /// The JWK Set of the public keys of these `tokens`.
        pub(super) keys_of: Option<Vec<String>>,
        /// How late it comes; the clock moves on. Later than the upstream's timeout is no response in time.
        pub(super) delay: Option<String>,
        /// After how many bytes of the body the connection breaks.
        pub(super) break_after: Option<usize>,
    }

    /// How there is no response.
    #[derive(Copy)]
    pub(super) enum Fault {
        /// No connection comes about. The only rule of its upstream: what is not there reads no requests.
        ConnectError,
        /// The request is read and never answered.
        Timeout,
        /// The request is read and the connection ends.
        Reset,
    }

    /// An error that a configuration must be refused with.
    pub(super) struct Refused {
        /// Where, as in reports: `routes[0].match.path`.
        pub(super) at: String,
        /// A part of the message.
        pub(super) says: String,
    }

    /// What is done: `send` with `expect`, or `advance`, or `store`, or `values`.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Step {
        /// A note for readers; not looked at.
        pub(super) about: Option<String>,
        /// Sends a request.
        pub(super) send: Option<Send>,
        /// What must come of it.
        pub(super) expect: Option<Expect>,
        /// How often it is sent; each answer must be as expected. Default: once.
        #[schemars(range(min = 1))]
        pub(super) repeat: Option<u32>,
        /// Moves the clock on, such as 30s.
        pub(super) advance: Option<String>,
        /// What becomes of the steps of the stores, of rate limits and of values, from now on.
        pub(super) store: Option<Store>,
        /// Changes what the key-value store holds; `null` takes a value away.
        pub(super) values: Option<BTreeMap<String, Value>>,
    }

    /// The state of the stores, of rate limits and of values.
    #[derive(Copy)]
    pub(super) enum Store {
        /// Their steps are taken, once each.
        Up,
        /// Their steps are refused, and nothing is changed.
        Down,
        /// Their steps are taken, and their answers get lost.
        LostResponse,
        /// Those of rate limits are taken twice each.
        Duplicate,
        /// Those of rate limits are decided on the state before the last; values are read as they were before they were last written.
        StaleRead,
    }

    /// A request. At most one of `json`, `body`, `chunks` and `body_bytes`.
    pub(super) struct Send {
        /// The method. Default: GET.
        pub(super) method: Option<String>,
        /// Path and query are sent exactly as written, the host as `Host`; the scheme does not matter, see `peer`.
        pub(super) url: String,
        /// The request target, if it is to be another than the URL's path and query.
        pub(super) target: Option<String>,
        /// Header fields: a text, or a list of texts for several lines. `${token.NAME}` is a token of `tokens`. `Host: []` sends no
        /// Host.
        #[serde(default)]
        #[schemars(with = "BTreeMap<String, Lines>")]
        pub(super) headers: BTreeMap<String, Value>,
        /// A body as JSON; `Content-Type` is application/json unless `headers` has one.
        pub(super) json: Option<Value>,
        /// A body as text.
        pub(super) body: Option<String>,
        /// A body in parts, sent without its length.
        pub(super) chunks: Option<Vec<String>>,
        /// A body of this many bytes, where only its size matters.
        pub(super) body_bytes: Option<usize>,
    }

    /// What must come of a request. What is not named is not looked at.
    pub(super) struct Expect {
        /// The response's status.
        #[schemars(range(min = 100, max = 999))]
        pub(super) status: u16,
        /// The response is the problem document of this reason code, with the type and title that go with it.
        #[schemars(with = "Option<ReasonCode>")]
        pub(super) problem: Option<String>,
        /// Whether the body breaks off before its end. Default: false.
        #[serde(default)]
        pub(super) breaks: bool,
        /// Header fields of the response.
        #[serde(default)]
        #[schemars(with = "BTreeMap<String, Text>")]
        pub(super) headers: BTreeMap<String, Value>,
        /// The body as JSON: objects may have more members than named, lists may not.
        pub(super) json: Option<Value>,
        /// The body as text.
        #[schemars(with = "Option<Text>")]
        pub(super) body: Option<Value>,
        /// All requests that reached each upstream in this step. Upstreams that are not named got none: `{}` is none at all.
        pub(super) upstream: Option<BTreeMap<String, Vec<Seen>>>,
        /// What policies decided, by name: `OUTCOME` or `OUTCOME REASON_CODE`, where the outcome is allow, deny, would_deny or
        /// respond; `none`: it decided nothing.
        #[serde(default)]
        #[schemars(with = "Decisions")]
        pub(super) decisions: BTreeMap<String, String>,
    }

    /// A request as an upstream must see it. What is not named is not looked at.
    #[derive(Default)]
    #[serde(default)]
    pub(super) struct Seen {
        /// The method.
        pub(super) method: Option<String>,
        /// The path as sent.
        pub(super) path: Option<String>,
        /// The query as sent, without the question mark; empty for none.
        pub(super) query: Option<String>,
        /// Header fields. `Host` is the target's, as the configuration calls it.
        #[schemars(with = "BTreeMap<String, Text>")]
        pub(super) headers: BTreeMap<String, Value>,
        /// The body as JSON: objects may have more members than named, lists may not.
        pub(super) json: Option<Value>,
        /// The body as text.
        #[schemars(with = "Option<Text>")]
        pub(super) body: Option<Value>,
        /// The body's size.
        pub(super) body_bytes: Option<usize>,
    }
}
