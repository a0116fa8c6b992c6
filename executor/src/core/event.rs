//! Areas `event` and `http/event`: the request as a guest asks for it, the answer as it gives it.
//!
//! Values come in pairs: `…Size` writes a length, its partner the bytes. A request never changes, so both agree;
//! the buffer's size that some functions take is not looked at, as in Taubyte, except where noted.

use std::borrow::Cow;

use bytes::Bytes;
use http::{header, request};
use tokio::sync::oneshot;
use wasmtime::{Caller, Linker};

use super::{
    EVENT, SDK, State, codec,
    errno::{self, BUFFER_TOO_SMALL, EOF, EVENT_NOT_FOUND, Errno, HTTP_READ_BODY},
    memory::{GuestMemory, enter},
    redirect,
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
    body: Reader,
    reply: Reply,
}

/// The request's body as it is read.
struct Reader {
    body: Option<RequestBody>,
    /// What came and did not fit into the guest's buffer.
    rest: Bytes,
    closed: bool,
}

impl Event {
    pub(super) fn new(http: HttpInvocation, config: &Config, head: oneshot::Sender<Head>) -> Self {
        let (request, body) = http.request.into_parts();
        Self {
            request,
            params: http.params,
            body: Reader { body: Some(body), rest: Bytes::new(), closed: false },
            reply: Reply::new(config, head),
        }
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
    values(linker)?;
    keyed_values(linker)?;
    body(linker)?;
    answer(linker)
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

type Value = fn(&Event) -> Cow<'_, [u8]>;

fn values(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    sized(linker, "getHttpEventHostSize", Event::host)?;
    written(linker, "getHttpEventHost", Event::host)?;
    sized(linker, "getHttpEventUserAgentSize", Event::user_agent)?;
    written(linker, "getHttpEventUserAgent", Event::user_agent)?;
    sized(linker, "getHttpEventPathSize", Event::path)?;
    written(linker, "getHttpEventPath", Event::path)?;
    sized(linker, "getHttpEventMethodSize", Event::method)?;
    // The one function that insists on the exact size.
    linker.func_wrap(
        SDK,
        "getHttpEventMethod",
        |mut caller: Caller<'_, State>, id: u32, out: u32, size: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                let method = event.method();
                if method.len() != size as usize {
                    return Err(BUFFER_TOO_SMALL);
                }
                memory.write(out, &method)
            }))
        },
    )?;
    sized(linker, "getHttpEventRequestHeaderKeysSize", Event::header_keys)?;
    written(linker, "getHttpEventRequestHeaderKeys", Event::header_keys)?;
    // What the Go SDK imports for the same.
    sized(linker, "getHttpEventHeaderVarNameByIdSize", Event::header_keys)?;
    listed(linker, "getHttpEventHeaderVarNameById", Event::header_keys)?;
    sized(linker, "getHttpEventRequestQueryKeysSize", Event::query_keys)?;
    listed(linker, "getHttpEventRequestQueryKeys", Event::query_keys)
}

/// `(event, sizePtr)`
fn sized(linker: &mut Linker<State>, name: &str, value: Value) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, name, move |mut caller: Caller<'_, State>, id: u32, out: u32| -> u32 {
        errno::of(with(&mut caller, id, |mut memory, event| memory.write_size(out, &value(event))))
    })?;
    Ok(())
}

/// `(event, bufPtr, ignored)`
fn written(linker: &mut Linker<State>, name: &str, value: Value) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>, id: u32, out: u32, _size: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| memory.write(out, &value(event))))
        },
    )?;
    Ok(())
}

/// `(event, bufPtr)`
fn listed(linker: &mut Linker<State>, name: &str, value: Value) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, name, move |mut caller: Caller<'_, State>, id: u32, out: u32| -> u32 {
        errno::of(with(&mut caller, id, |mut memory, event| memory.write(out, &value(event))))
    })?;
    Ok(())
}

type KeyedValue = for<'a> fn(&'a Event, &str) -> Cow<'a, [u8]>;

fn keyed_values(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    keyed(linker, "getHttpEventHeadersSize", "getHttpEventHeaders", Event::header)?;
    let (size, name) = ("getHttpEventQueryValueByNameSize", "getHttpEventQueryValueByName");
    keyed(linker, size, name, Event::query)
}

/// `(event, sizePtr, keyPtr, keyLen)`, where the size comes first, and `(event, keyPtr, keyLen, bufPtr, ignored)`
fn keyed(
    linker: &mut Linker<State>,
    size: &str,
    name: &str,
    value: KeyedValue,
) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        size,
        move |mut caller: Caller<'_, State>, id: u32, out: u32, key: u32, length: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                let key = memory.text(key, length)?;
                memory.write_size(out, &value(event, &key))
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>,
              id: u32,
              key: u32,
              length: u32,
              out: u32,
              _size: u32|
              -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                let key = memory.text(key, length)?;
                memory.write(out, &value(event, &key))
            }))
        },
    )?;
    Ok(())
}

