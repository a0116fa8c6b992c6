//! What a valid project becomes.

use std::{path::Path, time::Duration};

use headgate_project::{
    Certificate, Group, LoadOptions, Project, SiteRoot,
    diagnostic::codes,
    load,
    tree::{FolderTree, MemoryTree, TreeLimits},
};
use headgate_types::{ByteSize, Clock, SystemClock};

const BASE: [(&str, &str); 4] = [
    ("config.yaml", "id: QmP\nname: shop\ndescription: A shop\n"),
    ("domains/main.yaml", "id: QmMain\nfqdn: Shop.Example.com\n"),
    ("domains/all.yaml", "id: QmAll\nfqdn: '*.shop.example.com'\ncertificate: {type: auto}\n"),
    ("functions/hello/main.wasm", "x"),
];

const HELLO: &str = "
id: QmHello
trigger:
  type: https
  method: get
  methods: [POST]
  paths: [/hello, '/users/{id}']
domains: [main, all]
source: .
execution: {timeout: 1m30s, memory: 100kB, call: hello}
variables: {PORT: 8080, DEBUG: true, EMPTY: }
";

fn project(files: &[(&'static str, &'static str)], options: LoadOptions) -> Project {
    let all = BASE.iter().chain(files).copied();
    let loaded = load(&MemoryTree::new(all), &options);
    let text = loaded.diagnostics.render_human(false);
    loaded.project.unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn a_function_has_everything_resolved() {
    let project = project(&[("functions/hello.yaml", HELLO)], LoadOptions::default());
    assert_eq!(project.name.as_deref(), Some("shop"));
    assert_eq!(project.domains[1].certificate, Certificate::Auto);
    let hello = &project.functions[0];
    assert_eq!((&*hello.name, &*hello.id), ("hello", "QmHello"));
    let hosts: Vec<_> = hello.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["shop.example.com", "*.shop.example.com"]);
    assert_eq!(hello.methods.to_string(), "GET, POST");
    assert_eq!(hello.paths[1].as_str(), "/users/{id}");
    assert_eq!(&*hello.artefact.path, "functions/hello/main.wasm");
    assert_eq!(hello.call.as_deref(), Some("hello"));
    assert_eq!(hello.call_place.to_string(), "functions/hello.yaml:10:50");
    assert_eq!(hello.timeout, Duration::from_secs(90));
    assert_eq!(hello.memory, ByteSize::from_kib(128), "whole pages");
    assert!(hello.variables.iter().map(|(k, v)| (&**k, &**v)).eq([
        ("DEBUG", "true"),
        ("EMPTY", ""),
        ("PORT", "8080"),
    ]));
}

#[test]
fn a_missing_call_has_the_place_where_it_belongs() {
    let text = "id: QmA\ntrigger: {type: http, method: GET, paths: [/]}\ndomains: [main]\n\
                source: .\nexecution:\n  timeout: 1s\n  memory: 1MB\n";
    let project = project(&[("functions/hello.yaml", text)], LoadOptions::default());
    assert_eq!(project.functions[0].call, None);
    assert_eq!(project.functions[0].call_place.to_string(), "functions/hello.yaml:5:1");
}

#[test]
fn an_applications_own_domain_comes_before_the_projects() {
    let files = [
        ("applications/admin/domains/main.yaml", "id: QmX\nfqdn: admin.example.com\n"),
        ("applications/admin/functions/hello.yaml", HELLO),
        ("admin/functions/hello.wasm", "x"),
        ("applications/admin/config.yaml", "id: QmApp\n"),
    ];
    let project = project(&files, LoadOptions::default());
    let hello = &project.functions[0];
    assert_eq!(hello.application.as_deref(), Some("admin"));
    assert_eq!(hello.hosts[0].to_string(), "admin.example.com");
    assert_eq!(&*hello.artefact.path, "admin/functions/hello.wasm");
    assert_eq!(project.applications[0].id.as_deref(), Some("QmApp"));
}

#[test]
fn variables_of_dotenv_count_only_where_they_are_asked_for() {
    let files = [("functions/hello.yaml", HELLO), (".env", "PORT=9\nEXTRA='x'\n")];
    let port = |options| project(&files, options).functions[0].variables["PORT"].clone();
    assert_eq!(port(LoadOptions::default()), "8080");
    let options = LoadOptions { dotenv: true, ..LoadOptions::default() };
    assert_eq!(port(options), "9");
    assert_eq!(project(&files, options).functions[0].variables["EXTRA"], "x");
}

