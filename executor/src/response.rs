//! The response of a guest: its head, checked, and the way from a started guest to it.

mod body;

use std::{pin::Pin, task::Poll};

use http::{HeaderValue, Method, Response, StatusCode, header, response};
use tokio::sync::oneshot;

pub use self::body::ResponseBody;
pub(crate) use self::body::Source;
use self::body::{Declared, Rest};
use crate::{
    config::Config,
    error::InvokeError,
    metrics::{Outcome, Start},
    phases::Phases,
    running::{Ended, Failed, Running},
};

/// What a guest answered, so far.
pub(crate) enum Head {
    /// A response whose body comes from `Source`.
    Response(Response<Source>),
    /// A component gave an error instead.
    Error(String),
    /// It outgrew its limits while the guest wrote it.
    TooLarge,
}

/// Runs the guest until its head is there, and further as long as it does not wait for anything.
pub(crate) async fn respond(
    mut running: Running,
    mut head: oneshot::Receiver<Head>,
    method: Method,
    config: &Config,
    phases: &mut Phases,
) -> Result<Response<ResponseBody>, InvokeError> {
    enum Step {
        Head(Head),
        Ended(Result<Ended, Failed>),
    }
    let mut answers = true;
    let step = std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = running.poll(cx) {
            return Poll::Ready(Step::Ended(ended));
        }
        // A guest that computes elsewhere sends it while nobody polls here.
        match answers.then(|| Pin::new(&mut head).poll(cx)) {
            Some(Poll::Ready(Ok(head))) => Poll::Ready(Step::Head(head)),
            Some(Poll::Ready(Err(_))) => {
                answers = false;
                Poll::Pending
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    });
    let step = step.await;
    *phases = running.phases();
    if let Some(start) = phases.start.filter(|start| *start != Start::Warm) {
        running.flight().metrics().started(start, phases.starting);
    }
    match step {
        Step::Head(head) => {
            let (parts, source) = accept(head, config, &mut running)?;
            running.pace().heard();
            let declared = declared_length(&parts, &method);
            let body = ResponseBody::running(running, source, declared);
            Ok(Response::from_parts(parts, body))
        }
        Step::Ended(Err(failed)) => Err(failed.failure.into_invoke(running.pace().limit())),
        Step::Ended(Ok(Ended::Whole(head))) => {
            let (parts, source) = accept(head, config, &mut running)?;
            finish(parts, source, Ended::Streamed, &method, &mut running)
        }
        Step::Ended(Ok(ended)) => {
            let Ok(head) = head.try_recv() else {
                running.flight().ended(Outcome::Refused);
                return Err(InvokeError::NoResponse);
            };
            let (parts, source) = accept(head, config, &mut running)?;
            finish(parts, source, ended, &method, &mut running)
        }
    }
}

/// The guest is done: whatever of its body is still on the way fits in memory, and its slots are free at once.
fn finish(
    mut parts: response::Parts,
    mut source: Source,
    ended: Ended,
    method: &Method,
    running: &mut Running,
) -> Result<Response<ResponseBody>, InvokeError> {
    let declared = declared_length(&parts, method);
    let mut rest = Rest::drain(&mut source, ended, Ok(()));
    let length = rest.length();
    if let Some(error) = rest.error.take().or_else(|| declared.check_end(length)) {
        running.flight().ended(Outcome::Partial);
        return Err(InvokeError::Partial(error));
    }
    let implied = !declared.known() && rest.trailers.is_none() && may_have_length(parts.status);
    if implied && (length > 0 || !declared.mute) {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let body = ResponseBody::rest(rest, declared, running.phases());
    Ok(Response::from_parts(parts, body))
}

/// Checks a head against what may be sent.
fn accept(
    head: Head,
    config: &Config,
    running: &mut Running,
) -> Result<(response::Parts, Source), InvokeError> {
    let refused = match head {
        Head::Response(response) => {
            let (mut parts, source) = response.into_parts();
            if parts.status == StatusCode::NO_CONTENT {
                parts.headers.remove(header::CONTENT_LENGTH); // RFC 9110 §8.6
            }
            match check(&parts, config) {
                Ok(()) => return Ok((parts, source)),
                Err(reason) => InvokeError::ResponseHead { reason },
            }
        }
        Head::Error(code) => InvokeError::GuestError { code },
        Head::TooLarge => InvokeError::ResponseHead { reason: TOO_LARGE },
    };
    running.flight().ended(Outcome::Refused);
    Err(refused)
}

const TOO_LARGE: &str = "it has too many or too long fields";

fn check(parts: &response::Parts, config: &Config) -> Result<(), &'static str> {
    if parts.status.is_informational() {
        return Err("its status is not final");
    }
    let size: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > config.response_head || parts.headers.len() > config.response_fields {
        return Err(TOO_LARGE);
    }
    let mut lengths = parts.headers.get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (Some(length), None) if parse_length(length).is_none() => {
            Err("its content-length is not a number")
        }
        (Some(_), Some(_)) => Err("it has several content-length fields"),
        _ => Ok(()),
    }
}

fn parse_length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// RFC 9110 §8.6: these never carry one.
fn may_have_length(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn declared_length(parts: &response::Parts, method: &Method) -> Declared {
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(parse_length);
    let mute = method == Method::HEAD || !may_have_length(parts.status);
    Declared { length, sent: 0, mute }
}
