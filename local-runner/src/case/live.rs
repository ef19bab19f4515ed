//! A gateway that runs already, somewhere: the same cases, sent to its URL, with stubs of ours behind it.
//!
//! What cannot be done there is skipped and said, never passed. What is on the way is seen: addresses and the scheme are the real
//! ones, and what earlier requests left behind (rate limits) is still there.

mod gateway;
mod given;
mod reach;
mod said;
mod session;
mod stubs;
mod trace;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use portico_core::config::compile;

use self::gateway::Gateway;
pub use self::given::Given;
use self::reach::Reach;
use self::said::Said;
use self::session::Running;
use self::stubs::Stubs;
use self::trace::Tracer;
use super::origin::lock;
use super::problem::Problem;
use super::subject::{Refusal, Session, Subject};
use super::{Case, Need, Plan};

/// A gateway that runs already.
#[derive(Debug)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gateway: Gateway,
    /// The hash of its configuration, if it tells.
    hash: Option<String>,
    stubs: Mutex<Stubs>,
    reach: Reach,
    tracer: Option<Tracer>,
    said: Mutex<Said>,
}

impl Live {
    /// Looks whether the gateway at `url` is there, and starts the stubs that `cases` need. With the secret of its `debug` each
    /// request asks for a trace, so that decisions can be seen.
    pub fn new(url: &str, given: &[Given], debug: Option<&str>, cases: &[Case]) -> Result<Self, Problem> {
        let tracer = debug.map(Tracer::new).transpose()?;
        let gateway = Gateway::parse(url)?;
        let hash = gateway.health()?;
        let able =
            |case: &&Case| unable(case).is_none() && case.needs.iter().all(|need| lacks(&gateway, *need).is_none());
        let reach = Reach::of(cases.iter().filter(able));
        let stubs = Stubs::start(given, cases, &reach)?;
        let said = Mutex::default();
        Ok(Self(Arc::new(Inner { gateway, hash, stubs: Mutex::new(stubs), reach, tracer, said })))
    }

    /// What to know about the cases that ran, besides what came of them.
    pub fn notes(&self) -> Vec<String> {
        lock(&self.0.said).notes(&self.0.gateway, self.0.hash.as_deref().unwrap_or_default())
    }
}

/// Why a case cannot be run on any gateway that runs already.
fn unable(case: &Case) -> Option<String> {
    if let Plan::Refused(_) = case.plan {
        return Some("a gateway that runs takes no configuration from a case".to_owned());
    }
    let set = |(name, value): &(&String, &String)| std::env::var(name).as_ref() == Ok(*value);
    let unset: Vec<_> = case.secrets.iter().filter(|secret| !set(secret)).map(|(name, _)| name.as_str()).collect();
    if !unset.is_empty() {
        let names = unset.join(", ");
        return Some(format!(
            "its secrets cannot be set there; start the gateway with them, and set them here too to say so ({names})"
        ));
    }
    match case.peer.address {
        // one with another address altogether is a need of its own
        IpAddr::V4(address) if address.is_loopback() && address != Ipv4Addr::LOCALHOST => {
            Some(format!("its client has the address {address}"))
        }
        _ => None,
    }
}

fn lacks(gateway: &Gateway, need: Need) -> Option<&'static str> {
    match need {
        Need::Clock => Some("a real clock cannot be moved or stopped"),
        Need::Store => Some("its store does not fail on demand"),
        Need::Peer => Some("clients have the address of this machine there"),
        Need::Client => Some("what its platform knows of this machine cannot be chosen"),
        Need::Keys => {
            Some("its configuration has other keys and values; give the tokens a private key of your own with `key`")
        }
        Need::Ipv6 if !gateway.is_ipv6_loopback() => Some("it is not reached by IPv6 on loopback"),
        Need::Tls if !gateway.is_secure() => Some("it is reached without TLS"),
        // a stub can stand in for one, where the gateway is pointed to it
        Need::Ipv6 | Need::Tls | Need::Binding => None,
    }
}

impl Subject for Live {
    fn name(&self) -> &'static str {
        "live"
    }

    fn declines(&self, case: &Case) -> Option<String> {
        unable(case).or_else(|| lock(&self.0.stubs).declines(case, &self.0.reach))
    }

    fn lacks(&self, _: &Case, need: Need) -> Option<String> {
        lacks(&self.0.gateway, need).map(str::to_owned)
    }

    fn start(&self, case: &Case) -> Result<Box<dyn Session>, String> {
        lock(&self.0.stubs).play(case, &self.0.reach)?;
        let compared = case.expectations().any(|expect| !expect.decisions.is_empty());
        // a trace comes with a Cache-Control of its own
        let changed = case.expectations().any(|expect| expect.headers.iter().any(|(name, _)| name == "cache-control"));
        let traced = self.0.tracer.is_some() && !changed;
        let mut said = lock(&self.0.said);
        match &self.0.tracer {
            None => said.undecided += usize::from(compared),
            Some(_) => said.changed += usize::from(compared && changed),
        }
        if let (Some(hash), Ok((gateway, _))) = (&self.0.hash, compile(&case.config)) {
            let own = gateway.hash().to_string();
            if own != *hash {
                *said.other.entry(own).or_default() += 1;
            }
        }
        Ok(Box::new(Running { inner: Arc::clone(&self.0), traced, compared }))
    }

    fn refuse(&self, case: &Case) -> Result<Refusal, String> {
        Err(unable(case).unwrap_or_default())
    }
}
