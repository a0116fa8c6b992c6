//! A response as the guest reads it.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use wasmtime::{Caller, Linker};

use super::{
    super::{
        SDK, State,
        errno::{self, ADDRESS_OUT_OF_MEMORY, EOF, Errno, HTTP_READ_BODY},
    },
    Request,
    fields::Fields,
    lists, with,
};
use crate::outbound::OutboundBody;

/// A response and how far it was read.
pub(super) struct Incoming {
    pub(super) fields: Fields,
    body: Option<OutboundBody>,
    /// What came and did not fit into the guest's buffer.
    rest: Bytes,
    broken: bool,
    /// Of the whole exchange.
    deadline: Instant,
}

impl Incoming {
    pub(super) fn new(fields: Fields, body: OutboundBody, deadline: Instant) -> Self {
        Self { fields, body: Some(body), rest: Bytes::new(), broken: false, deadline }
    }

    /// At least one and at most `limit` bytes; nothing at the end.
    async fn next(&mut self, limit: usize) -> Result<Option<Bytes>, Errno> {
        if self.broken {
            return Err(HTTP_READ_BODY);
        }
        while self.rest.is_empty() {
            let Some(body) = &mut self.body else { return Ok(None) };
            match tokio::time::timeout_at(self.deadline.into(), body.frame()).await {
                Ok(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
                Ok(None) => self.body = None,
                Ok(Some(Err(_))) | Err(_) => {
                    self.close();
                    return Err(HTTP_READ_BODY);
                }
            }
        }
        Ok(Some(self.rest.split_to(limit.min(self.rest.len()))))
    }

    /// Lets the connection go. Reading is an error from now on.
    fn close(&mut self) {
        self.body = None;
        self.rest = Bytes::new();
        self.broken = true;
    }
}

impl Request {
    /// The response; an unknown id to a guest that did not do the request.
    fn response(&mut self) -> Result<&mut Incoming, Errno> {
        self.response.as_mut().ok_or(ADDRESS_OUT_OF_MEMORY)
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        SDK,
        "readHttpResponseBody",
        |mut caller: Caller<'_, State>,
         (client, id, at, size, count): (u32, u32, u32, u32, u32)| {
            Box::new(async move { read(&mut caller, [client, id], at, size, count).await })
        },
    )?;
    linker.func_wrap(
        SDK,
        "closeHttpResponseBody",
        |mut caller: Caller<'_, State>, client: u32, id: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |_, request, _| {
                request.response()?.close();
                Ok(())
            }))
        },
    )?;
    head(linker)
}

/// As the event's body is read: bytes with errno 0, the end with errno 8 and a count of zero.
async fn read(
    caller: &mut Caller<'_, State>,
    [client, id]: [u32; 2],
    at: u32,
    size: u32,
    count: u32,
) -> Errno {
    let checked = with(caller, client, id, |mut memory, request, _| {
        request.response()?;
        memory.slice(at, size as usize)?;
        memory.write_u32(count, 0)
    });
    if let Err(errno) = checked {
        return errno;
    }
    if size == 0 {
        return errno::NONE;
    }
    let response = caller.data_mut().clients.find(client, id).and_then(Request::response);
    let piece = match response {
        Ok(response) => response.next(size as usize).await,
        Err(errno) => Err(errno),
    };
    let piece = match piece {
        Ok(Some(piece)) => piece,
        Ok(None) => return EOF,
        Err(errno) => return errno,
    };
    errno::of(with(caller, client, id, |mut memory, _, _| {
        memory.write(at, &piece)?;
        memory.write_size(count, &piece)
    }))
}

fn head(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let of: lists::Of = |request| Ok(&request.response()?.fields);
    lists::values(linker, "getHttpResponseHeaderSize", "getHttpResponseHeader", of)?;
    lists::keys(linker, "getHttpResponseHeaderKeysSize", "getHttpResponseHeaderKeys", of)
}
