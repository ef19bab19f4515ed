//! `portico serve`: serves others.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use portico::cache::folder::Folder;
use portico::config::Report;
use portico::platform::{NativePlatform, Settings};
use portico::server::{self, Ended, Listener};
use portico::state::Redis;
use portico::tls;
use portico::values::Values;
use portico_core::Platform as _;
use portico_core::config::{Severity, units};

use super::{ConfigOption, Failure, dev, listen};
use crate::cache_option::{self, CacheOption};
use crate::configuration::{self, Configuration, Purpose};
use crate::log::{self, Lines};
use crate::reload::{Reloaded, Reloader};
use crate::secrets::Secrets;
use crate::signals::{End, Reload};
use crate::store::{self, StoreOption};

/// What `portico serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The access log goes to stdout, one JSON object a line; everything else goes to stderr, as JSON too.
Secrets come from environment variables of their names; dev.env is never read.
Limits are counted in memory, or together with other nodes in the Redis that `state` names.
Cached responses are in memory; with `store: shared` also in --cache-dir, or in that Redis.
SIGHUP reloads the configuration; SIGTERM and SIGINT let open requests end, a second one does not wait for them.

Examples:
  portico serve --listen 0.0.0.0:8080
  portico serve --config gateway.json --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// The address and port to listen on; may be given more than once
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = listen::parse)]
    listen: Vec<SocketAddr>,
    /// The certificate chain, PEM, the server's own first: all addresses then speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    store: StoreOption,
    #[command(flatten)]
    cache: CacheOption,
    /// Threads that serve requests [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// How long open requests, streams and WebSockets may go on after SIGTERM
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = units::duration)]
    drain: Duration,
}

/// Runs the command.
pub(super) fn run(options: Options) -> Result<(), Failure> {
    let secrets = Secrets::environment();
    let values = super::values(&options.store)?;
    let configuration = configuration::read(&options.config.path, Purpose::Serve, &secrets)
        .and_then(|read| store::provided(read, values.as_ref(), Purpose::Serve))
        .map_err(|refused| Failure::configuration(&refused.report))?;
    let redis = configuration.gateway.redis().map(|name| redis(name, &secrets)).transpose()?;
    let folder = super::cache_folder(&options.cache)?;
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(certificates), Some(key)) => {
            let help = "--tls-cert takes the PEM file of the certificate chain, --tls-key that of its private key";
            Some(Arc::new(tls::server(certificates, key).map_err(|error| Failure::usage(error, help))?))
        }
        _ => None,
    };
    let runtime = super::runtime(options.workers.map(usize::from))?;
    let (access, access_writer) = Lines::to(io::stdout(), "stdout").map_err(not_started)?;
    let (messages, messages_writer) = Lines::to(io::stderr(), "stderr").map_err(not_started)?;
    log::messages_as_json(messages);
    let done = runtime.block_on(serve(options, tls, secrets, Stores { values, redis, folder }, configuration, access));
    log::finish([access_writer, messages_writer]);
    done
}

/// Where values, limits and cached responses are.
struct Stores {
    values: Option<Values>,
    redis: Option<Redis>,
    folder: Option<Folder>,
}

/// The Redis whose address is the secret of this name.
fn redis(name: &str, secrets: &Secrets) -> Result<Redis, Failure> {
    let help = format!(
        "set the environment variable {name} to an address such as redis://redis.internal:6379, or \
         rediss://USER:PASSWORD@redis.internal:6380/1 for TLS, a user and another database"
    );
    let Some(address) = secrets.get(name) else {
        return Err(Failure::usage(
            format_args!("`state` counts in the Redis whose address is the secret {name}, and there is none"),
            help,
        ));
    };
    Redis::new(&address, || tls::native_roots().0)
        .map_err(|error| Failure::usage(format_args!("the secret {name}: {error}"), help))
}

