//! The cases of one route: what is tried, and what is written down of what came of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use portico_core::config::wire::Setting;
use portico_core::decision::{Outcome, Policy, Reason};

use super::expectation::{Comments, Fields, expectation, number};
use super::observe::{Seen, observe};
use super::parts::{Credentials, Parts};
use super::yaml::{Entry, Yaml, entry, file};
use crate::case::parse;

/// A client that is nobody's: TEST-NET-3 (RFC 5737).
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// A limit that lets more requests pass than this is not exceeded on purpose.
const FEW: usize = 20;

/// What a preflight's answer is about.
const GRANTED: [&str; 3] =
    ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-credentials"];

const CASES: &str = "\
Each case begins with fresh counters and has steps: what is sent, and what must come of it. What is not named under
`expect` is not looked at.";

/// The cases of one route, and the file that they will stand in.
pub(super) struct Draft<'a> {
    parts: &'a Parts<'a>,
    path: &'a Path,
    preamble: Vec<Entry>,
    fields: Fields,
}

impl<'a> Draft<'a> {
    /// `include` is the configuration as seen from the file at `path`.
    pub(super) fn new(parts: &'a Parts<'a>, path: &'a Path, include: &str) -> Self {
        Self { parts, path, preamble: parts.preamble(include), fields: Fields::of(parts.route) }
    }

    /// The file's text. The error says why what the gateway does cannot be found out.
    pub(super) fn text(&self) -> Result<String, String> {
        let main = self.main()?;
        let cases = [
            Some(main.written),
            self.anonymous()?,
            self.stranger(&main.seen)?,
            self.too_often(&main.seen),
            self.preflight()?,
        ];
        let cases: Vec<Yaml> = cases.into_iter().flatten().map(Yaml::from).collect();
        let cases = entry("cases", cases).about(CASES);
        Ok(file(&self.parts.heading(), &[self.preamble.clone(), vec![cases]].concat()))
    }

    /// What came of a request that is sent so many times.
    fn ask(&self, peer: Option<IpAddr>, send: Vec<Entry>, times: usize) -> Result<Vec<Seen>, String> {
        let anything = vec![entry("status", number(200))];
        let mut draft = case("draft", send, anything);
        draft.extend(peer.map(from));
        let cases = entry("cases", vec![Yaml::from(draft)]);
        let text = file("", &[self.preamble.clone(), vec![cases]].concat());
        let cases = parse(&text, self.path, "draft").map_err(|report| report.to_string())?;
        cases.first().map_or(Ok(Vec::new()), |case| observe(case, times))
    }

    fn ask_once(&self, peer: Option<IpAddr>, send: Vec<Entry>) -> Result<Seen, String> {
        self.ask(peer, send, 1)?.pop().ok_or_else(|| "there was no answer".to_owned())
    }

    /// What the route does, with credentials if there can be any.
    fn main(&self) -> Result<Main, String> {
        let parts = self.parts;
        let limited = matches!(parts.route.policies.rate_limit, Some(Setting::On(_)));
        let seen = self.ask(None, parts.send(Credentials::Sent), if limited { FEW + 1 } else { 1 })?;
        let first = seen.first().ok_or("there was no answer")?;
        let expect = expectation(first, &self.fields, &[], Comments::Explain);
        let mut written = case(&self.what_happens(first), parts.send(Credentials::Sent), expect);
        if first.problem() == Some(Reason::CredentialsMissing) {
            comment(&mut written, &parts.about_keys());
        }
        Ok(Main { written, seen })
    }

    fn what_happens(&self, seen: &Seen) -> String {
        let sample = &self.parts.sample;
        let happens = match (seen.problem(), seen.decision(Policy::Forward).map(|one| (one.outcome, one.reason))) {
            (Some(reason), _) => format!("is refused as {reason}"),
            (None, Some((Outcome::Respond, Reason::Redirected))) => "is redirected".to_owned(),
            (None, Some((Outcome::Respond, _))) => "is answered by the gateway".to_owned(),
            (None, _) => format!("is forwarded to {}", self.parts.route.upstream.as_deref().unwrap_or("its upstream")),
        };
        format!("{} {} {happens}", sample.method, sample.target)
    }

