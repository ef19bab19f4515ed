//! From a YAML file to its cases. Everything that is wrong with the file is told at once, with its place.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{self, FileId, Node, Note, Span};
use portico_core::config::{Finding, Findings, Part, Pointer, read};
use serde_json::Value;

use super::expect::Refused;
use super::values::{self, Values};
use super::{Action, Case, Malformed, Need, Outcome, Peer, Plan, Rule, Step, When, wire};

/// Reads the cases of a file. `below` is the directory that names are relative to.
pub fn load(path: &Path, below: &Path) -> Result<Vec<Case>, Vec<Malformed>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = path.display().to_string();
        vec![Malformed { place, pointer: Pointer::root(), message: format!("cannot read it: {error}") }]
    })?;
    let group = path.strip_prefix(below).unwrap_or(path).with_extension("").display().to_string();
    parse(&text, path, &group)
}

/// Reads the cases of a text that stands in the file at `path`. Their names begin with `group`.
pub fn parse(text: &str, path: &Path, group: &str) -> Result<Vec<Case>, Vec<Malformed>> {
    let node = config::parse(text, FileId(0)).map_err(|notes| {
        let shown = path.display();
        let place = |span: Span| format!("{shown}:{}:{}", span.line, span.column);
        let malformed = |note: Note| Malformed {
            place: note.span.map_or_else(|| shown.to_string(), place),
            message: with_help(note.message, note.help),
            pointer: note.pointer,
        };
        notes.into_iter().map(malformed).collect::<Vec<_>>()
    })?;
    let mut reader = Reader { path, node: &node, findings: Findings::new() };
    let cases = reader.file(group);
    if reader.findings.is_empty() { Ok(cases) } else { Err(reader.malformed()) }
}

fn with_help(message: String, help: Option<String>) -> String {
    match help {
        Some(help) => format!("{message} ({help})"),
        None => message,
    }
}

struct Reader<'a> {
    path: &'a Path,
    node: &'a Node,
    findings: Findings,
}

