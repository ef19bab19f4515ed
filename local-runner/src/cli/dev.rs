//! `portico dev`: serves while somebody works on the configuration.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use portico::config::Style;
use portico::demo;
use portico::platform::{NativePlatform, Settings};
use portico::server::{self, Listener};
use portico::tls;
use portico_core::forward::BINDING;
use portico_core::{HEALTH_PATH, Platform as _};

use super::{ConfigOption, Failure, listen, routes};
use crate::cache_option::CacheOption;
use crate::configuration::{self, Configuration, Purpose, targets_of};
use crate::log::{self, Lines, Readable};
use crate::reload::{Reloaded, Reloader};
use crate::secrets::{self, Secrets};
use crate::signals::End;
use crate::store::{self, StoreOption};
use crate::watch::{self, Look};

/// What `portico dev` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Secrets come from environment variables of their names, or from dev.env (lines of KEY=VALUE) beside the configuration.
Targets like demo://echo are answered by portico itself: echo, orders, slow, failing, sse; and binding://NAME like echo.

Examples:
  portico dev
  portico dev --config shop/gateway.yaml --listen 127.0.0.1:8081
  portico dev --listen 127.0.0.1:0          any free port; it is printed as `listening on http://127.0.0.1:PORT`")]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// The address and port to listen on
    #[arg(short, long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = listen::parse)]
    pub(super) listen: SocketAddr,
    #[command(flatten)]
    store: StoreOption,
    #[command(flatten)]
    cache: CacheOption,
}

/// Who develops does not want to wait for open streams when the server is stopped.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the command.
pub(super) fn run(options: Options) -> Result<(), Failure> {
    let path = options.config.path;
    let help = "it holds lines of KEY=VALUE, see docs/command-line.md";
    let secrets = Secrets::beside(&path).map_err(|error| Failure::usage(error, help))?;
    let values = super::values(&options.store)?;
    let configuration = configuration::read(&path, Purpose::Develop, &secrets)
        .and_then(|read| store::provided(read, values.as_ref(), Purpose::Develop))
        .map_err(|refused| Failure::configuration(&refused.report))?;
    let settings = Settings {
        secrets: secrets.file.clone(),
        values,
        cache_size: options.cache.cache_size,
        cache_folder: super::cache_folder(&options.cache)?,
        demo: true,
        ..Settings::default()
    };
    let runtime = super::runtime(None)?;
    let (lines, writer) = Lines::to(io::stdout(), "stdout").map_err(no_thread)?;
    let style = Readable { colour: log::colour(&io::stdout()) };
    log::messages_as_text(lines.clone(), style.colour);
    let done = runtime.block_on(serve(path, options.listen, secrets, settings, configuration, lines, style));
    log::finish([writer]);
    done
}

