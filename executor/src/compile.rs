//! What is checked when an artefact arrives: its kind, its imports, its entries.

use std::{collections::BTreeMap, sync::Arc};

use headgate_types::ByteSize;
use wasmtime::{
    Engine, ExternType, Module, Precompiled, ResourcesRequired,
    component::{Component, types::ComponentItem},
};

use crate::{
    component, core, defaults,
    error::{CompileError, Missing, MissingImport},
    link::{Item, Linkage, is_link, signature},
    start_up::StartUp,
};

/// What is known about an artefact once it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    pub kind: GuestKind,
    /// Of a core module: exports that take an event, so `(i32)` or `(i32) -> i32`.
    pub entries: Vec<String>,
    /// Functions it imports that are there, but only to answer that they are not served yet.
    pub unserved: Vec<String>,
    /// What its linear memories take before it runs at all. Of several in one module or component only the
    /// largest is known; never more than the truth.
    pub least_memory: ByteSize,
    /// Of a core module: what it imports from other modules of its project, and gives them.
    pub linkage: Linkage,
    /// It was compiled now, not found.
    pub fresh: bool,
}

/// The two forms of a guest, told apart by their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuestKind {
    Component,
    Core,
}

/// `\0asm` version 1, layer 0.
const CORE_HEADER: [u8; 8] = *b"\0asm\x01\0\0\0";
/// `\0asm` version 13, layer 1: the component binary format.
const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Refuses what is not worth a compiler's time.
pub(crate) fn accept(wasm: &[u8], limit: u64) -> Result<(), CompileError> {
    let size = wasm.len() as u64;
    if size > limit {
        return Err(CompileError::TooLarge { size, limit });
    }
    kind(wasm).map(drop)
}

pub(crate) fn kind(wasm: &[u8]) -> Result<Precompiled, CompileError> {
    match wasm.first_chunk() {
        Some(&CORE_HEADER) => Ok(Precompiled::Module),
        Some(&COMPONENT_HEADER) => Ok(Precompiled::Component),
        _ => Err(CompileError::NotWasm),
    }
}

pub(crate) fn component(
    component: &Component,
    linkers: &component::Linkers,
    fresh: bool,
) -> Result<Compiled, CompileError> {
    let (ty, engine) = (component.component_type(), component.engine());
    let missing: Vec<_> = ty
        .imports(engine)
        .filter(|(name, item)| needs_provider(&item.ty) && !is_provided(name))
        .map(|(name, item)| missing_interface(name, &item.ty, engine))
        .collect();
    if !missing.is_empty() {
        return Err(CompileError::MissingImports(missing));
    }
    let is_entry = |name: &str| {
        name.starts_with(component::INCOMING_HANDLER) || name.starts_with(component::HANDLER)
    };
    if !ty.exports(engine).any(|(name, _)| is_entry(name)) {
        let exports = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        return Err(CompileError::NoHandler { exports });
    }
    component::entry(linkers, component)
        .map_err(|error| CompileError::Incompatible(error.into()))?;
    let (entries, unserved, linkage) = (Vec::new(), Vec::new(), Linkage::default());
    let least_memory = component.resources_required().as_ref().map_or(NO_MEMORY, least_memory);
    Ok(Compiled { kind: GuestKind::Component, entries, unserved, least_memory, linkage, fresh })
}

/// Interfaces that the linker provides in both versions: of `wasi:cli/imports` and `wasi:http`. wasmtime's linker cannot
/// be asked, and stops at the first it lacks.
const BOTH: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
];

/// What only 0.3 has.
const NEWER: [&str; 5] = [
    "wasi:cli/types",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:http/client",
    "wasi:sockets/types",
];

