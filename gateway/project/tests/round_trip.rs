//! Projects that are made up: read, printed and read again they stay the same, in whatever order their
//! files and keys come and however they are spelt.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

use headgate_project::{
    Certificate, LoadOptions, Project, Record, SiteRoot, load,
    model::{About, HttpTrigger, Matcher, Network, Repository, Source, StorageKind, Trigger},
    tree::MemoryTree,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_printed_reads_as_it_was_meant(dice in resources()) {
        let written = made_up(dice);
        let first = read(&written);
        let printed = print(&first);
        let second = read(&printed);
        prop_assert_eq!(without_places(&first), without_places(&second), "{:#?}", printed);
        prop_assert_eq!(print(&second), printed);
    }

    #[test]
    fn the_order_of_files_and_keys_never_matters(dice in resources(), turn in 0usize..40) {
        let mut files = made_up(dice);
        let first = read(&files);
        let middle = turn % files.len();
        files.rotate_left(middle);
        files.reverse();
        for (path, text) in &mut files {
            if path.ends_with(".yaml") {
                *text = backwards(&serde_json::from_str(text).unwrap());
            }
        }
        prop_assert_eq!(without_places(&first), without_places(&read(&files)), "{:#?}", files);
    }
}

type Files = Vec<(String, String)>;

/// One die roll after another decides what a resource says.
fn resources() -> impl Strategy<Value = Vec<Dice>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 40).prop_map(Dice), 1..16)
}

#[derive(Clone, Debug)]
struct Dice(Vec<u8>);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.0.pop().unwrap_or_default()) % sides
    }

    fn flip(&mut self) -> bool {
        self.roll(2) == 1
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())].clone()
    }

    fn text(&mut self) -> Value {
        self.of(&[
            json!("plain"),
            json!("with \"quotes\" and \\"),
            json!("5"),
            json!(5),
            json!("true"),
            json!("ü: 漢 # 😀"),
            json!(" - x"),
            json!("null"),
            json!("{a}"),
            json!("'"),
        ])
    }

    fn size(&mut self) -> Value {
        self.of(&[json!("5GB"), json!("64MiB"), json!(100_000), json!("1.5GiB"), json!("1PB")])
    }
}

/// A project with a resource for each set of dice, and what those refer to.
fn made_up(resources: Vec<Dice>) -> Files {
    let mut files = vec![
        file(
            "config.yaml",
            json!({
                "id": "QmP", "name": "p", "tags": ["a"], "notification": {"email": "a@b.example"},
                "clouds": {"cloud.example": {"account": "a", "plan": 5}},
            }),
        ),
        file("domains/main.yaml", json!({"id": "QmD", "fqdn": "Main.Example.com"})),
        file("libraries/lib.yaml", json!({"id": "QmL"})),
        ("libraries/lib.wasm".to_owned(), "x".to_owned()),
        file("services/s.yaml", json!({"id": "QmS", "protocol": "/s/v1"})),
        file("smartops/gpu.yaml", json!({"id": "QmG", "source": "."})),
    ];
    for (n, mut dice) in resources.into_iter().enumerate() {
        let folder = dice.of(&["", "applications/app/"]);
        let mut keys = Map::new();
        if dice.flip() {
            keys.insert("id".to_owned(), json!(format!("Qm{n}")));
        }
        if dice.flip() {
            keys.insert("description".to_owned(), dice.text());
        }
        if dice.flip() {
            keys.insert("tags".to_owned(), dice.of(&[json!(["smartops:gpu", 5]), json!([])]));
        }
        let (group, more) = match dice.roll(9) {
            0 => ("databases", database(&mut dice)),
            1 => ("domains", domain(&mut dice, n)),
            2 | 3 => ("functions", function(&mut dice, n)),
            4 => ("libraries", library(&mut dice)),
            5 => ("messaging", messaging(&mut dice)),
            6 => ("services", json!({"protocol": format!("/p{n}/v1")})),
            7 => ("storages", storage(&mut dice)),
            _ => ("websites", website(&mut dice, n)),
        };
        let Value::Object(more) = more else { panic!("{more}") };
        keys.extend(more);
        files.push(file(&format!("{folder}{group}/r{n}.yaml"), keys.into()));
        for group in ["functions", "libraries"] {
            files.push((format!("{folder}{group}/r{n}.wasm"), "x".to_owned()));
        }
        files.push((format!("{folder}websites/r{n}/index.html"), "<p>".to_owned()));
    }
    files
}

fn file(path: &str, keys: Value) -> (String, String) {
    (path.to_owned(), keys.to_string())
}

