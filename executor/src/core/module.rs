//! An opened core module: its imports resolved as far as that is possible before it runs.

use std::{ops::Range, sync::Arc};

use wasmtime::{
    Extern, ExternType, Func, FuncType, Instance, InstancePre, Linker, Memory, Module,
    ModuleExport, Store, ValType,
};

use super::State;
use crate::{artefact, error::TimeUp, link, start_up::StartUp};

/// An opened core module with its exports looked up.
pub(crate) struct CoreModule {
    imports: Imports,
    memory: Option<ModuleExport>,
    /// `_initialize`, else `_start`; the latter may fail.
    start: Option<Start>,
    /// Its start-up was run when it was deployed.
    snapshot: bool,
    entries: Box<[(Box<str>, EntryPoint)]>,
    needs: artefact::Needs,
}

/// Where a module gets what it imports from.
enum Imports {
    /// From the host alone: resolved once.
    Host(InstancePre<State>),
    /// From other modules, too, which are there only once they are instantiated.
    Linked { module: Module, linker: Arc<Linker<State>>, names: Box<[Name]> },
}

struct Name {
    module: Box<str>,
    item: Box<str>,
    linked: bool,
}

#[derive(Clone, Copy)]
struct Start {
    export: ModuleExport,
    may_fail: bool,
}

/// Where an event goes in.
#[derive(Clone, Copy)]
pub(crate) struct EntryPoint {
    pub(super) export: ModuleExport,
    pub(super) returns: bool,
}

/// Whether an export of this type can be an entry.
pub(crate) fn takes_event(ty: &FuncType) -> bool {
    let mut params = ty.params();
    let mut results = ty.results();
    let takes = matches!((params.next(), params.next()), (Some(ValType::I32), None));
    takes && matches!((results.next(), results.next()), (None | Some(ValType::I32), None))
}

/// What is run before anything else: `_initialize` of a reactor, else `_start` of a command.
pub(crate) fn start_export(module: &Module) -> Option<&'static str> {
    [INITIALIZE, COMMAND].into_iter().find(|name| module.get_export_index(name).is_some())
}

pub(crate) const INITIALIZE: &str = "_initialize";
pub(crate) const COMMAND: &str = "_start";

impl CoreModule {
    /// `start_up` is what became of the module's start-up when it was deployed.
    pub(crate) fn new(
        linker: &Arc<Linker<State>>,
        module: &Module,
        start_up: &StartUp,
    ) -> wasmtime::Result<Self> {
        let mut entries = Vec::new();
        for export in module.exports() {
            let ExternType::Func(ty) = export.ty() else { continue };
            if !takes_event(&ty) {
                continue;
            }
            if let Some(index) = module.get_export_index(export.name()) {
                let returns = ty.results().len() > 0;
                entries.push((export.name().into(), EntryPoint { export: index, returns }));
            }
        }
        let snapshot = *start_up == StartUp::Snapshot;
        let start = start_export(module).filter(|_| !snapshot).and_then(|name| {
            let export = module.get_export_index(name)?;
            Some(Start { export, may_fail: name == COMMAND })
        });
        Ok(Self {
            imports: Imports::of(linker, module)?,
            memory: module.get_export_index("memory"),
            start,
            snapshot,
            entries: entries.into(),
            needs: module.resources_required().into(),
        })
    }

    pub(crate) fn entry(&self, name: &str) -> Option<EntryPoint> {
        let (_, entry) = self.entries.iter().find(|(known, _)| **known == *name)?;
        Some(*entry)
    }

    pub(super) fn has_start(&self) -> bool {
        self.start.is_some()
    }

    pub(super) fn is_snapshot(&self) -> bool {
        self.snapshot
    }

    pub(crate) fn needs(&self) -> artefact::Needs {
        self.needs
    }

    /// A fresh instance, not started yet. `linked` are the modules that are there already, by name.
    pub(super) async fn instantiate(
        &self,
        store: &mut Store<State>,
        linked: &[(&str, Instance)],
    ) -> wasmtime::Result<Instance> {
        match &self.imports {
            Imports::Host(pre) => pre.instantiate_async(store).await,
            Imports::Linked { module, linker, names } => {
                let mut externs = Vec::with_capacity(names.len());
                for name in names {
                    externs.push(name.resolve(store, linker, linked)?);
                }
                Box::pin(Instance::new_async(store, module, &externs)).await
            }
        }
    }

    /// Runs what the module wants to have run before it is called.
    pub(super) async fn start(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
    ) -> wasmtime::Result<()> {
        let Some(start) = &self.start else { return Ok(()) };
        let init = function(store, instance, &start.export)?.typed::<(), ()>(&*store)?;
        match init.call_async(store, ()).await {
            Err(error) if !start.may_fail || error.is::<TimeUp>() => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn memory(&self, store: &mut Store<State>, instance: &Instance) -> Option<Memory> {
        instance.get_module_export(store, self.memory.as_ref()?).and_then(Extern::into_memory)
    }

    /// Where its code is in memory, by which a frame of a backtrace is known as its.
    pub(super) fn code(&self) -> Range<*const u8> {
        match &self.imports {
            Imports::Host(pre) => pre.module().image_range(),
            Imports::Linked { module, .. } => module.image_range(),
        }
    }
}

/// An export that must be a function.
pub(super) fn function(
    store: &mut Store<State>,
    instance: &Instance,
    export: &ModuleExport,
) -> wasmtime::Result<Func> {
    let func = instance.get_module_export(store, export).and_then(Extern::into_func);
    func.ok_or_else(|| wasmtime::format_err!("an entry is not a function"))
}

impl Imports {
    fn of(linker: &Arc<Linker<State>>, module: &Module) -> wasmtime::Result<Self> {
        if !module.imports().any(|import| link::is_link(import.module())) {
            return Ok(Self::Host(linker.instantiate_pre(module)?));
        }
        let names = module.imports().map(|import| Name {
            module: import.module().into(),
            item: import.name().into(),
            linked: link::is_link(import.module()),
        });
        let (names, module, linker) = (names.collect(), module.clone(), linker.clone());
        Ok(Self::Linked { module, linker, names })
    }
}

impl Name {
    fn resolve(
        &self,
        store: &mut Store<State>,
        linker: &Linker<State>,
        linked: &[(&str, Instance)],
    ) -> wasmtime::Result<Extern> {
        if !self.linked {
            return linker.get(store, &self.module, &self.item);
        }
        let provider = linked.iter().find(|(name, _)| *name == &*self.module);
        let (_, provider) = provider
            .ok_or_else(|| wasmtime::format_err!("`{}` is not linked with it", self.module))?;
        let found = provider.get_export(store, &self.item);
        found.ok_or_else(|| wasmtime::format_err!("`{}` has no `{}`", self.module, self.item))
    }
}
