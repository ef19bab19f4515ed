//! What a platform is given in place of a configuration: the bundle that `portico build` makes.

use std::process::Command;

use portico::case::subject::Refusal;
use serde_json::Value;

use crate::child::{self, Directory};

/// Makes a file of this name in a folder, for `portico build --target`. The inner error is what that said when it refused.
pub(crate) fn build(
    directory: &Directory,
    name: &str,
    target: &str,
    config: &Value,
) -> Result<Result<(), String>, String> {
    let trouble = |error: std::io::Error| format!("portico could not be started: {error}");
    let file = directory.write("gateway.json", &with_on_error(config).to_string()).map_err(trouble)?;
    let mut command = Command::new(child::portico()?);
    command
        .args(["build", "--target", target, "--config"])
        .arg(file)
        .arg("--out")
        .arg(directory.path(name))
        .env_clear();
    let output = command.output().map_err(trouble)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(said) })
}

/// The same configuration with `on_error: deny`, the default, in each limit that does not say it: `portico build --target` wants it
/// said, and few cases are about that.
pub(crate) fn with_on_error(config: &Value) -> Value {
    let mut config = config.clone();
    let say = |limit: &mut Value| {
        if let Some(limit) = limit.as_object_mut().filter(|limit| !limit.contains_key("on_error")) {
            limit.insert("on_error".into(), "deny".into());
        }
    };
    for limit in ["rate_limit", "quota"] {
        config.pointer_mut(&format!("/defaults/{limit}")).into_iter().for_each(say);
        let routes = config.get_mut("routes").and_then(Value::as_array_mut).into_iter().flatten();
        routes.filter_map(|route| route.pointer_mut(&format!("/policies/{limit}"))).for_each(say);
        let plans = config.get_mut("plans").and_then(Value::as_object_mut).into_iter().flatten();
        plans.filter_map(|(_, plan)| plan.get_mut(limit)).for_each(say);
    }
    config
}

/// What `portico build` says to a configuration that should be refused.
pub(crate) fn refuse(target: &str, config: &Value) -> Result<Refusal, String> {
    let directory = Directory::new().map_err(|error| format!("no folder could be made: {error}"))?;
    Ok(match build(&directory, "bundle.json", target, config)? {
        Ok(()) => Refusal::Taken,
        Err(said) => Refusal::Text(said),
    })
}
