//! Every message a user can see: `cases/<name>/` is a project, `expected.txt` what is said about it.
//!
//! After a change on purpose, `UPDATE_EXPECT=1` writes the files anew; then read the difference. A file
//! `options` in a case lists the load options it wants.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use headgate_project::{
    LoadOptions, Loaded,
    diagnostic::{codes, explain},
    load,
    tree::{EntryKind, MemoryTree},
};

#[test]
fn every_case_reads_as_expected() {
    let mut failures = Vec::new();
    for case in cases() {
        let actual = rendered(&case);
        let file = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&file, &actual).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected != actual {
            failures.push(format!(
                "== {}\n-- expected\n{expected}\n-- actual\n{actual}",
                file.display()
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What, where, what to do, and where to read more.
#[test]
fn every_problem_says_where_it_is_and_what_to_do() {
    for case in cases() {
        for diagnostic in loaded(&case).diagnostics.iter() {
            let text = format!("{}: {diagnostic:?}", case.display());
            assert!(diagnostic.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{text}");
            assert!(explain(diagnostic.code).is_some(), "{text}");
            assert!(diagnostic.place.is_some(), "{text}");
            assert!(!diagnostic.message.ends_with('.'), "{text}");
        }
    }
}

#[test]
fn every_code_of_this_crate_has_a_case() {
    let all: String = cases().iter().map(|case| rendered(case)).collect();
    let seen: BTreeSet<_> =
        all.split('[').filter_map(|part| part.split_once("]:")).map(|(code, _)| code).collect();
    let missing: Vec<_> = codes::ALL
        .iter()
        .map(|(code, _)| *code)
        .filter(|code| !seen.contains(code) && !ELSEWHERE.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Covered by `limits.rs`, which makes files nobody wants in a repository, or given by the gateway.
const ELSEWHERE: [&str; 16] = [
    codes::FILE_TOO_LARGE,
    codes::UNREADABLE_PATH,
    codes::INVALID_ARTEFACT,
    codes::INVALID_SITE,
    codes::GUEST_DOES_NOT_COMPILE,
    codes::IMPORT_NOT_PROVIDED,
    codes::MISSING_CALL,
    codes::TOO_LITTLE_MEMORY,
    codes::UNKNOWN_EXPORT,
    codes::UNKNOWN_MODULE,
    codes::NOT_LINKABLE,
    codes::IMPORT_MISMATCH,
    codes::MODULE_CYCLE,
    codes::TOO_MANY_MODULES,
    codes::UNUSABLE_CERTIFICATE,
    codes::HOST_TAKEN,
];

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<_> =
        fs::read_dir(folder).unwrap().map(|case| case.unwrap().path()).collect();
    cases.sort();
    cases
}

fn rendered(case: &Path) -> String {
    loaded(case).diagnostics.render_human(false)
}

fn loaded(case: &Path) -> Loaded {
    let words = fs::read_to_string(case.join("options")).unwrap_or_default();
    let wants = |word| words.split_whitespace().any(|given| given == word);
    let options = LoadOptions {
        plain_site: wants("plain_site"),
        dotenv: wants("dotenv"),
        code_elsewhere: wants("code_elsewhere"),
    };
    let loaded = load(&tree(case), &options);
    assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
    loaded
}

fn tree(case: &Path) -> MemoryTree {
    let mut tree = MemoryTree::default();
    let mut files = Vec::new();
    let mut folders = vec![case.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path().strip_prefix(case).unwrap().to_str().unwrap().to_owned();
            let kind = entry.file_type().unwrap();
            match path.as_str() {
                "expected.txt" | "options" => {}
                _ if kind.is_dir() => folders.push(entry.path()),
                path if kind.is_symlink() => tree = tree.with(path, EntryKind::Symlink),
                path => files.push((path.to_owned(), fs::read(entry.path()).unwrap())),
            }
        }
    }
    let links = tree;
    let mut tree = MemoryTree::new(files);
    for link in headgate_project::tree::Tree::entries(&links) {
        tree = tree.with(&link.path, EntryKind::Symlink);
    }
    tree
}
