//! A configuration from its file to a gateway: read, compiled, and checked for what only this machine can know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use portico::config::{Loaded, Note, Report, Search, Sources};
use portico::demo;
use portico_core::Gateway;
use portico_core::config::outline::Outline;
use portico_core::config::{self, Bundle, Code, Findings, Pointer, Segment};
use portico_core::template::{Template, Variable};
use serde_json::Value;

use crate::check::{self, Target};
use crate::secrets::Secrets;

/// What a configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `portico dev`, which answers demo upstreams and reads `dev.env`.
    Develop,
    /// `portico serve`: demo upstreams are errors, and so is what the native server does not have.
    Serve,
    /// `portico build`: it will run elsewhere, with secrets that are not here; on this platform, if that is known.
    Build(Option<Target>),
}

/// A configuration that can be used.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) gateway: Gateway,
    /// What the files say together.
    pub(crate) document: Value,
    /// Warnings.
    pub(crate) report: Report,
    /// The files and directories that it depends on.
    pub(crate) watched: Vec<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) report: Report,
    pub(crate) watched: Vec<PathBuf>,
}

/// How closely to look at a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Whether it can be used.
    Brief,
    /// And what may go wrong with it, there.
    Close(Option<Target>),
}

/// Reads the configuration at `path`: YAML, or a bundle.
pub(crate) fn read(path: &Path, purpose: Purpose, secrets: &Secrets) -> Result<Configuration, Refused> {
    checked(path, document(path), purpose, secrets, Look::Brief)
}

/// The same, and looks for what may go wrong with it, on `target` if that is known.
pub(crate) fn check(
    path: &Path,
    purpose: Purpose,
    secrets: &Secrets,
    target: Option<Target>,
) -> Result<Configuration, Refused> {
    checked(path, document(path), purpose, secrets, Look::Close(target))
}

/// A configuration that comes through a pipe and is only looked at: it is called `name`, and what it names is looked for in
/// `directory`.
pub(crate) fn read_text(text: String, name: &Path, directory: &Path) -> Result<Configuration, Refused> {
    let load = |text| portico::config::load_text(text, name, directory);
    checked(name, parsed(name, text, load), Purpose::Build(None), &Secrets::environment(), Look::Brief)
}

type Document = (Value, Sources, Vec<Note>);

fn checked(
    path: &Path,
    document: Result<Document, Report>,
    purpose: Purpose,
    secrets: &Secrets,
    look: Look,
) -> Result<Configuration, Refused> {
    let (document, sources, notes) = match document {
        Ok(found) => found,
        Err(report) => {
            let watched = watched(path, report.sources());
            return Err(Refused { report, watched });
        }
    };
    let watched = watched(path, &sources);
    let (gateway, mut findings) = match config::compile(&document) {
        Ok((gateway, warnings)) => (Some(gateway), warnings),
        Err(findings) => (None, findings),
    };
    demo_targets(&document, purpose, &mut findings);
    let outline = Outline::read(&document, &mut Findings::new());
    if !matches!(purpose, Purpose::Build(_)) {
        missing_secrets(&document, secrets, &mut findings);
    }
    let mut search = Search::Partial;
    if let (Look::Close(_), Some(outline), false) = (look, &outline, findings.has_errors()) {
        check::lint(outline, &document, &mut findings);
        search = Search::Full;
    }
    if let (Some(target), Some(outline)) = (runs_on(purpose, look), &outline) {
        check::refused_on(target, outline, &document, &mut findings);
    }
    let mut report = Report::new(&sources, &notes, &findings);
    if let Some(outline) = &outline {
        report.waive(&outline.waivers(), search);
    }
    match gateway.filter(|_| !report.has_errors()) {
        Some(gateway) => Ok(Configuration { gateway, document, report, watched }),
        None => Err(Refused { report, watched }),
    }
}

/// The platform that it will run on, if that is known.
fn runs_on(purpose: Purpose, look: Look) -> Option<Target> {
    match (look, purpose) {
        (Look::Close(Some(target)), _) => Some(target),
        (_, Purpose::Serve) => Some(Target::Native),
        (_, Purpose::Build(target)) => target,
        (_, Purpose::Develop) => None,
    }
}

fn watched(path: &Path, sources: &Sources) -> Vec<PathBuf> {
    let all: BTreeSet<PathBuf> = sources.watched().chain([path]).map(Path::to_owned).collect();
    all.into_iter().collect()
}

fn document(path: &Path) -> Result<Document, Report> {
    let text = match std::fs::read_to_string(path) {
        // what else may be wrong with the file is the loader's to say
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("there is no file {}", path.display());
            let help = "go to the folder that has it, or name another with --config FILE";
            return Err(refusal(Code::FileUnreadable, message, help));
        }
        text => text.unwrap_or_default(),
    };
    parsed(path, text, |_| portico::config::load(path))
}

