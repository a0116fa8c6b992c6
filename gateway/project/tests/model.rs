//! What a valid project becomes.

use std::time::Duration;

use headgate_project::{
    Certificate, LoadOptions, Project, SiteRoot, load,
    model::{Matcher, Network, ResourceRef, Source, StorageKind, Trigger},
    tree::{EntryKind, MemoryTree},
};
use headgate_types::{ByteSize, RecordData};

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
fn records_are_whole_and_typed() {
    let text = "id: QmD\nfqdn: example.com\nrecords:\n\
                - {name: '@', type: MX, value: [10 mail.example.net., 0 .]}\n\
                - {name: '*.Dev', type: CNAME, value: '@', ttl: 1h}\n\
                - {name: big, type: TXT, value: '\"a\" \"b\"', ttl: 40.9s}\n";
    let project = project(&[("domains/own.yaml", text)], LoadOptions::default());
    let own = project.domains.iter().find(|domain| &*domain.name == "own").unwrap();
    let name = |name: &str| name.parse().unwrap();
    let expected = [
        (
            "example.com",
            300,
            RecordData::Mx { preference: 10, exchange: Some(name("mail.example.net")) },
        ),
        ("example.com", 300, RecordData::Mx { preference: 0, exchange: None }),
        ("*.dev.example.com", 3600, RecordData::Cname(name("example.com"))),
        ("big.example.com", 40, RecordData::Txt("ab".into())),
    ];
    let found = own
        .records
        .iter()
        .map(|record| (record.name.to_string(), record.ttl.as_secs(), record.data.clone()));
    assert!(found.eq(expected.map(|(name, ttl, data)| (name.to_owned(), ttl, data))));
    assert_eq!(own.records[1].place.to_string(), "domains/own.yaml:4:55");
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

#[test]
fn what_has_no_backend_is_kept_as_it_was_meant() {
    let files = [
        ("databases/users.yaml", "match: /users\nuseRegex: true\nstorage: {size: 5GB}\n"),
        ("storages/tmp.yaml", "access: {network: host}\nstreaming: {ttl: 5m, size: 1MB}\n"),
        ("messaging/news.yaml", "channel: {match: news}\nbridges: {websocket: {enable: true}}\n"),
        ("services/s.yaml", "protocol: /s/v1\n"),
        ("libraries/own.yaml", "source: {path: /}\n"),
        ("libraries/own/main.wasm", "w"),
        (
            "applications/a/libraries/own.yaml",
            "source: {path: /src/lib/, branch: dev, github: {id: 5, fullname: acme/own}}\n",
        ),
        ("smartops/gpu.yaml", "source: libraries/own\nexecution: {call: check}\n"),
        (
            "applications/a/functions/p2p.yaml",
            "tags: [smartops:gpu]\ntrigger: {type: p2p, service: /s/v1, command: c}\n\
             source: libraries/own\nexecution: {timeout: 1h15m, memory: 64GB, call: x}\n",
        ),
        ("functions/listen.yaml", "trigger: {type: pubsub, local: true, channel: 5}\nsource: .\n"),
    ];
    let project = project(&files, LoadOptions::default());
    let users = &project.databases[0];
    assert_eq!(users.matches, Some(Matcher::Regex("/users".into())));
    assert_eq!((users.network, users.size), (Network::All, ByteSize::from_bytes(5_000_000_000)));
    let kind = StorageKind::Streaming { ttl: Some(Duration::from_secs(300)) };
    assert_eq!((project.storages[0].kind, project.storages[0].network), (kind, Network::Host));
    let news = &project.messaging[0];
    assert_eq!(news.channels, Matcher::Exact("news".into()));
    assert_eq!((news.local, news.mqtt, news.websocket), (false, false, true));
    assert_eq!(&*project.services[0].protocol, "/s/v1");
    let (own, top) = (&project.libraries[0], &project.libraries[1]);
    assert_eq!((&*own.path, &*top.path), ("src/lib", ""));
    let repository = own.repository.as_ref().unwrap();
    assert_eq!((&*repository.fullname, repository.branch.as_deref()), ("acme/own", Some("dev")));
    assert_eq!((repository.id.as_deref(), &top.repository), (Some("5"), &None));
    let code = top.artefact.as_ref().map(|artefact| &*artefact.path);
    assert_eq!((&own.artefact, code), (&None, Some("libraries/own/main.wasm")));
    let library = |application: Option<&str>| {
        let application = application.map(Into::into);
        Source::Library(ResourceRef { application, name: "own".into() })
    };
    assert_eq!(project.smartops[0].source, library(None), "the project's");
    let p2p = &project.idle_functions[0];
    assert_eq!(p2p.source, library(Some("a")), "the application's own comes first");
    let (protocol, command) = ("/s/v1".into(), "c".into());
    assert_eq!(p2p.trigger, Trigger::P2p { protocol, command, local: false });
    assert_eq!(p2p.about.smartops, [ResourceRef { application: None, name: "gpu".into() }]);
    assert_eq!(p2p.memory, ByteSize::from_mib(4096), "capped");
    let channel = "5".into();
    assert_eq!(project.idle_functions[1].trigger, Trigger::Pubsub { channel, local: true });
    let unserved = project.unserved.iter().map(|it| (it.group, &*it.name));
    assert_eq!(unserved.count(), files.len() - 3, "all but the libraries");
}

#[test]
fn a_functions_code_may_be_elsewhere_only_where_nobody_serves_it() {
    let files = [BASE[0], BASE[1], BASE[2], ("functions/hello.yaml", HELLO)];
    let tree = MemoryTree::new(files);
    assert!(load(&tree, &LoadOptions::default()).project.is_none(), "a node refuses it");
    let options = LoadOptions { code_elsewhere: true, ..LoadOptions::default() };
    let project = load(&tree, &options).project.unwrap();
    assert!(project.functions.is_empty());
    assert!(matches!(&project.idle_functions[0].trigger, Trigger::Http(http) if http.secure));
    // Where something of it is here, it was meant to be here.
    for (path, kind) in [
        ("functions/hello.wasm", EntryKind::Symlink),
        ("functions/hello", EntryKind::Submodule),
        ("functions/hello/main.go", EntryKind::File),
    ] {
        assert!(load(&tree.clone().with(path, kind), &options).project.is_none(), "{path}");
    }
}
