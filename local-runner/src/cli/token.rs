//! `portico token`: a token that the gateway accepts, for whoever develops.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portico::sign::Signer;
use portico_core::config::{units, wire};
use portico_core::jwt::Algorithm;
use serde_json::{Map, Value, json};

use super::{ConfigOption, Failure, print};
use crate::secrets::Secrets;

/// What `portico token` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For development only: real tokens come from the identity provider. HS256 tokens are signed with the identity's secret, from
the environment or from dev.env beside the configuration; all others with a private key of your own, whose public half is
in the identity's jwks. Issuer and audience are those that the configuration accepts. Only the token goes to stdout.

Examples:
  portico token --sub alice --scope orders:read
  portico token --sub alice --claim roles='[\"admin\"]' --claim level=3 --expires 5m
  portico token --identity staff --key staff.pem --kid 2026-03
  curl -H \"Authorization: Bearer $(portico token --sub alice)\" http://127.0.0.1:8080/")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// The JWT identity that is to accept it [default: the only one that HS256 signs for]
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Who calls: the claim `sub`
    #[arg(long, value_name = "NAME", default_value = "developer")]
    sub: String,
    /// A scope; may be given more than once
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The claim `aud` [default: the first that the identity accepts]
    #[arg(long, value_name = "NAME")]
    aud: Option<String>,
    /// The claim `iss` [default: the first that the identity accepts]
    #[arg(long, value_name = "URL")]
    iss: Option<String>,
    /// How long it is valid
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = units::duration)]
    expires: Duration,
    /// Another claim; its value is JSON, or else text. May be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, Value)>,
    /// The private key, PEM, for algorithms other than HS256
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The header's `kid`: which key of the identity's jwks checks it
    #[arg(long, value_name = "ID")]
    kid: Option<String>,
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let (read, secrets) = options.config.read_for_development()?;
    let (name, identity) = choose(&read.document, options.identity.as_deref())?;
    let algorithm = identity.algorithms.iter().find_map(|name| name.parse::<Algorithm>().ok());
    let algorithm = algorithm.ok_or_else(|| {
        Failure::usage(format_args!("the identity `{name}` has no algorithm"), "name one with `algorithms: [HS256]`")
    })?;
    let signer = signer(&name, &identity, algorithm, options, &secrets)?;
    let header = json!({ "alg": identity.algorithms.first(), "typ": identity.typ.0.first().map_or("JWT", |typ| typ) });
    let header = match &options.kid {
        Some(kid) => with(header, "kid", kid.as_str().into()),
        None => header,
    };
    let token = signer.token(&header, &claims(&identity, options));
    let token = token.map_err(|error| Failure::runtime(error, "try another key"))?;
    print(&format!("{token}\n"))
}

/// The identity of that name, or the only one that can be meant.
fn choose(document: &Value, name: Option<&str>) -> Result<(String, wire::Jwt), Failure> {
    let all = document.get("identities").and_then(Value::as_object).into_iter().flatten();
    // it compiled: each can be read
    let jwts: Vec<_> = all
        .filter_map(|(name, value)| match serde_json::from_value(value.clone()) {
            Ok(wire::Identity::Jwt(jwt)) => Some((name.clone(), jwt)),
            _ => None,
        })
        .collect();
    let names: Vec<_> = jwts.iter().map(|(name, _)| name.as_str()).collect();
    let known = match names.as_slice() {
        [] => "the configuration has no JWT identity; add one to `identities`".to_owned(),
        names => format!("JWT identities are: {}; choose one with --identity NAME", names.join(", ")),
    };
    let mut meant: Vec<_> = match name {
        Some(wanted) => jwts.into_iter().filter(|(name, _)| name == wanted).collect(),
        None => jwts.into_iter().filter(|(_, jwt)| jwt.secret.is_some()).collect(),
    };
    match (meant.pop(), meant.is_empty(), name) {
        (Some(only), true, _) => Ok(only),
        (_, _, Some(wanted)) => Err(Failure::usage(format_args!("there is no JWT identity `{wanted}`"), known)),
        (None, _, None) => Err(Failure::usage("there is no identity whose tokens a shared secret signs", known)),
        (Some(_), false, None) => Err(Failure::usage("several identities could be meant", known)),
    }
}

fn signer(
    name: &str,
    identity: &wire::Jwt,
    algorithm: Algorithm,
    options: &Options,
    secrets: &Secrets,
) -> Result<Signer, Failure> {
    let reference = identity.secret.as_deref().and_then(|secret| secret.strip_prefix("${secret.")?.strip_suffix('}'));
    match (reference, &options.key) {
        (Some(secret), None) => {
            let value = secrets.get(secret).ok_or_else(|| {
                Failure::usage(
                    format_args!("the secret {secret} of the identity `{name}` is not set"),
                    format_args!(
                        "write {secret}=… into dev.env beside the configuration, or set the environment variable"
                    ),
                )
            })?;
            Signer::secret(&value).map_err(|why| {
                Failure::usage(
                    format_args!("the secret {secret} cannot be used: {why}"),
                    "make one: openssl rand -base64 48",
                )
            })
        }
        (Some(_), Some(_)) => Err(Failure::usage(
            format_args!("the identity `{name}` signs with its secret"),
            "leave --key out, or choose another identity with --identity NAME",
        )),
        (None, Some(key)) => Signer::key(algorithm, key).map_err(|why| {
            let help = format!("--key takes the PEM file of a private key for {}", identity.algorithms.join(" or "));
            Failure::usage(format_args!("{}: {why}", key.display()), help)
        }),
        (None, None) => Err(Failure::usage(
            format_args!("the identity `{name}` checks {} with public keys", identity.algorithms.join(", ")),
            "give the private key with --key FILE (PEM); if it is the provider's, only the provider can make tokens",
        )),
    }
}

fn claims(identity: &wire::Jwt, options: &Options) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut claims = Map::new();
    let mut add = |name: &str, value: Option<Value>| drop(value.map(|value| claims.insert(name.to_owned(), value)));
    let first = |given: &Option<String>, accepted: &wire::OneOrMany| given.clone().or(accepted.0.first().cloned());
    add("iss", first(&options.iss, &identity.issuer).map(Value::from));
    add("aud", first(&options.aud, &identity.audience).map(Value::from));
    add("sub", Some(options.sub.as_str().into()));
    add("iat", Some(now.into()));
    add("exp", Some(now.saturating_add(options.expires.as_secs()).into()));
    add("scope", (!options.scope.is_empty()).then(|| options.scope.join(" ").into()));
    for (name, value) in &options.claim {
        add(name, Some(value.clone()));
    }
    claims.into()
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
    object
}