async fn serve(
    path: PathBuf,
    address: SocketAddr,
    secrets: Secrets,
    settings: Settings,
    configuration: Configuration,
    lines: Lines,
    style: Readable,
) -> Result<(), Failure> {
    let (tcp, address) = listen::bind(address).await?;
    let mut end = End::new().map_err(|error| no_thread(error.to_string()))?;
    let (roots, problems) = tls::native_roots();
    let values = settings.values.clone();
    let platform = NativePlatform::new(Settings { roots, ..settings }).map_err(|error| no_thread(error.to_string()))?;
    let platform = Arc::new(platform);

    let Configuration { gateway, document, report, mut watched } = configuration;
    let shown = path.display();
    let title = format!("portico {} · {} · {shown} · {:.12}", portico_core::VERSION, gateway.name(), gateway.hash());
    let mut banner = format!("{}\n\n{}\n", style.bold(&title), routes::table(&gateway, &document, style));
    if !report.notes().is_empty() {
        banner.push_str(&report.render(Style::for_stream(&io::stdout())));
        banner.push('\n');
    }
    if uses_https(&document) {
        for problem in problems {
            banner.push_str(&format!("warning: {problem}\n"));
        }
    }
    if gateway.redis().is_some() {
        banner.push_str("limits are counted in this process: the Redis of `state` is for `portico serve`\n");
    }
    for (scheme, like) in [(demo::SCHEME, ""), (BINDING, ", as demo://echo would")] {
        if !targets_of(&document, scheme).is_empty() {
            banner.push_str(&format!("targets with {scheme}:// are answered by portico itself{like}\n"));
        }
    }

    let current = Arc::new(ArcSwap::from_pointee(gateway));
    let (path_again, serving) = (path.clone(), Arc::clone(&current));
    let reloader = Reloader { path: path_again, purpose: Purpose::Develop, secrets, values, current: serving };
    watched.push(secrets::file_beside(&path));
    let problems = watch::watch(&watched, {
        let lines = lines.clone();
        let mut told = String::new();
        move |look| reload(&reloader, look, &mut told, &lines, style)
    });
    match problems {
        Ok(problems) => problems.iter().for_each(|problem| banner.push_str(&format!("warning: {problem}\n"))),
        Err(error) => banner.push_str(&format!("warning: changes of files will not be noticed: {error}\n")),
    }
    banner.push_str(&format!("{}\n", style.good(&format!("listening on http://{address}"))));
    let hints = format!("edit {shown}: it reloads · health at {HEALTH_PATH} · Ctrl-C stops");
    banner.push_str(&format!("{}\n\n", style.dim(&hints)));
    lines.send(banner);

    let clock = Arc::clone(&platform);
    let on_after = move |after: portico_core::After<_>| lines.send(style.line(&after.record, clock.now()));
    let options = server::Options { drain: DRAIN, ..server::Options::default() };
    let ended = async move {
        end.next().await;
    };
    server::serve(vec![Listener { tcp, tls: None }], current, platform, options, on_after, ended).await;
    Ok(())
}

/// Reads the configuration again and tells what came of it, unless it was `told` already. Returns what to watch from now on.
fn reload(reloader: &Reloader, look: Look, told: &mut String, lines: &Lines, style: Readable) -> Vec<PathBuf> {
    let (reloaded, mut watched) = reloader.reload();
    let shown = reloader.path.display();
    let report_style = Style::for_stream(&io::stdout());
    let mut text = match reloaded {
        Reloaded::Unchanged(_) if look == Look::Again => String::new(),
        Reloaded::Unchanged(hash) => {
            style.dim(&format!("{shown} means what it meant before ({hash:.12}): nothing to do\n"))
        }
        Reloaded::Replaced { before, now, routes, report } => {
            let done = format!("reloaded {shown}: {routes} routes ({before:.12} → {now:.12})");
            format!("{}{}\n", report.render(report_style), style.good(&done))
        }
        Reloaded::Refused { kept, report } => {
            let kept = format!("{shown} was not loaded; the configuration from before keeps serving ({kept:.12})");
            format!("{}{}\n", report.render(report_style), style.bad(&kept))
        }
    };
    let file = secrets::file_beside(&reloader.path);
    match Secrets::beside(&reloader.path) {
        Ok(secrets) if secrets.file == reloader.secrets.file => {}
        Ok(_) => text.push_str(&format!("{} changed: restart portico to use its new secrets\n", file.display())),
        Err(error) => text.push_str(&format!("{}\n", style.bad(&error))),
    }
    if look == Look::Changed || text != *told {
        lines.send(text.clone());
    }
    *told = text;
    watched.push(file);
    watched
}

/// Whether an upstream needs trusted roots.
pub(super) fn uses_https(document: &serde_json::Value) -> bool {
    document.get("upstreams").is_some_and(|upstreams| upstreams.to_string().contains("https://"))
}

fn no_thread(error: impl std::fmt::Display) -> Failure {
    Failure::runtime(
        format_args!("the server could not be started: {error}"),
        "look at the limits of this process (ulimit -a)",
    )
}
