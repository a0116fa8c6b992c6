//! Projects nobody writes by hand: huge ones, hostile ones, random ones.

use std::time::{Duration, Instant};

use headgate_project::{
    LoadOptions, Loaded,
    defaults::{MAX_ALIASES, MAX_ARTEFACT, MAX_YAML_FILE, MAX_YAML_FILES},
    diagnostic::codes,
    load,
    tree::{Entry, EntryKind, MemoryTree, ReadError, Tree, Unlisted, UnlistedReason},
};
use proptest::prelude::*;

const DOMAIN: (&str, &str) = ("domains/main.yaml", "id: QmMain\nfqdn: shop.example.com\n");

fn function(n: usize) -> String {
    format!(
        "id: Qm{n}\ntrigger:\n  type: https\n  method: GET\n  paths:\n    - /f/{n}\ndomains:\n  - \
         main\nsource: .\nexecution:\n  timeout: 10s\n  memory: 64MB\n"
    )
}

fn codes_of(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn load_all(files: Vec<(String, String)>) -> Loaded {
    load(&MemoryTree::new(files), &LoadOptions::default())
}

#[test]
fn ten_thousand_functions_load_in_time_that_grows_with_their_number_only() {
    let project = |count: usize| {
        let mut files: Vec<_> = [("config.yaml", "id: QmP\nname: shop\n"), DOMAIN]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into();
        for n in 0..count {
            files.push((format!("functions/f{n}.yaml"), function(n)));
            files.push((format!("functions/f{n}.wasm"), "x".to_owned()));
        }
        MemoryTree::new(files)
    };
    let time = |tree: &MemoryTree| {
        let begun = Instant::now();
        let loaded = load(tree, &LoadOptions::default());
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render_human(false));
        (loaded.project.unwrap().functions.len(), begun.elapsed())
    };
    let (_, small) = time(&project(1_000));
    let (count, large) = time(&project(10_000));
    assert_eq!(count, 10_000);
    // Ten times the work, with room for a noisy machine; anything quadratic takes a hundred times.
    let allowed = small * 40 + Duration::from_millis(500);
    assert!(large < allowed, "{small:?} for 1,000 and {large:?} for 10,000");
}

#[test]
fn names_that_lead_nowhere_take_time_that_grows_with_their_number_only() {
    const IN_ONE_FUNCTION: usize = 500;
    let project = |applications: usize, functions: usize| {
        let mut files = vec![("config.yaml".to_owned(), "id: QmP\nname: shop\n".to_owned())];
        files.extend((0..applications).map(|n| {
            (format!("applications/a{n}/domains/own{n}.yaml"), format!("fqdn: a{n}.example.com\n"))
        }));
        files.extend((0..functions).map(|n| {
            let names = (0..IN_ONE_FUNCTION).map(|name| format!("gone{}", n * 1000 + name));
            let names = names.collect::<Vec<_>>().join(", ");
            let function = function(n).replace("\n  - main", &format!(" [{names}]"));
            (format!("functions/f{n}.yaml"), function)
        }));
        MemoryTree::new(files)
    };
    let time = |tree: &MemoryTree, unknown: usize| {
        let begun = Instant::now();
        let loaded = load(tree, &LoadOptions::default());
        assert!(loaded.diagnostics.errors() >= unknown, "{:?}", loaded.diagnostics);
        begun.elapsed()
    };
    let small = time(&project(500, 10), 5_000);
    let large = time(&project(5_000, 100), 50_000);
    // As above: ten times the work, not a hundred times.
    let allowed = small * 40 + Duration::from_millis(500);
    assert!(large < allowed, "{small:?} for 5,000 and {large:?} for 50,000");
}

/// As many records as fit into a file, of as many domains of one project.
#[test]
fn records_take_time_that_grows_with_their_number_only() {
    let project = |domains: usize| {
        let mut files = vec![("config.yaml".to_owned(), "id: QmP\nname: shop\n".to_owned())];
        for n in 0..domains {
            let record = |m| format!("  - {{name: r{m}, type: TXT, value: x}}\n");
            let records: String = (0..300).map(record).collect();
            let text = format!("id: Qm{n}\nfqdn: d{n}.example.com\nrecords:\n{records}");
            files.push((format!("domains/d{n}.yaml"), text));
        }
        MemoryTree::new(files)
    };
    let time = |tree: &MemoryTree| {
        let begun = Instant::now();
        let loaded = load(tree, &LoadOptions::default());
        let project = loaded.project.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        (project.domains.iter().map(|domain| domain.records.len()).sum::<usize>(), begun.elapsed())
    };
    let (_, small) = time(&project(10));
    let (count, large) = time(&project(100));
    assert_eq!(count, 30_000);
    let allowed = small * 40 + Duration::from_millis(500);
    assert!(large < allowed, "{small:?} for 3,000 and {large:?} for 30,000");
}

