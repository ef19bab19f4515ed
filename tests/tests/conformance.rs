//! Every case against every subject, each as a test of its own: `offline::cors/preflight/it needs no credentials`.
//!
//! `PORTICO_SUBJECT` chooses: `offline`, `native`, `cloudflare`, `spin`, `lambda` or `all` (default), or `nodes`, two of the native server
//! that count in one Redis, for cases about rate limits; `PORTICO_LAMBDA_FRONT` what stands before Lambda. Filters work as usual: `cargo test -p portico-tests --test conformance -- cors/`. The run ends with a table: topic × subject.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use portico::case::offline::Offline;
use portico::case::run::run;
use portico::case::subject::Subject;
use portico::case::tally::{Counts, Tally};
use portico::case::{self, Case};
use portico_tests::cloudflare::Cloudflare;
use portico_tests::lambda::{Front, Lambda};
use portico_tests::native::{Native, Nodes};
use portico_tests::skips::{self, Settled, Skip, settle};
use portico_tests::spin::Spin;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let lambda = match Front::chosen() {
        Ok(front) => Arc::new(Lambda::behind(front)),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let subjects: Vec<Arc<dyn Subject + Send>> = match std::env::var("PORTICO_SUBJECT").as_deref() {
        Ok("offline") => vec![Arc::new(Offline)],
        Ok("native") => vec![Arc::new(Native::default())],
        Ok("nodes") => vec![Arc::new(Nodes::default())],
        Ok("cloudflare") => vec![Arc::new(Cloudflare)],
        Ok("spin") => vec![Arc::new(Spin)],
        Ok("lambda") => vec![lambda],
        Ok("all") | Err(_) => {
            vec![Arc::new(Offline), Arc::new(Native::default()), Arc::new(Cloudflare), Arc::new(Spin), lambda]
        }
        Ok(other) => {
            eprintln!("PORTICO_SUBJECT={other}: expected offline, native, nodes, cloudflare, spin, lambda or all");
            return ExitCode::FAILURE;
        }
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut trials = Vec::new();
    let mut cases = Vec::new();
    match case::files(&here.join("cases")) {
        Ok(files) if !files.is_empty() => {
            for file in files {
                read(&file, here, &mut cases, &mut trials);
            }
        }
        Ok(_) => trials.push(failing("cases", "there are no cases".to_owned())),
        Err(error) => trials.push(failing("cases", error.to_string())),
    }
    let names: Vec<_> = cases.iter().map(|case| case.name.clone()).collect();
    let skips = skips::load(&here.join("skips.toml"), &names).unwrap_or_else(|error| {
        trials.push(failing("skips.toml", error));
        Vec::new()
    });
    let tally = Arc::new(Mutex::new(Tally::default()));
    for case in cases {
        for subject in &subjects {
            trials.push(trial(Arc::clone(&case), Arc::clone(subject), &skips, Arc::clone(&tally)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    // a list of the tests is read by tools
    if tally.topics() > 0 {
        println!("{tally}");
    }
    conclusion.exit_code()
}

fn read(file: &Path, here: &Path, cases: &mut Vec<Arc<Case>>, trials: &mut Vec<Trial>) {
    match case::load(file, &here.join("cases")) {
        Ok(read) => cases.extend(read.into_iter().map(Arc::new)),
        Err(wrong) => {
            let name = file.strip_prefix(here).unwrap_or(file).display().to_string();
            trials.push(failing(&name, wrong.to_string()));
        }
    }
}

fn trial(case: Arc<Case>, subject: Arc<dyn Subject + Send>, skips: &[Skip], tally: Arc<Mutex<Tally>>) -> Trial {
    let listed = skips.iter().find(|skip| skip.subject == subject.name() && skip.case == case.name).cloned();
    Trial::ignorable_test(format!("{}::{}", subject.name(), case.name), move || {
        let settled = settle(run(&case, &*subject), listed.as_ref());
        let (counts, told) = match settled {
            Settled::Passed => (Counts::PASSED, Ok(Completion::Completed)),
            Settled::Ignored(why) => (Counts::SKIPPED, Ok(Completion::ignored_with(why))),
            Settled::Failed(why) => (Counts::FAILED, Err(Failed::from(why))),
        };
        tally.lock().unwrap_or_else(PoisonError::into_inner).add(&case.name, subject.name(), counts);
        told
    })
}

fn failing(name: &str, why: String) -> Trial {
    Trial::test(name, move || Err(Failed::from(why)))
}
