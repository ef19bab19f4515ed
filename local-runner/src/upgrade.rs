//! WebSockets: after the handshake the two connections are joined and nobody reads what passes (RFC 6455 §4).

use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use portico_core::Held;
use portico_core::forward::hop_by_hop::asks_for_websocket;
use tokio::io::copy_bidirectional;

use crate::drain::Watcher;

/// Whether a request asks for a WebSocket, by core's rule.
pub(crate) fn is_websocket<B>(request: &Request<B>) -> bool {
    asks_for_websocket(request.method(), request.version(), request.headers())
}

/// The client's half of a WebSocket, if that is what it asks for. Taken before core sees the request.
pub(crate) fn requested<B>(request: &mut Request<B>) -> Option<OnUpgrade> {
    is_websocket(request).then(|| hyper::upgrade::on(request))
}

/// The upstream's half of a WebSocket, if it granted one.
pub(crate) fn granted<B>(response: &mut Response<B>) -> Option<OnUpgrade> {
    (response.status() == StatusCode::SWITCHING_PROTOCOLS).then(|| hyper::upgrade::on(response))
}

/// Passes bytes both ways until both sides are done, one broke off, or the server has to end. A side that is done
/// sending may still receive.
///
/// This task belongs to no configuration: a reload does not touch it. The request is under way until it ends, and so has its place.
pub(crate) async fn join(client: OnUpgrade, upstream: OnUpgrade, mut watcher: Watcher, _held: Held) {
    let joined = async {
        let (client, upstream) = tokio::try_join!(client, upstream)?;
        let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
        // a broken side is nothing that anybody could still be told: both connections just end
        drop(copy_bidirectional(&mut client, &mut upstream).await);
        Ok::<_, hyper::Error>(())
    };
    tokio::select! {
        _ = joined => {}
        () = watcher.aborting() => {}
    }
}
