//! From a YAML file to its cases. Everything that is wrong with the file is told at once, with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use portico_core::config::{Findings, Part, Pointer, read};
use portico_core::forward::BINDING;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::expect::Refused;
use super::outside::{self, Keys};
use super::tokens::Mint;
use super::values::Values;
use super::{Action, Case, Need, Peer, Plan, Rule, Step, Store, wire};
use crate::config::{self, Loaded, Report, Sources};

/// Reads the cases of a file. `below` is the directory that names are relative to.
pub fn load(path: &Path, below: &Path) -> Result<Vec<Case>, Report> {
    let group = path.strip_prefix(below).unwrap_or(path).with_extension("").display().to_string();
    cases(&config::load_plain(path)?, path, &group)
}

/// Reads the cases of a text that stands in the file at `path`. Their names begin with `group`.
pub fn parse(text: &str, path: &Path, group: &str) -> Result<Vec<Case>, Report> {
    cases(&config::parse_plain(text, path)?, path, group)
}

fn cases(loaded: &Loaded, path: &Path, group: &str) -> Result<Vec<Case>, Report> {
    let mut findings = Findings::new();
    let mut reader =
        Reader { path, group, sources: &loaded.sources, findings: &mut findings, included: BTreeMap::new() };
    let cases = reader.file(&loaded.document);
    if findings.is_empty() { Ok(cases) } else { Err(loaded.report(&findings)) }
}

struct Reader<'a> {
    path: &'a Path,
    group: &'a str,
    sources: &'a Sources,
    findings: &'a mut Findings,
    /// Configurations in files of their own, which cases like to share.
    included: BTreeMap<PathBuf, (Value, Sources)>,
}

