//! A second address, by which tests change the store and its faults, and read what came to pass.
//!
//! `PUT /values/KEY` and `DELETE /values/KEY` change a value of the store `default`, whatever the faults; `GET /values` lists its
//! keys, each on a line. `PUT /fault` takes
//! one as on the command line. `GET /counts` is a JSON object: `requests`, `instances`, `trapped`, and `memory`, the most bytes
//! that the linear memories of one instance took at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use wasmtime::Result;

use crate::app::App;

/// Serves until it is ended from outside.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(&app, request));
            // whoever asked is gone: nobody to tell
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn handle(app: &App, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let done = match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/counts") => Ok(counts(app)),
        (&Method::GET, "/values") => app.stores.default().keys().await.map(|keys| keys.join("\n")).map_err(broken),
        (&Method::PUT, "/fault") => fault(app, &body),
        (method, path) => match path.strip_prefix("/values/") {
            Some(key) if !key.is_empty() => value(app, method, key, &body).await,
            _ => Err((StatusCode::NOT_FOUND, "help: /counts, /fault and /values/KEY are there".to_owned())),
        },
    };
    let (status, text) = done.map_or_else(|refused| refused, |text| (StatusCode::OK, text));
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

type Done = std::result::Result<String, (StatusCode, String)>;

fn counts(app: &App) -> String {
    let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let counts = &app.counts;
    let (requests, instances) = (read(&counts.requests), read(&counts.instances));
    let (trapped, memory) = (read(&counts.trapped), read(&counts.memory));
    format!(r#"{{"requests":{requests},"instances":{instances},"trapped":{trapped},"memory":{memory}}}"#)
}

fn fault(app: &App, body: &[u8]) -> Done {
    let fault = String::from_utf8_lossy(body).trim().parse().map_err(|said| (StatusCode::BAD_REQUEST, said))?;
    app.faults.set(fault);
    Ok(String::new())
}

async fn value(app: &App, method: &Method, key: &str, body: &[u8]) -> Done {
    let store = app.stores.default();
    let changed = match *method {
        Method::PUT => store.set(key, body).await,
        Method::DELETE => store.delete(key).await,
        _ => return Err((StatusCode::METHOD_NOT_ALLOWED, "help: values are PUT and DELETEd".to_owned())),
    };
    changed.map(|()| String::new()).map_err(broken)
}

fn broken(error: impl std::fmt::Debug) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
}
