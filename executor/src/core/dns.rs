//! Area `dns`: names looked up.
//!
//! Values come in pairs: `…Size` looks up, keeps the answer and tells its length; its partner hands the answer out,
//! once. Answers that wait count as the guest's memory.

use wasmtime::{Caller, Linker};

use super::{
    SDK, State, codec,
    errno::{
        self, Errno, FAILED_ADDRESS_LOOKUP, FAILED_CNAME_LOOKUP, FAILED_MX_LOOKUP,
        FAILED_TXT_LOOKUP, MEMORY_WRITE_FAILED, RESOLVER_NOT_FOUND,
    },
    memory::{GuestMemory, enter},
};
use crate::{
    defaults,
    outbound::{Found, Lookup, LookupKind, NameServer},
};

/// All resolvers of an invocation, and what they found that was not fetched yet.
#[derive(Default)]
pub(super) struct Resolvers {
    /// Whom each asks, if not the system's name servers.
    resolvers: Vec<Option<NameServer>>,
    waiting: Vec<Answer>,
}

struct Answer {
    resolver: u32,
    kind: LookupKind,
    name: String,
    bytes: Vec<u8>,
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    resolvers(linker)?;
    let texts = Pair { kind: LookupKind::Texts, failed: FAILED_TXT_LOOKUP };
    pair(linker, "dnsLookupTxTSize", "dnsLookupTxT", texts)?;
    let names = Pair { kind: LookupKind::Names, failed: FAILED_ADDRESS_LOOKUP };
    pair(linker, "dnsLookupAddressSize", "dnsLookupAddress", names)?;
    let canonical = Pair { kind: LookupKind::CanonicalName, failed: FAILED_CNAME_LOOKUP };
    pair(linker, "dnsLookupCNAMESize", "dnsLookupCNAME", canonical)?;
    let exchanges = Pair { kind: LookupKind::MailExchanges, failed: FAILED_MX_LOOKUP };
    pair(linker, "dnsLookupMXSize", "dnsLookupMX", exchanges)
}

fn resolvers(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, "dnsNewResolver", |mut caller: Caller<'_, State>, out: u32| -> u32 {
        errno::of(enter(&mut caller).and_then(|(mut memory, state)| {
            let resolvers = &mut state.resolvers.resolvers;
            if resolvers.len() >= defaults::CORE_CLIENTS {
                return Err(MEMORY_WRITE_FAILED);
            }
            let id = u32::try_from(resolvers.len()).map_err(|_| MEMORY_WRITE_FAILED)?;
            memory.write_u32(out, id)?;
            resolvers.push(None);
            Ok(())
        }))
    })?;
    linker.func_wrap(
        SDK,
        "dnsRerouteResolver",
        |mut caller: Caller<'_, State>,
         id: u32,
         address: u32,
         address_length: u32,
         network: u32,
         network_length: u32|
         -> u32 {
            errno::of(enter(&mut caller).and_then(|(memory, state)| {
                let resolver = state.resolvers.find(id)?;
                let address = text(&memory, address, address_length)?;
                let network = memory.read(network, network_length)?;
                *resolver = Some(NameServer { address, tcp: network.starts_with(b"tcp") });
                Ok(())
            }))
        },
    )?;
    linker.func_wrap(SDK, "dnsResetResolver", |mut caller: Caller<'_, State>, id: u32| -> u32 {
        errno::of(caller.data_mut().resolvers.find(id).map(|resolver| *resolver = None))
    })?;
    Ok(())
}

/// A name, or an address with its port. What is cut off makes it no longer than any that leads somewhere.
fn text(memory: &GuestMemory<'_>, at: u32, length: u32) -> Result<String, Errno> {
    let bytes = memory.read(at, length)?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_NAME)]).into_owned())
}

/// Twice a domain name's.
const LONGEST_NAME: usize = 512;

#[derive(Debug, Clone, Copy)]
struct Pair {
    kind: LookupKind,
    /// What a lookup answers that finds nothing.
    failed: Errno,
}

/// `(resolver, namePtr, nameLen, sizePtr)` and `(resolver, namePtr, nameLen, bufPtr)`
fn pair(linker: &mut Linker<State>, size: &str, name: &str, pair: Pair) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        SDK,
        size,
        move |mut caller: Caller<'_, State>, (id, at, length, out): (u32, u32, u32, u32)| {
            Box::new(
                async move { errno::of(look_up(&mut caller, pair, id, [at, length], out).await) },
            )
        },
    )?;
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>, id: u32, at: u32, length: u32, out: u32| -> u32 {
            errno::of(enter(&mut caller).and_then(|(mut memory, state)| {
                state.resolvers.find(id)?;
                let name = text(&memory, at, length)?;
                // Taubyte answers so for every kind.
                let index = state.resolvers.position(id, pair.kind, &name);
                let index = index.ok_or(FAILED_TXT_LOOKUP)?;
                memory.write(out, &state.resolvers.waiting[index].bytes)?;
                let answer = state.resolvers.waiting.swap_remove(index);
                state.limits.release(answer.bytes.len());
                Ok(())
            }))
        },
    )?;
    Ok(())
}

async fn look_up(
    caller: &mut Caller<'_, State>,
    pair: Pair,
    id: u32,
    [at, length]: [u32; 2],
    out: u32,
) -> Result<(), Errno> {
    let (mut memory, state) = enter(caller)?;
    let server = state.resolvers.find(id)?.clone();
    memory.slice(out, 4)?;
    let name = text(&memory, at, length)?;
    let lookup = Lookup { kind: pair.kind, name, server };
    let found = caller.data_mut().calls().look_up(&lookup).await;
    let bytes = encode(pair.kind, found.map_err(|_| pair.failed)?);

    let (mut memory, state) = enter(caller)?;
    memory.write_size(out, &bytes)?;
    let answer = Answer { resolver: id, kind: pair.kind, name: lookup.name, bytes };
    state.keep(answer).ok_or(pair.failed)
}

impl Resolvers {
    fn find(&mut self, id: u32) -> Result<&mut Option<NameServer>, Errno> {
        self.resolvers.get_mut(id as usize).ok_or(RESOLVER_NOT_FOUND)
    }

    fn position(&self, resolver: u32, kind: LookupKind, name: &str) -> Option<usize> {
        self.waiting.iter().position(|answer| {
            answer.resolver == resolver && answer.kind == kind && answer.name == name
        })
    }
}

impl State {
    /// Keeps an answer until it is fetched, in place of an older one. None if there is no room for it.
    fn keep(&mut self, answer: Answer) -> Option<()> {
        let waiting = self.resolvers.position(answer.resolver, answer.kind, &answer.name);
        if let Some(index) = waiting {
            let older = self.resolvers.waiting.swap_remove(index);
            self.limits.release(older.bytes.len());
        }
        let full = self.resolvers.waiting.len() >= defaults::CORE_LOOKUPS;
        if full || !self.limits.reserve(answer.bytes.len()) {
            return None;
        }
        self.resolvers.waiting.push(answer);
        Some(())
    }
}

/// Lists, but for the canonical name, which is one string.
fn encode(kind: LookupKind, found: Found) -> Vec<u8> {
    match found {
        Found::Names(names) if kind == LookupKind::CanonicalName => {
            names.into_iter().next().unwrap_or_default().into_bytes()
        }
        Found::Texts(texts) => codec::strings(texts),
        Found::Names(names) => codec::strings(names),
        Found::MailExchanges(exchanges) => codec::strings(
            exchanges.iter().map(|(preference, host)| format!("{host}/{preference}/")),
        ),
    }
}
