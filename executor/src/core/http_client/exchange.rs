//! `doHttpRequest`: a request sent, its redirects followed.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use url::Url;
use wasmtime::{Caller, Linker};

use super::{
    super::{
        SDK, State,
        errno::{self, Errno, HTTP_REQUEST_FAILED},
    },
    Request,
    fields::Fields,
    redirect::Hop,
    response::Incoming,
    settle, with,
};
use crate::{
    defaults,
    outbound::{CallTimeouts, Calls, OutboundBody},
};

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        SDK,
        "doHttpRequest",
        |mut caller: Caller<'_, State>, (client, id): (u32, u32)| {
            Box::new(async move { errno::of(perform(&mut caller, client, id).await) })
        },
    )?;
    Ok(())
}

/// Within 30 s altogether; the function's own deadline ends the guest that waits.
async fn perform(caller: &mut Caller<'_, State>, client: u32, id: u32) -> Result<(), Errno> {
    let hop = with(caller, client, id, |_, request, limits| {
        if let Some(before) = request.response.take() {
            settle(limits, 0, before.fields.size())?;
        }
        request.first_hop().ok_or(HTTP_REQUEST_FAILED)
    })?;
    let deadline = Instant::now() + defaults::CORE_CALL;
    let calls = caller.data_mut().calls();
    let exchange = tokio::time::timeout_at(deadline.into(), exchange(calls, hop)).await;
    let response = exchange.map_err(|_| HTTP_REQUEST_FAILED)??;
    with(caller, client, id, |_, request, limits| {
        let (parts, body) = response.into_parts();
        let fields = Fields::of_map(&parts.headers);
        settle(limits, fields.size(), 0).map_err(|_| HTTP_REQUEST_FAILED)?;
        request.response = Some(Incoming::new(fields, body, deadline));
        Ok(())
    })
}

/// Each hop is a call of its own, judged like the first.
async fn exchange(calls: Calls, mut hop: Hop) -> Result<Response<OutboundBody>, Errno> {
    for _ in 0..=defaults::CORE_REDIRECTS {
        let request = hop.to_request().ok_or(HTTP_REQUEST_FAILED)?;
        let sent = calls.clone().send(request, CallTimeouts::default()).await;
        let response = sent.map_err(|_| HTTP_REQUEST_FAILED)?;
        let next = hop.follow(response.status(), response.headers());
        match next.map_err(|_| HTTP_REQUEST_FAILED)? {
            Some(next) => hop = next,
            None => return Ok(response),
        }
    }
    Err(HTTP_REQUEST_FAILED)
}

impl Request {
    /// None if there is no URL, or a field cannot be sent.
    fn first_hop(&self) -> Option<Hop> {
        let mut url = self.url.clone()?;
        let mut fields = self.fields.to_map()?;
        take_user(&mut url, &mut fields)?;
        // The body says how long it is.
        fields.remove(header::CONTENT_LENGTH);
        fields.entry(header::USER_AGENT).or_insert(USER_AGENT);
        Some(Hop { method: self.method.clone(), url, fields, body: self.body.clone() })
    }
}

/// Some servers turn away who does not say what it is.
const USER_AGENT: HeaderValue = HeaderValue::from_static("headgate");

/// As Go does: a user in a URL goes into a field, unless that is set.
fn take_user(url: &mut Url, fields: &mut HeaderMap) -> Option<()> {
    if url.username().is_empty() && url.password().is_none() {
        return Some(());
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    let pair = [&*user, b":", &*password].concat();
    let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
    fields.entry(header::AUTHORIZATION).or_insert(value);
    url.set_username("").ok()?;
    url.set_password(None).ok()
}

impl Hop {
    fn to_request(&self) -> Option<http::Request<OutboundBody>> {
        let mut url = self.url.clone();
        url.set_fragment(None);
        let mut fields = self.fields.clone();
        take_user(&mut url, &mut fields)?;
        let uri: Uri = url.as_str().parse().ok()?;
        let body = Full::<Bytes>::new(self.body.clone()).map_err(|never| match never {});
        let mut request = http::Request::new(body.boxed_unsync());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = fields;
        Some(request)
    }
}
