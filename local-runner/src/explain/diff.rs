//! What becomes of the head of a request on its way upstream, as a unified diff.

use http::HeaderMap;
use similar::{ChangeTag, TextDiff};

use super::curl::Asked;
use super::mask::Mask;
use super::told::{Sent, fields};

/// A unified diff of the request and what goes upstream: every line, as heads are short. Its own header comes first, then the
/// hunk's, both without a tag.
pub(super) fn diff(asked: &Asked, sent: &Sent, mask: &Mask) -> Vec<(Option<ChangeTag>, String)> {
    let old = Head::new(asked.method.as_str(), asked.target.as_str(), &asked.headers, mask);
    let new = Head::new(sent.method.as_str(), sent.target(), &sent.headers, mask);
    let mut lines = vec![
        (None, "--- request".to_owned()),
        (None, "+++ upstream".to_owned()),
        (None, format!("@@ -1,{} +1,{} @@", old.lines.len(), new.lines.len())),
    ];
    // compared as they are and shown without what must not be: two tokens of one length differ
    for change in TextDiff::from_slices(&old.texts(), &new.texts()).iter_all_changes() {
        let shown = match (change.old_index(), change.new_index()) {
            (Some(index), _) => old.shown.get(index),
            (None, Some(index)) => new.shown.get(index),
            (None, None) => None,
        };
        lines.extend(shown.map(|text| (Some(change.tag()), format!("{}{text}", change.tag()))));
    }
    lines
}

/// The lines of a head, as they are and as they are shown.
struct Head {
    lines: Vec<String>,
    shown: Vec<String>,
}

impl Head {
    fn new(method: &str, target: &str, headers: &HeaderMap, mask: &Mask) -> Self {
        let first = format!("{method} {target}");
        let mut head = Self { shown: vec![mask.text(&first)], lines: vec![first] };
        for (name, value) in fields(headers) {
            head.lines.push(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
            head.shown.push(format!("{name}: {}", mask.value(name, value)));
        }
        head
    }

    fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(String::as_str).collect()
    }
}
