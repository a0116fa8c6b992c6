//! Areas `event` and `http/event`: the request as a guest asks for it, the answer as it gives it.
//!
//! Values come in pairs: `…Size` writes a length, its partner the bytes. A request never changes, so both agree;
//! the buffer's size that some functions take is not looked at, as in Taubyte, except where noted.

mod transfer;
mod values;

use std::borrow::Cow;

use headgate_types::RequestId;
use http::{header, request};
use tokio::sync::oneshot;
use wasmtime::{Caller, Linker};

use super::{
    EVENT, SDK, State, codec,
    errno::{EVENT_NOT_FOUND, Errno},
    memory::{GuestMemory, enter},
    reply::Reply,
};
use crate::{
    body::RequestBody, config::Config, invocation::HttpInvocation, response::Head, running::Ended,
};

/// What `getEventType` says of a request.
const KIND_HTTP: u32 = 1;

/// The one event of an instance.
pub(super) struct Event {
    request: request::Parts,
    params: Vec<(Box<str>, String)>,
    body: transfer::Reader,
    reply: Reply,
}

impl Event {
    pub(super) fn new(http: HttpInvocation, config: &Config, head: oneshot::Sender<Head>) -> Self {
        let (request, body) = http.request.into_parts();
        Self {
            request,
            params: http.params,
            body: transfer::Reader::new(body),
            reply: Reply::new(config, head),
        }
    }

    /// The event of an instance that has none yet.
    pub(super) fn nothing(config: &Config, head: oneshot::Sender<Head>) -> Self {
        let nothing = HttpInvocation {
            request: http::Request::new(RequestBody::empty()),
            secure: false,
            request_id: RequestId::from_bytes([0; 16]),
            params: Vec::new(),
        };
        Self::new(nothing, config, head)
    }

    /// The answer, when the guest returned.
    pub(super) fn finish(self) -> Ended {
        self.reply.finish()
    }

    fn host(&self) -> Cow<'_, [u8]> {
        let authority = self.request.uri.authority().map(|authority| authority.as_str().as_bytes());
        authority.map_or_else(|| self.field("host"), Cow::Borrowed)
    }

    fn user_agent(&self) -> Cow<'_, [u8]> {
        self.field(header::USER_AGENT.as_str())
    }

    fn path(&self) -> Cow<'_, [u8]> {
        percent_encoding::percent_decode_str(self.request.uri.path()).into()
    }

    fn method(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.request.method.as_str().as_bytes())
    }

    /// The first value of a field, or nothing. `Host` is not among the fields, as in Go.
    fn header(&self, name: &str) -> Cow<'_, [u8]> {
        if name.eq_ignore_ascii_case("host") { Cow::default() } else { self.field(name) }
    }

    fn field(&self, name: &str) -> Cow<'_, [u8]> {
        let value = self.request.headers.get(name);
        value.map_or_else(Cow::default, |value| Cow::Borrowed(value.as_bytes()))
    }

    fn header_keys(&self) -> Cow<'_, [u8]> {
        let names = self.request.headers.keys().filter(|name| **name != header::HOST);
        Cow::Owned(codec::strings(names.map(|name| codec::canonical(name.as_str()))))
    }

    /// A path parameter, else the first value of the query.
    fn query(&self, name: &str) -> Cow<'_, [u8]> {
        if let Some((_, value)) = self.params.iter().find(|(known, _)| **known == *name) {
            return Cow::Borrowed(value.as_bytes());
        }
        let mut pairs = codec::query(self.request.uri.query().unwrap_or_default());
        let found = pairs.find(|(known, _)| **known == *name.as_bytes());
        found.map(|(_, value)| value).unwrap_or_default()
    }

    fn query_keys(&self) -> Cow<'_, [u8]> {
        let mut keys: Vec<Cow<'_, [u8]>> =
            self.params.iter().map(|(name, _)| Cow::Borrowed(name.as_bytes())).collect();
        for (name, _) in codec::query(self.request.uri.query().unwrap_or_default()) {
            if !keys.contains(&name) {
                keys.push(name);
            }
        }
        Cow::Owned(codec::strings(keys))
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, "getEventType", |mut caller: Caller<'_, State>, id: u32, out: u32| {
        // Without a result there is nobody to tell of a bad id or pointer.
        _ = with(&mut caller, id, |mut memory, _| memory.write_u32(out, KIND_HTTP));
    })?;
    values::add_to_linker(linker)?;
    transfer::add_to_linker(linker)
}

/// The event, if it is ours.
fn find<'a>(caller: &'a mut Caller<'_, State>, id: u32) -> Result<&'a mut Event, Errno> {
    if id == EVENT { Ok(&mut caller.data_mut().event) } else { Err(EVENT_NOT_FOUND) }
}

/// Runs a host function's body that needs the guest's memory.
fn with<T>(
    caller: &mut Caller<'_, State>,
    id: u32,
    function: impl FnOnce(GuestMemory<'_>, &mut Event) -> Result<T, Errno>,
) -> Result<T, Errno> {
    find(caller, id)?;
    let (memory, state) = enter(caller)?;
    function(memory, &mut state.event)
}