    /// A call without credentials where they are required.
    fn anonymous(&self) -> Result<Option<Vec<Entry>>, String> {
        if self.parts.token.is_none() {
            return Ok(None);
        }
        let seen = self.ask_once(None, self.parts.send(Credentials::None))?;
        let refused = seen.problem().filter(|_| seen.answer.status == 401);
        Ok(refused.map(|reason| {
            let expect = expectation(&seen, &self.fields, &[], Comments::Leave);
            case(&format!("without credentials it is refused as {reason}"), self.parts.send(Credentials::None), expect)
        }))
    }

    /// A call from an address that may not pass, where the one in `main` may.
    fn stranger(&self, main: &[Seen]) -> Result<Option<Vec<Entry>>, String> {
        let refused = |seen: &Seen| seen.problem() == Some(Reason::AddressDenied);
        if !matches!(self.parts.route.policies.ip, Some(Setting::On(_))) || main.iter().any(refused) {
            return Ok(None);
        }
        let seen = self.ask_once(Some(STRANGER), self.parts.send(Credentials::Sent))?;
        Ok(refused(&seen).then(|| {
            let expect = expectation(&seen, &self.fields, &[], Comments::Leave);
            let mut case = case("another address is refused", self.parts.send(Credentials::Sent), expect);
            case.insert(1, from(STRANGER));
            case
        }))
    }

    /// As many calls as pass, and the one that does not.
    fn too_often(&self, main: &[Seen]) -> Option<Vec<Entry>> {
        let limited = |seen: &Seen| seen.problem() == Some(Reason::RateLimited);
        let passed = main.iter().position(limited).filter(|passed| *passed > 0)?;
        let (first, refused) = (main.first()?, main.get(passed)?);
        if main.iter().take(passed).any(|one| one.answer.status != first.answer.status) {
            return None;
        }
        let send = || entry("send", self.parts.send(Credentials::Sent));
        let status = vec![entry("status", number(first.answer.status.into()))];
        let repeat = (passed > 1).then(|| entry("repeat", number(passed as u64)));
        let passes: Vec<_> = [send()].into_iter().chain(repeat).chain([entry("expect", status)]).collect();
        let refused =
            vec![send(), entry("expect", expectation(refused, &self.fields, &["retry-after"], Comments::Leave))];
        let times = if passed == 1 { "once".to_owned() } else { format!("{passed} times") };
        Some(vec![
            entry("name", format!("it passes {times} and is refused then")),
            entry("needs", vec![Yaml::from("clock")])
                .about("Time stands still between these requests, so the limit does not recover."),
            entry("steps", vec![Yaml::from(passes), Yaml::from(refused)]),
        ])
    }

    /// A browser's question before it sends the request from another origin.
    fn preflight(&self) -> Result<Option<Vec<Entry>>, String> {
        let Some(send) = self.parts.preflight() else { return Ok(None) };
        let seen = self.ask_once(None, send.clone())?;
        let allowed = seen.decision(Policy::Cors).is_some_and(|decision| decision.reason == Reason::PreflightAllowed);
        Ok(allowed.then(|| {
            let mut case = case(
                "a browser may ask whether it may",
                send,
                expectation(&seen, &self.fields, &GRANTED, Comments::Leave),
            );
            comment(&mut case, "A preflight (CORS): what a browser sends before a request to another origin.");
            case
        }))
    }
}

/// The first case, and everything that came of its request.
struct Main {
    written: Vec<Entry>,
    seen: Vec<Seen>,
}

fn case(name: &str, send: Vec<Entry>, expect: Vec<Entry>) -> Vec<Entry> {
    let step: Yaml = vec![entry("send", send), entry("expect", expect)].into();
    vec![entry("name", name), entry("steps", vec![step])]
}

fn from(peer: IpAddr) -> Entry {
    entry("peer", vec![entry("address", peer.to_string())])
}

/// Above the whole case.
fn comment(case: &mut [Entry], text: &str) {
    if let Some(first) = case.first_mut() {
        *first = first.clone().about(text);
    }
}
