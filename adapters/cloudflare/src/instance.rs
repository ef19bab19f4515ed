//! What lives as long as the WebAssembly instance: the gateway, and a supply of randomness.
//!
//! The gateway is the bundle that was deployed, unless the key-value store holds another one under [`OVERRIDE`]. That is
//! looked at after a response, never before one, and seldom.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use portico_core::config::Bundle;
use portico_core::{Gateway, Platform as _, Timestamp};

use crate::platform::Workers;
use crate::{glue, values};

/// The key of a bundle that is to be used instead of the deployed one.
const OVERRIDE: &str = "bundle";

/// How often the override is looked at, unless `PORTICO_OVERRIDE_INTERVAL` names other seconds.
const INTERVAL: Duration = Duration::from_secs(60);

/// The largest override that is read, in bytes: some 40,000 routes. An isolate has 128 MB for everything.
const MAX_BUNDLE: usize = 4 << 20;

/// What the worker's variables and bindings say, read once: they are the same for every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Whether each request is told in the log, unless `PORTICO_ACCESS_LOG` is `off`.
    pub(crate) access_log: bool,
    /// How often the override is looked at; `None` without a store.
    override_interval: Option<Duration>,
}

#[derive(Debug, Default)]
struct Instance {
    deployed: RefCell<Option<Rc<Gateway>>>,
    current: RefCell<Option<Rc<Gateway>>>,
    settings: OnceCell<Settings>,
    looked: Cell<Timestamp>,
    /// The override as it was last seen, good or bad.
    seen: RefCell<Option<String>>,
    /// The override in force, if one is.
    in_force: RefCell<Option<String>>,
    refused: Cell<u32>,
    drawn: RefCell<Vec<u128>>,
}

thread_local! {
    static INSTANCE: Instance = Instance::default();
}

/// Compiles the deployed bundle. An instance that replaces another one is told which override was in force, and when it was
/// looked for.
pub(crate) fn start(bundle: &str, in_force: Option<String>, looked: f64) -> Result<(), String> {
    let gateway = Rc::new(compile(bundle)?);
    INSTANCE.with(|instance| {
        *instance.deployed.borrow_mut() = Some(Rc::clone(&gateway));
        *instance.current.borrow_mut() = Some(gateway);
        instance.looked.set(Timestamp::from_micros(looked as u64));
        if in_force.is_some() {
            instance.take(in_force);
        }
    });
    Ok(())
}

/// The gateway in force; `None` before [`start`].
pub(crate) fn gateway() -> Option<Rc<Gateway>> {
    INSTANCE.with(|instance| instance.current.borrow().clone())
}

/// 128 random bits. Drawn for 256 calls at a time: a request needs a few, and each crossing costs.
pub(crate) fn random() -> u128 {
    INSTANCE.with(|instance| {
        let mut drawn = instance.drawn.borrow_mut();
        if drawn.is_empty() {
            let bytes = glue::random();
            drawn.extend(bytes.as_chunks().0.iter().map(|chunk| u128::from_ne_bytes(*chunk)));
        }
        drawn.pop().unwrap_or_default()
    })
}

/// The worker's settings.
pub(crate) fn settings(platform: &Workers) -> Settings {
    let read = || {
        let interval = match platform.text("PORTICO_OVERRIDE_INTERVAL").map(|seconds| seconds.parse()) {
            Some(Ok(seconds)) => Duration::from_secs(seconds),
            Some(Err(_)) => {
                worker::console_error!("PORTICO_OVERRIDE_INTERVAL is no number of seconds: it is {INTERVAL:?}");
                INTERVAL
            }
            None => INTERVAL,
        };
        Settings {
            access_log: platform.text("PORTICO_ACCESS_LOG").as_deref() != Some("off"),
            override_interval: values::store(&platform.env).map(|_| interval),
        }
    };
    INSTANCE.with(|instance| *instance.settings.get_or_init(read))
}

/// Whether it is time to look for an override. Whoever is told so has to look.
pub(crate) fn is_override_due(platform: &Workers, settings: Settings) -> bool {
    let Some(interval) = settings.override_interval else { return false };
    let now = platform.now();
    INSTANCE.with(|instance| {
        let due = now.since(instance.looked.get()) >= interval;
        if due {
            instance.looked.set(now);
            // before anything can go wrong with it: an instance that breaks here must not do so again at once
            instance.remember();
        }
        due
    })
}

/// Looks whether the store holds another bundle. A bad one is refused, said so and counted; the gateway in force stays.
pub(crate) async fn look_for_override(platform: &Workers) {
    let Some(store) = values::store(&platform.env) else { return };
    let text = match values::bounded(&store, OVERRIDE, MAX_BUNDLE).await {
        Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            worker::console_error!("the override could not be read, the configuration stays: {error}");
            return;
        }
    };
    INSTANCE.with(|instance| instance.take(text));
}

impl Instance {
    /// Tells JavaScript what the next instance has to know.
    fn remember(&self) {
        let in_force = self.in_force.borrow();
        glue::remember(in_force.as_deref(), self.looked.get().as_micros() as f64);
    }

    fn take(&self, text: Option<String>) {
        if *self.seen.borrow() == text {
            return;
        }
        let gateway = match text.as_deref().map(compile) {
            None => self.deployed.borrow().clone(),
            Some(Ok(gateway)) => Some(Rc::new(match &*self.current.borrow() {
                Some(old) => gateway.following(old),
                None => gateway,
            })),
            Some(Err(error)) => {
                self.refused.set(self.refused.get() + 1);
                worker::console_error!(
                    "the override is refused, the configuration stays ({} refused so far): {error}",
                    self.refused.get()
                );
                None
            }
        };
        self.seen.borrow_mut().clone_from(&text);
        if let Some(gateway) = gateway {
            worker::console_log!("configuration {} is in force", gateway.hash());
            *self.current.borrow_mut() = Some(gateway);
            *self.in_force.borrow_mut() = text;
            self.remember();
        }
    }
}

fn compile(bundle: &str) -> Result<Gateway, String> {
    Bundle::open(bundle).map_err(|error| error.to_string())
}