#[test]
fn artefacts_and_sites_are_found_in_the_documented_order() {
    let order = [
        "functions/hello.wasm",
        "functions/hello/main.wasm",
        "functions/hello/artifact.wasm",
        "functions/hello/artifact.zip",
        "functions/hello/hello.zwasm",
        "functions/hello/out/main.wasm",
    ];
    for first in 0..order.len() {
        let mut files = vec![("functions/hello.yaml", HELLO), BASE[0], BASE[1], BASE[2]];
        files.extend(order[first..].iter().map(|path| (*path, "x")));
        let loaded = load(&MemoryTree::new(files), &LoadOptions::default());
        assert_eq!(&*loaded.project.unwrap().functions[0].artefact.path, order[first]);
    }
    let order = [
        "websites/w/build.zip",
        "websites/w/out/index.html",
        "websites/w/dist/index.html",
        "websites/w/build/index.html",
        "websites/w/index.html",
    ];
    for first in 0..order.len() {
        let mut files = vec![("websites/w.yaml", "id: QmW\ndomains: [main]\npaths: [/docs/, /]\n")];
        files.extend(order[first..].iter().map(|path| (*path, "x")));
        let project = project(&files, LoadOptions::default());
        let expected = match order[first].strip_suffix("/index.html") {
            Some(dir) => SiteRoot::Folder { dir: dir.into() },
            None => SiteRoot::Archive { path: order[first].into() },
        };
        assert_eq!(project.websites[0].root, expected);
        assert!(project.websites[0].prefixes.iter().map(|p| &**p).eq(["/docs", "/"]));
    }
}

#[test]
fn a_folder_of_html_is_a_site_only_if_that_is_wanted() {
    let plain = LoadOptions { plain_site: true, ..LoadOptions::default() };
    let tree = MemoryTree::new([("index.html", "x"), ("css/a.css", "y")]);
    assert!(load(&tree, &LoadOptions::default()).project.is_none());
    let project = load(&tree, &plain).project.unwrap();
    assert_eq!(&*project.websites[0].name, "site");
    assert!(project.websites[0].hosts.is_empty());
    assert_eq!(project.websites[0].root, SiteRoot::Folder { dir: "".into() });
    let built = MemoryTree::new([("index.html", "x"), ("dist/index.html", "y")]);
    let project = load(&built, &plain).project.unwrap();
    assert_eq!(project.websites[0].root, SiteRoot::Folder { dir: "dist".into() });
}

#[test]
fn private_keys_are_not_in_debug_output() {
    let text = "id: QmM\nfqdn: a.example\ncertificate: {type: inline, cert: PEM, key: SECRET}\n";
    let project = project(&[("domains/own.yaml", text)], LoadOptions::default());
    let certificate = &project.domains.iter().find(|d| &*d.name == "own").unwrap().certificate;
    assert!(matches!(certificate, Certificate::Inline { key, .. } if &**key == "SECRET"));
    assert!(!format!("{project:?}").contains("SECRET"));
}

/// Taubyte's own test data, beside the workspace where it is present.
#[test]
fn a_real_taubyte_configuration_has_no_errors_but_missing_artefacts() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/taubyte/config");
    let Ok(tree) = FolderTree::open(&folder, &TreeLimits::default(), SystemClock.now()) else {
        eprintln!("SKIPPED: there is no Taubyte corpus at {}", folder.display());
        return;
    };
    let loaded = load(&tree, &LoadOptions::default());
    let text = loaded.diagnostics.render_human(false);
    let mut errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == headgate_project::Severity::Error)
        .map(|diagnostic| (diagnostic.code, diagnostic.place.as_ref().unwrap().to_string()))
        .collect();
    errors.sort_unstable();
    let missing = |code, path: &str| (code, path.to_owned());
    assert_eq!(
        errors,
        [
            missing(
                codes::ARTEFACT_NOT_FOUND,
                "applications/test_app2/functions/test_function2.yaml"
            ),
            missing(codes::ARTEFACT_NOT_FOUND, "functions/test_function1_glob.yaml"),
            missing(codes::SITE_NOT_FOUND, "applications/test_app1/websites/test_website2.yaml"),
            missing(codes::SITE_NOT_FOUND, "websites/test_website1.yaml"),
        ],
        "{text}"
    );
}

#[test]
fn groups_without_a_backend_are_listed() {
    let files = [("databases/users.yaml", "match: /users\n"), ("services/s.yaml", "")];
    let project = project(&files, LoadOptions::default());
    let unserved: Vec<_> = project.unserved.iter().map(|it| (it.group, &*it.name)).collect();
    assert_eq!(unserved, [(Group::Databases, "users"), (Group::Services, "s")]);
}
