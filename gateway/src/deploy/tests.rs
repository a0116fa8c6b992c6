//! What a deploy reads again, what it refuses, and what a fault of this node leaves behind.

use std::{
    collections::HashSet,
    io::Write,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use headgate_project::tree::{Entry, MemoryTree, ReadError};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{
    lab::{Lab, revision, site},
    snapshot::Target,
};

/// A tree that remembers what was read of it, and fails where it is told to.
#[derive(Debug)]
struct Watched {
    tree: MemoryTree,
    read: Arc<Mutex<Vec<String>>>,
    changed: Option<&'static str>,
    panics: Option<&'static str>,
}

impl Tree for Watched {
    fn entries(&self) -> &[Entry] {
        self.tree.entries()
    }

    fn read(&self, path: &str, limit: u64) -> Result<Bytes, ReadError> {
        assert_ne!(Some(path), self.panics, "as it was told to");
        if Some(path) == self.changed {
            return Err(ReadError::Changed { path: path.to_owned() });
        }
        if !path.ends_with(".yaml") {
            self.read.lock().unwrap().push(path.to_owned());
        }
        self.tree.read(path, limit)
    }
}

#[derive(Default)]
struct Reads(Arc<Mutex<Vec<String>>>);

impl Reads {
    fn of(&self, tree: MemoryTree) -> Watched {
        Watched { tree, read: self.0.clone(), changed: None, panics: None }
    }

    fn taken(&self) -> MutexGuard<'_, Vec<String>> {
        let mut read = self.0.lock().unwrap();
        read.sort();
        read
    }
}

/// `(module (func (export "main") (param i32)))`
const CORE: &[u8] = b"\0asm\x01\0\0\0\x01\x05\x01\x60\x01\x7f\0\x03\x02\x01\0\
    \x07\x08\x01\x04main\0\0\x0a\x04\x01\x02\0\x0b";

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn whole_project() -> MemoryTree {
    let archive = zip(&[("index.html", b"packed"), ("a/b.txt", b"b"), (".env", b"secret")]);
    let function = function_yaml("30s", "32MB");
    site(
        &["x.org"],
        &[
            ("functions/f.yaml", function.as_bytes()),
            ("functions/f.wasm", CORE),
            ("websites/packed.yaml", b"id: w2\ndomains: [d0]\npaths: [/packed]\n"),
            ("websites/packed/build.zip", &archive),
        ],
    )
}

fn function_yaml(timeout: &str, memory: &str) -> String {
    format!(
        "id: f\ntrigger:\n  type: https\n  method: GET\n  paths: [/f]\ndomains: [d0]\nsource: .\n\
         execution:\n  timeout: {timeout}\n  memory: {memory}\n  call: main\n"
    )
}

