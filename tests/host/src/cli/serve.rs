//! `portico-wasi-host serve`: serves a component until the process is ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::uri::Scheme;
use tokio::net::TcpListener;
use wasmtime::error::Context as _;
use wasmtime::{Result, format_err};
use wasmtime_wasi_http::handler::{ProxyHandler, ProxyPre};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::app::{self, App, Counts, Kind};
use crate::faults::{Fault, Faults};
use crate::instances::{Instances, Reuse};
use crate::outbound::Outbound;
use crate::server::Server;
use crate::store::{Location, Stores};
use crate::{component, control};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The component; what comes of compiling it is kept beside it
    #[arg(value_name = "COMPONENT")]
    component: PathBuf,

    /// Do as `wasmtime serve` instead of Spin: WASI and nothing else
    #[arg(long, conflicts_with_all = ["variables", "store", "fault", "client", "scheme"])]
    plain: bool,

    /// Where to listen; port 0 takes any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Where to listen for tests that change the store and its faults; without it nobody can
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,

    /// A folder that the component sees as /, read-only
    #[arg(long, value_name = "FOLDER")]
    mount: Option<PathBuf>,

    /// A variable of spin:variables
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,

    /// A variable of the environment
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    environment: Vec<(String, String)>,

    /// Where the values of the store `default` are: memory, sqlite:PATH or redis://HOST:PORT
    #[arg(long, value_name = "STORE", default_value = "memory")]
    store: Location,

    /// What happens to the steps of stores: none, down, lose-changes, refuse:N for every Nth step, or lose-response:N for every Nth
    /// answer
    #[arg(long, value_name = "FAULT", default_value = "none")]
    fault: Fault,

    /// The address that clients are said to have; without it their own
    #[arg(long, value_name = "ADDRESS")]
    client: Option<SocketAddr>,

    /// The scheme that clients are said to use: http or https
    #[arg(long, value_name = "SCHEME", default_value = "http", value_parser = scheme)]
    scheme: Scheme,

    /// The most bytes of memory that one instance may take
    #[arg(long, value_name = "BYTES", default_value_t = usize::MAX)]
    memory: usize,

    /// How many requests one instance serves
    #[arg(long, value_name = "N", default_value_t = 128)]
    requests: usize,

    /// How many requests one instance serves at the same time
    #[arg(long, value_name = "N", default_value_t = 16)]
    concurrent: usize,

    /// How many threads serve; without it as many as there are cores. With one, whoever waits
    /// for each answer before the next request always gets the same instance
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,

    /// How many milliseconds an instance is kept that has nothing to do
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    idle: u64,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("help: write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn scheme(text: &str) -> Result<Scheme, String> {
    match text {
        "http" => Ok(Scheme::HTTP),
        "https" => Ok(Scheme::HTTPS),
        _ => Err("help: write http or https".to_owned()),
    }
}

/// Says where it listens on stdout, in lines of their own: `Serving http://ADDRESS`, and before that `Control
/// http://ADDRESS` if it was asked for. Then serves.
pub(super) fn run(options: Options) -> Result<()> {
    let engine = component::engine()?;
    let component = component::load(&engine, &options.component)?;
    let kind = Kind::new(options.plain);
    let pre = app::linker(&engine, kind)?.instantiate_pre(&component).context("the component cannot be linked")?;
    let pre = ServicePre::new(pre).context("help: a component has to export wasi:http/handler 0.3")?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = options.threads {
        runtime.worker_threads(threads.into());
    }
    let runtime = runtime.enable_all().build()?;
    // not in `block_on` itself: that would be a thread more
    runtime.block_on(runtime.spawn(serve(options, ProxyPre::P3(pre))))?
}

async fn serve(options: Options, component: ProxyPre<app::State>) -> Result<()> {
    let stores = Stores::new(&options.store).await;
    let app = Arc::new(App {
        stores: stores.map_err(|error| format_err!("{:?} cannot be opened: {error:?}", options.store))?,
        faults: Faults::default(),
        outbound: Outbound::new(),
        variables: options.variables.into_iter().collect(),
        environment: options.environment,
        files: options.mount,
        memory: options.memory,
        counts: Counts::default(),
    });
    app.faults.set(options.fault);
    if let Some(address) = options.control {
        let listener = TcpListener::bind(address).await.with_context(|| format!("--control {address}"))?;
        println!("Control http://{}", listener.local_addr()?);
        tokio::spawn(control::serve(Arc::clone(&app), listener));
    }
    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("--listen {}", options.listen))?;
    println!("Serving http://{}", listener.local_addr()?);
    let idle = Duration::from_millis(options.idle);
    let reuse = Reuse { requests: options.requests, concurrent: options.concurrent, idle };
    let handler = ProxyHandler::new(Instances { app, component, reuse });
    let kind = Kind::new(options.plain);
    Server { handler, kind, scheme: options.scheme, client: options.client }.serve(listener).await
}