impl Reader<'_> {
    fn place(&self, pointer: &Pointer, part: Part) -> (u32, u32) {
        let span = self.node.locate(pointer, part);
        (span.line, span.column)
    }

    fn malformed(&self) -> Vec<Malformed> {
        let malformed = |finding: &Finding| {
            let (line, column) = self.place(&finding.pointer, finding.part);
            Malformed {
                place: format!("{}:{line}:{column}", self.path.display()),
                pointer: finding.pointer.clone(),
                message: with_help(finding.message.clone(), finding.help.clone()),
            }
        };
        self.findings.iter().map(malformed).collect()
    }

    fn file(&mut self, group: &str) -> Vec<Case> {
        let root = Pointer::root();
        let document = self.node.to_value();
        let Some(file) = read::<wire::File>(&document, &root, &mut self.findings).value else { return Vec::new() };
        let own = file.steps.is_some() || file.refused.is_some();
        if own != file.cases.is_empty() {
            self.findings.error(&root, "a file has either `cases`, or `steps` (or `refused`) of its own");
            return Vec::new();
        }
        if own {
            let name = file.name.clone().unwrap_or_else(|| group.rsplit('/').next().unwrap_or(group).to_owned());
            let case = wire::Case {
                name,
                about: None,
                config: None,
                secrets: None,
                upstreams: None,
                peer: None,
                needs: Vec::new(),
                steps: file.steps.clone(),
                refused: file.refused.clone(),
            };
            return self.case(group, &file, case, &root, &root).into_iter().collect();
        }
        let mut names = BTreeSet::new();
        let mut cases = Vec::new();
        let list = root.child_key("cases");
        for (index, value) in file.cases.iter().enumerate() {
            let at = list.child_index(index);
            let Some(case) = read::<wire::Case>(value, &at, &mut self.findings).value else { continue };
            if !names.insert(case.name.clone()) {
                self.findings.error(at.child_key("name"), format!("the name {:?} is there twice", case.name));
            }
            cases.extend(self.case(group, &file, case, &root, &at));
        }
        cases
    }

    fn case(&mut self, group: &str, file: &wire::File, case: wire::Case, root: &Pointer, at: &Pointer) -> Option<Case> {
        // whether the case says it itself, or its file
        let from = |own: bool| if own { at } else { root };
        let config_at = from(case.config.is_some()).child_key("config");
        let Some(config) = case.config.as_ref().or(file.config.as_ref()) else {
            self.findings.error(at, "the case has no `config`, and its file has none either");
            return None;
        };
        let config = self.config(config, &config_at)?;
        let upstreams_at = from(case.upstreams.is_some()).child_key("upstreams");
        let mut upstreams = std::collections::BTreeMap::new();
        for (name, rules) in case.upstreams.as_ref().or(file.upstreams.as_ref()).into_iter().flatten() {
            let at = upstreams_at.child_key(name);
            let known = config.get("upstreams").and_then(|all| all.get(name)).is_some();
            // a case with a configuration of its own need not have all that its file's has
            let of_another = case.config.is_some() && case.upstreams.is_none();
            if !known && of_another {
                continue;
            }
            if !known {
                self.findings.error(&at, format!("the configuration has no upstream `{name}`")).on_key();
            }
            let gone = |rule: &wire::Rule| matches!(rule.fail, Some(wire::Fault::ConnectError));
            if rules.len() > 1 && rules.iter().any(gone) {
                self.findings
                    .error(&at, "`connect_error` is an upstream's only rule: what is not there reads no requests");
            }
            let rules = rules.iter().enumerate().filter_map(|(index, rule)| self.rule(rule, &at.child_index(index)));
            upstreams.insert(name.clone(), rules.collect());
        }
        let peer_at = from(case.peer.is_some()).child_key("peer");
        let peer = case.peer.as_ref().or(file.peer.as_ref()).map(|peer| self.peer(peer, &peer_at)).unwrap_or_default();
        let plan = match (case.steps, case.refused) {
            (Some(steps), None) => Plan::Steps(self.steps(&steps, &at.child_key("steps"))),
            (None, Some(refused)) if !refused.is_empty() => {
                Plan::Refused(refused.into_iter().map(|one| Refused { at: one.at, says: one.says }).collect())
            }
            _ => {
                self.findings.error(at, "a case has either `steps` or `refused`");
                return None;
            }
        };
        let mut needs: BTreeSet<Need> =
            case.needs.iter().chain(&file.needs).map(|wire::Need::Clock| Need::Clock).collect();
        needs.extend((!peer.address.is_loopback()).then_some(Need::Peer));
        needs.extend((peer.address.is_loopback() && peer.address.is_ipv6()).then_some(Need::Ipv6));
        needs.extend(peer.secure.then_some(Need::Tls));
        if let Plan::Steps(steps) = &plan {
            needs.extend(steps.iter().filter_map(|step| match step.action {
                Action::Advance(_) => Some(Need::Clock),
                Action::StoreDown(_) => Some(Need::Store),
                Action::Exchange { .. } => None,
            }));
        }
        let secrets = case.secrets.as_ref().or(file.secrets.as_ref()).cloned().unwrap_or_default();
        let (name, about) = (format!("{group}/{}", case.name), case.about.or_else(|| file.about.clone()));
        Some(Case { name, about, config, secrets, upstreams, peer, needs, plan })
    }

    /// `{ include: FILE }`, or the configuration itself.
    fn config(&mut self, value: &Value, at: &Pointer) -> Option<Value> {
        let map = value.as_object()?;
        let (Some(include), 1) = (map.get("include"), map.len()) else { return Some(value.clone()) };
        let include = include.as_str()?;
        let path = self.path.parent().unwrap_or(Path::new("")).join(include);
        match config::load(&path) {
            Ok(loaded) => Some(loaded.document),
            Err(report) => {
                self.findings.error(at.child_key("include"), report.to_string());
                None
            }
        }
    }

    fn peer(&mut self, peer: &wire::Peer, at: &Pointer) -> Peer {
        let mut parsed = Peer { secure: peer.secure, ..Peer::default() };
        if let Some(text) = &peer.address {
            match text.parse() {
                Ok(address) => parsed.address = address,
                Err(_) => {
                    self.findings.error(at.child_key("address"), format!("{text:?} is no IP address"));
                }
            }
        }
        parsed
    }

    fn rule(&mut self, rule: &wire::Rule, at: &Pointer) -> Option<Rule> {
        let outcome = match (&rule.respond, rule.fail) {
            (Some(respond), None) => {
                Outcome::Respond(Values { findings: &mut self.findings }.respond(respond, &at.child_key("respond"))?)
            }
            (None, Some(wire::Fault::ConnectError)) => Outcome::ConnectError,
            (None, Some(wire::Fault::Timeout)) => Outcome::Timeout,
            (None, Some(wire::Fault::Reset)) => Outcome::Reset,
            _ => {
                self.findings.error(at, "a rule has either `respond` or `fail`");
                return None;
            }
        };
        let wire::When { method, path, query, headers } = rule.when.clone();
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Some(Rule { when: When { method, path, query, headers }, outcome })
    }

    fn steps(&mut self, steps: &[Value], at: &Pointer) -> Vec<Step> {
        let mut all = Vec::new();
        for (index, value) in steps.iter().enumerate() {
            let at = at.child_index(index);
            let step = read::<wire::Step>(value, &at, &mut self.findings).value;
            let Some(action) = step.and_then(|step| self.action(step, &at)) else { continue };
            let (line, _) = self.place(&at, Part::Value);
            all.push(Step { place: format!("{}:{line}", self.path.display()), action });
        }
        all
    }

    fn action(&mut self, step: wire::Step, at: &Pointer) -> Option<Action> {
        match step {
            wire::Step { send: Some(send), expect: Some(expect), advance: None, store: None, .. } => {
                let mut values = Values { findings: &mut self.findings };
                let send = values.send(&send, &at.child_key("send"))?;
                let expect = Box::new(values.expect(&expect, &at.child_key("expect"))?);
                Some(Action::Exchange { send, expect, repeat: step.repeat.unwrap_or(1) })
            }
            wire::Step { advance: Some(text), send: None, expect: None, repeat: None, store: None, .. } => {
                values::duration(&text, &at.child_key("advance"), &mut self.findings).map(Action::Advance)
            }
            wire::Step { store: Some(store), send: None, expect: None, repeat: None, advance: None, .. } => {
                Some(Action::StoreDown(matches!(store, wire::Store::Down)))
            }
            _ => {
                self.findings.error(at, "a step is `send` with `expect`, or `advance`, or `store`");
                None
            }
        }
    }
}