fn database(dice: &mut Dice) -> Value {
    let regex = dice.of(&["regex", "useRegex"]);
    json!({
        "match": dice.text(), regex: dice.flip(), "storage": {"size": dice.size()},
        "access": dice.of(&[json!(null), json!({"network": "host"}), json!({"network": "subnet"})]),
    })
}

fn domain(dice: &mut Dice, n: usize) -> Value {
    let fqdn = dice.of(&[format!("r{n}.example.com"), format!("*.r{n}_x.example.com")]);
    let certificate = dice.of(&[
        json!(null),
        json!({"type": "auto"}),
        json!({"type": "inline", "cert": "c", "key": "k"}),
    ]);
    let https = dice.of(&[json!(null), json!({"hsts": false}), json!({"redirect": false})]);
    let mut domain = json!({"fqdn": fqdn, "certificate": certificate, "https": https});
    if dice.roll(3) == 0 {
        domain["client_ca"] = json!("certs/clients.pem");
    }
    if !fqdn.starts_with('*') {
        domain["records"] = (0..dice.roll(8)).map(|n| record(dice, n)).collect();
    }
    domain
}

/// Each at a name of its own, so that any may stand beside any.
fn record(dice: &mut Dice, n: usize) -> Value {
    let text = dice.text();
    let (kind, value) = dice.of(&[
        ("A", json!("192.0.2.1")),
        ("A", json!(["192.0.2.1", "192.0.2.2"])),
        ("AAAA", json!("2001:DB8::1")),
        ("ALIAS", json!("pages.example.net")),
        ("CAA", json!("128 issuewild \"; x=\"")),
        ("CNAME", json!("@")),
        ("MX", json!(["0 .", "10 mail.example.net."])),
        ("NS", json!(["ns1.example.net", "ns2.example.net"])),
        ("SRV", json!("0 5 5060 sip.example.net")),
        ("TXT", json!(["x".repeat(300), "a \"b\" \\c; ü"])),
        ("TXT", text),
    ]);
    let name = dice.of(&[format!("a{n}"), format!("*.B{n}"), format!("_x._tcp.{n}")]);
    let name = if kind == "NS" { format!("a{n}") } else { name };
    json!({
        "name": name, "type": kind, "value": value,
        "ttl": dice.of(&[json!(null), json!("30s"), json!("1h30m"), json!("168h")]),
    })
}

fn function(dice: &mut Dice, n: usize) -> Value {
    let mut function = json!({
        "source": dice.of(&[json!("."), json!("libraries/lib"), json!("")]),
        "execution": dice.of(&[
            json!(null), json!({"timeout": "1h0.5s", "memory": "100kB", "call": "x"}),
            json!({"timeout": "300ms", "memory": "64GB"}),
        ]),
        "variables": dice.of(&[json!(null), json!({"A": true, "B": 5, "C": "x: y"})]),
    });
    let path = dice.of(&[format!("/r{n}"), format!("/r{n}/{{id}}/{{*rest}}")]);
    function["trigger"] = match dice.roll(4) {
        0 => json!({"type": "pubsub", "channel": dice.text(), "local": dice.flip()}),
        1 => {
            let protocol = dice.of(&["protocol", "service"]);
            json!({"type": "p2p", protocol: "/s/v1", "command": dice.text()})
        }
        _ => {
            let mut trigger = json!({"type": dice.of(&["http", "https"]), "paths": [path]});
            let domains = json!(["main"]);
            match dice.flip() {
                true => trigger["domains"] = domains,
                false => function["domains"] = domains,
            }
            match dice.roll(3) {
                0 => trigger["method"] = json!("get"),
                1 => trigger["methods"] = json!(["PUT", "Delete"]),
                _ => function["methods"] = json!(["POST"]),
            }
            trigger
        }
    };
    function
}

fn library(dice: &mut Dice) -> Value {
    let path = dice.of(&[json!(null), json!("/"), json!("/src/lib/")]);
    json!({"source": {"path": path, "branch": "main", "github": github(dice)}})
}

fn github(dice: &mut Dice) -> Value {
    dice.of(&[json!(null), json!({"id": 5, "fullname": "acme/x"}), json!({"fullname": "acme/y"})])
}

fn messaging(dice: &mut Dice) -> Value {
    json!({
        "local": dice.flip(),
        "channel": {"match": dice.text(), "regex": dice.flip()},
        "bridges": {"mqtt": {"enable": dice.flip()}, "websocket": {"enable": dice.flip()}},
    })
}

fn storage(dice: &mut Dice) -> Value {
    let mut storage =
        json!({"match": dice.of(&[json!(null), json!("x")]), "useRegex": dice.flip()});
    let (versioning, size) = (dice.flip(), dice.size());
    match dice.flip() {
        true => storage["object"] = json!({"versioning": versioning, "size": size}),
        false => storage["streaming"] = json!({"ttl": "5m", "size": size}),
    }
    storage
}

