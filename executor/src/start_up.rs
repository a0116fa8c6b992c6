//! The start-up of a core guest: what is done about it when the guest is deployed.
//!
//! A start-up that asks the host for nothing ends in the same memory each time. It is run once, and an artefact is
//! made whose memory begins like that, so that no request runs it again. One that reads the clock or randomness, or
//! talks to Taubyte's host, must not be kept: every request would begin with the same seed. It is traced, so that
//! this is known and not guessed; then instances are started ahead ([`warm`](crate::warm)).
//!
//! ```text
//!  run it, every import but the constant ones forbidden ─┬─ it called one: each instance runs it
//!                                                        └─ it called none ─► instrument ─► run ─► snapshot
//! ```

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_types::Digest;
use tokio::{runtime::Handle, sync::Semaphore};
use wasmtime::{Extern, ExternType, Func, Instance, Module, Precompiled, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

use crate::{
    core::{self, State},
    defaults,
    error::TimeUp,
    executor::{Shared, nobody},
    native::{Made, Native},
    pace::{Pace, Turns},
};

/// How instances of an artefact come to be ready for their first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartUp {
    /// Nothing is to be run.
    None,
    /// It was run when the artefact was deployed; instances begin with the memory it left.
    Snapshot,
    /// Each instance runs it, ahead of its request where that is worth it. Says why it could not be kept.
    Each { because: String },
}

/// Calls whose answers are the same for every function at any time: without folders to open, there is nothing to
/// tell of them, and being ready means nothing here.
const CONSTANT: [(&str, &str); 4] = [
    ("env", "_ready"),
    ("wasi_snapshot_preview1", "fd_prestat_get"),
    ("wasi_snapshot_preview1", "fd_prestat_dir_name"),
    ("wasi_snapshot_preview1", "fd_fdstat_get"),
];

/// Decides what becomes of the start-up of an artefact that was compiled, and keeps that beside it. Blocking: it may
/// run the guest, and compile it again.
pub(crate) fn settle_blocking(shared: &Arc<Shared>, digest: Digest, wasm: &[u8]) {
    if shared.natives.start_up(digest).is_some() {
        return;
    }
    let start_up = match shared.natives.load(digest) {
        Ok(Native::Core(module)) => match core::start_export(&module) {
            None => StartUp::None,
            Some(export) => match keep(shared, &module, export, wasm) {
                Ok(snapshot) => match shared.natives.store(digest, &snapshot) {
                    Ok(()) => StartUp::Snapshot,
                    Err(error) => return warn(digest, &error),
                },
                Err(because) => StartUp::Each { because: because.to_string() },
            },
        },
        Ok(Native::Component(_)) => StartUp::None,
        Err(_) => return, // whoever opens it next finds out
    };
    if let Err(error) = shared.natives.note(digest, &start_up) {
        warn(digest, &error);
    }
}

fn warn(digest: Digest, error: &std::io::Error) {
    tracing::warn!(digest = %digest.fmt_short(), %error, "failed to keep how a guest starts");
}

/// Why a start-up is not kept.
#[derive(Debug, thiserror::Error)]
enum Unkept {
    #[error("it calls `{module}.{name}`")]
    Calls { module: String, name: String },
    #[error("it imports from other modules")]
    Linked,
    #[error("it is both a reactor and a command")]
    Both,
    #[error("it takes longer than {limit:?}")]
    Slow { limit: Duration },
    #[error("it fails: {0}")]
    Fails(String),
    #[error("its module cannot be written anew: {0}")]
    Module(String),
    #[error("the node was too busy to run it")]
    Busy,
}

/// The native form of a guest that begins where its start-up ended.
fn keep(shared: &Arc<Shared>, module: &Module, export: &str, wasm: &[u8]) -> Result<Made, Unkept> {
    if module.imports().any(|import| crate::link::is_link(import.module())) {
        return Err(Unkept::Linked);
    }
    // Without `_initialize`, a command's `_start` would look like what is to be run.
    if export == core::INITIALIZE && module.get_export_index(core::COMMAND).is_some() {
        return Err(Unkept::Both);
    }
    let runtime = Handle::current();
    runtime.block_on(run(shared, module, export))?;
    // Only now is it worth compiling twice more.
    let unfit = |error: wasmtime::Error| Unkept::Module(error.root_cause().to_string());
    let mut wizer = Wizer::new();
    wizer.init_func(export);
    let (context, instrumented) = wizer.instrument(wasm).map_err(unfit)?;
    let instrumented = Module::new(&shared.engines.plain, instrumented).map_err(unfit)?;
    let snapshot = runtime.block_on(async {
        let mut started = run(shared, &instrumented, export).await?;
        wizer.snapshot(&context, &mut started).await.map_err(unfit)
    })?;
    shared.natives.compile(&snapshot, Precompiled::Module).map_err(unfit)
}

