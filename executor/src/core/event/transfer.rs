//! Bodies both ways, and the rest of the answer. What waits for the client is async.

use bytes::Bytes;
use wasmtime::{Caller, Linker};

use super::{
    super::{
        SDK, State,
        errno::{self, EOF, Errno, HTTP_READ_BODY},
        redirect,
    },
    find, with,
};
use crate::body::RequestBody;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    body(linker)?;
    answer(linker)
}

/// The request's body as it is read.
pub(super) struct Reader {
    body: Option<RequestBody>,
    /// What came and did not fit into the guest's buffer.
    rest: Bytes,
    closed: bool,
}

fn body(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        SDK,
        "readHttpEventBody",
        |mut caller: Caller<'_, State>, (id, at, size, count): (u32, u32, u32, u32)| {
            Box::new(async move { read_body(&mut caller, id, at, size, count).await })
        },
    )?;
    linker.func_wrap(
        SDK,
        "closeHttpEventBody",
        |mut caller: Caller<'_, State>, id: u32| -> u32 {
            errno::of(find(&mut caller, id).map(|event| {
                event.body = Reader { body: None, rest: Bytes::new(), closed: true };
            }))
        },
    )?;
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
    pub(super) fn new(body: RequestBody) -> Self {
        Self { body: Some(body), rest: Bytes::new(), closed: false }
    }

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
