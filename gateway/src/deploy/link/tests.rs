//! What is linked with what, and each way in which it is not.

use headgate_project::tree::MemoryTree;
use headgate_types::Digest;

use crate::{
    deploy::{IngestCache, Outcome},
    lab::{Lab, revision, site},
    manifest::{FunctionEntry, Manifest},
};

/// A project's files, made of modules in WebAssembly text.
#[derive(Default)]
struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    /// A function that is called by its export `main`; the path leads to it, without its extension.
    fn function(self, path: &str, wat: &str) -> Self {
        self.yaml(path, ".").module(path, wat)
    }

    fn yaml(mut self, path: &str, source: &str) -> Self {
        let (n, call) = (self.0.len(), "main");
        let yaml = format!(
            "id: f{n}\ntrigger:\n  type: https\n  method: GET\n  paths: [/f{n}]\ndomains: [d0]\n\
             source: {source}\nexecution:\n  timeout: 1s\n  memory: 1MB\n  call: {call}\n"
        );
        self.0.push((format!("{path}.yaml"), yaml.into()));
        self
    }

    /// A function that nothing calls yet.
    fn idle(mut self, path: &str, source: &str) -> Self {
        let yaml = format!(
            "id: i{}\ntrigger: {{type: pubsub, channel: c}}\nsource: {source}\n\
             execution: {{timeout: 1s, memory: 1MB, call: main}}\n",
            self.0.len()
        );
        self.0.push((format!("{path}.yaml"), yaml.into()));
        self
    }

    fn library(mut self, path: &str, wat: &str) -> Self {
        self.0.push((format!("{path}.yaml"), format!("id: l{}\n", self.0.len()).into()));
        self.module(path, wat)
    }

    fn module(mut self, path: &str, wat: &str) -> Self {
        self.0.push((format!("{path}.wasm"), wat::parse_str(wat).unwrap()));
        self
    }

    fn tree(&self) -> MemoryTree {
        let files = self.0.iter().map(|(path, content)| (&**path, &**content));
        site(&["x.org"], &files.collect::<Vec<_>>())
    }

    async fn deployed(&self) -> Manifest {
        match Lab::following(&["one"]).deploy(revision("one", "1"), self.tree()).await {
            Outcome::Accepted { accepted, .. } => Manifest::clone(&accepted.manifest),
            Outcome::Refused(diagnostics) => panic!("{}", diagnostics.render_human(false)),
        }
    }

    /// Everything that is said of a project that is refused.
    async fn refused(&self) -> String {
        match Lab::following(&["one"]).deploy(revision("one", "1"), self.tree()).await {
            Outcome::Refused(diagnostics) => diagnostics.render_human(false),
            accepted => panic!("{accepted:?}"),
        }
    }
}

/// A function that imports `f` from this module, as `() -> i32`.
fn caller(module: &str) -> String {
    format!(
        r#"(module (import "{module}" "f" (func $f (result i32)))
        (func (export "main") (param i32) (drop (call $f))))"#
    )
}

