//! Area `http/client`: requests of the guest's own.
//!
//! A guest makes a client, a request of it, says what it is to be, and does it; then it reads the response. Clients
//! are counted from zero, requests from zero within each. What the host keeps of all this counts as the guest's
//! memory.

mod exchange;
mod fields;
mod lists;
mod redirect;
mod request;
mod response;

use bytes::Bytes;
use http::Method;
use url::Url;
use wasmtime::{Caller, Linker};

use self::{fields::Fields, response::Incoming};
use super::{
    SDK, State,
    errno::{self, ADDRESS_OUT_OF_MEMORY, CLIENT_NOT_FOUND, Errno, MEMORY_WRITE_FAILED},
    memory::{GuestMemory, enter},
};
use crate::{defaults, limits::Limits};

/// All clients of an invocation.
#[derive(Default)]
pub(super) struct Clients {
    clients: Vec<Vec<Request>>,
    requests: usize,
}

/// A request and, once it was done, its response.
struct Request {
    method: Method,
    /// None as long as the guest set none that leads anywhere.
    url: Option<Url>,
    fields: Fields,
    /// A copy: the guest may use its memory for something else as soon as it has set it.
    body: Bytes,
    response: Option<Incoming>,
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, "newHttpClient", |mut caller: Caller<'_, State>, out: u32| -> u32 {
        errno::of(enter(&mut caller).and_then(|(mut memory, state)| {
            let id = state.clients.next_client()?;
            memory.write_u32(out, id)?;
            state.clients.clients.push(Vec::new());
            Ok(())
        }))
    })?;
    linker.func_wrap(
        SDK,
        "newHttpRequest",
        |mut caller: Caller<'_, State>, client: u32, out: u32| -> u32 {
            errno::of(enter(&mut caller).and_then(|(mut memory, state)| {
                let id = state.clients.next_request(client)?;
                memory.write_u32(out, id)?;
                state.clients.add_request(client)
            }))
        },
    )?;
    request::add_to_linker(linker)?;
    exchange::add_to_linker(linker)?;
    response::add_to_linker(linker)
}

impl Clients {
    fn next_client(&self) -> Result<u32, Errno> {
        bounded(self.clients.len())?;
        u32::try_from(self.clients.len()).map_err(|_| MEMORY_WRITE_FAILED)
    }

    fn next_request(&self, client: u32) -> Result<u32, Errno> {
        let requests = self.clients.get(client as usize).ok_or(CLIENT_NOT_FOUND)?;
        bounded(self.requests)?;
        u32::try_from(requests.len()).map_err(|_| MEMORY_WRITE_FAILED)
    }

    fn add_request(&mut self, client: u32) -> Result<(), Errno> {
        let requests = self.clients.get_mut(client as usize).ok_or(CLIENT_NOT_FOUND)?;
        requests.push(Request {
            method: Method::GET,
            url: None,
            fields: Fields::default(),
            body: Bytes::new(),
            response: None,
        });
        self.requests += 1;
        Ok(())
    }

    fn find(&mut self, client: u32, request: u32) -> Result<&mut Request, Errno> {
        let requests = self.clients.get_mut(client as usize).ok_or(CLIENT_NOT_FOUND)?;
        requests.get_mut(request as usize).ok_or(ADDRESS_OUT_OF_MEMORY)
    }
}

fn bounded(count: usize) -> Result<(), Errno> {
    if count < defaults::CORE_CLIENTS { Ok(()) } else { Err(MEMORY_WRITE_FAILED) }
}

/// Runs a host function's body on one request.
fn with<T>(
    caller: &mut Caller<'_, State>,
    client: u32,
    request: u32,
    function: impl FnOnce(GuestMemory<'_>, &mut Request, &mut Limits) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let (memory, state) = enter(caller)?;
    function(memory, state.clients.find(client, request)?, &mut state.limits)
}

/// Counts `more` bytes to the guest's memory and `less` not any more.
fn settle(limits: &mut Limits, more: usize, less: usize) -> Result<(), Errno> {
    if more > less && !limits.reserve(more - less) {
        return Err(MEMORY_WRITE_FAILED);
    }
    limits.release(less.saturating_sub(more));
    Ok(())
}