/// A bundle, or else whatever `load` makes of it.
fn parsed(path: &Path, text: String, load: impl FnOnce(String) -> Result<Loaded, Report>) -> Result<Document, Report> {
    if is_bundle(&text) {
        let bundle = Bundle::parse(&text).map_err(|error| {
            let message = format!("{}: {error}", path.display());
            refusal(Code::BundleBroken, message, "build it again with `portico build`, from the YAML")
        })?;
        return Ok((bundle.document, Sources::default(), Vec::new()));
    }
    let loaded = load(text)?;
    Ok((loaded.document, loaded.sources, loaded.notes))
}

fn is_bundle(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && serde_json::from_str(text).is_ok_and(|value: Value| value.get("bundle").is_some())
}

fn refusal(code: Code, message: String, help: &str) -> Report {
    Report::new(&Sources::default(), &[Note::nowhere(code, message).with_help(help)], &[])
}

/// A demo upstream must be one that exists, and only `portico dev` has them: no platform does.
fn demo_targets(document: &Value, purpose: Purpose, findings: &mut Findings) {
    for (at, name) in targets_of(document, demo::SCHEME) {
        let (message, help) = (
            "demo upstreams are answered by `portico dev` only",
            "write the http:// or https:// URL of the real service",
        );
        match purpose {
            Purpose::Serve | Purpose::Build(Some(_)) => {
                findings.error(&at, message).code(Code::DemoUpstream).help(help)
            }
            _ if !demo::NAMES.contains(&name) => {
                let known = demo::NAMES.map(|name| format!("demo://{name}")).join(", ");
                let message = format!("there is no demo upstream {name:?}");
                findings.error(&at, message).code(Code::UnknownName).help(format!("known: {known}"))
            }
            Purpose::Build(None) => findings.warning(Code::DemoUpstream, &at, message).help(help),
            Purpose::Develop => continue,
        };
    }
}

/// Where in a document upstreams of a scheme are named, and their names.
pub(crate) fn targets_of<'d>(document: &'d Value, scheme: &str) -> Vec<(Pointer, &'d str)> {
    let root = Pointer::root().child_key("upstreams");
    let mut found = Vec::new();
    for (name, upstream) in document.get("upstreams").and_then(Value::as_object).into_iter().flatten() {
        let at = root.child_key(name).child_key("targets");
        let targets = upstream.get("targets").and_then(Value::as_array);
        for (index, target) in targets.into_iter().flatten().enumerate() {
            let url = target.get("url").and_then(Value::as_str).and_then(|url| url.split_once("://"));
            if let Some((_, rest)) = url.filter(|(own, _)| *own == scheme) {
                found.push((at.child_index(index).child_key("url"), rest.split(['/', '?']).next().unwrap_or_default()));
            }
        }
    }
    found
}

/// Warns of secrets that the configuration names and this process does not have: requests that need one fail with 500.
fn missing_secrets(document: &Value, secrets: &Secrets, findings: &mut Findings) {
    let mut named = Vec::new();
    secrets_of(document, &Pointer::root(), &mut named);
    let mut told = BTreeSet::new();
    for (at, name) in named {
        if secrets.get(&name).is_none() && told.insert(name.clone()) {
            let effect = match at.segments().first() {
                Some(Segment::Key(key)) if key == "debug" => "nobody sees a trace",
                Some(Segment::Key(key)) if key == "state" => "`portico serve` does not start without it",
                _ => "requests that need it are answered 500",
            };
            findings
                .warning(Code::SecretUnset, &at, format!("the secret {name} is not set here: {effect}"))
                .help(format!("set the environment variable {name}; `portico dev` also reads dev.env"));
        }
    }
}

/// The names of the secrets that a document refers to.
pub(crate) fn secret_names(document: &Value) -> BTreeSet<String> {
    let mut named = Vec::new();
    secrets_of(document, &Pointer::root(), &mut named);
    named.into_iter().map(|(_, name)| name).collect()
}

fn secrets_of(value: &Value, at: &Pointer, found: &mut Vec<(Pointer, String)>) {
    match value {
        Value::String(text) if text.contains("${") => {
            let template = Template::parse(text).ok();
            for variable in template.iter().flat_map(Template::variables) {
                if let Variable::Secret(name) = variable {
                    found.push((at.clone(), name.to_string()));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                secrets_of(item, &at.child_index(index), found);
            }
        }
        Value::Object(entries) => {
            // a respond's json is sent as it stands: nothing in it is a template
            for (key, value) in entries.iter().filter(|(key, _)| *key != "json") {
                secrets_of(value, &at.child_key(key), found);
            }
        }
        _ => {}
    }
}
