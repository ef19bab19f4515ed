//! Recorded callers, who prove again who they are. Of the credentials a log holds nothing, only whom they proved and why they were
//! refused: so a caller carries what the old configuration demanded and no more. Where that leaves a choice, it is what the new
//! configuration accepts, too.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use portico::sign::Signer;
use portico_core::Certificate;
use serde_json::{Map, Value, json};

use super::known_keys::{KNOWN, KnownKeys, hashes, issuers_keys, key_behind, secret_value};
use super::recorded::Logged;
use crate::diff::effective::Route;

/// Header fields that carry credentials.
pub(super) type Fields = Vec<(HeaderName, HeaderValue)>;

/// Who may call, by the old configuration.
pub(super) struct Callers {
    ways: BTreeMap<String, Way>,
    /// Claims that limits count by; no log holds them, so each consumer has one of its own.
    counted: Vec<String>,
    /// Signed tokens: one for each caller and what it is permitted.
    tokens: RefCell<HashMap<(String, String, String), HeaderValue>>,
}

/// How callers of one identity prove who they are.
enum Way {
    /// With a key in a header, by consumer.
    Key { header: HeaderName, keys: BTreeMap<String, String> },
    /// With a token.
    Token(Box<Issuer>),
    /// With a certificate of this SHA-256, by consumer; none: with any.
    Certificate(BTreeMap<String, String>),
}

impl Way {
    /// The header that carries the credentials, if one does.
    fn header(&self) -> Option<HeaderName> {
        match self {
            Self::Key { header, .. } => Some(header.clone()),
            Self::Token(_) => Some(AUTHORIZATION),
            Self::Certificate(_) => None,
        }
    }
}

/// Whoever signs the tokens of an identity.
struct Issuer {
    signer: Rc<Signer>,
    header: Value,
    /// The same in every token.
    claims: Map<String, Value>,
    /// The claim that names the consumer.
    consumer: String,
}

/// The most tokens that are remembered.
const REMEMBERED: usize = 10_000;

/// When tokens expire: in the year 2255, as late as a time can be.
const NEVER: u64 = 9_000_000_000;

impl Callers {
    /// `counted`: the claims that limits of either configuration count by.
    pub(super) fn new(known: &KnownKeys, old: &Value, new: &Value, counted: Vec<String>) -> Self {
        let identities = old.get("identities").and_then(Value::as_object).into_iter().flatten();
        let way = |(name, old): (&String, &Value)| Some((name.clone(), Way::new(name, old, new, known)?));
        Self { ways: identities.filter_map(way).collect(), counted, tokens: RefCell::default() }
    }

    /// The credentials of a recorded request, which the old configuration's `route` served, if one of it did. `now_route` is
    /// that of the new one. The error says what is not known.
    pub(super) fn credentials(
        &self,
        logged: &Logged,
        route: Option<&Route<'_>>,
        now_route: Option<&Route<'_>>,
    ) -> Result<Fields, String> {
        let Some(auth) = logged.decided("auth") else { return Ok(Fields::new()) };
        let caller = || logged.caller.as_ref().ok_or_else(|| "auth: the log does not say who called".to_owned());
        let demanded = |permits| Demands::new(permits, route, now_route);
        match auth.reason.as_str() {
            "anonymous" | "credentials_missing" | "certificate_valid" | "certificate_unknown" => Ok(Fields::new()),
            "key_valid" | "token_valid" => self.fields(caller()?, &demanded(Permits::All)),
            "claim_refused" => self.fields(caller()?, &demanded(Permits::Scopes)),
            "scope_missing" => self.fields(caller()?, &demanded(Permits::Nothing)),
            "key_unknown" => {
                let mut ways = accepted(route).filter_map(|name| self.ways.get(name));
                let header = ways.find_map(|way| match way {
                    Way::Key { header, .. } => Some(header.clone()),
                    Way::Token(_) | Way::Certificate(_) => None,
                });
                let header = header.ok_or_else(|| "auth: OLD knows no API keys there".to_owned())?;
                Ok(vec![(header, HeaderValue::from_static("a key that nobody knows"))])
            }
            "credentials_ambiguous" => {
                let header = accepted(route).find_map(|name| self.ways.get(name)?.header());
                let header = header.ok_or_else(|| "auth: OLD accepts no credentials there".to_owned())?;
                let twice = |value| (header.clone(), HeaderValue::from_static(value));
                Ok(vec![twice("Bearer one"), twice("Bearer another")])
            }
            refused if refused.starts_with("token_") => {
                Ok(vec![(AUTHORIZATION, HeaderValue::from_static("Bearer a token that nobody accepts"))])
            }
            other => Err(format!("auth: {other}")),
        }
    }

