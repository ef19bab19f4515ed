//! The stub origins behind a gateway that runs already: where they listen, and what they play for which case.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use http::Uri;
use portico_core::decision::Reason;

use super::given::Given;
use super::reach::Reach;
use crate::case::Case;
use crate::case::origin::{Inbox, Origin, Part, lock};
use crate::case::problem::Problem;
use crate::case::subject::{Received, targets};
use crate::demo;

/// The stubs. They stay for the whole run, as a gateway keeps its connections; what they play changes with the case.
#[derive(Debug)]
pub(super) struct Stubs {
    given: Vec<Given>,
    origins: BTreeMap<SocketAddr, Origin>,
    inbox: Inbox,
    /// Where the upstreams of the case are that it reaches.
    reached: Vec<(SocketAddr, String)>,
    /// Whether nobody is at one of these.
    left: bool,
}

/// One target of a case's upstreams.
struct Target {
    upstream: String,
    authority: String,
    place: Place,
}

/// Where the stub for a target is to listen.
enum Place {
    At(Vec<SocketAddr>),
    /// Nowhere: `portico dev` answers by itself.
    Demo,
    /// Only whoever started the gateway knows.
    Unknown(String),
}

impl Stubs {
    /// Listens wherever one of `cases` needs a stub.
    pub(super) fn start(given: &[Given], cases: &[Case], reach: &Reach) -> Result<Self, Problem> {
        let mut stubs = Self {
            given: given.to_vec(),
            origins: BTreeMap::new(),
            inbox: Inbox::default(),
            reached: Vec::new(),
            left: false,
        };
        let mut unknown = BTreeSet::new();
        for case in cases {
            // a case whose targets cannot be read says so itself
            for target in stubs.reached_targets(case, reach).unwrap_or_default() {
                match target.place {
                    Place::At(addresses) => {
                        addresses.into_iter().try_for_each(|address| stubs.listen(address, &target.upstream))?
                    }
                    Place::Unknown(url) => drop(unknown.insert(format!("{} ({url})", target.upstream))),
                    Place::Demo => {}
                }
            }
        }
        if unknown.is_empty() {
            return Ok(stubs);
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        Err(Problem::new(
            format!("no stub can listen where these upstreams are: {}", unknown.join(", ")),
            "point the gateway's targets to this machine by plain HTTP and say where with --origin NAME=ADDRESS:PORT, or with \
             --origin ADDRESS:PORT for all of them",
        ))
    }

    fn listen(&mut self, address: SocketAddr, upstream: &str) -> Result<(), Problem> {
        if self.origins.contains_key(&address) {
            return Ok(());
        }
        let origin = match Origin::bind(address, Arc::clone(&self.inbox)) {
            Ok(origin) => origin,
            // localhost is two addresses where there is IPv6
            Err(_) if address.ip() == Ipv6Addr::LOCALHOST && self.has_ipv4(address.port()) => return Ok(()),
            Err(error) => {
                let why = match error.kind() {
                    ErrorKind::AddrInUse => "the address is in use".to_owned(),
                    ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
                    _ => error.to_string(),
                };
                return Err(Problem::new(
                    format!("the stub for the upstream `{upstream}` cannot listen on {address}: {why}"),
                    format!(
                        "stop what is there, as the gateway's requests have to come to the stub; or point the gateway's target \
                         elsewhere and say where with --origin {upstream}=ADDRESS:PORT"
                    ),
                ));
            }
        };
        self.origins.insert(address, origin);
        Ok(())
    }

    fn has_ipv4(&self, port: u16) -> bool {
        self.origins.contains_key(&(Ipv4Addr::LOCALHOST, port).into())
    }

    /// Why a case cannot be run with these stubs.
    pub(super) fn declines(&self, case: &Case, reach: &Reach) -> Option<String> {
        let targets = self.reached_targets(case, reach).ok()?;
        let mut at: BTreeMap<SocketAddr, BTreeSet<&str>> = BTreeMap::new();
        for Target { upstream, authority, place } in &targets {
            match place {
                Place::Demo => {
                    return Some(format!(
                        "its upstream `{upstream}` is demo://{authority}, which `portico dev` answers by itself"
                    ));
                }
                Place::At(addresses) => {
                    for address in addresses {
                        at.entry(*address).or_default().insert(upstream);
                    }
                }
                Place::Unknown(_) => {}
            }
        }
        for (address, upstreams) in at.iter().filter(|(_, upstreams)| upstreams.len() > 1) {
            let [gone, here] =
                [true, false].map(|gone| upstreams.iter().find(|name| case.script(name).is_gone() == gone));
            if let (Some(gone), Some(here)) = (gone, here) {
                return Some(format!(
                    "`{gone}` is to be gone and `{here}` is not, and both are at {address}: give one --origin {gone}=ADDRESS:PORT"
                ));
            }
            let keeps_host =
                |name: &&&str| case.config.pointer("/upstreams")?.get(**name)?.get("preserve_host")?.as_bool();
            if let Some(name) = upstreams.iter().find(|name| keeps_host(name) == Some(true)) {
                return Some(format!(
                    "the upstream `{name}` gets the client's Host, so that it cannot be told apart at {address}: give it --origin \
                     {name}=ADDRESS:PORT"
                ));
            }
        }
        None
    }

    /// From now on plays the upstreams of this case.
    pub(super) fn play(&mut self, case: &Case, reach: &Reach) -> Result<(), String> {
        let mut scripts = BTreeMap::new();
        let mut cast: BTreeMap<SocketAddr, Vec<Part>> = BTreeMap::new();
        let reached: BTreeSet<_> = reach.by(case).collect();
        self.reached.clear();
        for Target { upstream, authority, place } in self.targets(case)? {
            let Place::At(addresses) = place else { continue };
            let script = scripts.entry(upstream.clone()).or_insert_with(|| Arc::new(case.script(&upstream)));
            for address in addresses.into_iter().filter(|address| self.origins.contains_key(address)) {
                let part =
                    Part { upstream: upstream.clone(), authority: authority.clone(), script: Arc::clone(script) };
                cast.entry(address).or_default().push(part);
                if reached.contains(upstream.as_str()) {
                    self.reached.push((address, upstream.clone()));
                }
            }
        }
        self.left = false;
        for (address, origin) in &mut self.origins {
            let parts = cast.remove(address).unwrap_or_default();
            let mut needed = parts.iter().filter(|part| reached.contains(part.upstream.as_str())).peekable();
            let gone = needed.peek().is_some() && needed.all(|part| part.script.is_gone());
            self.left |= gone;
            let done = if gone { origin.leave() } else { origin.play(parts) };
            done.map_err(|error| format!("the stub at {address} could not be changed: {error}"))?;
        }
        Ok(())
    }

    /// What has come to the stubs since this was last asked.
    pub(super) fn received(&self) -> BTreeMap<String, Vec<Received>> {
        std::mem::take(&mut *lock(&self.inbox))
    }

    /// Whether the case has an upstream that is not there.
    pub(super) fn somebody_left(&self) -> bool {
        self.left
    }

    /// What to do when a gateway cannot reach the stubs.
    pub(super) fn not_reached(&self, reason: Reason) -> String {
        let mut message = format!("the gateway could not reach an upstream ({reason}), and nothing came to its stub\n");
        for (address, upstream) in &self.reached {
            // writing to a String does not fail
            _ = writeln!(message, "`{upstream}` is expected at http://{address}");
        }
        message
            + "help: point the gateway's target there, or say where the stub is to listen with --origin NAME=ADDRESS:PORT"
    }

    fn reached_targets(&self, case: &Case, reach: &Reach) -> Result<Vec<Target>, String> {
        let mut targets = self.targets(case)?;
        targets.retain(|target| reach.by(case).any(|name| name == target.upstream));
        Ok(targets)
    }

    fn targets(&self, case: &Case) -> Result<Vec<Target>, String> {
        let url = |upstream: &str, index: usize| {
            let target = case.config.get("upstreams")?.get(upstream)?.get("targets")?.get(index)?;
            target.get("url")?.as_str()?.parse::<Uri>().ok()
        };
        let target = |(upstream, index, authority): (String, usize, String)| {
            let place = self.place(&upstream, &url(&upstream, index).unwrap_or_default());
            Target { upstream, authority, place }
        };
        Ok(targets(&case.config)?.into_iter().map(target).collect())
    }

    fn place(&self, upstream: &str, url: &Uri) -> Place {
        let own = |name: Option<&str>| self.given.iter().find(|given| given.upstream.as_deref() == name);
        if let Some(given) = own(Some(upstream)) {
            return Place::At(vec![given.address]);
        }
        match (on_loopback(url), own(None)) {
            (Some(addresses), _) => Place::At(addresses),
            (None, Some(given)) => Place::At(vec![given.address]),
            (None, None) if url.scheme_str() == Some(demo::SCHEME) => Place::Demo,
            (None, None) => Place::Unknown(url.to_string()),
        }
    }
}

/// The addresses of a target on this machine. It needs a port: those of `http` and `https` are no stub's.
fn on_loopback(url: &Uri) -> Option<Vec<SocketAddr>> {
    let (host, port) = (url.host()?, url.port_u16()?);
    let addresses = match host {
        "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        host => vec![host.trim_matches(['[', ']']).parse::<IpAddr>().ok().filter(IpAddr::is_loopback)?],
    };
    let plain = url.scheme_str() == Some("http");
    plain.then(|| addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

#[cfg(test)]
mod tests;
