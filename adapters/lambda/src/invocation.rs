//! One invocation: an event comes in, a response is posted, and then comes what nobody waits for.

use std::io::Write as _;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::response::Parts;
use lambda_runtime::{Error, LambdaInvocation};
use portico_core::decision::{Decision, Outcome, Policy, Reason};
use portico_core::{After, Body, CollectError, Platform as _, Refusal, Timestamp, within};
use portico_native::body::NativeBody;
use portico_native::{survive, system};

use crate::answer::{self, Answer};
use crate::event::{self, Front, Incoming, Refused};
use crate::instance::Instance;
use crate::platform::{Lambda, left};
use crate::post::{Api, Id};

/// Serves one invocation to its end. Fails when the Runtime API does, which ends the process: Lambda starts another.
pub(crate) async fn serve(instance: Arc<Instance>, api: Arc<Api>, invocation: LambdaInvocation) -> Result<(), Error> {
    let id = Id::of(&invocation);
    let deadline = Timestamp::from_micros(invocation.context.deadline.saturating_mul(1_000));
    let Incoming { front, peer, request } = match event::request(&invocation.body) {
        Ok(incoming) => incoming,
        Err(Refused::Request { front, detail }) => {
            let refusal = Refusal::new(Policy::Path, Reason::RequestMalformed).detail(detail);
            return refuse(&instance, &api, &id, front, &refusal).await;
        }
        Err(Refused::Event(why)) => {
            eprintln!("{why}");
            return api.fail(&id, "Portico.UnknownEvent", why).await;
        }
    };
    drop(invocation);

    let secrets = instance.secrets.read(system::now(), left(deadline)).await;
    let platform = Lambda { instance, secrets, deadline };
    let instance = &*platform.instance;
    let handled = survive(pin!(instance.gateway.handle(&platform, &peer, request.map(Body::from)))).await;
    let Some((response, mut after)) = handled else {
        let refusal = Refusal::new(Policy::Route, Reason::InternalError);
        return refuse(instance, &api, &id, front, &refusal).await;
    };
    let (head, body) = response.into_parts();
    let posted = if instance.streams(front) {
        stream(&api, &id, front, head, body, &mut after).await
    } else {
        let answer = whole(&platform, front, head, body, &mut after).await;
        api.respond(&id, answer.json).await
    };
    finish(&platform, after).await;
    posted
}

/// Posts a response as it comes, or a problem where its head is too long.
async fn stream(
    api: &Api,
    id: &Id,
    front: Front,
    head: Parts,
    body: Body<NativeBody>,
    after: &mut After<NativeBody>,
) -> Result<(), Error> {
    let prelude = answer::prelude(front, &head);
    let Some(problem) = answer::too_long(front, &head, &prelude) else {
        return api.stream(id, prelude, body).await;
    };
    let (head, body) = problem.into_parts();
    replaced(after, head.status, Reason::ResponseTooLarge);
    api.stream(id, answer::prelude(front, &head), Body::from(body)).await
}

/// The answer that is all of a response, or a problem where it cannot be had or posted.
async fn whole(
    platform: &Lambda,
    front: Front,
    head: Parts,
    body: Body<NativeBody>,
    after: &mut After<NativeBody>,
) -> Answer {
    let limit = answer::limit(front) as u64;
    let collected = match body {
        Body::Empty => Ok(Bytes::new()),
        Body::Full(bytes) => Ok(bytes),
        Body::Stream(stream) => match within(platform.sleep(platform.left()), platform.collect(stream, limit)).await {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(CollectError::TooLarge)) => Err(Reason::ResponseTooLarge),
            Some(Err(CollectError::Broken)) => Err(Reason::UpstreamBroken),
            None => Err(Reason::UpstreamTimeout),
        },
    };
    let (answer, reason) = match collected {
        Ok(body) => (answer::whole(front, head, &body), Reason::ResponseTooLarge),
        Err(reason) => (answer::instead(front, head, &Refusal::new(Policy::Forward, reason)), reason),
    };
    if answer.status != after.record.status {
        replaced(after, answer.status, reason);
    }
    answer
}

/// Notes that a problem stands in for the response.
fn replaced(after: &mut After<NativeBody>, status: StatusCode, reason: Reason) {
    after.record.status = status;
    let decision = Decision { policy: Policy::Forward, outcome: Outcome::Deny, reason, detail: "".into() };
    after.record.decisions.push(decision);
}

/// Posts the refusal of a request that core takes no part in, or of which nothing came but a panic.
async fn refuse(instance: &Instance, api: &Api, id: &Id, front: Front, refusal: &Refusal) -> Result<(), Error> {
    let (head, body) = answer::refused(refusal, system::random()).into_parts();
    if instance.streams(front) {
        api.stream(id, answer::prelude(front, &head), Body::from(body)).await
    } else {
        api.respond(id, answer::whole(front, head, &body).json).await
    }
}

/// What follows a response: its line in the log, and what nobody waits for.
async fn finish(platform: &Lambda, after: After<NativeBody>) {
    if platform.instance.access_log {
        let mut line = after.record.to_json(platform.now());
        line.push('\n');
        // there is nobody to tell
        drop(std::io::stdout().write_all(line.as_bytes()));
    }
    after.follow_up.run(&platform.instance.gateway, platform).await;
}

#[cfg(test)]
mod tests;
