//! `wasi:http/handler@0.3`: a guest whose calls run side by side, and whose bodies are streams.
//!
//! Here a guest goes on after it gave its response: tasks it left write the body and the trailers. So it is driven
//! until none of them is left and the body ended, which the response's body does, as for every guest.

use std::future::poll_fn;

use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::{
    WasiHttpView,
    p2::bindings::http::types::Scheme,
    p3::{Request, bindings::ServicePre},
};

use super::{State, shared_body::SharedBody};
use crate::{
    body::RequestBody,
    pace::Pace,
    response::{Head, Source},
};

pub(super) async fn handle(
    pre: &ServicePre<State>,
    store: &mut Store<State>,
    pace: &Pace,
    (scheme, request): (Scheme, http::Request<RequestBody>),
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let service = pre.instantiate_async(&mut *store).await?;
    pace.started();
    let request = with_target(request, &scheme)?;
    let (request, received) = Request::from_http(store.data_mut().http().hooks, request);
    let driven = store.run_concurrent(async |accessor| {
        let (answer, body) = match service.handle(accessor, request).await? {
            Ok(response) => {
                let response = accessor.with(|store| response.into_http(store, received))?;
                let response = response.map(SharedBody::new);
                let body = response.body().clone();
                let source = |body: SharedBody| Source::Component(body.boxed_unsync());
                (Head::Response(response.map(source)), Some(body))
            }
            Err(code) => (Head::Error(format!("{code:?}")), None),
        };
        // Nobody listens any more if the request was dropped; then the guest is about to be, too.
        _ = head.send(answer);
        poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
        if let Some(body) = body {
            poll_fn(|cx| body.poll_ended(cx)).await;
        }
        wasmtime::Result::Ok(())
    });
    driven.await?
}

/// The request with scheme and authority in its target, where guests of 0.3 look for them.
fn with_target(
    mut request: http::Request<RequestBody>,
    scheme: &Scheme,
) -> wasmtime::Result<http::Request<RequestBody>> {
    let mut target = std::mem::take(request.uri_mut()).into_parts();
    target.scheme = Some(match scheme {
        Scheme::Https => http::uri::Scheme::HTTPS,
        _ => http::uri::Scheme::HTTP,
    });
    if target.authority.is_none() {
        let host = request.headers().get(http::header::HOST).map(http::HeaderValue::as_bytes);
        target.authority = host.map(http::uri::Authority::try_from).transpose()?;
    }
    *request.uri_mut() = http::Uri::from_parts(target)?;
    Ok(request)
}