impl Reader<'_> {
    fn part<T: DeserializeOwned>(&mut self, value: &Value, at: &Pointer) -> Option<T> {
        let read = read(value, at, self.findings);
        // pointers behind a lost list item would be off by one: what follows waits until that is mended
        read.value.filter(|_| !read.shifted)
    }

    fn line(&self, pointer: &Pointer) -> u32 {
        self.sources.locate(pointer, Part::Value).map_or(1, |span| span.line)
    }

    fn file(&mut self, document: &Value) -> Vec<Case> {
        let root = Pointer::root();
        let Some(file) = self.part::<wire::File>(document, &root) else { return Vec::new() };
        let own = file.steps.is_some() || file.refused.is_some();
        if own != file.cases.is_empty() {
            // a key that is not known may be what was meant
            if self.findings.is_empty() {
                self.findings.error(&root, "a file has either `cases`, or `steps` (or `refused`) of its own");
            }
            return Vec::new();
        }
        if own {
            let stem = self.group.rsplit('/').next().unwrap_or(self.group);
            let name = file.name.clone().unwrap_or_else(|| stem.to_owned());
            let (steps, refused) = (file.steps.clone(), file.refused.clone());
            let case = wire::Case { name, steps, refused, ..wire::Case::default() };
            return self.case(&file, case, &root).into_iter().collect();
        }
        let mut names = BTreeSet::new();
        let mut cases = Vec::new();
        let list = root.child_key("cases");
        for (index, value) in file.cases.iter().enumerate() {
            let at = list.child_index(index);
            let Some(case) = self.part::<wire::Case>(value, &at) else { continue };
            if !names.insert(case.name.clone()) {
                self.findings.error(at.child_key("name"), format!("the name {:?} is there twice", case.name));
            }
            cases.extend(self.case(&file, case, &at));
        }
        cases
    }

    fn case(&mut self, file: &wire::File, case: wire::Case, at: &Pointer) -> Option<Case> {
        let root = Pointer::root();
        // whether the case says it itself, or its file
        let of = |own: bool, key: &str| if own { at.child_key(key) } else { root.child_key(key) };
        let Some(config) = case.config.as_ref().or(file.config.as_ref()) else {
            self.findings.error(at, "the case has no `config`, and its file has none either");
            return None;
        };
        let (mut config, sources) = self.config(config, &of(case.config.is_some(), "config"))?;
        let secrets = case.secrets.as_ref().or(file.secrets.as_ref()).cloned().unwrap_or_default();
        let mut needs: BTreeSet<Need> = case.needs.iter().chain(&file.needs).map(|need| Need::from(*need)).collect();

        // what is refused gets no requests
        let written = case.tokens.as_ref().or(file.tokens.as_ref()).filter(|_| case.steps.is_some());
        let tokens_at = of(case.tokens.is_some(), "tokens");
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let mut mint = Mint::new(&mut config, &secrets, folder, self.findings);
        let token = |(name, token)| Some((String::clone(name), mint.token(token, &tokens_at.child_key(name))?));
        let tokens: BTreeMap<_, _> = written.into_iter().flatten().filter_map(token).collect();
        let made = mint.made();
        let keys = tokens.iter().filter_map(|(name, token)| Some((name.clone(), token.public()?))).collect();
        let names: Vec<_> = written.into_iter().flatten().map(|(name, _)| name.as_str()).collect();

        let written = case.upstreams.as_ref().or(file.upstreams.as_ref());
        // a case with a configuration of its own need not have all that its file's has
        let of_another = case.config.is_some() && case.upstreams.is_none();
        let upstreams = self.upstreams(written, &config, of_another, &of(case.upstreams.is_some(), "upstreams"), &keys);
        let written = case.issuers.as_ref().or(file.issuers.as_ref());
        let of_another = case.config.is_some() && case.issuers.is_none();
        let issuers_at = of(case.issuers.is_some(), "issuers");
        let mut issuers = self.values(&[], &keys).issuers(written, &config, of_another, &issuers_at);
        let written = case.values.as_ref().or(file.values.as_ref());
        let stored =
            self.values(&[], &keys).stored(written.unwrap_or(&BTreeMap::new()), &of(case.values.is_some(), "values"));
        let mut values = stored.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        outside::publish(&config, &made, &mut issuers, &mut values);
        let slow = |rule: &Rule| matches!(&rule.outcome, super::Outcome::Respond(respond) if respond.delay.is_some());
        needs.extend(upstreams.values().chain(issuers.values()).flatten().any(slow).then_some(Need::Clock));
        let own = !made.is_empty() || !issuers.is_empty() || !values.is_empty() || outside::needs_store(&config);
        needs.extend(own.then_some(Need::Keys));

        let peer_at = of(case.peer.is_some(), "peer");
        let peer = case.peer.as_ref().or(file.peer.as_ref());
        let local = Peer::new(Ipv4Addr::LOCALHOST.into(), false);
        let peer = peer.map_or(local, |peer| self.values(&[], &keys).peer(peer, &peer_at));
        needs.extend((!peer.address.is_loopback()).then_some(Need::Peer));
        needs.extend((peer.address.is_loopback() && peer.address.is_ipv6()).then_some(Need::Ipv6));
        needs.extend(peer.secure.then_some(Need::Tls));
        let known = peer.country.is_some() || peer.asn.is_some() || peer.certificate.is_some();
        // a configuration that must be refused meets nobody
        needs.extend((known && case.steps.is_some()).then_some(Need::Client));
        needs.extend((case.steps.is_some() && has_bindings(&config)).then_some(Need::Binding));

        let plan = match (case.steps, case.refused) {
            (Some(steps), None) => Plan::Steps(self.steps(&steps, &names, &keys, &at.child_key("steps"))),
            (None, Some(refused)) if !refused.is_empty() => {
                Plan::Refused(refused.into_iter().map(|one| Refused { at: one.at, says: one.says }).collect())
            }
            _ => {
                self.findings.error(at, "a case has either `steps` or `refused`");
                return None;
            }
        };
        Some(Case {
            name: format!("{}/{}", self.group, case.name),
            group: self.group.to_owned(),
            file: self.path.to_owned(),
            line: self.line(at),
            about: case.about.or_else(|| file.about.clone()),
            config,
            sources,
            secrets,
            tokens,
            upstreams,
            issuers,
            values,
            peer,
            needs,
            plan,
        })
    }

    /// `{ include: FILE }`, or the configuration itself; and where it is written.
    fn config(&mut self, value: &Value, at: &Pointer) -> Option<(Value, Sources)> {
        let Some(map) = value.as_object() else {
            self.findings.error(at, "expected a configuration, or { include: FILE }");
            return None;
        };
        let include = map.get("include").filter(|_| map.len() == 1).and_then(Value::as_str);
        let Some(include) = include else { return Some((value.clone(), self.sources.part(at))) };
        let path = beside(self.path, include);
        if let Some(known) = self.included.get(&path) {
            return Some(known.clone());
        }
        match config::load(&path) {
            Ok(loaded) => {
                let read = (loaded.document, loaded.sources);
                self.included.insert(path, read.clone());
                Some(read)
            }
            Err(report) => {
                self.findings.error(at.child_key("include"), report.to_string().trim_end());
                None
            }
        }
    }

    fn values<'v>(&'v mut self, tokens: &'v [&'v str], keys: &'v Keys) -> Values<'v> {
        Values { findings: self.findings, tokens, keys }
    }

    fn upstreams(
        &mut self,
        written: Option<&BTreeMap<String, Vec<wire::Rule>>>,
        config: &Value,
        of_another: bool,
        at: &Pointer,
        keys: &Keys,
    ) -> BTreeMap<String, Vec<Rule>> {
        let mut upstreams = BTreeMap::new();
        for (name, rules) in written.into_iter().flatten() {
            let at = at.child_key(name);
            if config.get("upstreams").and_then(|all| all.get(name)).is_none() {
                if of_another {
                    continue;
                }
                self.findings.error(&at, format!("the configuration has no upstream `{name}`")).on_key();
            }
            upstreams.insert(name.clone(), self.values(&[], keys).rules(rules, &at));
        }
        upstreams
    }

    fn steps(&mut self, steps: &[Value], tokens: &[&str], keys: &Keys, at: &Pointer) -> Vec<Step> {
        let mut all = Vec::new();
        for (index, value) in steps.iter().enumerate() {
            let at = at.child_index(index);
            let Some(step) = self.part(value, &at) else { continue };
            let Some(action) = action(step, &at, &mut self.values(tokens, keys)) else { continue };
            all.push(Step { line: self.line(&at), action });
        }
        let sends = |step: &Step| matches!(step.action, Action::Exchange { .. });
        if all.len() == steps.len() && !all.iter().any(sends) {
            self.findings
                .error(at, "a case in which nothing is sent proves nothing")
                .help("add a step with `send` and `expect`");
        }
        all
    }
}