fn accepted(outcome: Result<Outcome, DeployError>) -> (Accepted, Diagnostics) {
    match outcome.unwrap() {
        Outcome::Accepted { accepted, diagnostics } => (accepted, diagnostics),
        Outcome::Refused(diagnostics) => panic!("{}", diagnostics.render_human(false)),
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    let (lab, reads, mut cache) =
        (Lab::following(&["one"]), Reads::default(), IngestCache::default());
    let tree = reads.of(whole_project());
    let (first, _) = accepted(lab.deploy_cached(revision("one", "1"), tree, &mut cache).await);
    let all = ["functions/f.wasm", "websites/main/index.html", "websites/packed/build.zip"];
    assert_eq!(*reads.taken(), all);
    let packed: Vec<_> =
        first.manifest.websites[1].files.iter().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(packed, ["a/b.txt", "index.html"]);

    reads.taken().clear();
    let tree = reads.of(whole_project());
    let (second, _) = accepted(lab.deploy_cached(revision("one", "2"), tree, &mut cache).await);
    assert!(reads.taken().is_empty(), "{:?}", reads.taken());
    assert_eq!(second.manifest.functions[0].artefact, first.manifest.functions[0].artefact);
    assert_eq!(second.manifest.websites[1].files, first.manifest.websites[1].files);
}

#[tokio::test]
async fn an_artefact_that_is_known_is_compiled_again_only_if_its_native_form_is_gone() {
    let (lab, mut cache) = (Lab::following(&["one"]), IngestCache::default());
    accepted(lab.deploy_cached(revision("one", "1"), whole_project(), &mut cache).await);
    let digest = Digest::of(CORE);
    // Nobody who did not read it could know what it exports.
    cache.compiled.get_mut(&digest).unwrap().entries = vec!["other".into()];
    let known = lab.deploy_cached(revision("one", "2"), whole_project(), &mut cache).await;
    assert!(matches!(known, Ok(Outcome::Refused(_))), "{known:?}");
    lab.executor.forget(digest).unwrap();
    accepted(lab.deploy_cached(revision("one", "3"), whole_project(), &mut cache).await);
}

#[tokio::test]
async fn what_was_stored_before_the_source_changed_is_kept() {
    let (lab, reads, mut cache) =
        (Lab::following(&["one"]), Reads::default(), IngestCache::default());
    let changing = Some("websites/packed/build.zip");
    let tree = Watched { changed: changing, ..reads.of(whole_project()) };
    let error = lab.deploy_cached(revision("one", "1"), tree, &mut cache).await.unwrap_err();
    assert!(matches!(error, DeployError::SourceChanged), "{error:?}");
    reads.taken().clear();
    let tree = reads.of(whole_project());
    accepted(lab.deploy_cached(revision("one", "1"), tree, &mut cache).await);
    assert_eq!(*reads.taken(), ["websites/packed/build.zip"]);
}

#[tokio::test]
async fn a_panic_is_an_error_of_that_deploy_alone() {
    let lab = Lab::following(&["one"]);
    let panicking = Watched {
        panics: Some("websites/main/index.html"),
        ..Reads::default().of(whole_project())
    };
    let mut cache = IngestCache::default();
    let error = lab.deploy_cached(revision("one", "1"), panicking, &mut cache).await.unwrap_err();
    assert!(matches!(error, DeployError::Panicked(_)), "{error:?}");
    accepted(lab.deploy_cached(revision("one", "1"), whole_project(), &mut cache).await);
    assert!(lab.under_way.idle().is_some(), "and nothing is left under way");
}

#[tokio::test]
async fn many_files_are_stored_by_many_threads_each_once() {
    let lab = Lab::following(&["one"]);
    let names: Vec<_> = (0..100).map(|n| format!("websites/main/{n}.txt")).collect();
    let contents: Vec<_> = (0..100).map(|n| format!("{n} ").repeat(200)).collect();
    let files: Vec<_> =
        names.iter().zip(&contents).map(|(name, text)| (&**name, text.as_bytes())).collect();
    let reads = Reads::default();
    let tree = reads.of(site(&["x.org"], &files));
    let (accepted, _) =
        accepted(lab.deploy_cached(revision("one", "1"), tree, &mut IngestCache::default()).await);
    let read: HashSet<_> = reads.taken().iter().cloned().collect();
    assert_eq!((read.len(), reads.taken().len()), (101, 101));
    let table = &accepted.manifest.websites[0].files;
    for (n, text) in contents.iter().enumerate() {
        let (_, file) = table.iter().find(|(path, _)| *path == format!("{n}.txt")).unwrap();
        assert_eq!(lab.store.read(&file.digest).unwrap(), text.as_bytes());
        assert!(!file.encodings.is_empty());
    }
}

#[tokio::test]
async fn a_project_has_a_bounded_number_of_domains() {
    let lab = Lab::following(&["one"]);
    // Beside the one that the site is under, and not used by any function or website.
    let names: Vec<_> = (1..=limits::MAX_DOMAINS).map(|n| format!("domains/n{n}.yaml")).collect();
    let texts: Vec<_> = (1..=limits::MAX_DOMAINS).map(|n| format!("fqdn: h{n}.org\n")).collect();
    let more: Vec<_> =
        names.iter().zip(&texts).map(|(name, text)| (&**name, text.as_bytes())).collect();
    let mut cache = IngestCache::default();
    let tree = site(&["x.org"], &more);
    let refused = lab.deploy_cached(revision("one", "1"), tree, &mut cache).await;
    let Ok(Outcome::Refused(diagnostics)) = refused else { panic!("{refused:?}") };
    assert!(diagnostics.iter().any(|found| found.code == codes::TOO_MANY));
    let within = site(&["x.org"], &more[1..]);
    accepted(lab.deploy_cached(revision("one", "1"), within, &mut cache).await);
}

#[tokio::test]
async fn what_a_function_asks_for_is_cut_to_the_nodes_limits_with_a_warning() {
    let lab = Lab::following(&["one"]);
    let function = function_yaml("10m", "1GiB");
    let tree =
        site(&["x.org"], &[("functions/f.yaml", function.as_bytes()), ("functions/f.wasm", CORE)]);
    let (_, diagnostics) =
        accepted(lab.deploy_cached(revision("one", "1"), tree, &mut IngestCache::default()).await);
    let capped = diagnostics.iter().filter(|found| found.code == codes::CAPPED_LIMIT);
    let notes: Vec<_> = capped.flat_map(|found| &found.notes).collect();
    assert!(notes[0].contains("deadline_limit") && notes[1].contains("memory_limit"), "{notes:?}");
    let told = diagnostics.render_human(false);
    for hint in [
        "10 |   memory: 1GiB",
        "write `memory: 64MiB` or less, or raise the limit in node.yaml: `executor: {memory_limit: 1GiB}`",
        "write `timeout: 30s` or less, or raise the limit in node.yaml: `executor: {deadline_limit: 600s}`",
    ] {
        assert!(told.contains(hint), "{told}");
    }
    let snapshot = lab.publisher().cell().load();
    let function = snapshot.routes().routes().find_map(|(_, route)| match &route.target {
        Target::Function(function) => Some(function.spec().limits),
        Target::Website(_) => None,
    });
    let (given, limits) = (function.unwrap(), FunctionLimits::default());
    assert_eq!((given.memory, given.deadline), (limits.memory, limits.deadline));
    assert!(given.deadline < Duration::from_secs(600));
}

#[tokio::test]
async fn a_function_with_less_memory_than_its_modules_begin_with_is_refused() {
    // The library's memory is the second one of the instance.
    let module = wat::parse_str(
        r#"(module (import "libraries/a" "f" (func)) (memory 20)
        (func (export "main") (param i32)))"#,
    );
    let library = wat::parse_str(r#"(module (memory 12) (func (export "f")))"#);
    let (module, library) = (module.unwrap(), library.unwrap());
    let deploy = async |memory: &str| {
        let function = function_yaml("1s", memory);
        let files: [(&str, &[u8]); 4] = [
            ("functions/f.yaml", function.as_bytes()),
            ("functions/f.wasm", &module),
            ("libraries/a.yaml", b"id: a\n"),
            ("libraries/a.wasm", &library),
        ];
        Lab::following(&["one"]).deploy(revision("one", "1"), site(&["x.org"], &files)).await
    };
    assert!(matches!(deploy("2MiB").await, Outcome::Accepted { .. }));
    let Outcome::Refused(diagnostics) = deploy("1MiB").await else { panic!("it was accepted") };
    assert_eq!(
        diagnostics.render_human(false),
        "error[too-little-memory]: functions/f.wasm begins with 2MiB of memory, and `f` gets 1MiB
  --> functions/f.yaml:10:11
   |
10 |   memory: 1MiB
   |           ^^^^
   |
   = note: it could not even be started, so each request would fail
   = help: write `memory: 2MiB` or more below `execution:`

1 error
"
    );
}
