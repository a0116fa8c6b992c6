//! Modules that import from other modules: what each wants and gives, and whether that fits.
//!
//! All of it is plain data, learnt once when an artefact is compiled, so that a deploy can compare modules
//! without opening any.

use std::{collections::BTreeSet, fmt};

use headgate_types::Digest;
use wasmtime::{
    ExternType, FuncType, GlobalType, MemoryType, Module, Mutability, RefType, TableType, ValType,
};

use crate::defaults;

/// A module that a function's instance has beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedModule {
    /// What others import from it by: `libraries/words`.
    pub name: Box<str>,
    pub artefact: Digest,
}

/// What a core module has to do with others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Linkage {
    /// What it imports from modules of the project, each name once.
    pub imports: Vec<Import>,
    /// What others can import from it.
    pub exports: Vec<Export>,
    /// Linear memories of its own.
    pub memories: u32,
    /// Tables of its own.
    pub tables: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `libraries/words`
    pub module: Box<str>,
    pub name: Box<str>,
    pub item: Item,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub name: Box<str>,
    pub item: Item,
}

/// What one module can give another, with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `(i32, i32) -> i32`
    Function(Box<str>),
    /// `i32`, or `mut i32`
    Global(Box<str>),
    Memory(Bounds),
    Table {
        element: Box<str>,
        bounds: Bounds,
    },
}

/// How large a memory (in pages) or a table is at first and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub min: u64,
    pub max: Option<u64>,
}

/// An import that the module it names does not fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub name: Box<str>,
    pub wanted: Item,
    /// What is exported under that name, if anything.
    pub given: Option<Item>,
}

/// The modules of one function are too many, or too large together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("together they have {count} {what}, and {limit} are allowed")]
pub struct TooLarge {
    pub what: &'static str,
    pub count: u32,
    pub limit: u32,
}

/// Whether an import's module is one of the project's, and not the host's.
pub(crate) fn is_link(module: &str) -> bool {
    let name = module.strip_prefix("libraries/").or_else(|| module.strip_prefix("functions/"));
    name.is_some_and(|name| !name.is_empty())
}

impl Linkage {
    pub(crate) fn of(module: &Module) -> Self {
        let imports = module.imports().filter(|import| is_link(import.module()));
        let imports = imports.filter_map(|import| {
            let (module, name) = (import.module().into(), import.name().into());
            Some(Import { module, name, item: Item::of(&import.ty())? })
        });
        let exports = module.exports().filter_map(|export| {
            Some(Export { name: export.name().into(), item: Item::of(&export.ty())? })
        });
        let needs = module.resources_required();
        Self {
            imports: imports.collect(),
            exports: exports.take(defaults::LINKED_EXPORTS).collect(),
            memories: needs.num_memories,
            tables: needs.num_tables,
        }
    }

    /// The modules it imports from, by name.
    pub fn modules(&self) -> BTreeSet<&str> {
        self.imports.iter().map(|import| &*import.module).collect()
    }

    /// What it imports from the module called `name` and does not get from `provider`.
    pub fn misfits(&self, name: &str, provider: &Self) -> Vec<Misfit> {
        let wanted = self.imports.iter().filter(|import| *import.module == *name);
        let misfits = wanted.filter_map(|import| {
            let mut exports = provider.exports.iter();
            let given = exports.find(|export| export.name == import.name).map(|found| &found.item);
            let fits = given.is_some_and(|given| given.serves_as(&import.item));
            (!fits).then(|| Misfit {
                name: import.name.clone(),
                wanted: import.item.clone(),
                given: given.cloned(),
            })
        });
        misfits.collect()
    }

    /// Whether modules fit into one instance of a function.
    pub fn fit_together<'a>(modules: impl IntoIterator<Item = &'a Self>) -> Result<(), TooLarge> {
        let (mut count, mut memories, mut tables) = (0_u32, 0_u32, 0_u32);
        for module in modules {
            count += 1;
            memories = memories.saturating_add(module.memories);
            tables = tables.saturating_add(module.tables);
        }
        for (what, count, limit) in [
            ("modules", count, defaults::LINKED_MODULES),
            ("memories", memories, defaults::MEMORIES),
            ("tables", tables, defaults::TABLES),
        ] {
            if count > limit {
                return Err(TooLarge { what, count, limit });
            }
        }
        Ok(())
    }
}

impl Item {
    /// `None` for what no toolchain shares between modules yet: tags of exceptions.
    pub(crate) fn of(ty: &ExternType) -> Option<Self> {
        Some(match ty {
            ExternType::Func(ty) => Self::Function(signature(ty).into()),
            ExternType::Global(ty) => Self::Global(global(ty).into()),
            ExternType::Memory(ty) => Self::Memory(Bounds::of_memory(ty)),
            ExternType::Table(ty) => {
                Self::Table { element: element(ty).into(), bounds: Bounds::of_table(ty) }
            }
            ExternType::Tag(_) => return None,
        })
    }

