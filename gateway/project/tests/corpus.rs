//! Taubyte's own test data, which must pass as it is.
//!
//! It is not ours, so it lies beside the checkout: in `../shared/corpus`, or where the variable
//! `HEADGATE_CORPUS` says.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use headgate_project::{
    LoadOptions, Loaded, json_schema, load,
    tree::{FolderTree, Tree, TreeLimits},
};
use headgate_types::{Clock, SystemClock};

#[test]
fn a_real_configuration_repository_has_warnings_at_most() {
    let Some(folder) = corpus() else { return };
    let tree = FolderTree::open(&folder, &TreeLimits::default(), SystemClock.now()).unwrap();
    let options = LoadOptions { code_elsewhere: true, ..LoadOptions::default() };
    let Loaded { project, diagnostics, .. } = load(&tree, &options);
    let text = diagnostics.render_human(false);
    let project = project.unwrap_or_else(|| panic!("{text}"));
    // Whatever a file describes is in the model.
    let files = |folder: &str| {
        let inside = format!("/{folder}/");
        let paths = tree.entries().iter().map(|entry| format!("/{}", entry.path));
        paths.filter(|path| path.contains(&inside)).count()
    };
    assert_eq!(project.databases.len(), files("databases"), "{text}");
    assert_eq!(project.domains.len(), files("domains"));
    assert_eq!(project.idle_functions.len(), files("functions"));
    assert_eq!(project.libraries.len(), files("libraries"));
    assert_eq!(project.messaging.len(), files("messaging"));
    assert_eq!(project.services.len(), files("services"));
    assert_eq!(project.smartops.len(), files("smartops"));
    assert_eq!(project.storages.len(), files("storages"));
    assert_eq!(project.applications.len(), 2);
    assert_eq!(project.email.as_deref(), Some("cto@taubyte.com"));
    // A node that follows this repository alone has nothing to run.
    assert!(load(&tree, &LoadOptions::default()).project.is_none());
}

#[test]
fn a_real_configuration_repository_fits_the_schemas() {
    let Some(folder) = corpus() else { return };
    let tree = FolderTree::open(&folder, &TreeLimits::default(), SystemClock.now()).unwrap();
    for entry in tree.entries() {
        let kind = match *entry.path.rsplit('/').collect::<Vec<_>>() {
            ["config.yaml"] => "project",
            ["config.yaml", ..] => "application",
            [_, "libraries", ..] => "library",
            [_, "messaging", ..] => "messaging",
            [_, group, ..] => group.strip_suffix('s').unwrap(),
            _ => panic!("{}", entry.path),
        };
        let schema = json_schema::of(kind).unwrap();
        let text = fs::read_to_string(folder.join(&*entry.path)).unwrap();
        let instance = serde_saphyr::from_str(&text).unwrap();
        if let Err(error) = jsonschema::validate(&schema, &instance) {
            panic!("{}: {error}", entry.path);
        }
    }
}

fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let corpus = env::var_os("HEADGATE_CORPUS").map_or_else(beside, PathBuf::from);
    let folder = corpus.join("taubyte/config");
    if folder.is_dir() {
        return Some(folder);
    }
    // To the real standard error, which the test harness would keep to itself for a test that passes.
    let text = format!(
        "SKIPPED: Taubyte's corpus is not at {}; HEADGATE_CORPUS says where it is\n",
        folder.display()
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    None
}
