//! Any bytes as the files of a project load to a project or to errors, and render; before that, they say which
//! repositories they want.
#![no_main]

use headgate_project::{LoadOptions, load, separate, tree::MemoryTree};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|files: (&[u8], &[u8], &[u8], &[u8], &[u8])| {
    let (config, domain, function, website, other) = files;
    let files = [
        ("config.yaml", config),
        ("domains/shop.yaml", domain),
        ("functions/hello.yaml", function),
        ("functions/hello.wasm", b"\0asm\x01\0\0\0"),
        ("websites/main.yaml", website),
        ("websites/main/index.html", b"<p>"),
    ];
    // One file for all other kinds: keys of any of them are found in each.
    let groups = ["databases", "libraries", "messaging", "services", "smartops", "storages"];
    let others = groups.map(|group| (format!("applications/a/{group}/x.yaml"), other));
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes));
    let files = files.into_iter().chain(others);
    let tree = MemoryTree::new(files.map(|(path, bytes)| (path, bytes.to_vec())));
    let wanted = separate(&tree);
    assert!(wanted.iter().all(|wanted| wanted.folder.starts_with("websites/")));
    let loaded = load(&tree, &LoadOptions::default());
    assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
    let _ = loaded.diagnostics.render_human(false);
    let _ = loaded.diagnostics.to_json();
    let _ = loaded.diagnostics.to_sarif("0", "");
});
