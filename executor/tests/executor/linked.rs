//! Functions that import from other modules: several instances, one store, one request.

use headgate_executor::{
    ArtefactError, CompileError, Entry, Function, FunctionSpec, InvokeError, Linkage, LinkedModule,
    TrapReason,
};
use headgate_types::{ByteSize, Digest};

use crate::lab::{Lab, answer, call, get, guest, spec, text_of, wat};

/// A function of `own` that is linked with these modules, each after what it imports from.
pub(crate) async fn linked(
    lab: &Lab,
    own: &[u8],
    export: &str,
    others: &[(&str, Vec<u8>)],
) -> Function {
    lab.executor.function(linked_spec(lab, own, export, others).await)
}

async fn linked_spec(
    lab: &Lab,
    own: &[u8],
    export: &str,
    others: &[(&str, Vec<u8>)],
) -> FunctionSpec {
    lab.compile(own).await.unwrap();
    let mut spec = spec(Digest::of(own), Entry::Core { export: export.into() });
    for (name, wasm) in others {
        lab.compile(wasm).await.unwrap();
        spec.linked.push(LinkedModule { name: (*name).into(), artefact: Digest::of(wasm) });
    }
    spec
}

fn invoice_libraries() -> [(&'static str, Vec<u8>); 3] {
    [
        ("libraries/tax", guest("tax")),
        ("libraries/price", guest("price")),
        ("libraries/stamp", guest("stamp")),
    ]
}

#[tokio::test]
async fn libraries_of_libraries_answer_together() {
    let lab = Lab::new();
    let function = linked(&lab, &guest("invoice"), "invoice", &invoice_libraries()).await;
    for _ in 0..3 {
        let response = call(&function, get("/")).await.unwrap();
        // The library was instantiated once, for this request alone, and spoke to the host from its own memory.
        let stamps: Vec<_> = response.headers().get_all("x-stamp").iter().collect();
        assert_eq!(stamps, ["1", "2"]);
        assert_eq!(text_of(response.into_body()).await.unwrap(), "gross:   1190");
    }
    assert_eq!(function.in_flight(), 0);
}

#[tokio::test]
async fn a_library_is_a_function_with_what_its_application_links() {
    let lab = Lab::new();
    for (tax, gross) in [("tax", "1190"), ("tax-free", "1000")] {
        let others = [("libraries/tax", guest(tax))];
        let function = linked(&lab, &guest("price"), "quote", &others).await;
        assert_eq!(answer(&function, get("/?net=1000")).await, (200, gross.to_owned()));
        assert_eq!(answer(&function, get("/?net=a")).await.0, 400);
    }
}

#[tokio::test]
async fn what_is_imported_and_given_is_known_once_it_is_compiled() {
    let lab = Lab::new();
    let invoice = lab.compile(&guest("invoice")).await.unwrap().linkage;
    assert_eq!(Vec::from_iter(invoice.modules()), ["libraries/price", "libraries/stamp"]);
    let price = lab.compile(&guest("price")).await.unwrap().linkage;
    assert_eq!(Vec::from_iter(price.modules()), ["libraries/tax"]);
    let tax = lab.compile(&guest("tax")).await.unwrap().linkage;
    assert_eq!(price.misfits("libraries/tax", &tax), []);
    assert_eq!(invoice.misfits("libraries/price", &tax)[0].given, None);
    assert_eq!(Linkage::fit_together([&invoice, &price, &tax]), Ok(()));
}

#[tokio::test]
async fn a_module_imports_a_bounded_number_of_items() {
    let lab = Lab::new();
    let imports: String =
        (0..=1000).map(|n| format!(r#"(import "libraries/many" "f{n}" (func))"#)).collect();
    let error = lab.compile(&wat(&format!("(module {imports})"))).await.unwrap_err();
    assert!(matches!(error, CompileError::TooManyImports { count: 1001, limit: 1000 }), "{error}");
}

/// Exports a memory, a table, a global and functions; `bump` counts in the global, which importers see.
const SHARED: &str = r#"(module (memory (export "memory") 1) (table (export "calls") 1 funcref)
    (global $count (export "count") (mut i32) (i32.const 200))
    (elem (i32.const 0) $bump)
    (func $bump (export "bump") (global.set $count (i32.add (global.get $count) (i32.const 1)))))"#;

#[tokio::test]
async fn memories_tables_and_globals_can_be_imported_too() {
    let lab = Lab::new();
    let own = wat(r#"(module
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (import "libraries/shared" "memory" (memory 1))
        (import "libraries/shared" "calls" (table 1 funcref))
        (import "libraries/shared" "count" (global $count (mut i32)))
        (import "libraries/shared" "bump" (func $bump))
        (type $none (func))
        (func (export "main") (param i32)
            (call $bump) (call_indirect (type $none) (i32.const 0))
            (i32.store (i32.const 0) (global.get $count))
            (drop (call $code (local.get 0) (i32.load (i32.const 0))))))"#);
    let function = linked(&lab, &own, "main", &[("libraries/shared", wat(SHARED))]).await;
    assert_eq!(call(&function, get("/")).await.unwrap().status(), 202);
}

#[tokio::test]
async fn modules_start_after_what_they_import_from_and_only_start_may_fail() {
    let lab = Lab::new();
    let own = wat(r#"(module
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (import "functions/next" "seen" (func $seen (result i32)))
        (func (export "main") (param i32) (drop (call $code (local.get 0) (call $seen)))))"#);
    let next = wat(r#"(module (import "libraries/first" "ready" (func $ready (result i32)))
        (global $seen (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $seen (call $ready)))
        (func (export "seen") (result i32) (global.get $seen)))"#);
    let first = |start: &str| {
        wat(&format!(
            r#"(module (global $ready (mut i32) (i32.const 200))
            (func (export "{start}") (global.set $ready (i32.const 204)) unreachable)
            (func (export "ready") (result i32) (global.get $ready)))"#
        ))
    };
    let others = [("libraries/first", first("_start")), ("functions/next", next.clone())];
    let function = linked(&lab, &own, "main", &others).await;
    assert_eq!(call(&function, get("/")).await.unwrap().status(), 204);

    let others = [("libraries/first", first("_initialize")), ("functions/next", next)];
    let function = linked(&lab, &own, "main", &others).await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.message, "wasm `unreachable` instruction executed, in `libraries/first`");
}