fn website(dice: &mut Dice, n: usize) -> Value {
    let mut source = json!({"branch": "main", "github": github(dice)});
    let paths = json!([format!("/w{n}/"), format!("/v{n}")]);
    match dice.flip() {
        true => json!({"domains": ["main"], "paths": paths, "source": source}),
        false => {
            source["paths"] = paths;
            json!({"domains": ["main"], "source": source})
        }
    }
}

fn read(files: &Files) -> Project {
    let loaded = load(&MemoryTree::new(files.iter().cloned()), &LoadOptions::default());
    let text = loaded.diagnostics.render_human(false);
    loaded.project.unwrap_or_else(|| panic!("{text}\n{files:#?}"))
}

/// The same values, the last key first.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entry = |(key, value)| format!("{}: {}", json!(key), backwards(value));
            format!("{{{}}}", map.iter().rev().map(entry).collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// A project is more than where it is written.
fn without_places(project: &Project) -> String {
    let text = format!("{project:?}");
    let mut parts = text.split("Place { ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once(" }").map_or("", |(_, rest)| rest))
}

/// The project's files again, each key as it is spelt today.
fn print(project: &Project) -> Files {
    let clouds = project.clouds.iter().map(|cloud| {
        (cloud.name.to_string(), json!({"account": *cloud.account, "plan": *cloud.plan}))
    });
    let mut files = vec![file(
        "config.yaml",
        json!({
            "id": project.id, "name": project.name, "description": project.description,
            "tags": texts(&project.tags), "notification": {"email": project.email},
            "clouds": clouds.collect::<Map<_, _>>(),
        }),
    )];
    let mut put = |group: &str, head: Head<'_>, body: Value| {
        let folder = head.application.map_or(String::new(), |name| format!("applications/{name}/"));
        let mut keys = json!({
            "id": head.id, "description": head.about.description.as_deref(),
            "tags": texts(&head.about.tags),
        });
        let Value::Object(body) = body else { panic!("{body}") };
        keys.as_object_mut().unwrap().extend(body);
        files.push(file(&format!("{folder}{group}/{}.yaml", head.name), keys));
    };
    macro_rules! head {
        ($it:expr) => {
            Head {
                application: $it.application.as_deref(),
                name: &$it.name,
                id: &$it.id,
                about: &$it.about,
            }
        };
    }
    for it in &project.databases {
        let storage = json!({"size": it.size.as_bytes()});
        let (name, regex) = matcher(it.matches.as_ref());
        put(
            "databases",
            head!(it),
            json!({
                "match": name, "regex": regex, "access": network(it.network), "storage": storage,
            }),
        );
    }
    for it in &project.domains {
        let certificate = match &it.certificate {
            Certificate::Auto => json!({"type": "auto"}),
            Certificate::Inline { chain, key, .. } => {
                json!({"type": "inline", "cert": **chain, "key": **key})
            }
        };
        let fqdn = it.host.to_string();
        let record = |record: &Record| {
            json!({
                "name": format!("{}.", record.name), "type": record.data.kind().as_str(),
                "value": record.data.to_string(), "ttl": format!("{}s", record.ttl.as_secs()),
            })
        };
        let records: Vec<_> = it.records.iter().map(record).collect();
        let https = json!({"redirect": it.https.redirect, "hsts": it.https.hsts});
        let mut body =
            json!({"fqdn": fqdn, "certificate": certificate, "https": https, "records": records});
        if let Some(client_ca) = &it.client_ca {
            body["client_ca"] = json!(*client_ca.source);
        }
        put("domains", head!(it), body);
    }
    for it in &project.libraries {
        let repository = repository(it.repository.as_ref());
        let mut source = json!({"path": *it.path});
        source.as_object_mut().unwrap().extend(repository);
        put("libraries", head!(it), json!({"source": source}));
    }
    for it in &project.messaging {
        let (name, regex) = matcher(Some(&it.channels));
        put(
            "messaging",
            head!(it),
            json!({
                "local": it.local, "channel": {"match": name, "regex": regex},
                "bridges": {"mqtt": {"enable": it.mqtt}, "websocket": {"enable": it.websocket}},
            }),
        );
    }
    for it in &project.services {
        put("services", head!(it), json!({"protocol": *it.protocol}));
    }
    for it in &project.smartops {
        put(
            "smartops",
            head!(it),
            json!({
                "source": source(&it.source),
                "execution": execution(it.timeout, it.memory, it.call.as_deref()),
            }),
        );
    }
    for it in &project.storages {
        let (name, regex) = matcher(it.matches.as_ref());
        let size = it.size.as_bytes();
        let (kind, body) = match it.kind {
            StorageKind::Object { versioning } => {
                ("object", json!({"versioning": versioning, "size": size}))
            }
            StorageKind::Streaming { ttl } => {
                let ttl = ttl.map(|ttl| format!("{}ns", ttl.as_nanos()));
                ("streaming", json!({"ttl": ttl, "size": size}))
            }
        };
        put(
            "storages",
            head!(it),
            json!({
                "match": name, "regex": regex, "access": network(it.network), kind: body,
            }),
        );
    }
    for it in &project.functions {
        let (hosts, domains) = (it.hosts.clone(), it.domains.clone());
        let (paths, methods) = (it.paths.clone(), it.methods);
        let http = HttpTrigger { secure: it.secure, hosts, domains, paths, methods };
        put(
            "functions",
            head!(it),
            json!({
                "trigger": trigger(&Trigger::Http(http)), "source": source(&it.source),
                "execution": execution(it.timeout, it.memory, it.call.as_deref()),
                "variables": it.variables,
            }),
        );
    }
    for it in &project.idle_functions {
        put(
            "functions",
            head!(it),
            json!({
                "trigger": trigger(&it.trigger), "source": source(&it.source),
                "execution": execution(it.timeout, it.memory, it.call.as_deref()),
                "variables": it.variables,
            }),
        );
    }
    for it in &project.websites {
        put(
            "websites",
            head!(it),
            json!({
                "domains": texts(&it.domains), "paths": it.prefixes,
                "source": repository(it.repository.as_ref()),
            }),
        );
    }
    let own = project.functions.iter().filter(|it| it.source == Source::Own);
    let idle = project.idle_functions.iter().filter(|it| it.source == Source::Own);
    let idle = idle.filter_map(|it| it.artefact.as_ref());
    let libraries = project.libraries.iter().filter_map(|it| it.artefact.as_ref());
    let artefacts = own.map(|it| &it.artefact).chain(idle).chain(libraries);
    files.extend(artefacts.map(|artefact| (artefact.path.to_string(), "x".to_owned())));
    for website in &project.websites {
        let SiteRoot::Folder { dir } = &website.root else { panic!("{website:?}") };
        files.push((format!("{dir}/index.html"), "<p>".to_owned()));
    }
    files
}

