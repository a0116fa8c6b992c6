//! What a request is to be.

use bytes::Bytes;
use http::Method;
use url::{ParseError, Url};
use wasmtime::{Caller, Linker};

use super::{
    super::{
        SDK, State, codec,
        errno::{
            self, Errno, HEADER_NOT_FOUND, INVALID_METHOD, MEMORY_WRITE_FAILED, PARSE_URL_FAILED,
        },
    },
    Request, lists, settle, with,
};
use crate::{defaults, limits::Limits};

/// Methods by Taubyte's numbers, from one on.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::TRACE,
    Method::CONNECT,
];

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    target(linker)?;
    set_fields(linker)?;
    read_fields(linker)
}

fn target(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        "setHttpRequestURL",
        |mut caller: Caller<'_, State>, client: u32, id: u32, at: u32, length: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |memory, request, limits| {
                let text = memory.read(at, length)?;
                if text.len() > defaults::CORE_URL {
                    return Err(PARSE_URL_FAILED);
                }
                let url = parse(&String::from_utf8_lossy(text))?;
                let size = |url: &Option<Url>| url.as_ref().map_or(0, |url| url.as_str().len());
                settle(limits, size(&url), size(&request.url))?;
                request.url = url;
                Ok(())
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        "setHttpRequestMethod",
        |mut caller: Caller<'_, State>, client: u32, id: u32, method: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |_, request, _| {
                let index = (method as usize).checked_sub(1).ok_or(INVALID_METHOD)?;
                request.method = METHODS.get(index).ok_or(INVALID_METHOD)?.clone();
                Ok(())
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        "getHttpRequestMethod",
        |mut caller: Caller<'_, State>, client: u32, id: u32, out: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |mut memory, request, _| {
                let index = METHODS.iter().position(|method| *method == request.method);
                let index = index.ok_or(INVALID_METHOD)?;
                memory.write_u32(out, u32::try_from(index).map_err(|_| INVALID_METHOD)? + 1)
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        "setHttpRequestBody",
        |mut caller: Caller<'_, State>, client: u32, id: u32, at: u32, length: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |memory, request, limits| {
                let body = memory.read(at, length)?;
                settle(limits, body.len(), request.body.len())?;
                request.body = Bytes::copy_from_slice(body);
                Ok(())
            }))
        },
    )?;
    Ok(())
}

/// Like Go, takes a relative URL and lets it fail when the request is done.
fn parse(text: &str) -> Result<Option<Url>, Errno> {
    match Url::parse(text) {
        Ok(url) => Ok(Some(url)),
        Err(ParseError::RelativeUrlWithoutBase) => Ok(None),
        Err(_) => Err(PARSE_URL_FAILED),
    }
}

fn set_fields(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for (function, replace) in
        [("setHttpRequestHeader", Replace::Yes), ("addHttpRequestHeader", Replace::No)]
    {
        linker.func_wrap(
            SDK,
            function,
            move |mut caller: Caller<'_, State>,
                  client: u32,
                  id: u32,
                  key: u32,
                  key_length: u32,
                  values: u32,
                  values_length: u32|
                  -> u32 {
                errno::of(with(&mut caller, client, id, |memory, request, limits| {
                    let name = memory.read(key, key_length)?;
                    let values = memory.read(values, values_length)?;
                    request.set(name, values, replace, limits)
                }))
            },
        )?;
    }
    linker.func_wrap(
        SDK,
        "deleteHttpRequestHeader",
        |mut caller: Caller<'_, State>, client: u32, id: u32, key: u32, length: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |memory, request, limits| {
                let name = memory.read(key, length)?;
                let freed = request.fields.size_of(name);
                if !request.fields.remove(name) {
                    return Err(HEADER_NOT_FOUND);
                }
                settle(limits, 0, freed)
            }))
        },
    )?;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replace {
    Yes,
    No,
}

impl Request {
    /// A list without a value changes nothing.
    fn set(
        &mut self,
        name: &[u8],
        values: &[u8],
        replace: Replace,
        limits: &mut Limits,
    ) -> Result<(), Errno> {
        let values: Vec<&[u8]> = codec::split(values).collect();
        if values.is_empty() {
            return Ok(());
        }
        let more = values.iter().map(|value| name.len() + value.len()).sum::<usize>();
        let less = if replace == Replace::Yes { self.fields.size_of(name) } else { 0 };
        let fits = self.fields.size() + more - less <= defaults::RESPONSE_HEAD
            && self.fields.len() + values.len() <= defaults::RESPONSE_FIELDS;
        if !fits {
            return Err(MEMORY_WRITE_FAILED);
        }
        settle(limits, more, less)?;
        if replace == Replace::Yes {
            self.fields.remove(name);
        }
        for value in values {
            self.fields.add(name, value);
        }
        Ok(())
    }
}

fn read_fields(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let of: lists::Of = |request| Ok(&request.fields);
    lists::values(linker, "getHttpRequestHeaderSize", "getHttpRequestHeader", of)?;
    lists::keys(linker, "getHttpRequestHeaderKeysSize", "getHttpRequestHeaderKeys", of)
}
