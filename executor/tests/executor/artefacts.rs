//! Compiling, keeping and finding artefacts again; what is said of those that cannot run.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use headgate_executor::{
    ArtefactError, CompileError, Config, Entry, Executor, Fault, GuestKind, InvokeError, Metrics,
    Missing, NoGlobals, NoWayOut, OpenError,
};
use headgate_types::{Chain, Digest};
use prometheus_client::registry::Registry;

use crate::lab::{COMPONENT, Lab, answer, call, get, guest, spec, wat};

#[tokio::test]
async fn a_known_artefact_is_not_compiled_again() {
    let lab = Lab::new();
    let first = lab.compile(&guest("hello")).await.unwrap();
    assert!(first.fresh);
    assert_eq!(
        (first.kind, first.entries.as_slice()),
        (GuestKind::Core, &["hello".to_owned()][..])
    );
    let again = lab.compile(&guest("hello")).await.unwrap();
    assert!(!again.fresh);
    assert_eq!(again.entries, first.entries);
    assert_eq!(lab.natives().len(), 1);
    let component = lab.compile(&guest("hello-rust")).await.unwrap();
    assert_eq!((component.kind, component.entries.len()), (GuestKind::Component, 0));
}

#[tokio::test]
async fn natives_are_the_owners_alone() {
    let lab = Lab::new();
    lab.compile(&guest("hello")).await.unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(lab.folder.path().join("native")), 0o700);
    assert_eq!(mode(lab.natives().remove(0)), 0o600);
}

#[tokio::test]
async fn a_lost_or_damaged_native_is_made_again() {
    type Damage = fn(&std::path::Path);
    let damage: [(&str, Damage); 4] = [
        ("removed", |path| std::fs::remove_file(path).unwrap()),
        ("cut", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("garbage", |path| std::fs::write(path, b"garbage").unwrap()),
        ("writable by others", |path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
        }),
    ];
    for (index, (how, damage)) in damage.into_iter().enumerate() {
        let lab = Lab::new();
        let function = lab.core(&guest("hello"), "hello").await;
        damage(&lab.natives()[0]);
        assert_eq!(answer(&function, get("/")).await.0, 200, "{how}");
        assert_eq!(lab.wasm.reads.load(Ordering::Relaxed), 1, "{how} ({index})");
        assert_eq!(answer(&function, get("/")).await.0, 200, "{how}");
        assert_eq!(lab.wasm.reads.load(Ordering::Relaxed), 1, "{how}: it stays open");
    }
}

#[tokio::test]
async fn an_artefact_that_is_gone_altogether_is_our_fault() {
    let lab = Lab::new();
    let function = lab.core(&guest("hello"), "hello").await;
    std::fs::remove_file(&lab.natives()[0]).unwrap();
    lab.wasm.forget_all();
    let error = call(&function, get("/")).await.unwrap_err();
    let InvokeError::Artefact { error: ArtefactError::Read(_), .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(error.fault(), Fault::Ourselves);
    assert_eq!(function.in_flight(), 0);
}

#[tokio::test]
async fn functions_open_nothing_until_they_are_called() {
    let lab = Lab::with(|config| config.open_artefacts = 2);
    lab.compile(&guest("hello")).await.unwrap();
    let digest = Digest::of(&guest("hello"));
    let functions: Vec<_> = (0..10_000)
        .map(|_| lab.executor.function(spec(digest, Entry::Core { export: "hello".into() })))
        .collect();
    assert!(lab.metrics().contains("open_artefacts 0"));
    assert_eq!(answer(&functions[9_999], get("/")).await.0, 200);
    assert!(lab.metrics().contains("open_artefacts 1"));
}

#[tokio::test]
async fn a_component_is_no_core_module() {
    let lab = Lab::new();
    lab.compile(&guest("hello")).await.unwrap();
    let function = lab.executor.function(spec(Digest::of(&guest("hello")), Entry::Component));
    let error = call(&function, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::Artefact { error: ArtefactError::Kind, .. }), "{error:?}");
}

#[tokio::test]
async fn missing_interfaces_of_a_component_are_named_at_once() {
    let lab = Lab::new();
    let wasm = wat(r#"(component
        (import "wasi:keyvalue/store@0.2.0" (instance
            (export "open" (func (param "identifier" string)))
            (export "close" (func))))
        (import "acme:teleport/beam@1.0.0" (instance (export "up" (func))))
        (import "wasi:cli/environment@0.2.3" (instance))
        (import "shout" (func)))"#);
    let Err(CompileError::MissingImports(missing)) = lab.compile(&wasm).await else { panic!() };
    let shown: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`wasi:keyvalue/store@0.2.0` (open, close), which is known but not served yet",
            "`acme:teleport/beam@1.0.0` (up)",
            "`shout`",
        ]
    );
    assert_eq!(missing[1].why, Missing::Unknown);
    assert_eq!(lab.natives().len(), 0, "what cannot run is not kept");
}