/// An instance after its start-up.
struct Started {
    store: Store<State>,
    instance: Instance,
}

/// Runs the start-up where it can only call what is constant.
async fn run(shared: &Arc<Shared>, module: &Module, export: &str) -> Result<Started, Unkept> {
    let limit = defaults::PREPARE_TIME;
    let begin = Instant::now();
    let slots = crate::artefact::Needs::from(module.resources_required()).slots();
    let pool = shared.pool.enter(slots, begin + limit, &shared.metrics).await;
    let _slots = pool.map_err(|_| Unkept::Busy)?;
    // Its thread is its own, so it waits for nobody's turn.
    let free = Arc::new(Semaphore::new(2));
    let turns = Turns { project: free.clone(), node: free };
    let pace = Arc::new(Pace::new(limit, begin, Instant::now(), turns));
    let context = nobody(&shared.config, shared.log.clone(), pace);
    let mut store = core::empty_store(&shared.engines.plain, &context);
    let mut imports = Vec::new();
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let constant = CONSTANT.contains(&(from, name));
        imports.push(match (constant, import.ty()) {
            (false, ExternType::Func(ty)) => {
                let (module, name) = (from.to_owned(), name.to_owned());
                Extern::from(Func::new(&mut store, ty, move |_, _, _| {
                    Err(Forbidden { module: module.clone(), name: name.clone() }.into())
                }))
            }
            _ => shared.cores.get(&mut store, from, name).map_err(|error| failed(&error))?,
        });
    }
    let started = async {
        let instance = Instance::new_async(&mut store, module, &imports).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, export)?;
        start.call_async(&mut store, ()).await?;
        Ok(instance)
    };
    match tokio::time::timeout(limit, started).await {
        Ok(Ok(instance)) => Ok(Started { store, instance }),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(Unkept::Slow { limit }),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("it must not be called")]
struct Forbidden {
    module: String,
    name: String,
}

fn failed(error: &wasmtime::Error) -> Unkept {
    if let Some(Forbidden { module, name }) = error.downcast_ref() {
        return Unkept::Calls { module: module.clone(), name: name.clone() };
    }
    if error.is::<TimeUp>() {
        return Unkept::Slow { limit: defaults::PREPARE_TIME };
    }
    Unkept::Fails(error.root_cause().to_string())
}

impl InstanceState for Started {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.expect("wizer exports what it asks for").get(&mut self.store) {
            Val::I32(value) => SnapshotVal::I32(value),
            Val::I64(value) => SnapshotVal::I64(value),
            Val::F32(bits) => SnapshotVal::F32(bits),
            Val::F64(bits) => SnapshotVal::F64(bits),
            Val::V128(value) => SnapshotVal::V128(value.into()),
            _ => unreachable!("wizer asks for numbers only"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let memory = self.instance.get_memory(&mut self.store, name);
        contents(memory.expect("wizer exports what it asks for").data(&self.store));
    }
}

/// One line, as it is kept beside the artefact.
impl fmt::Display for StartUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Snapshot => f.write_str("snapshot"),
            Self::Each { because } => write!(f, "each: {because}"),
        }
    }
}

impl FromStr for StartUp {
    type Err = UnknownStartUp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "snapshot" => Ok(Self::Snapshot),
            _ => {
                let because = text.strip_prefix("each: ").ok_or(UnknownStartUp)?;
                Ok(Self::Each { because: because.to_owned() })
            }
        }
    }
}

/// It was not written by [`StartUp`]'s `Display`.
#[derive(Debug, thiserror::Error)]
#[error("this is no way to start")]
pub struct UnknownStartUp;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let because = Unkept::Calls { module: "wasi".to_owned(), name: "random_get".to_owned() };
        let because = because.to_string();
        for start_up in [StartUp::None, StartUp::Snapshot, StartUp::Each { because }] {
            assert_eq!(start_up.to_string().parse::<StartUp>().unwrap(), start_up);
        }
        assert!("".parse::<StartUp>().is_err());
    }
}
