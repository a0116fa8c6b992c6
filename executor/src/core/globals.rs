//! Area `globals`: values that outlive requests, of the project, of an application, of a function.
//!
//! Taubyte's SDK asks for a size, then for the value, into a buffer of that size. Between the two another request may
//! have put a longer one, so what the size was told of is kept for the guest until it was fetched; it counts against
//! the guest's memory, and there are only so many. What the guest puts itself it also gets.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use wasmtime::{Caller, Linker};

use super::{
    SDK, State,
    errno::{
        self, DATABASE_CREATE_FAILED, DATABASE_GET_FAILED, DATABASE_KEY_NOT_FOUND,
        DATABASE_PUT_FAILED, Errno,
    },
    memory::{GuestMemory, enter},
};
use crate::{
    defaults,
    function::FunctionSpec,
    globals::{Global, Globals, GlobalsError},
    log::{Told, shown},
};

/// What a request knows of values.
#[derive(Default)]
pub(super) struct Values {
    /// Those whose size was told and that were not fetched yet, the oldest first.
    waiting: VecDeque<(Name, Bytes)>,
    puts: u32,
    told: Told,
}

/// A value's name as a guest gives it.
#[derive(PartialEq, Eq)]
struct Name {
    of_application: bool,
    of_function: bool,
    bytes: Box<[u8]>,
}

/// Where a guest has a name, and its flags.
#[derive(Clone, Copy)]
struct NameAt {
    at: u32,
    length: u32,
    application: u32,
    function: u32,
}

/// What a call is about, and its errors as Taubyte gives them.
#[derive(Clone, Copy)]
struct Call {
    what: &'static str,
    failed: Errno,
}

const READ: Call = Call { what: "reading", failed: DATABASE_GET_FAILED };
const CREATE: Call = Call { what: "creating", failed: DATABASE_PUT_FAILED };
const PUT: Call = Call { what: "putting", failed: DATABASE_KEY_NOT_FOUND };

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        SDK,
        "getGlobalValueSize",
        |mut caller: Caller<'_, State>,
         (at, length, application, function, out): (u32, u32, u32, u32, u32)| {
            let name = NameAt { at, length, application, function };
            Box::new(async move { errno::of(size(&mut caller, name, out).await) })
        },
    )?;
    linker.func_wrap_async(
        SDK,
        "getGlobalValue",
        |mut caller: Caller<'_, State>,
         (at, length, application, function, out): (u32, u32, u32, u32, u32)| {
            let name = NameAt { at, length, application, function };
            Box::new(async move { errno::of(value(&mut caller, name, out).await) })
        },
    )?;
    linker.func_wrap_async(
        SDK,
        "getOrCreateGlobalValueSize",
        |mut caller: Caller<'_, State>,
         (at, length, application, function, out): (u32, u32, u32, u32, u32)| {
            let name = NameAt { at, length, application, function };
            Box::new(async move { errno::of(size_or_create(&mut caller, name, out).await) })
        },
    )?;
    // A slice of Go has a capacity, too.
    linker.func_wrap_async(
        SDK,
        "putGlobalValue",
        |mut caller: Caller<'_, State>,
         (at, length, application, function, value, size, _capacity): (
            u32,
            u32,
            u32,
            u32,
            u32,
            u32,
            u32,
        )| {
            let name = NameAt { at, length, application, function };
            Box::new(async move { errno::of(put(&mut caller, name, value, size).await) })
        },
    )?;
    Ok(())
}

async fn size(caller: &mut Caller<'_, State>, name: NameAt, out: u32) -> Result<(), Errno> {
    let (mut memory, state) = enter(caller)?;
    let name = state.name(READ, &memory, name)?;
    memory.slice(out, 4)?;
    let kept = Kept::of(state);
    let found = kept.globals.value(&name.global(&kept.function)).await;
    let found = caller.data_mut().tell_failure(READ, &name, found)?;
    let value = found.ok_or(DATABASE_KEY_NOT_FOUND)?;
    tell_size(caller, name, value, out).map_err(|errno| errno.unwrap_or(DATABASE_GET_FAILED))
}

/// Leaves the size as it is where a value is created: it is zero in the guest, too.
async fn size_or_create(
    caller: &mut Caller<'_, State>,
    name: NameAt,
    out: u32,
) -> Result<(), Errno> {
    let (mut memory, state) = enter(caller)?;
    let name = state.name(CREATE, &memory, name)?;
    memory.slice(out, 4)?;
    let kept = Kept::of(state);
    let global = name.global(&kept.function);
    let mut found = kept.globals.value(&global).await;
    // Only what is created is counted; the SDK reads by this function, too.
    if let Ok(None) = found {
        caller.data_mut().count_put(CREATE, &name)?;
        found = kept.globals.value_or_create(&global).await;
    }
    match caller.data_mut().tell_failure(CREATE, &name, found)? {
        Some(value) => tell_size(caller, name, value, out)
            .map_err(|errno| errno.unwrap_or(DATABASE_KEY_NOT_FOUND)),
        None => {
            caller.data_mut().forget_value(&name);
            Ok(())
        }
    }
}

/// Fails without a number if there is no memory to keep the value in: which one that is depends on the call.
fn tell_size(
    caller: &mut Caller<'_, State>,
    name: Name,
    value: Bytes,
    out: u32,
) -> Result<(), Option<Errno>> {
    let (mut memory, state) = enter(caller)?;
    memory.write_size(out, &value)?;
    state.keep_value(name, value).ok_or(None)
}