    fn serves_as(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Memory(given), Self::Memory(wanted)) => given.lie_within(*wanted),
            (
                Self::Table { element, bounds },
                Self::Table { element: wanted_element, bounds: wanted },
            ) => element == wanted_element && bounds.lie_within(*wanted),
            (given, wanted) => given == wanted,
        }
    }
}

impl Bounds {
    fn of_memory(ty: &MemoryType) -> Self {
        Self { min: ty.minimum(), max: ty.maximum() }
    }

    fn of_table(ty: &TableType) -> Self {
        Self { min: ty.minimum(), max: ty.maximum() }
    }

    /// As WebAssembly matches them: at least as large, and never larger than the importer expects.
    fn lie_within(self, wanted: Self) -> bool {
        let bounded = wanted.max.is_none_or(|most| self.max.is_some_and(|max| max <= most));
        self.min >= wanted.min && bounded
    }
}

/// `(i32, i32) -> i32`
pub(crate) fn signature(ty: &FuncType) -> String {
    let list =
        |types: Vec<ValType>| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let results = list(ty.results().collect());
    let results = if results.is_empty() { "()" } else { &results };
    format!("({}) -> {results}", list(ty.params().collect()))
}

/// As people write it.
fn element(ty: &TableType) -> String {
    match ty.element() {
        element if RefType::eq(element, &RefType::FUNCREF) => "funcref".to_owned(),
        element => element.to_string(),
    }
}

fn global(ty: &GlobalType) -> String {
    match ty.mutability() {
        Mutability::Const => ty.content().to_string(),
        Mutability::Var => format!("mut {}", ty.content()),
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(signature) => write!(f, "the function {signature}"),
            Self::Global(ty) => write!(f, "the global {ty}"),
            Self::Memory(bounds) => write!(f, "a memory of {bounds} pages"),
            Self::Table { element, bounds } => {
                write!(f, "a table of {bounds} elements {element}")
            }
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) => write!(f, "{} to {max}", self.min),
            None => write!(f, "{} or more", self.min),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linkage(text: &str) -> Linkage {
        let engine = wasmtime::Engine::default();
        Linkage::of(&Module::new(&engine, wat::parse_str(text).unwrap()).unwrap())
    }

    const GIVES: &str = r#"(module (memory (export "memory") 2 4) (global (export "base") i32 (i32.const 0))
        (table (export "calls") 3 funcref) (func (export "add") (param i32 i32) (result i32) (i32.const 0)))"#;

    #[test]
    fn what_fits_fits() {
        let gives = linkage(GIVES);
        let wants = linkage(
            r#"(module (import "libraries/a" "memory" (memory 1))
            (import "libraries/a" "base" (global i32)) (import "libraries/a" "calls" (table 2 funcref))
            (import "libraries/a" "add" (func (param i32 i32) (result i32)))
            (import "libraries/b" "other" (func)) (import "env" "host" (func)))"#,
        );
        assert_eq!(wants.misfits("libraries/a", &gives), []);
        assert_eq!(Vec::from_iter(wants.modules()), ["libraries/a", "libraries/b"]);
        assert_eq!((gives.memories, gives.tables, wants.memories), (1, 1, 0));
    }

    #[test]
    fn what_does_not_fit_is_told_with_both_types() {
        let gives = linkage(GIVES);
        for (wanted, given) in [
            (r#""add" (func (param i32) (result i32))"#, Some("the function (i32, i32) -> i32")),
            (r#""add" (memory 1)"#, Some("the function (i32, i32) -> i32")),
            (r#""base" (global (mut i32))"#, Some("the global i32")),
            (r#""memory" (memory 3)"#, Some("a memory of 2 to 4 pages")),
            (r#""memory" (memory 1 3)"#, Some("a memory of 2 to 4 pages")),
            (r#""calls" (table 1 9 funcref)"#, Some("a table of 3 or more elements funcref")),
            (r#""less" (func)"#, None),
        ] {
            let wants = linkage(&format!(r#"(module (import "functions/f" {wanted}))"#));
            let misfits = wants.misfits("functions/f", &gives);
            let told: Vec<_> =
                misfits.iter().map(|m| m.given.as_ref().map(ToString::to_string)).collect();
            assert_eq!(told, [given.map(str::to_owned)], "{wanted}");
        }
    }

    #[test]
    fn a_set_has_an_end() {
        let one = Linkage { memories: 1, ..Linkage::default() };
        assert_eq!(Linkage::fit_together([&one; 16]), Ok(()));
        let error = Linkage::fit_together([&one; 17]).unwrap_err();
        assert_eq!(error.to_string(), "together they have 17 modules, and 16 are allowed");
        let many = Linkage { memories: 9, ..Linkage::default() };
        assert_eq!(Linkage::fit_together([&many, &many]).unwrap_err().what, "memories");
    }
}