#[tokio::test]
async fn every_interface_said_to_be_provided_is() {
    let lab = Lab::new();
    for interface in [
        "wasi:cli/terminal-stderr",
        "wasi:clocks/wall-clock",
        "wasi:filesystem/types",
        "wasi:http/outgoing-handler",
        "wasi:io/poll",
        "wasi:random/insecure-seed",
        "wasi:sockets/udp-create-socket",
        "wasi:sockets/ip-name-lookup",
    ] {
        let wasm = wat(&format!(r#"(component (import "{interface}@0.2.6" (instance)))"#));
        let error = lab.compile(&wasm).await.unwrap_err();
        assert!(matches!(error, CompileError::NoHandler { .. }), "{interface}: {error:?}");
    }
    // A function that no version of the interface has.
    let secrets = r#"(component (import "wasi:cli/environment@0.2.0" (instance (export "get-secrets" (func))))"#;
    let wasm = wat(&COMPONENT.replacen("(component", secrets, 1).replace("HANDLE))", "))"));
    let error = lab.compile(&wasm).await.unwrap_err();
    assert!(matches!(error, CompileError::Incompatible(_)), "{error:?}");
    let chain = Chain(&error).to_string();
    assert!(chain.contains("get-secrets"), "{chain}");
}

#[tokio::test]
async fn missing_imports_of_a_core_module_are_named_at_once() {
    let lab = Lab::new();
    let wasm = wat(r#"(module
        (import "acme" "teleport" (func (param i32)))
        (import "acme" "beam" (func))
        (import "smartops/other" "help" (func))
        (import "taubyte/sdk" "eventHttpWrite" (func (param i32) (result i64)))
        (import "taubyte/sdk" "eventHttpFlush" (func (param i32) (result i32)))
        (import "env" "memory" (memory 1))
        (func (export "main") (param i32)))"#);
    let Err(CompileError::MissingImports(missing)) = lab.compile(&wasm).await else { panic!() };
    let shown: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`acme` (teleport, beam)",
            "`env` (memory)",
            "`smartops/other` (help), which is known but not served yet",
            "`taubyte/sdk` (eventHttpWrite) as (i32) -> i64, it is (i32, i32, i32, i32) -> i32",
        ]
    );
    let error = lab.compile(&guest("strange")).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing provides `acme/teleport` (beam)");
}

#[tokio::test]
async fn only_webassembly_within_bounds_is_compiled() {
    let lab = Lab::with(|config| config.artefact_size = "1KiB".parse().unwrap());
    let error = lab.compile(&guest("hello-rust")).await.unwrap_err();
    assert!(matches!(error, CompileError::TooLarge { .. }), "{error:?}");
    for bytes in [&b""[..], b"\0asm", b"<html>", b"(module)"] {
        let error = lab.compile(bytes).await.unwrap_err();
        assert!(matches!(error, CompileError::NotWasm), "{error:?}");
    }
    let mut cut = guest("hello");
    cut.truncate(100);
    assert!(matches!(lab.compile(&cut).await.unwrap_err(), CompileError::Invalid(_)));
}

#[tokio::test]
async fn what_no_instance_can_have_is_the_guests_fault_and_not_kept() {
    let lab = Lab::new();
    let memories = "(memory 0)".repeat(17);
    for wants in [memories.as_str(), "(table 100001 funcref)"] {
        let error = lab.compile(&wat(&format!("(module {wants})"))).await.unwrap_err();
        assert!(matches!(error, CompileError::TooDemanding(_)), "{wants}: {error:?}");
        let chain = Chain(&error).to_string();
        assert!(chain.contains("exceeds"), "{chain}");
        assert_eq!(lab.natives(), [] as [std::path::PathBuf; 0]);
    }
    let several = "(memory 0)".repeat(16);
    lab.compile(&wat(&format!("(module {several})"))).await.unwrap();
}

#[tokio::test]
async fn a_component_without_a_handler_says_what_it_exports() {
    let lab = Lab::new();
    let wasm = wat(r#"(component
        (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func $run (canon lift (core func $i "run")))
        (export "run" (func $run)))"#);
    let error = lab.compile(&wasm).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("incoming-handler") && text.ends_with("it exports `run`"), "{text}");
}

#[tokio::test]
async fn a_folder_others_can_write_to_is_refused() {
    let lab = Lab::new();
    let folder = lab.folder.path().join("shared");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let metrics = Arc::new(Metrics::new(&mut Registry::default()));
    let open = || {
        let (config, wasm, lines) = (Config::new(&folder), lab.wasm.clone(), lab.lines.clone());
        Executor::open(
            config,
            wasm,
            lines,
            Arc::new(NoWayOut),
            Arc::new(NoGlobals),
            metrics.clone(),
        )
    };
    assert!(matches!(open().unwrap_err(), OpenError::Folder { .. }));
    // Ours, and only readable by others: closed to them from now on.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    open().unwrap();
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_forgotten_artefact_is_compiled_when_it_is_needed() {
    let lab = Lab::new();
    let function = lab.core(&guest("hello"), "hello").await;
    assert_eq!(answer(&function, get("/")).await.0, 200);
    lab.executor.forget(Digest::of(&guest("hello"))).unwrap();
    assert_eq!(lab.natives().len(), 0);
    assert_eq!(answer(&function, get("/")).await.0, 200);
    let wasm = Bytes::from(guest("hello"));
    assert!(!lab.executor.compile(Digest::of(&wasm), wasm).await.unwrap().fresh);
}