#[test]
fn more_records_than_a_zone_of_people_has_are_refused() {
    let domain = |values: usize, text: &str| {
        let list: String = (0..values).map(|n| format!("    - {text}{n}\n")).collect();
        let records: String = ["a", "b"]
            .map(|name| format!("  - name: {name}\n    type: TXT\n    value:\n{list}"))
            .concat();
        let text = format!("id: QmD\nfqdn: example.com\nrecords:\n{records}");
        codes_of(&load_all(vec![
            ("config.yaml".to_owned(), "id: QmP\nname: shop\n".to_owned()),
            ("domains/d.yaml".to_owned(), text),
        ]))
    };
    assert!(!domain(500, "x").contains(&codes::TOO_MANY));
    assert!(domain(501, "x").contains(&codes::TOO_MANY));
    let long = "x".repeat(200);
    assert!(!domain(70, &long).contains(&codes::INVALID_RECORD));
    let refused = domain(80, &long);
    assert_eq!(refused.iter().filter(|code| **code == codes::INVALID_RECORD).count(), 2);
}

#[test]
fn ten_thousand_mistakes_are_counted_and_the_first_printed() {
    let mistake = |n| function(n).replace("- main", "- mian").replace("https", "htps");
    let files = (0..10_000).map(|n| (format!("functions/f{n}.yaml"), mistake(n)));
    let loaded = load_all(files.collect());
    assert!(loaded.project.is_none());
    assert_eq!(loaded.diagnostics.errors(), 30_000, "trigger, domain and artefact each");
    let text = loaded.diagnostics.render_human(false);
    assert!(text.len() < 1 << 18, "{}", text.len());
    assert!(text.ends_with("30000 errors, 1 warning\n"));
}

#[test]
fn places_in_a_file_of_one_long_line_are_exact() {
    let keys: String = (0..9_000).map(|n| format!("unknown key {n:07}: [],")).collect();
    let loaded = load_all(vec![("config.yaml".into(), format!("{{{keys}}}"))]);
    assert_eq!(loaded.diagnostics.warnings(), 9_001, "each key, and that nothing is served");
    let last = loaded.diagnostics.iter().last().unwrap().place.clone().unwrap();
    assert_eq!((last.line, last.column, last.length), (1, 24 * 8_999 + 2, 19));
    assert!(loaded.diagnostics.render_human(false).len() < 1 << 14);
}

#[test]
fn a_yaml_file_over_the_limit_is_refused_unread() {
    let size = usize::try_from(MAX_YAML_FILE).unwrap() + 1;
    let loaded = load_all(vec![("config.yaml".into(), "#".repeat(size))]);
    assert_eq!(codes_of(&loaded), [codes::FILE_TOO_LARGE]);
}

#[test]
fn too_many_yaml_files_are_refused_unread() {
    let files = (0..=MAX_YAML_FILES).map(|n| (format!("functions/f{n}.yaml"), "[".into()));
    assert_eq!(codes_of(&load_all(files.collect())), [codes::TOO_MANY]);
}

/// A tree whose artefact claims a size, and that could not list everything.
#[derive(Debug)]
struct Claims {
    inner: MemoryTree,
    entries: Vec<Entry>,
    unlisted: Vec<Unlisted>,
}

impl Tree for Claims {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }
    fn read(&self, path: &str, limit: u64) -> Result<bytes::Bytes, ReadError> {
        self.inner.read(path, limit)
    }
    fn unlisted(&self) -> &[Unlisted] {
        &self.unlisted
    }
}

#[test]
fn an_artefact_over_the_limit_is_refused_by_its_listed_size() {
    let text = function(1);
    let files = [DOMAIN, ("functions/f.yaml", &text), ("functions/f.wasm", "x")];
    let inner = MemoryTree::new(files.map(|(path, text)| (path, text.to_owned())));
    let mut entries = inner.entries().to_vec();
    let artefact = entries.iter_mut().find(|entry| entry.path.ends_with(".wasm")).unwrap();
    artefact.size = MAX_ARTEFACT + 1;
    let unlisted = vec![Unlisted { path: "a\u{fffd}".into(), reason: UnlistedReason::NotUtf8 }];
    let loaded = load(&Claims { inner, entries, unlisted }, &LoadOptions::default());
    let expected = [codes::UNREADABLE_PATH, codes::MISSING_CONFIG, codes::FILE_TOO_LARGE];
    assert_eq!(codes_of(&loaded), expected);
}

