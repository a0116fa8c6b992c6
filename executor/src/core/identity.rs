//! Areas `self` and `crypto/rand`: who the guest is, and chance.

use rand::{TryRngCore, rngs::OsRng};
use wasmtime::{Caller, Linker};

use super::{
    SDK, State, codec,
    errno::{self, Errno},
    memory::enter,
};
use crate::{defaults, function::FunctionSpec};

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    text(linker, "selfApplicationSize", "selfApplication", |function| {
        function.scope.application.as_deref().unwrap_or_default().as_bytes().to_vec()
    })?;
    text(linker, "selfProjectSize", "selfProject", |function| {
        function.project_id.as_bytes().to_vec()
    })?;
    text(linker, "selfIdSize", "selfId", |function| function.id.as_bytes().to_vec())?;
    // A list, though the SDK takes it for a string.
    text(linker, "selfBranchSize", "selfBranch", |function| {
        codec::strings([function.scope.branch.as_str()])
    })?;
    text(linker, "selfCommitSize", "selfCommit", |function| {
        function.commit.as_str().as_bytes().to_vec()
    })?;
    linker.func_wrap(
        SDK,
        "cryptoRead",
        |mut caller: Caller<'_, State>, at: u32, length: u32, count: u32| -> u32 {
            errno::of(random(&mut caller, at, length, count))
        },
    )?;
    Ok(())
}

/// A pair of functions: the size of a value, then the value.
fn text(
    linker: &mut Linker<State>,
    size: &str,
    name: &str,
    value: fn(&FunctionSpec) -> Vec<u8>,
) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, size, move |mut caller: Caller<'_, State>, out: u32| -> u32 {
        errno::of(
            enter(&mut caller)
                .and_then(|(mut memory, state)| memory.write_size(out, &value(&state.function))),
        )
    })?;
    linker.func_wrap(SDK, name, move |mut caller: Caller<'_, State>, out: u32| -> u32 {
        errno::of(
            enter(&mut caller)
                .and_then(|(mut memory, state)| memory.write(out, &value(&state.function))),
        )
    })?;
    Ok(())
}

fn random(caller: &mut Caller<'_, State>, at: u32, length: u32, count: u32) -> Result<(), Errno> {
    let (mut memory, _) = enter(caller)?;
    // One call is bounded in time; the count tells the guest to ask again.
    let length =
        (length as usize).min(usize::try_from(defaults::RANDOM_BYTES).unwrap_or(usize::MAX));
    let buffer = memory.slice(at, length)?;
    OsRng.try_fill_bytes(buffer).map_err(|_| RAND_READ)?;
    memory.write_u64(count, length as u64)
}

const RAND_READ: Errno = 110;
