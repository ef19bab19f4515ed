//! What lives as long as the instance: the gateway, what the host's variables say, and a supply of randomness.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use portico_core::Gateway;
use portico_core::config::Bundle;
use wasip3::random::random::get_random_bytes;

use crate::host::{self, Limits};

/// What the variables say.
#[derive(Debug)]
pub(crate) struct Variables {
    /// The secrets that the configuration refers to, by the names that it has for them.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Whether each request is told in the log, unless `PORTICO_ACCESS_LOG` is `off`.
    pub(crate) access_log: bool,
    /// Where rate limits are counted; `None` when it could not be read: then no other store than the one that is meant may count from
    /// nothing.
    pub(crate) limits: Option<Limits>,
}

/// A variable that the host could not read.
#[derive(Debug)]
pub(crate) struct Unread;

thread_local! {
    static GATEWAY: OnceCell<Option<Rc<Gateway>>> = const { OnceCell::new() };
    static VARIABLES: OnceCell<Rc<Variables>> = const { OnceCell::new() };
    static DRAWN: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// The gateway; `None` when the bundle is none. That is said once.
pub(crate) fn gateway() -> Option<Rc<Gateway>> {
    let start = || {
        let path = host::bundle();
        let gateway = compile(&path);
        let complain = |error: &String| eprintln!("{}: {error}\nhelp: {}", path.display(), host::HELP);
        gateway.inspect_err(complain).ok().map(Rc::new)
    };
    GATEWAY.with(|gateway| gateway.get_or_init(start).clone())
}

fn compile(path: &Path) -> Result<Gateway, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Bundle::open(&text).map_err(|error| error.to_string())
}

/// What the variables say.
///
/// To read one takes the host a while, and core asks for secrets in the midst of a request: so the first requests of an instance read
/// all that the configuration refers to. Each does so by itself, for none can wait for another. What could not be
/// read because a provider failed is read again by the next request.
pub(crate) async fn variables(gateway: &Gateway) -> Rc<Variables> {
    if let Some(known) = VARIABLES.with(|variables| variables.get().cloned()) {
        return known;
    }
    let mut complete = true;
    let mut secrets = BTreeMap::new();
    for name in gateway.secrets() {
        match host::variable(name).await {
            Ok(secret) => drop(secret.map(|secret| secrets.insert(name.to_owned(), secret))),
            Err(Unread) => complete = false,
        }
    }
    let access_log = host::variable("PORTICO_ACCESS_LOG").await;
    let limits = host::limits().await;
    complete &= access_log.is_ok() && limits.is_ok();
    let access_log = access_log.ok().flatten().as_deref() != Some("off");
    let read = Rc::new(Variables { secrets, access_log, limits: limits.ok() });
    if complete { VARIABLES.with(|variables| Rc::clone(variables.get_or_init(|| read))) } else { read }
}

/// 128 random bits. Drawn for 256 calls at a time: a request needs a few, and each crossing costs.
pub(crate) fn random() -> u128 {
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            let bytes = get_random_bytes(256 * 16);
            drawn.extend(bytes.as_chunks().0.iter().map(|chunk| u128::from_ne_bytes(*chunk)));
        }
        drawn.pop().unwrap_or_default()
    })
}