/// A library with an `f` that imports `f` from each of these.
fn library(from: &[&str]) -> String {
    let imports: String = from
        .iter()
        .map(|module| format!(r#"(import "{module}" "f" (func (result i32)))"#))
        .collect();
    format!(r#"(module {imports} (func (export "f") (result i32) (i32.const 7)))"#)
}

fn linked(function: &FunctionEntry) -> Vec<(&str, Digest)> {
    function.linked.iter().map(|linked| (&*linked.module, linked.artefact)).collect()
}

fn digest(wat: &str) -> Digest {
    Digest::of(&wat::parse_str(wat).unwrap())
}

#[tokio::test]
async fn each_module_is_linked_once_after_what_it_imports_from() {
    let (a, b, c) =
        (library(&["libraries/b", "libraries/c"]), library(&["libraries/c"]), library(&[]));
    let manifest = Files::default()
        .function("functions/f", &caller("libraries/a"))
        .library("libraries/a", &a)
        .library("libraries/b", &b)
        .library("libraries/c", &c)
        .deployed()
        .await;
    let expected =
        [("libraries/c", digest(&c)), ("libraries/b", digest(&b)), ("libraries/a", digest(&a))];
    assert_eq!(linked(&manifest.functions[0]), expected);
    assert!(expected.iter().all(|(_, artefact)| manifest.blobs().any(|blob| blob == *artefact)));
}

#[tokio::test]
async fn a_name_means_the_functions_own_applications_first() {
    // The project's library `a` imports from `b`, which the application has one of its own of.
    let (a, b, own) = (
        library(&["libraries/b"]),
        library(&[]),
        "(module (func (export \"f\") (result i32) (i32.const 8)))",
    );
    let manifest = Files::default()
        .function("functions/f", &caller("libraries/a"))
        .function("applications/app/functions/g", &caller("libraries/a"))
        .library("libraries/a", &a)
        .library("libraries/b", &b)
        .library("applications/app/libraries/b", own)
        .deployed()
        .await;
    for function in &manifest.functions {
        let b = if function.application.is_some() { digest(own) } else { digest(&b) };
        let expected = [("libraries/b", b), ("libraries/a", digest(&a))];
        assert_eq!(linked(function), expected, "{}", function.name);
    }
}

#[tokio::test]
async fn a_function_may_be_a_library_and_import_from_a_function() {
    let main = r#"(module (import "functions/g" "f" (func $f (result i32)))
        (func (export "main") (param i32) (drop (call $f))))"#;
    let g = r#"(module (func (export "main") (param i32))
        (func (export "f") (result i32) (i32.const 1)))"#;
    let manifest = Files::default()
        .yaml("functions/f", "libraries/a")
        .library("libraries/a", main)
        .function("functions/g", g)
        .deployed()
        .await;
    let [f, g_entry] = &manifest.functions[..] else { panic!("{manifest:?}") };
    assert_eq!((f.artefact, linked(f)), (digest(main), vec![("functions/g", digest(g))]));
    assert_eq!(linked(g_entry), []);
}

#[tokio::test]
async fn a_function_that_nothing_calls_can_be_imported_from() {
    let (listen, own, shared) = (library(&["functions/deep"]), library(&[]), library(&[]));
    let manifest = Files::default()
        .function("functions/f", &caller("functions/listen"))
        .function("functions/g", &caller("functions/other"))
        .idle("functions/listen", ".")
        .module("functions/listen", &listen)
        .idle("functions/deep", ".")
        .module("functions/deep", &own)
        .idle("functions/other", "libraries/shared")
        .library("libraries/shared", &shared)
        .deployed()
        .await;
    let names: Vec<_> = manifest.functions.iter().map(|function| &*function.name).collect();
    assert_eq!(names, ["f", "g"], "none but those that requests call is served");
    let expected = [("functions/deep", digest(&own)), ("functions/listen", digest(&listen))];
    assert_eq!(linked(&manifest.functions[0]), expected);
    assert_eq!(linked(&manifest.functions[1]), [("functions/other", digest(&shared))]);
}

#[tokio::test]
async fn the_code_of_a_function_that_nothing_calls_is_looked_into_only_if_somebody_needs_it() {
    let strange = r#"(module (import "nowhere" "f" (func))
        (func (export "f") (result i32) (i32.const 0)))"#;
    let alone = Files::default()
        .function("functions/f", &caller("libraries/a"))
        .library("libraries/a", &library(&[]))
        .idle("functions/listen", ".")
        .module("functions/listen", strange);
    alone.deployed().await;
    let needed = alone.function("functions/g", &caller("functions/listen")).refused().await;
    assert!(needed.contains("error[import-not-provided]: functions/listen.wasm needs"), "{needed}");
}

#[tokio::test]
async fn a_module_that_is_not_there_is_told_with_what_is() {
    let told = Files::default()
        .function("functions/f", &caller("libraries/wrods"))
        .library("libraries/words", &library(&[]))
        .function("functions/g", &caller("libraries/words"))
        .library("applications/app/libraries/wrods", &library(&[]))
        .refused()
        .await;
    assert_eq!(
        told,
        "error[unknown-module]: functions/f.wasm imports from `libraries/wrods`, which is not defined
--> functions/f.yaml
 = note: it wants `f` from there
 = note: the application `app` has one, which only its own functions can be linked with
 = help: did you mean `libraries/words`? or add `libraries/wrods.yaml`

1 error
"
    );
}

#[tokio::test]
async fn a_circle_is_told_once_and_whole_however_many_enter_it() {
    let circle = Files::default()
        .function("functions/f", &caller("libraries/b"))
        .function("functions/g", &caller("libraries/c"))
        .library("libraries/a", &library(&["libraries/b"]))
        .library("libraries/b", &library(&["libraries/c"]))
        .library("libraries/c", &library(&["libraries/a"]));
    let told = circle.refused().await;
    assert_eq!(
        told,
        "error[module-cycle]: modules need each other: libraries/a → libraries/b → libraries/c → libraries/a
--> libraries/a.yaml
::: libraries/b.yaml
::: libraries/c.yaml
 = note: a module is there before what imports from it, so none of these could be the first
 = help: put what both sides need into a library of its own

1 error
"
    );
    let unused = Files(circle.0[4..].to_vec());
    assert_eq!(unused.refused().await, told, "also if no function needs it");

    let own = Files::default()
        .function(
            "functions/f",
            r#"(module (import "functions/f" "main" (func (param i32)))
            (func (export "main") (param i32)))"#,
        )
        .refused()
        .await;
    assert!(own.contains("modules need each other: functions/f → functions/f"), "{own}");
    let source = Files::default()
        .yaml("functions/f", "libraries/a")
        .library(
            "libraries/a",
            r#"(module (import "libraries/b" "f" (func (result i32)))
            (func (export "f") (result i32) (i32.const 0)) (func (export "main") (param i32)))"#,
        )
        .library("libraries/b", &library(&["libraries/a"]))
        .refused()
        .await;
    assert!(source.contains("libraries/a → libraries/b → libraries/a"), "{source}");
    assert!(source.ends_with("\n1 error\n"), "{source}");
}