async fn value(caller: &mut Caller<'_, State>, name: NameAt, out: u32) -> Result<(), Errno> {
    let (mut memory, state) = enter(caller)?;
    let name = state.name(READ, &memory, name)?;
    if let Some(value) = state.values.waiting(&name) {
        // A bad pointer loses nothing.
        memory.write(out, value)?;
        state.forget_value(&name);
        return Ok(());
    }
    let kept = Kept::of(state);
    let found = kept.globals.value(&name.global(&kept.function)).await;
    let found = caller.data_mut().tell_failure(READ, &name, found)?;
    enter(caller)?.0.write(out, &found.ok_or(DATABASE_GET_FAILED)?)
}

async fn put(
    caller: &mut Caller<'_, State>,
    name: NameAt,
    at: u32,
    size: u32,
) -> Result<(), Errno> {
    let (memory, state) = enter(caller)?;
    let name = state.name(PUT, &memory, name)?;
    let value = memory.read(at, size)?;
    if value.len() > defaults::GLOBAL_VALUE {
        let most = defaults::GLOBAL_VALUE;
        return Err(state.refuse(PUT, &name, &format!("it has {size} bytes, of {most} at most")));
    }
    state.count_put(PUT, &name)?;
    if !state.limits.reserve(value.len()) {
        return Err(state.refuse(PUT, &name, "its function has no memory left for it"));
    }
    let value = Bytes::copy_from_slice(value);
    let kept = Kept::of(state);
    let done = kept.globals.put(&name.global(&kept.function), value).await;
    let state = caller.data_mut();
    state.limits.release(size as usize);
    state.tell_failure(PUT, &name, done)?;
    state.forget_value(&name);
    Ok(())
}

/// What a call needs while its guest waits.
struct Kept {
    globals: Arc<dyn Globals>,
    function: Arc<FunctionSpec>,
}

impl Kept {
    fn of(state: &State) -> Self {
        Self {
            globals: state.on_demand.outside.globals().clone(),
            function: state.function.clone(),
        }
    }
}

impl Name {
    fn global<'a>(&'a self, function: &'a FunctionSpec) -> Global<'a> {
        let scope = &function.scope;
        Global {
            project: &scope.project,
            branch: &scope.branch,
            application: scope.application.as_deref().filter(|_| self.of_application),
            // A resource may lack an id, which is a warning.
            function: self.of_function.then_some(match &*function.id {
                "" => &*scope.function,
                id => id,
            }),
            name: &self.bytes,
        }
    }
}

impl State {
    fn name(&mut self, call: Call, memory: &GuestMemory<'_>, name: NameAt) -> Result<Name, Errno> {
        let bytes = memory.read(name.at, name.length)?;
        let most = defaults::GLOBAL_NAME;
        let (of_application, of_function) = (name.application == 1, name.function == 1);
        if bytes.len() > most {
            let begin = Name { of_application, of_function, bytes: bytes[..most].into() };
            let reason = format!("its name has {} bytes, of {most} at most", bytes.len());
            return Err(self.refuse(call, &begin, &reason));
        }
        Ok(Name { of_application, of_function, bytes: bytes.into() })
    }

    fn count_put(&mut self, call: Call, name: &Name) -> Result<(), Errno> {
        let most = defaults::GLOBAL_PUTS;
        if self.values.puts == most {
            let reason = format!("this request has put {most} values, and may put no more");
            return Err(self.refuse(call, name, &reason));
        }
        self.values.puts += 1;
        Ok(())
    }

    fn tell_failure<T>(
        &mut self,
        call: Call,
        name: &Name,
        result: Result<T, GlobalsError>,
    ) -> Result<T, Errno> {
        result.map_err(|error| match error {
            GlobalsError::Nobody => {
                self.refuse(call, name, &error.to_string());
                DATABASE_CREATE_FAILED
            }
            error => self.refuse(call, name, &error.to_string()),
        })
    }

    /// Says why, once, and gives the number.
    #[cold]
    fn refuse(&mut self, call: Call, name: &Name, reason: &str) -> Errno {
        let shown = shown(&String::from_utf8_lossy(&name.bytes));
        let text = format!("{} the global value `{shown}` failed: {reason}", call.what);
        self.values.told.once(&self.output, &text);
        call.failed
    }

    /// Keeps a value until it is fetched, in place of an older one. None if there is no memory for it.
    fn keep_value(&mut self, name: Name, value: Bytes) -> Option<()> {
        self.forget_value(&name);
        if self.values.waiting.len() >= defaults::GLOBALS_WAITING
            && let Some((name, value)) = self.values.waiting.pop_front()
        {
            self.limits.release(weight(&name, &value));
        }
        self.limits.reserve(weight(&name, &value)).then(|| {
            self.values.waiting.push_back((name, value));
        })
    }

    fn forget_value(&mut self, name: &Name) {
        let at = self.values.waiting.iter().position(|(known, _)| known == name);
        if let Some((name, value)) = at.and_then(|at| self.values.waiting.remove(at)) {
            self.limits.release(weight(&name, &value));
        }
    }
}

impl Values {
    fn waiting(&self, name: &Name) -> Option<&Bytes> {
        self.waiting.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// What a value takes of its guest's memory. Others may have replaced it meanwhile; then it is this guest that keeps
/// it alive.
fn weight(name: &Name, value: &Bytes) -> usize {
    name.bytes.len() + value.len()
}
