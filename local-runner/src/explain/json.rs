//! What there is to tell, for tools.

use http::HeaderMap;
use portico::config::Place;
use serde_json::{Value, json};

use super::diff::diff;
use super::mask::Mask;
use super::told::{Sent, Step, Told, Upstream, fields};

/// One object; what is not known is null.
pub(crate) fn json(told: &Told) -> String {
    let Told { asked, trace, mask, reply, .. } = told;
    let facts = &trace.request;
    let near = told.near.iter().map(|near| json!({ "route": near.route, "asks": near.asks }));
    let shown = json!({
        "request": {
            "method": asked.method.as_str(),
            "url": mask.text(&asked.url()),
            "headers": headers(&asked.headers, mask),
            "canonical_path": facts.canonical_path.as_deref().map(|path| mask.text(path)),
            "id": mask.text(&facts.id),
            "id_kept": facts.id_kept,
            "trace_id": facts.trace_id,
            "trace_continued": facts.trace_continued,
            "client": facts.client,
            "client_from": facts.client_from,
            "country": facts.country,
            "asn": facts.asn,
        },
        "config": trace.config,
        "route": trace.route,
        "caller": trace.caller.as_ref().map(|caller| {
            json!({ "identity": caller.identity, "consumer": mask.text(&caller.consumer) })
        }),
        "steps": trace.steps.iter().zip(&told.places).map(|(line, at)| step(line, at.as_ref(), mask)).collect::<Vec<_>>(),
        "near": near.collect::<Vec<_>>(),
        "bounds": told.bounds.iter().map(|(at, says)| json!({ "at": at.to_string(), "says": says })).collect::<Vec<_>>(),
        "upstream": match &told.upstream {
            Upstream::Sent(sent) => upstream(told, sent),
            Upstream::Nothing | Upstream::Untold => Value::Null,
        },
        "response": {
            "status": reply.status.as_u16(),
            "headers": headers(&reply.headers, mask),
            "body": reply.text(mask),
        },
    });
    format!("{shown:#}\n")
}

fn step(step: &Step, at: Option<&Place>, mask: &Mask) -> Value {
    json!({
        "step": step.step,
        "outcome": step.outcome,
        "reason": step.reason,
        "title": step.reason().map(|reason| reason.title()),
        "detail": mask.text(&step.detail),
        "place": step.place,
        "file": at.map(|at| &at.file),
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
    })
}

fn upstream(told: &Told, sent: &Sent) -> Value {
    let Told { asked, trace, mask, .. } = told;
    let diff: Vec<_> = diff(asked, sent, mask).into_iter().map(|(_, line)| line).collect();
    json!({
        "target": trace.upstream,
        "method": sent.method.as_str(),
        "url": mask.text(&format!("{}{}", sent.origin(), sent.target())),
        "headers": headers(&sent.headers, mask),
        "diff": diff.join("\n"),
        "answer": sent.answer.as_u16(),
    })
}

/// A list, as a field may have several lines.
fn headers(headers: &HeaderMap, mask: &Mask) -> Value {
    fields(headers).into_iter().map(|(name, value)| json!([name.as_str(), mask.value(name, value)])).collect()
}
