//! `portico key`: a new API key, and how the gateway comes to know it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portico_core::config::units;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Map, Value};

use super::{Failure, note, print};

/// What `portico key` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The key itself goes to stdout, once: nobody can read it from its record. The record and the command that stores it go to
stderr. Taking the record away revokes the key. The configuration needs `api_key: { store: {} }`.

Examples:
  portico key acme --scope orders:read
  portico key acme --expires 90d --values ./values > acme.key
  portico key acme --target cloudflare > acme.key

Exit codes: 0 there is a key; 1 there is no randomness; 2 the command line is wrong.")]
pub(super) struct Options {
    /// Who is to call with it: the consumer
    #[arg(value_name = "NAME", value_parser = consumer)]
    consumer: String,
    /// A scope that it carries; may be given more than once
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// How long it is good [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    expires: Option<Duration>,
    /// What begins the key, so that people and scanners know what they have found
    #[arg(long, value_name = "TEXT", default_value = "pk_", value_parser = prefix)]
    prefix: String,
    /// Where the record is stored: a file of the native server's store, or Workers KV
    #[arg(long, value_enum, default_value_t = Target::Native)]
    target: Target,
    /// The directory of the native server's store [default: values]
    #[arg(long, value_name = "DIR")]
    values: Option<String>,
}

/// The stores that the command knows.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Target {
    /// `portico serve --values DIR`
    Native,
    /// Workers KV
    Cloudflare,
}

fn consumer(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("a consumer needs a name") } else { Ok(text.to_owned()) }
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain { Ok(text.to_owned()) } else { Err("letters, digits, `_` and `-`") }
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let place = Place::new(options)?;
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Failure::runtime("the system has no randomness", "look at /dev/urandom"))?;
    let key = format!("{}{}", options.prefix, Base64UrlUnpadded::encode_string(&random));
    let hash: String = digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let record = record(options, now).to_string();
    note(&format!(
        "record of {}:\n  {record}\nstore it:\n  {}\n",
        options.consumer,
        place.command(&format!("keys/{hash}"), &quoted(&record))
    ));
    print(&format!("{key}\n"))
}

fn record(options: &Options, now: u64) -> Value {
    let mut record = Map::new();
    record.insert("consumer".to_owned(), options.consumer.as_str().into());
    if !options.scope.is_empty() {
        record.insert("scopes".to_owned(), options.scope.clone().into());
    }
    if let Some(expires) = options.expires {
        record.insert("not_after".to_owned(), now.saturating_add(expires.as_secs()).into());
    }
    record.into()
}

/// Where the record goes.
enum Place<'o> {
    /// Into this directory.
    Directory(&'o str),
    /// Into Workers KV.
    Kv,
}

impl<'o> Place<'o> {
    fn new(options: &'o Options) -> Result<Self, Failure> {
        match (options.target, &options.values) {
            (Target::Native, values) => Ok(Self::Directory(values.as_deref().unwrap_or("values"))),
            (Target::Cloudflare, None) => Ok(Self::Kv),
            (Target::Cloudflare, Some(_)) => Err(Failure::usage(
                "--values is the directory of the native server's store, and --target cloudflare has none",
                "leave out one of them",
            )),
        }
    }

    /// What a shell runs to store the record. A file is written beside its place and moved there: a server may read it any moment.
    fn command(&self, name: &str, record: &str) -> String {
        match self {
            Self::Directory(values) => {
                let (directory, path) = (quoted(&format!("{values}/keys")), quoted(&format!("{values}/{name}")));
                let beside = quoted(&format!("{values}/keys/.new"));
                format!("mkdir -p {directory} && printf %s {record} > {beside} && mv {beside} {path}")
            }
            Self::Kv => format!("npx wrangler kv key put --remote --binding PORTICO {} {record}", quoted(name)),
        }
    }
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_read_back_what_was_quoted() {
        for text in ["plain", "o'neill", "a b", "$HOME `id` \"x\" \\", "", "''"] {
            let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(text))]).output();
            assert_eq!(output.unwrap().stdout, text.as_bytes());
        }
    }
}