struct Head<'a> {
    application: Option<&'a str>,
    name: &'a str,
    id: &'a str,
    about: &'a About,
}

fn texts(texts: &[std::sync::Arc<str>]) -> Vec<&str> {
    texts.iter().map(|text| &**text).collect()
}

/// `match` and `regex`; without the first, Taubyte wants the second.
fn matcher(matcher: Option<&Matcher>) -> (Option<&str>, bool) {
    match matcher {
        None => (None, true),
        Some(Matcher::Exact(name)) => (Some(name), false),
        Some(Matcher::Regex(name)) => (Some(name), true),
    }
}

fn network(network: Network) -> Value {
    json!({"network": match network {
        Network::All => "all",
        Network::Subnet => "subnet",
        Network::Host => "host",
    }})
}

fn repository(repository: Option<&Repository>) -> Map<String, Value> {
    let Some(Repository { id, fullname, branch }) = repository else { return Map::new() };
    let github = json!({"id": id.as_deref(), "fullname": **fullname});
    Map::from_iter([("github".to_owned(), github), ("branch".to_owned(), json!(branch.as_deref()))])
}

fn source(source: &Source) -> String {
    match source {
        Source::Own => ".".to_owned(),
        Source::Library(library) => format!("libraries/{}", library.name),
    }
}

fn execution(
    timeout: std::time::Duration,
    memory: headgate_types::ByteSize,
    call: Option<&str>,
) -> Value {
    let timeout = format!("{}ns", timeout.as_nanos());
    json!({"timeout": timeout, "memory": memory.as_bytes(), "call": call})
}

fn trigger(trigger: &Trigger) -> Value {
    match trigger {
        Trigger::Http(http) => json!({
            "type": if http.secure { "https" } else { "http" },
            "methods": http.methods.iter().collect::<Vec<_>>(),
            "paths": http.paths.iter().map(|path| path.as_str()).collect::<Vec<_>>(),
            "domains": texts(&http.domains),
        }),
        Trigger::Pubsub { channel, local } => {
            json!({"type": "pubsub", "channel": **channel, "local": local})
        }
        Trigger::P2p { protocol, command, local } => {
            json!({"type": "p2p", "protocol": **protocol, "command": **command, "local": local})
        }
    }
}
