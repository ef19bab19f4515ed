//! What lives as long as the instance: the gateway, what the application's variables say, and a supply of randomness.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use portico_core::Gateway;
use portico_core::config::Bundle;
use spin_sdk::variables::{self, Error};
use spin_sdk::wasip3::random::random::get_random_bytes;

use crate::limits::Limits;

/// Where `spin.toml` mounts the bundle.
const BUNDLE: &str = "/bundle.json";

/// What the variables say.
#[derive(Debug)]
pub(crate) struct Variables {
    /// The secrets that the configuration refers to, by the names that it has for them.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Whether each request is told in the log, unless `portico_access_log` is `off`.
    pub(crate) access_log: bool,
    /// Where rate limits are counted, as `portico_limits` says.
    pub(crate) limits: Limits,
}

thread_local! {
    static GATEWAY: OnceCell<Option<Rc<Gateway>>> = const { OnceCell::new() };
    static VARIABLES: OnceCell<Rc<Variables>> = const { OnceCell::new() };
    static DRAWN: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

/// The gateway; `None` when the bundle is none. That is said once.
pub(crate) fn gateway() -> Option<Rc<Gateway>> {
    let start = || match compile(Path::new(BUNDLE)) {
        Ok(gateway) => Some(Rc::new(gateway)),
        Err(error) => {
            eprintln!("{BUNDLE}: {error}\nhelp: run scripts/build-spin, and mount build/spin/files at / in spin.toml");
            None
        }
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
        match read(&name.to_ascii_lowercase()).await {
            Ok(secret) => drop(secret.map(|secret| secrets.insert(name.to_owned(), secret))),
            Err(Unread) => complete = false,
        }
    }
    let access_log = read("portico_access_log").await;
    let limits = read("portico_limits").await;
    complete &= access_log.is_ok() && limits.is_ok();
    let access_log = access_log.ok().flatten().as_deref() != Some("off");
    // when it cannot be read, no other store than the one that is meant may count from nothing
    let limits = limits.map_or(Limits::Nowhere, |limits| Limits::new(&limits.unwrap_or_default()));
    let read = Rc::new(Variables { secrets, access_log, limits });
    if complete { VARIABLES.with(|variables| Rc::clone(variables.get_or_init(|| read))) } else { read }
}

/// A variable whose provider failed.
struct Unread;

/// The value of a variable, if it has one.
async fn read(name: &str) -> Result<Option<String>, Unread> {
    match variables::get(name).await {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(Error::InvalidName(why)) => {
            eprintln!("{name} can be no variable: {why}\nhelp: give the secret a name of letters, digits and single _");
            Ok(None)
        }
        Err(error) => {
            eprintln!("the variable {name} could not be read: {error}");
            Err(Unread)
        }
    }
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
