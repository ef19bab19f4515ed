//! What is worth knowing about a run besides its results: above all what was not compared.

use std::collections::BTreeMap;

use super::gateway::Gateway;

/// What is worth saying at the end.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// By the hash of another configuration, how many cases are for it.
    pub(super) other: BTreeMap<String, usize>,
    /// How many cases expect decisions and no trace was asked for, for lack of the secret.
    pub(super) undecided: usize,
    /// … and because a trace changes what else they expect.
    pub(super) changed: usize,
    /// How many answers had no trace although one was asked for.
    pub(super) untraced: usize,
}

impl Said {
    /// One text each. `serves` is the hash of the configuration there.
    pub(super) fn notes(&self, gateway: &Gateway, serves: &str) -> Vec<String> {
        let other = self.other.iter().map(|(hash, count)| {
            let cases = counted(*count, "case is", "cases are");
            let (hash, serves) = (short(hash), short(serves));
            format!("{cases} for the configuration {hash}, and {gateway} serves {serves}: what differs may fail")
        });
        let uncompared = [
            (self.undecided, "case", "give the secret of the gateway's `debug` to see them"),
            (self.changed, "case", "Cache-Control is expected, and a trace comes with its own"),
            (
                self.untraced,
                "answer",
                "they came without a trace; look whether the gateway has `debug`, this secret and the right time",
            ),
        ];
        let uncompared = uncompared.into_iter().filter(|(count, ..)| *count > 0).map(|(count, what, why)| {
            format!("decisions of {} were not compared: {why}", counted(count, what, &format!("{what}s")))
        });
        other.chain(uncompared).collect()
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// As much of a hash as people compare.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