    /// The certificate of a recorded request's connection, as far as it proved somebody, or nobody that OLD knows.
    pub(super) fn certificate(&self, logged: &Logged) -> Result<Option<Certificate>, String> {
        let certificate =
            |subject: &str, sha256| Certificate::new(subject.to_owned(), String::new(), String::new(), sha256);
        let zeros = "0".repeat(64);
        match (logged.decided("auth"), &logged.caller) {
            (Some(auth), _) if auth.reason == "certificate_unknown" => Ok(certificate("", &zeros)),
            (Some(_), Some((identity, consumer))) => match self.ways.get(identity) {
                Some(Way::Certificate(any)) if any.is_empty() => Ok(certificate(consumer, &zeros)),
                Some(Way::Certificate(listed)) => match listed.get(consumer) {
                    Some(sha256) => Ok(certificate(consumer, sha256)),
                    None => Err(format!("auth: OLD has no certificate of a consumer of {identity}")),
                },
                Some(Way::Key { .. } | Way::Token(_)) | None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn fields(&self, (identity, consumer): &(String, String), demands: &Demands) -> Result<Fields, String> {
        let way = self
            .ways
            .get(identity)
            .ok_or_else(|| format!("auth: callers of {identity} cannot be recreated from OLD"))?;
        match way {
            Way::Key { header, keys } => {
                let key =
                    keys.get(consumer).ok_or_else(|| format!("auth: OLD has no key of a consumer of {identity}"))?;
                let key = HeaderValue::from_str(key).map_err(|error| error.to_string())?;
                Ok(vec![(header.clone(), key)])
            }
            Way::Token(issuer) => Ok(vec![(AUTHORIZATION, self.token(issuer, identity, consumer, demands)?)]),
            Way::Certificate(_) => Ok(Fields::new()),
        }
    }

    fn token(&self, issuer: &Issuer, identity: &str, consumer: &str, demands: &Demands) -> Result<HeaderValue, String> {
        let caller = (identity.to_owned(), consumer.to_owned(), demands.0.to_string());
        let mut tokens = self.tokens.borrow_mut();
        if let Some(token) = tokens.get(&caller) {
            return Ok(token.clone());
        }
        let token = issuer.token(consumer, demands, &self.counted)?;
        let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| error.to_string())?;
        if tokens.len() >= REMEMBERED {
            tokens.clear();
        }
        tokens.insert(caller, value.clone());
        Ok(value)
    }
}

impl Way {
    fn new(name: &str, old: &Value, new: &Value, known: &KnownKeys) -> Option<Self> {
        let now = new.get("identities").and_then(|all| all.get(name));
        if let Some(api_key) = old.get("api_key") {
            let header = api_key.get("header").and_then(Value::as_str).unwrap_or("X-API-Key");
            // a key may have gone to another consumer, or another identity
            let identities = new.get("identities").and_then(Value::as_object).into_iter().flatten();
            let consumers = identities.filter_map(|(_, now)| now.get("api_key")?.get("keys")?.as_object()).flatten();
            let kept: Vec<_> = consumers.flat_map(|(_, key)| hashes(key)).collect();
            let key = |(consumer, key): (&String, &Value)| {
                let hash = choose(&hashes(key), &kept)?;
                Some((consumer.clone(), key_behind(&hash)))
            };
            let keys = api_key.get("keys").and_then(Value::as_object).into_iter().flatten().filter_map(key).collect();
            return Some(Self::Key { header: header.parse().ok()?, keys });
        }
        if let Some(client_cert) = old.get("client_cert") {
            let certs = now.and_then(|now| now.get("client_cert")?.get("certs")?.as_object());
            let kept: Vec<_> = certs.into_iter().flatten().flat_map(|(_, cert)| hashes(cert)).collect();
            let cert = |(consumer, cert): (&String, &Value)| Some((consumer.clone(), choose(&hashes(cert), &kept)?));
            let listed = client_cert.get("certs").and_then(Value::as_object).into_iter().flatten().filter_map(cert);
            return Some(Self::Certificate(listed.collect()));
        }
        let jwt = old.get("jwt")?;
        let now = now.and_then(|now| now.get("jwt"));
        let chosen = |key| choose(&texts(jwt.get(key)), &texts(now.and_then(|now| now.get(key))));
        let claims = [("iss", chosen("issuer")), ("aud", chosen("audience"))];
        let claims = claims.into_iter().filter_map(|(claim, value)| Some((claim.to_owned(), value?.into())));
        let typ = chosen("typ").unwrap_or_else(|| "JWT".to_owned());
        let key = choose(&issuers_keys(jwt), &now.map(issuers_keys).unwrap_or_default());
        let (signer, header) = match key {
            Some(key) => (known.signer(&key)?, json!({ "alg": KNOWN.as_str(), "typ": typ, "kid": key })),
            None => {
                let secret = jwt.get("secret")?.as_str()?.strip_prefix("${secret.")?.strip_suffix('}')?;
                let signer = Signer::secret(&secret_value(secret)).ok()?;
                (Rc::new(signer), json!({ "alg": "HS256", "typ": typ }))
            }
        };
        let claims = claims.chain([("exp".to_owned(), NEVER.into())]).collect();
        let consumer = jwt.get("consumer").and_then(Value::as_str).unwrap_or("sub").to_owned();
        Some(Self::Token(Box::new(Issuer { signer, header, claims, consumer })))
    }
}

impl Issuer {
    /// A token that says who calls, and what `demands` say.
    fn token(&self, caller: &str, demands: &Demands, counted: &[String]) -> Result<String, String> {
        let counted = counted.iter().map(|claim| (claim.clone(), caller.into()));
        let mut all: Map<String, Value> = counted.collect();
        all.insert("sub".to_owned(), caller.into());
        all.extend(self.claims.clone());
        all.extend(demands.0.as_object().cloned().unwrap_or_default());
        all.insert(self.consumer.clone(), caller.into());
        self.signer.token(&self.header, &all.into())
    }
}

/// What a caller was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permits {
    Nothing,
    Scopes,
    All,
}

/// The claims that the old configuration's route demands beyond those of the identity.
struct Demands(Value);

impl Demands {
    fn new(permits: Permits, route: Option<&Route<'_>>, now_route: Option<&Route<'_>>) -> Self {
        let auth = |route: Option<&Route<'_>>| route.and_then(|route| Some(route.policies.get("auth")?.value.clone()));
        let (auth, now) = (auth(route).unwrap_or_default(), auth(now_route).unwrap_or_default());
        let mut demanded = Map::new();
        if permits != Permits::Nothing {
            demanded.insert("scope".to_owned(), texts(auth.get("scopes")).join(" ").into());
        }
        let claims = auth.get("claims").and_then(Value::as_object).into_iter().flatten();
        for (claim, permitted) in claims.filter(|_| permits == Permits::All) {
            let now = now.get("claims").and_then(|claims| claims.get(claim));
            demanded.extend(choose(&texts(Some(permitted)), &texts(now)).map(|value| (claim.clone(), value.into())));
        }
        Self(demanded.into())
    }
}

/// The identities that a route accepts.
fn accepted<'r>(route: Option<&'r Route<'_>>) -> impl Iterator<Item = &'r str> {
    let any_of = route.and_then(|route| route.policies.get("auth")?.value.get("any_of")?.as_array());
    any_of.into_iter().flatten().filter_map(Value::as_str)
}

/// A text or a list of texts.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// One of what was accepted: what is accepted now too, if there is such a one.
fn choose(old: &[String], new: &[String]) -> Option<String> {
    old.iter().find(|value| new.contains(value)).or(old.first()).cloned()
}
