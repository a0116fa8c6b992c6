//! `poll_oneoff`: waiting. Files and streams never keep a guest waiting, so it only ever waits for time.

use std::time::{Duration, Instant};

use wasmtime::{Caller, Linker};

use super::{
    WASI,
    codes::{self, INVALID, Result},
    descriptors::now,
    guest::{Call, long, with, word},
    process::monotonic,
};
use crate::{core::State, defaults};

/// The size of a subscription, and of what is told when it came true.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;
/// What can be waited for: a clock, or a descriptor to be readable or writable.
const CLOCK: u8 = 0;
const READABLE: u8 = 1;
const WRITABLE: u8 = 2;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        WASI,
        "poll_oneoff",
        |mut guest: Caller<'_, State>, (from, to, count, out): (u32, u32, u32, u32)| {
            Box::new(async move { codes::of(poll(&mut guest, from, to, count, out).await) })
        },
    )?;
    Ok(())
}

async fn poll(
    guest: &mut Caller<'_, State>,
    from: u32,
    to: u32,
    count: u32,
    out: u32,
) -> Result<()> {
    let begun = guest.data().wasi.begun;
    let waits = with(guest, |call| {
        let waits = call.subscriptions(from, count, begun)?;
        // Before it waits, so that a bad pointer is told at once and nothing is lost.
        call.memory.slice(to, count * EVENT)?;
        call.memory.write_u32(out, 0)?;
        Ok(waits)
    })?;
    let soonest = waits.iter().map(|wait| wait.at).min().ok_or(INVALID)?;
    if soonest > Instant::now() {
        // Whoever waits longer than it may be silent is ended by its deadline.
        tokio::time::sleep_until(soonest.into()).await;
    }
    let moment = Instant::now().max(soonest);
    with(guest, |call| {
        let come = waits.iter().filter(|wait| wait.at <= moment);
        let mut written = 0;
        for (nth, wait) in (0..).zip(come) {
            call.memory.write(to + nth * EVENT, &wait.event())?;
            written = nth + 1;
        }
        call.memory.write_u32(out, written)
    })
}

/// One subscription.
struct Wait {
    userdata: u64,
    kind: u8,
    /// Whether it failed at once, and with what.
    failed: Option<codes::Code>,
    at: Instant,
}

impl Call<'_> {
    fn subscriptions(&self, from: u32, count: u32, begun: Instant) -> Result<Vec<Wait>> {
        if count == 0 || count > defaults::SUBSCRIPTIONS {
            return Err(INVALID);
        }
        let all = self.memory.read(from, count * SUBSCRIPTION)?;
        all.chunks_exact(SUBSCRIPTION as usize)
            .map(|bytes| {
                let (userdata, kind) = (long(bytes, 0), bytes[8]);
                let (at, failed) = match kind {
                    CLOCK => (clock(bytes, begun)?, None),
                    READABLE | WRITABLE => {
                        (Instant::now(), self.descriptors.find(word(bytes, 16)).err())
                    }
                    _ => return Err(INVALID),
                };
                Ok(Wait { userdata, kind, failed, at })
            })
            .collect()
    }
}

/// When a clock's time has come.
fn clock(bytes: &[u8], begun: Instant) -> Result<Instant> {
    const REALTIME: u32 = 0;
    const MONOTONIC: u32 = 1;
    const ABSOLUTE: u8 = 1;
    let (id, timeout, absolute) = (word(bytes, 16), long(bytes, 24), bytes[40] & ABSOLUTE != 0);
    let wait = Duration::from_nanos(match (id, absolute) {
        (REALTIME | MONOTONIC, false) => timeout,
        (REALTIME, true) => timeout.saturating_sub(now()),
        (MONOTONIC, true) => timeout.saturating_sub(monotonic(begun)),
        _ => return Err(INVALID),
    });
    // Half a millennium is beyond any deadline, and still an instant.
    Ok(Instant::now() + wait)
}

impl Wait {
    /// The structure `event`. A file or stream always takes and gives something, if only its end.
    fn event(&self) -> [u8; EVENT as usize] {
        let mut bytes = [0; EVENT as usize];
        bytes[..8].copy_from_slice(&self.userdata.to_le_bytes());
        let code = codes::of(self.failed.map_or(Ok(()), Err));
        bytes[8..10].copy_from_slice(&code.to_le_bytes()[..2]);
        bytes[10] = self.kind;
        if self.kind != CLOCK {
            bytes[16] = 1;
        }
        bytes
    }
}
