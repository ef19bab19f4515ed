//! Every case against every subject, each as a test of its own: `offline::cors/preflight/it needs no credentials`.
//!
//! `PORTICO_SUBJECT` chooses: `offline`, `native` or `all` (default). Filters work as usual:
//! `cargo test -p portico-tests --test conformance -- cors/`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use portico::case::offline::Offline;
use portico::case::run::run;
use portico::case::subject::Subject;
use portico::case::{self, Case};
use portico_tests::native::Native;
use portico_tests::skips::{self, Settled, Skip, settle};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let subjects: Vec<Arc<dyn Subject + Send>> = match std::env::var("PORTICO_SUBJECT").as_deref() {
        Ok("offline") => vec![Arc::new(Offline)],
        Ok("native") => vec![Arc::new(Native::default())],
        Ok("all") | Err(_) => vec![Arc::new(Offline), Arc::new(Native::default())],
        Ok(other) => {
            eprintln!("PORTICO_SUBJECT={other}: expected offline, native or all");
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
    for case in cases {
        for subject in &subjects {
            trials.push(trial(Arc::clone(&case), Arc::clone(subject), &skips));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn read(file: &Path, here: &Path, cases: &mut Vec<Arc<Case>>, trials: &mut Vec<Trial>) {
    match case::load(file, &here.join("cases")) {
        Ok(read) => cases.extend(read.into_iter().map(Arc::new)),
        Err(wrong) => {
            let shown: Vec<_> = wrong.iter().map(ToString::to_string).collect();
            let name = file.strip_prefix(here).unwrap_or(file).display().to_string();
            trials.push(failing(&name, shown.join("\n")));
        }
    }
}

fn trial(case: Arc<Case>, subject: Arc<dyn Subject + Send>, skips: &[Skip]) -> Trial {
    let listed = skips.iter().find(|skip| skip.subject == subject.name() && skip.case == case.name).cloned();
    Trial::ignorable_test(format!("{}::{}", subject.name(), case.name), move || {
        match settle(run(&case, &*subject), listed.as_ref()) {
            Settled::Passed => Ok(Completion::Completed),
            Settled::Ignored(why) => Ok(Completion::ignored_with(why)),
            Settled::Failed(why) => Err(Failed::from(why)),
        }
    })
}

fn failing(name: &str, why: String) -> Trial {
    Trial::test(name, move || Err(Failed::from(why)))
}