async fn serve(
    options: Options,
    tls: Option<Arc<rustls::ServerConfig>>,
    secrets: Secrets,
    Stores { values, redis, folder }: Stores,
    configuration: Configuration,
    access: Lines,
) -> Result<(), Failure> {
    let mut end = End::new().map_err(not_started)?;
    let mut hangup = Reload::new().map_err(not_started)?;
    let (roots, problems) = tls::native_roots();
    let redis = redis.map(Arc::new);
    let shares = redis.is_some() || folder.is_some();
    let settings = Settings {
        roots,
        values: values.clone(),
        cache_size: options.cache.cache_size,
        cache_folder: folder,
        redis: redis.clone(),
        ..Settings::default()
    };
    let platform = NativePlatform::new(settings).map_err(not_started)?;
    let platform = Arc::new(platform);
    let Configuration { gateway, document, report, .. } = configuration;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for address in &options.listen {
        let (tcp, address) = listen::bind(*address).await?;
        listeners.push(Listener { tcp, tls: tls.clone() });
        addresses.push(address);
    }

    tell(&report);
    if dev::uses_https(&document) {
        problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    }
    let (name, config, routes) = (gateway.name(), gateway.hash().to_string(), gateway.routes().count());
    tracing::info!(version = portico_core::VERSION, name, config, routes, "starting");
    for address in addresses {
        tracing::info!("listening on {scheme}://{address}");
    }
    if !shares && cache_option::is_shared(&document) {
        let help = "name a Redis in `state`, or start the server with --cache-dir DIR; or let `store` be `local`";
        tracing::warn!(help, "`store: shared` has no place here: cached responses are in this process's memory only");
    }

    if let Some(redis) = redis {
        // who asks meanwhile waits for the same connection; without one the server serves all the same
        tokio::spawn(async move { redis.greet().await });
    }

    let current = Arc::new(ArcSwap::from_pointee(gateway));
    let path = options.config.path;
    let reloader = Reloader { path, purpose: Purpose::Serve, secrets, values, current: Arc::clone(&current) };
    let reloader = Arc::new(reloader);
    let reloading = tokio::spawn(async move {
        loop {
            hangup.next().await;
            let reloader = Arc::clone(&reloader);
            // reading files blocks, and no request may wait for that
            drop(tokio::task::spawn_blocking(move || tell_reload(reloader.reload().0)).await);
        }
    });

    let clock = Arc::clone(&platform);
    let on_after = move |after: portico_core::After<_>| access.send(after.record.to_json(clock.now()) + "\n");
    let server_options = server::Options { drain: options.drain, ..server::Options::default() };
    let (ending, ended) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async {
        // disconnected: the select below is over, and with it all of this
        drop(ended.await);
    };
    let mut serving = std::pin::pin!(server::serve(listeners, current, platform, server_options, on_after, shutdown));
    let signal = tokio::select! {
        _ = &mut serving => return Ok(()),
        signal = end.next() => signal,
    };
    reloading.abort();
    tracing::info!(
        signal,
        drain_seconds = options.drain.as_secs_f64(),
        "ending: no new connections, open requests may end"
    );
    _ = ending.send(());
    tokio::select! {
        ended = &mut serving => match ended {
            Ended::Drained => tracing::info!("ended: every request was answered"),
            Ended::CutOff => tracing::warn!("ended: what took longer than the time to drain was cut off"),
        },
        signal = end.next() => tracing::warn!(signal, "ended at once: asked a second time"),
    }
    Ok(())
}

/// Tells warnings and errors of a configuration, each as a message of its own.
fn tell(report: &Report) {
    for note in report.notes() {
        let place =
            note.span.and_then(|span| Some((span, report.sources().file(span.file)?.path.display().to_string())));
        let (file, line, column) = match place {
            Some((span, file)) => (Some(file), Some(span.line), Some(span.column)),
            None => (None, None, None),
        };
        let pointer = (!note.pointer.is_root()).then(|| note.pointer.to_string());
        let (code, help) = (note.code.as_str(), note.help.as_deref());
        match note.severity {
            Severity::Error => tracing::error!(code, file, line, column, pointer, help, "{}", note.message),
            Severity::Warning => tracing::warn!(code, file, line, column, pointer, help, "{}", note.message),
            Severity::Note => tracing::info!(code, file, line, column, pointer, help, "{}", note.message),
        }
    }
}

fn tell_reload(reloaded: Reloaded) {
    match reloaded {
        Reloaded::Unchanged(hash) => {
            tracing::info!(config = hash.to_string(), "the configuration means what it meant before: nothing to do");
        }
        Reloaded::Replaced { before, now, routes, report } => {
            tell(&report);
            tracing::info!(before = before.to_string(), config = now.to_string(), routes, "reloaded the configuration");
        }
        Reloaded::Refused { kept, report } => {
            tell(&report);
            let (config, summary) = (kept.to_string(), report.summary());
            tracing::error!(config, summary, "the configuration was not loaded; the one from before keeps serving");
        }
    }
}

fn not_started(error: impl std::fmt::Display) -> Failure {
    Failure::runtime(
        format_args!("the server could not be started: {error}"),
        "look at the limits of this process (ulimit -a)",
    )
}