#[tokio::test]
async fn what_does_not_fit_is_told_with_both_types_and_for_whom() {
    let told = Files::default()
        .function("functions/f", &caller("libraries/a"))
        .library("libraries/a", &library(&["libraries/b"]))
        .library(
            "libraries/b",
            r#"(module (func (export "f") (param i64) (result i32) (i32.const 0)))"#,
        )
        .refused()
        .await;
    assert_eq!(
        told,
        "error[import-mismatch]: libraries/a.wasm imports `f` of `libraries/b` as the function () -> i32; \
         there it is the function (i64) -> i32
--> libraries/a.yaml
::: libraries/b.yaml
 = note: the function `f` runs with it: functions/f → libraries/a
 = help: build both against the same declaration

1 error
"
    );
    let told = Files::default()
        .function("functions/f", &caller("libraries/a"))
        .library("libraries/a", r#"(module (func (export "g")) (memory (export "memory") 1))"#)
        .refused()
        .await;
    assert!(
        told.contains("functions/f.wasm imports `f` of `libraries/a`, which exports no such thing"),
        "{told}"
    );
    assert!(
        told.contains("export the function () -> i32 there; it exports `g` and `memory`"),
        "{told}"
    );
}

#[tokio::test]
async fn components_and_what_has_no_code_are_not_linked() {
    let component = r#"(component
        (import "wasi:http/types@0.2.0" (instance $types
            (export "incoming-request" (type $request (sub resource)))
            (export "response-outparam" (type $out (sub resource)))))
        (alias export $types "incoming-request" (type $request))
        (alias export $types "response-outparam" (type $out))
        (core module $m (func (export "handle") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func $handle (param "request" (own $request)) (param "response-out" (own $out))
            (canon lift (core func $i "handle")))
        (instance $handler (export "handle" (func $handle)))
        (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#;
    let mut files = Files::default()
        .function("functions/f", &caller("libraries/web"))
        .function("functions/g", &caller("libraries/empty"))
        .function("functions/h", &caller("functions/later"))
        .library("libraries/web", component);
    files.0.push(("libraries/empty.yaml".to_owned(), b"id: e\n".to_vec()));
    let told = files.idle("functions/later", ".").refused().await;
    for line in [
        "error[not-linkable]: functions/f.wasm imports from `libraries/web`, which is a component",
        "error[artefact-not-found]: functions/g.wasm imports from `libraries/empty`, which has no WebAssembly",
        "error[artefact-not-found]: functions/h.wasm imports from `functions/later`, which has no WebAssembly",
        "warning[artefact-not-found]: the library `empty` has no WebAssembly file",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

#[tokio::test]
async fn a_function_has_a_bounded_number_of_modules() {
    let chain = |length: usize| {
        (0..length).fold(
            Files::default().function("functions/f", &caller("libraries/l0")),
            |files, n| {
                let next = format!("libraries/l{}", n + 1);
                let from: &[&str] = if n + 1 == length { &[] } else { &[&next] };
                files.library(&format!("libraries/l{n}"), &library(from))
            },
        )
    };
    assert_eq!(chain(15).deployed().await.functions[0].linked.len(), 15);
    let told = chain(40).refused().await;
    assert!(
        told.contains("error[too-many-modules]: the function `f` is made of more than 16 modules"),
        "{told}"
    );

    let memories = r#"(module (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)
        (memory 1) (memory 1) (memory 1) (func (export "f") (result i32) (i32.const 0)))"#;
    let told = Files::default()
        .function(
            "functions/f",
            r#"(module (import "libraries/a" "f" (func (result i32)))
            (import "libraries/b" "f" (func (result i32))) (func (export "main") (param i32)))"#,
        )
        .library("libraries/a", memories)
        .library("libraries/b", memories)
        .refused()
        .await;
    assert!(told.contains("the function `f` is made of 18 memories, and 16 fit"), "{told}");
}

#[tokio::test]
async fn only_what_changed_is_compiled_again_and_a_changed_library_changes_its_functions() {
    let lab = Lab::following(&["one"]);
    let mut cache = IngestCache::default();
    let with = |library: &str| {
        Files::default()
            .function("functions/f", &caller("libraries/a"))
            .library("libraries/a", library)
            .tree()
    };
    let (one, two) = (library(&[]), r#"(module (func (export "f") (result i32) (i32.const 9)))"#);
    let mut seen = Vec::new();
    for (commit, wat) in [("1", &*one), ("2", two), ("3", two)] {
        let outcome = lab.deploy_cached(revision("one", commit), with(wat), &mut cache).await;
        let Ok(Outcome::Accepted { accepted, .. }) = outcome else { panic!("{outcome:?}") };
        seen.push(accepted.manifest.functions[0].linked.clone());
    }
    assert_eq!(seen[0][0].artefact, digest(&one));
    assert_eq!((seen[1][0].artefact, &seen[1]), (digest(two), &seen[2]));
}