/// What only 0.2 has.
const OLDER: [&str; 11] = [
    "wasi:clocks/wall-clock",
    "wasi:http/outgoing-handler",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:sockets/instance-network",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Not at a release yet, so no other version fits.
const SETTINGS: &str = "wasi:config/store@0.2.0-rc.1";

fn is_provided(import: &str) -> bool {
    if import == SETTINGS {
        return true;
    }
    let Some((name, version)) = import.split_once('@') else { return false };
    let only = if version.starts_with("0.2.") {
        &OLDER[..]
    } else if version.starts_with("0.3.") {
        &NEWER[..]
    } else {
        return false;
    };
    BOTH.contains(&name) || only.contains(&name)
}

/// Types come with the interfaces that define them.
fn needs_provider(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}

fn missing_interface(name: &str, item: &ComponentItem, engine: &Engine) -> MissingImport {
    let names = match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
            .map(|(name, _)| name.to_owned())
            .collect(),
        _ => Vec::new(),
    };
    let known = KNOWN_PACKAGES.iter().any(|package| name.starts_with(package));
    let why = if known { Missing::NotServed } else { Missing::Unknown };
    MissingImport { module: name.to_owned(), names, why }
}

/// Packages of the field that later versions are meant to serve.
const KNOWN_PACKAGES: [&str; 5] =
    ["wasi:keyvalue/", "wasi:blobstore/", "wasi:messaging/", "wasi:config/", "wasi:http/"];

pub(crate) fn core_module(
    module: &Module,
    provided: &core::Signatures,
    linker: &Arc<wasmtime::Linker<core::State>>,
    fresh: bool,
) -> Result<Compiled, CompileError> {
    let (count, limit) = (linked_imports(module), defaults::LINKED_IMPORTS);
    if count > limit {
        return Err(CompileError::TooManyImports { count, limit });
    }
    let missing = missing_imports(module, provided);
    if !missing.is_empty() {
        return Err(CompileError::MissingImports(missing));
    }
    core::CoreModule::new(linker, module, &StartUp::None)
        .map_err(|error| CompileError::Incompatible(error.into()))?;
    let entries = module
        .exports()
        .filter(|export| matches!(export.ty(), ExternType::Func(ty) if core::takes_event(&ty)))
        .map(|export| export.name().to_owned())
        .collect();
    let unserved = module
        .imports()
        .filter(|import| core::is_unserved(import.module(), import.name()))
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect();
    let (linkage, least_memory) = (Linkage::of(module), least_memory(&module.resources_required()));
    Ok(Compiled { kind: GuestKind::Core, entries, unserved, least_memory, linkage, fresh })
}

const NO_MEMORY: ByteSize = ByteSize::from_bytes(0);

fn least_memory(needs: &ResourcesRequired) -> ByteSize {
    let pages = needs.max_initial_memory_size.unwrap_or_default();
    ByteSize::from_bytes(pages.saturating_mul(defaults::MEMORY_PAGE))
}

fn linked_imports(module: &Module) -> usize {
    module.imports().filter(|import| is_link(import.module())).count()
}

/// What a module wants of the host and does not get, one entry for each module it imports from and each wrong
/// signature. What it wants of other modules of its project, only a deploy can tell.
fn missing_imports(module: &Module, provided: &core::Signatures) -> Vec<MissingImport> {
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        if is_link(from) && Item::of(&import.ty()).is_some() {
            continue;
        }
        match (import.ty(), provided.get(from, name)) {
            (ExternType::Func(wanted), Some(known)) if wanted.matches(known) => {}
            (ExternType::Func(wanted), Some(known)) => wrong.push(MissingImport {
                module: from.to_owned(),
                names: vec![name.to_owned()],
                why: Missing::Signature { wanted: signature(&wanted), provided: signature(known) },
            }),
            _ => unknown.entry(from.to_owned()).or_default().push(name.to_owned()),
        }
    }
    let missing = unknown.into_iter().map(|(module, names)| {
        let known = KNOWN_MODULES.iter().any(|known| module.starts_with(known));
        let why = if known { Missing::NotServed } else { Missing::Unknown };
        MissingImport { module, names, why }
    });
    missing.chain(wrong).collect()
}

/// Modules that Taubyte provides: smart operations.
const KNOWN_MODULES: [&str; 2] = ["taubyte/smartops", "smartops/"];