fn body(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        SDK,
        "readHttpEventBody",
        |mut caller: Caller<'_, State>, (id, at, size, count): (u32, u32, u32, u32)| {
            Box::new(async move { read_body(&mut caller, id, at, size, count).await })
        },
    )?;
    linker.func_wrap(SDK, "closeHttpEventBody", |mut caller: Caller<'_, State>, id: u32| -> u32 {
        errno::of(find(&mut caller, id).map(|event| {
            event.body = Reader { body: None, rest: Bytes::new(), closed: true };
        }))
    })?;
    Ok(())
}

/// Bytes come with errno 0, the end with errno 8 and a count of zero. Pointers are checked before the body is
/// touched, so that a bad one loses nothing.
async fn read_body(
    caller: &mut Caller<'_, State>,
    id: u32,
    at: u32,
    size: u32,
    count: u32,
) -> Errno {
    let checked = with(caller, id, |mut memory, _| {
        memory.slice(at, size as usize)?;
        memory.write_u32(count, 0)
    });
    if let Err(errno) = checked {
        return errno;
    }
    if size == 0 {
        return errno::NONE;
    }
    let reader = &mut caller.data_mut().event.body;
    let piece = match reader.next(size as usize).await {
        Ok(Some(piece)) => piece,
        Ok(None) => return EOF,
        Err(errno) => return errno,
    };
    errno::of(with(caller, id, |mut memory, _| {
        memory.write(at, &piece)?;
        memory.write_size(count, &piece)
    }))
}

impl Reader {
    /// At least one and at most `limit` bytes; nothing at the end.
    async fn next(&mut self, limit: usize) -> Result<Option<Bytes>, Errno> {
        use http_body_util::BodyExt;
        if self.closed {
            return Err(HTTP_READ_BODY);
        }
        while self.rest.is_empty() {
            let Some(body) = &mut self.body else { return Ok(None) };
            match body.frame().await {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => {
                    self.closed = true;
                    return Err(HTTP_READ_BODY);
                }
                None => self.body = None,
            }
        }
        Ok(Some(self.rest.split_to(limit.min(self.rest.len()))))
    }
}

fn answer(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        "eventHttpHeaderAdd",
        |mut caller: Caller<'_, State>,
         id: u32,
         key: u32,
         key_length: u32,
         value: u32,
         value_length: u32|
         -> u32 {
            errno::of(with(&mut caller, id, |memory, event| {
                let key = memory.read(key, key_length)?;
                let value = memory.read(value, value_length)?;
                event.reply.add_header(key, value);
                Ok(())
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        "eventHttpRetCode",
        |mut caller: Caller<'_, State>, id: u32, code: u32| -> u32 {
            errno::of(find(&mut caller, id).and_then(|event| event.reply.status(code)))
        },
    )?;
    linker.func_wrap(
        SDK,
        "eventHttpRedirect",
        |mut caller: Caller<'_, State>, id: u32, url: u32, length: u32, code: u32| -> u32 {
            errno::of(with(&mut caller, id, |memory, event| {
                let url = memory.text(url, length)?;
                let path = String::from_utf8_lossy(&event.path()).into_owned();
                let target = redirect::target(&url, &path);
                redirect::answer(&mut event.reply, &event.request.method, &target, code)
            }))
        },
    )?;
    linker.func_wrap_async(
        SDK,
        "eventHttpWrite",
        |mut caller: Caller<'_, State>, (id, at, size, count): (u32, u32, u32, u32)| {
            Box::new(async move { errno::of(write(&mut caller, id, at, size, count).await) })
        },
    )?;
    linker.func_wrap_async(
        SDK,
        "eventHttpFlush",
        |mut caller: Caller<'_, State>, (id,): (u32,)| {
            Box::new(async move {
                match find(&mut caller, id) {
                    Ok(event) => errno::of(event.reply.flush().await),
                    Err(errno) => errno,
                }
            })
        },
    )?;
    Ok(())
}

/// Writes how much was taken at `count`, also if the rest could not be.
async fn write(
    caller: &mut Caller<'_, State>,
    id: u32,
    at: u32,
    size: u32,
    count: u32,
) -> Result<(), Errno> {
    let buffered = with(caller, id, |mut memory, event| {
        memory.write_u32(count, 0)?;
        Ok(event.reply.buffer(memory.read(at, size)?))
    })?;
    let mut taken = if buffered { size } else { 0 };
    let mut result = Ok(());
    while taken < size && result.is_ok() {
        let piece = (size - taken).min(PIECE);
        let bytes = with(caller, id, |memory, _| {
            Ok(Bytes::copy_from_slice(memory.read(at + taken, piece)?))
        })?;
        result = caller.data_mut().event.reply.send(bytes).await;
        if result.is_ok() {
            taken += piece;
        }
    }
    with(caller, id, |mut memory, _| memory.write_u32(count, taken))?;
    result
}

#[expect(clippy::cast_possible_truncation, reason = "a constant far below 4 GiB")]
const PIECE: u32 = crate::defaults::RESPONSE_CHUNK as u32;