#[tokio::test]
async fn a_trap_names_the_module_it_happened_in() {
    let lab = Lab::new();
    let own = wat(r#"(module (import "libraries/deep" "dive" (func $dive))
        (func $main (export "main") (param i32) (call $dive)))"#);
    let deep = wat(r#"(module (func $dive (export "dive") (call $drown))
        (func $drown unreachable))"#);
    let function = linked(&lab, &own, "main", &[("libraries/deep", deep)]).await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::Unreachable);
    assert_eq!(trapped.message, "wasm `unreachable` instruction executed, in `libraries/deep`");
    assert_eq!(trapped.backtrace, "drown of libraries/deep\ndive of libraries/deep\nmain");
    let function = linked(&lab, &guest("invoice"), "costly", &invoice_libraries()).await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert!(trapped.message.ends_with("in `libraries/price`"), "{}", trapped.message);
}

#[tokio::test]
async fn all_modules_share_the_functions_memory_limit() {
    let lab = Lab::new();
    // Each grows as far as it may and tells its pages; 16 of them are one MiB.
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    let own = wat(&format!(
        r#"(module
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (import "libraries/hog" "grow" (func $hog (result i32)))
        (memory (export "memory") 3)
        (func (export "main") (param i32) (local $pages i32)
            (local.set $pages (call $hog)) {grow}
            (drop (call $code (local.get 0) (i32.add (i32.const 200)
                (i32.add (i32.mul (local.get $pages) (i32.const 10)) (memory.size)))))))"#
    ));
    let hog = wat(&format!(
        r#"(module (memory (export "memory") 1)
        (func (export "grow") (result i32) {grow} (memory.size)))"#
    ));
    let mut spec = linked_spec(&lab, &own, "main", &[("libraries/hog", hog)]).await;
    spec.limits.memory = ByteSize::from_mib(1);
    let function = lab.executor.function(spec.clone());
    assert_eq!(call(&function, get("/")).await.unwrap().status(), 200 + 13 * 10 + 3);

    // Not even all first memories fit.
    spec.limits.memory = ByteSize::from_kib(128);
    let function = lab.executor.function(spec);
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::MemoryLimit);
}

#[tokio::test]
async fn the_largest_set_runs_many_times_at_once_on_a_pool_that_is_smaller() {
    let lab = Lab::with(|config| config.instances = 4);
    let mut others: Vec<(String, Vec<u8>)> = Vec::new();
    let mut below = "(func $f (result i32) (i32.const 185))".to_owned();
    for n in 0..15 {
        let module = format!(
            r#"(module {below} (memory (export "memory") 1)
            (func (export "f") (result i32) (i32.add (i32.const 1) (call $f))))"#
        );
        others.push((format!("libraries/l{n}"), wat(&module)));
        below = format!(r#"(import "libraries/l{n}" "f" (func $f (result i32)))"#);
    }
    let own = wat(&format!(
        r#"(module (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        {below} (memory (export "memory") 1)
        (func (export "main") (param i32) (drop (call $code (local.get 0) (call $f)))))"#
    ));
    let others: Vec<_> = others.iter().map(|(name, wasm)| (&**name, wasm.clone())).collect();
    let function = linked(&lab, &own, "main", &others).await;
    let calls = (0..8).map(|_| call(&function, get("/")));
    for response in futures::future::join_all(calls).await {
        assert_eq!(response.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_linked_module_that_was_lost_is_compiled_again() {
    let lab = Lab::new();
    let function = linked(&lab, &guest("invoice"), "invoice", &invoice_libraries()).await;
    let tax = Digest::of(&guest("tax"));
    lab.executor.forget(tax).unwrap();
    assert_eq!(answer(&function, get("/")).await.0, 200);
    lab.executor.forget(tax).unwrap();
    lab.wasm.forget_all();
    let error = call(&function, get("/")).await.unwrap_err();
    let InvokeError::Artefact { digest, error: ArtefactError::Read(_) } = error else {
        panic!("{error:?}")
    };
    assert_eq!(digest, tax);
}
