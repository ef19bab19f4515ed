//! `portico key`: a new API key, and how the gateway comes to know it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portico_core::config::units;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Map, Value, json};

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
  portico key acme --target lambda --table portico-Table-1ABC > acme.key

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
    /// Where the record is stored: a file of the native server's store, Workers KV, or a DynamoDB table
    #[arg(long, value_enum, default_value_t = Target::Native)]
    target: Target,
    /// The directory of the native server's store [default: values]
    #[arg(long, value_name = "DIR")]
    values: Option<String>,
    /// The DynamoDB table of --target lambda: the stack's output `Table`
    #[arg(long, value_name = "NAME", value_parser = table)]
    table: Option<String>,
}

/// The stores that the command knows.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Target {
    /// `portico serve --values DIR`
    Native,
    /// Workers KV
    Cloudflare,
    /// A DynamoDB table
    Lambda,
}

fn consumer(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("a consumer needs a name") } else { Ok(text.to_owned()) }
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain { Ok(text.to_owned()) } else { Err("letters, digits, `_` and `-`") }
}

/// Nothing else is a name of DynamoDB's, and one that begins with a hyphen would be an option.
fn table(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let named = plain && !text.is_empty() && !text.starts_with('-');
    if named { Ok(text.to_owned()) } else { Err("letters, digits, `_`, `-` and `.`") }
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
        place.command(&format!("keys/{hash}"), &record)
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
    /// Into this DynamoDB table.
    Table(&'o str),
}

impl<'o> Place<'o> {
    fn new(options: &'o Options) -> Result<Self, Failure> {
        let wrong = |problem, help| Err(Failure::usage(problem, help));
        match (options.target, options.values.as_deref(), options.table.as_deref()) {
            (Target::Native, values, None) => Ok(Self::Directory(values.unwrap_or("values"))),
            (Target::Cloudflare, None, None) => Ok(Self::Kv),
            (Target::Lambda, None, Some(table)) => Ok(Self::Table(table)),
            (Target::Lambda, None, None) => wrong(
                "--target lambda stores keys in a table",
                "name it with --table: it is the stack's output `Table`",
            ),
            (Target::Cloudflare | Target::Lambda, Some(_), _) => wrong(
                "--values is the directory of the native server's store",
                "leave it out, or make it --target native",
            ),
            (Target::Native | Target::Cloudflare, _, Some(_)) => {
                wrong("--table is the table of --target lambda", "leave it out, or make it --target lambda")
            }
        }
    }

    /// What a shell runs to store the record. A file is written beside its place and moved there: a server may read it any moment.
    fn command(&self, name: &str, record: &str) -> String {
        match self {
            Self::Directory(values) => {
                let (directory, path) = (quoted(&format!("{values}/keys")), quoted(&format!("{values}/{name}")));
                let (beside, record) = (quoted(&format!("{values}/keys/.new")), quoted(record));
                format!("mkdir -p {directory} && printf %s {record} > {beside} && mv {beside} {path}")
            }
            Self::Kv => {
                format!("npx wrangler kv key put --remote --binding PORTICO {} {}", quoted(name), quoted(record))
            }
            Self::Table(table) => {
                let item = json!({ "id": { "S": name }, "value": { "S": record } }).to_string();
                format!("aws dynamodb put-item --table-name {} --item {}", quoted(table), quoted(&item))
            }
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
