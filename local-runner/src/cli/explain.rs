//! `portico explain`: what becomes of a request, step by step, and why.

use std::io::stdout;
use std::path::Path;

use clap::ValueEnum;
use http::StatusCode;
use portico_core::debug::X_PORTICO_DEBUG;
use serde_json::Value;

use super::{ConfigOption, Failure, note, print, runtime};
use crate::configuration::Configuration;
use crate::explain::client::Client;
use crate::explain::curl::{Curl, Wrong};
use crate::explain::{Setting, Silence, human, json, live, simulate};
use crate::log::{self, Readable, plain};

/// What `portico explain` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing is sent: the real engine decides the request on a simulated platform, with the secrets of the environment and of
dev.env beside the configuration, the clock of this machine, rate limits that were never drawn from, and upstreams that
all answer. Values of secrets are shown as ${secret.NAME}, credentials by their length.

A command line for curl can be pasted: -i -s -S -v -k -L -N -f -o -m --compressed and --path-as-is are accepted and change
nothing. Unlike curl, nothing is sent along by itself but Host and what belongs to the body, and the path stays as it is.

Examples:
  portico explain /orders/7
  portico explain https://api.example.com/orders -H 'X-API-Key: demo-key-acme' --from 198.51.100.7
  portico explain https://api.example.com/orders --country DE --certificate 'subject=CN=device-7,O=Example'
  portico explain -X OPTIONS /orders/7 -H 'Origin: https://shop.example' -H 'Access-Control-Request-Method: GET'
  portico explain --format json /orders/7 | jq '.steps[] | select(.outcome == \"deny\")'
  portico explain --live https://api.example.com/orders/7
  curl -si -H \"$(portico explain --sign https://api.example.com/orders/7)\" https://api.example.com/orders/7

Exit codes: 0 it is explained, whatever was decided; 1 the gateway that --live asked told nothing; 2 the command line or
the configuration is wrong.")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    curl: Curl,
    #[command(flatten)]
    client: Client,
    /// What every upstream answers
    #[arg(long, value_name = "STATUS", default_value = "200", value_parser = status)]
    status: StatusCode,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Send the request, signed with the secret of the configuration's `debug`, and show what the gateway tells
    #[arg(long, conflicts_with_all = ["from", "country", "asn", "certificate", "status"])]
    live: bool,
    /// Only sign the request: print the header that asks the gateway for its trace
    #[arg(long, conflicts_with_all = ["live", "from", "country", "asn", "certificate", "status", "format"])]
    sign: bool,
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One object, for tools.
    Json,
}

fn status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.filter(|status| matches!(status.as_u16(), 200..600)).ok_or_else(|| "expected 200 to 599".to_owned())
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let (read, secrets) = options.config.read_for_development()?;
    let remote = options.live || options.sign;
    let host = (!remote).then(|| host(&read.document).unwrap_or_else(|| "localhost".to_owned()));
    let asked = options.curl.asked(host.as_deref()).map_err(usage)?;
    if options.sign {
        let signed = live::sign(&read.gateway, &secrets, &asked).map_err(usage)?;
        return print(&format!("{X_PORTICO_DEBUG}: {signed}\n"));
    }
    let sources = read.report.sources();
    let told = if options.live {
        let told = runtime(Some(1))?.block_on(live::send(&read.gateway, &read.document, sources, &secrets, asked));
        told.map_err(|silence| match silence {
            Silence::Wrong(wrong) => usage(wrong),
            Silence::Failed((message, help)) => Failure::runtime(message, help),
        })?
    } else {
        let Configuration { gateway, document, .. } = &read;
        let peer = &options.client.peer(asked.secure);
        let setting = Setting { gateway, document, sources, secrets: &secrets, peer, status: options.status };
        simulate(&setting, asked)
    };
    if !told.is_of(&read.gateway) {
        note(&format!("{}\n", another(&options.config.path, told.config(), &read.gateway.hash().to_string())));
    }
    match options.format {
        Format::Human => print(&human(&told, Readable { colour: log::colour(&stdout()) })),
        Format::Json => print(&json(&told)),
    }
}

fn another(path: &Path, there: &str, here: &str) -> String {
    let short = |hash: &str| plain(&hash.chars().take(12).collect::<String>());
    format!(
        "the gateway runs another configuration ({}) than {} ({}): its places have no lines here",
        short(there),
        path.display(),
        short(here)
    )
}

fn usage((message, help): Wrong) -> Failure {
    Failure::usage(message, help)
}

/// The host that every route names, if it is one and the same.
fn host(document: &Value) -> Option<String> {
    let routes = document.get("routes").and_then(Value::as_array).into_iter().flatten();
    let mut hosts = routes.map(|route| route.get("match")?.get("host")?.as_str());
    let first = hosts.next()?.filter(|host| !host.contains('*'))?;
    hosts.all(|host| host == Some(first)).then(|| first.to_owned())
}