fn action(step: wire::Step, at: &Pointer, values: &mut Values<'_>) -> Option<Action> {
    match step {
        wire::Step { send: Some(send), expect: Some(expect), advance: None, store: None, values: None, .. } => {
            values.not_zero(step.repeat, &at.child_key("repeat"));
            let send = values.send(&send, &at.child_key("send"))?;
            let expect = Box::new(values.expect(&expect, &at.child_key("expect"))?);
            Some(Action::Exchange { send, expect, repeat: step.repeat.unwrap_or(1) })
        }
        wire::Step {
            advance: Some(text), send: None, expect: None, repeat: None, store: None, values: None, ..
        } => values.duration(&text, &at.child_key("advance")).map(Action::Advance),
        wire::Step {
            values: Some(changed),
            send: None,
            expect: None,
            repeat: None,
            advance: None,
            store: None,
            ..
        } => Some(Action::Values(values.stored(&changed, &at.child_key("values")))),
        wire::Step {
            store: Some(store), send: None, expect: None, repeat: None, advance: None, values: None, ..
        } => Some(Action::Store(match store {
            wire::Store::Up => Store::Up,
            wire::Store::Down => Store::Down,
            wire::Store::LostResponse => Store::LostResponse,
            wire::Store::Duplicate => Store::Duplicate,
            wire::Store::StaleRead => Store::StaleRead,
        })),
        _ => {
            values.findings.error(at, "a step is `send` with `expect`, or `advance`, or `store`, or `values`");
            None
        }
    }
}

fn has_bindings(config: &Value) -> bool {
    let upstreams = config.get("upstreams").and_then(Value::as_object).into_iter().flatten();
    let targets = upstreams.filter_map(|(_, upstream)| upstream.get("targets")?.as_array()).flatten();
    let mut urls = targets.filter_map(|target| target.get("url")?.as_str()?.split_once("://"));
    urls.any(|(scheme, _)| scheme == BINDING)
}

impl From<wire::Need> for Need {
    fn from(need: wire::Need) -> Self {
        match need {
            wire::Need::Clock => Self::Clock,
            wire::Need::Client => Self::Client,
        }
    }
}

/// The path of a file that another names. `cases/../gateway.yaml` is better read as `gateway.yaml`, where that is the same file.
fn beside(file: &Path, named: &str) -> PathBuf {
    let whole = file.parent().unwrap_or(Path::new("")).join(named);
    let mut short = PathBuf::new();
    for part in whole.components() {
        match (part, short.components().next_back()) {
            (Component::ParentDir, Some(Component::Normal(_))) => drop(short.pop()),
            _ => short.push(part),
        }
    }
    // a link among the folders makes it another
    let same =
        |one: &Path, other: &Path| one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same(&short, &whole) { short } else { whole }
}