#[test]
fn a_submodule_in_place_of_a_site_is_explained() {
    let site = "id: QmS\ndomains: [main]\npaths: [/]\n";
    let files = [("config.yaml", "id: QmP\n"), DOMAIN, ("websites/front.yaml", site)];
    let tree = MemoryTree::new(files).with("websites/front", EntryKind::Submodule);
    let loaded = load(&tree, &LoadOptions::default());
    assert_eq!(codes_of(&loaded), [codes::SITE_NOT_FOUND]);
    let text = loaded.diagnostics.render_human(false);
    assert!(text.contains("`websites/front` is a Git submodule"), "{text}");
}

#[test]
fn the_order_in_which_files_are_found_does_not_matter() {
    let mut files: Vec<_> = (0..40)
        .map(|n| (format!("functions/f{n}.yaml"), function(n / 2).replace("64MB", "64")))
        .chain((0..40).map(|n| (format!("functions/f{n}.wasm"), "x".to_owned())))
        .chain([(DOMAIN.0.to_owned(), DOMAIN.1.to_owned())])
        .collect();
    let forwards = load_all(files.clone()).diagnostics.to_json();
    files.reverse();
    assert_eq!(forwards, load_all(files).diagnostics.to_json());
}

/// YAML-like text: random bytes alone would hardly get beyond the scanner.
fn yamlish() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z]{1,6}",
        Just("trigger".to_owned()),
        Just("paths".to_owned()),
        Just("domains".to_owned()),
        Just("execution".to_owned()),
        Just("memory".to_owned()),
        Just("fqdn".to_owned()),
        Just("certificate".to_owned()),
        Just("variables".to_owned()),
    ];
    let glue = prop_oneof![
        Just(": "),
        Just("\n"),
        Just("\n  "),
        Just("\n    "),
        Just("- "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(", "),
        Just("&a "),
        Just("*a"),
        Just("\""),
        Just("'"),
        Just("|"),
        Just("\t"),
        Just("---\n"),
        Just("!!str "),
        Just("!x "),
        Just("? "),
        Just("\r\n"),
        Just("\0"),
        Just("\u{feff}"),
        Just("ä"),
        Just("/{x}"),
        Just("*.a.b"),
        Just("#"),
        Just("<<: *a"),
    ];
    let piece = prop_oneof![word, glue.prop_map(str::to_owned)];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

const PATHS: [&str; 5] = [
    "config.yaml",
    "functions/f.yaml",
    "domains/main.yaml",
    "applications/a/websites/w.yaml",
    "databases/d.yaml",
];

fn check(content: &[u8], path: &str) {
    let tree = MemoryTree::new([(path, content.to_vec()), (".env", content.to_vec())]);
    let loaded = load(&tree, &LoadOptions { dotenv: true, plain_site: true, code_elsewhere: true });
    assert_eq!(loaded.project.is_none(), loaded.diagnostics.has_errors());
    loaded.diagnostics.render_human(true);
    loaded.diagnostics.to_json();
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        content in proptest::collection::vec(any::<u8>(), 0..300),
        path in 0..PATHS.len(),
    ) {
        check(&content, PATHS[path]);
    }

    #[test]
    fn random_yaml_never_panics(content in yamlish(), path in 0..PATHS.len()) {
        check(content.as_bytes(), PATHS[path]);
    }

    #[test]
    fn random_archives_never_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
        for head in [&b"PK\x03\x04"[..], b"\0\x01", b"\0asm", b""] {
            let bytes = bytes::Bytes::from([head, &content].concat());
            let _ = headgate_project::unpack::wasm(bytes.clone(), 1 << 20);
            if let Ok(entries) = headgate_project::unpack::site(bytes, Default::default()) {
                let _ = entries.count();
            }
        }
    }
}

#[test]
fn a_project_has_a_node_look_up_a_few_names_and_no_thousands() {
    let codes = |targets: usize| {
        let records: String = (0..targets)
            .map(|n| format!("  - {{name: a{n}, type: ALIAS, value: t{n}.example.net}}\n"))
            .collect();
        let domain = format!("id: QmMain\nfqdn: shop.example.com\nrecords:\n{records}");
        let files = [("config.yaml", "id: QmP\nname: shop\n".to_owned()), (DOMAIN.0, domain)];
        codes_of(&load_all(files.map(|(path, text)| (path.to_owned(), text)).into()))
    };
    assert!(!codes(MAX_ALIASES).contains(&codes::TOO_MANY));
    assert!(codes(MAX_ALIASES + 1).contains(&codes::TOO_MANY));
}
