//! The JSON Schemas and the reader say the same: over every example here, and over thousands of
//! documents that are wrong in one place.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use headgate_project::{
    Diagnostic, Diagnostics, LoadOptions, Severity, diagnostic::codes, json_schema, load,
    tree::MemoryTree,
};
use serde_json::{Value, json};

/// What stands in the repository for editors is what this version would print.
#[test]
fn the_schemas_in_the_repository_are_up_to_date() {
    let text = |schema: &Value| serde_json::to_string_pretty(schema).unwrap() + "\n";
    let mut files: Vec<_> = json_schema::names()
        .map(|kind| {
            let file = root().join(format!("gateway/project/schema/{kind}.json"));
            (file, text(&json_schema::of(kind).unwrap()))
        })
        .collect();
    files
        .push((root().join("tests/fixtures/shop/headgate.schema.json"), text(&json_schema::all())));
    for (file, expected) in files {
        if env::var_os("UPDATE_EXPECT").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &expected).unwrap();
        }
        let actual = fs::read_to_string(&file).unwrap_or_default();
        assert!(actual == expected, "{} is old; UPDATE_EXPECT=1 writes it anew", file.display());
    }
}

#[test]
fn every_schema_is_a_schema() {
    for kind in json_schema::names() {
        let schema = json_schema::of(kind).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{kind}");
        let properties = schema["properties"].as_object().unwrap();
        for (key, property) in properties {
            let about = property["description"].as_str().unwrap();
            assert!(about.ends_with('.') && !about.contains("  "), "{kind}.{key}: {about:?}");
        }
    }
    assert!(jsonschema::meta::is_valid(&json_schema::all()));
    assert_eq!(json_schema::of("funktion"), None);
}

#[test]
fn every_example_names_the_schema_it_fits() {
    let mut seen = 0;
    for project in ["shop", "broken", "hostile", "invoices"] {
        let folder = root().join("tests/fixtures").join(project);
        for file in yaml_files(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            let line = text.lines().next().unwrap();
            let named =
                line.strip_prefix("# yaml-language-server: $schema=").unwrap_or_else(|| {
                    panic!("{} does not begin with its schema: {line}", file.display())
                });
            let (path, pointer) = named.split_once('#').unwrap_or((named, ""));
            let schema = fs::read_to_string(file.parent().unwrap().join(path));
            let schema: Value = serde_json::from_str(&schema.unwrap()).unwrap();
            let schema = schema.pointer(pointer).unwrap();
            let title = format!("Headgate: a{}", kind_of(&folder, &file).article());
            assert_eq!(schema["title"], title, "{}", file.display());
            if project != "broken" {
                let instance = as_json(&text).unwrap();
                let fits = jsonschema::validate(schema, &instance);
                assert!(fits.is_ok(), "{}: {fits:?}", file.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// A schema refuses a file of a case exactly if the reader does, for what a single file can tell.
#[test]
fn schema_and_reader_agree_on_every_case() {
    let mut refused = 0;
    for case in fs::read_dir(root().join("gateway/project/tests/cases")).unwrap() {
        let folder = case.unwrap().path();
        let paths = yaml_files(&folder);
        let texts = paths.iter().filter_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            Some((path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned(), text))
        });
        let files: Vec<_> = texts.collect();
        let tree = MemoryTree::new(files.iter().cloned());
        let diagnostics = load(&tree, &LoadOptions::default()).diagnostics;
        for (path, text) in &files {
            let Some(instance) = as_json(text) else { continue };
            let Some(kind) = Kind::of(path) else { continue };
            let by_schema = !jsonschema::is_valid(&json_schema::of(kind.0).unwrap(), &instance);
            let by_reader = of_one_file(&diagnostics, path);
            let hard = diagnostics.iter().any(|d| is_at(d, path) && UNREADABLE.contains(&d.code));
            if !hard {
                assert_eq!(by_schema, by_reader, "{}: {path}\n{text}", folder.display());
                refused += usize::from(by_schema);
            }
        }
    }
    assert!(refused > 20, "{refused}");
}

/// Takes away each key of each kind of document, and puts something else in its place.
#[test]
fn schema_and_reader_agree_on_documents_that_are_wrong_in_one_place() {
    let mut tried = [0, 0];
    for (path, document) in documents() {
        let kind = Kind::of(path).unwrap();
        let schema = jsonschema::validator_for(&json_schema::of(kind.0).unwrap()).unwrap();
        for (what, mutant) in mutants(&document) {
            let diagnostics = load(&around(path, &mutant), &LoadOptions::default()).diagnostics;
            let (by_schema, by_reader) =
                (!schema.is_valid(&mutant), of_one_file(&diagnostics, path));
            assert_eq!(
                by_schema,
                by_reader,
                "{path}, {what}: {mutant}\nschema: {:?}\n{}",
                schema.iter_errors(&mutant).map(|error| error.to_string()).collect::<Vec<_>>(),
                diagnostics.render_human(false)
            );
            tried[usize::from(by_schema)] += 1;
        }
    }
    assert!(tried[0] > 300 && tried[1] > 300, "{tried:?}");
}

/// One of each kind and form, with every key that it can have.
fn documents() -> Vec<(&'static str, Value)> {
    let about = json!({"id": "QmX", "name": "x", "description": "d", "tags": ["t", 5]});
    let execution = json!({"timeout": "20s", "memory": "64MB", "call": "run"});
    let http = json!({
        "type": "http", "local": true, "method": "GET", "methods": ["POST"], "paths": ["/x"],
        "domains": ["main"],
    });
    let own = json!({"source": ".", "execution": execution, "variables": {"A": "1", "B": 2}});
    let github = json!({"id": 5, "fullname": "acme/x"});
    let matched = json!({"match": "x", "regex": false, "access": {"network": "all"}});
    let old_keys = json!({"encryption": {"type": "x"}, "replicas": {"min": 1}, "path": "/"});
    let certificate = json!({"type": "inline", "cert": "c", "key": "k"});
    let parts: Vec<(&str, Vec<Value>)> = vec![
        (
            "config.yaml",
            vec![json!({
                "notification": {"email": "a@example.com"},
                "clouds": {"cloud.example.com": {"account": "a", "plan": "p"}},
            })],
        ),
        ("applications/x/config.yaml", vec![]),
        ("databases/x.yaml", vec![matched.clone(), old_keys, json!({"storage": {"size": "5GB"}})]),
        ("databases/x.yaml", vec![json!({"useRegex": true, "storage": {"size": "5GB"}})]),
        (
            "domains/x.yaml",
            vec![
                json!({"fqdn": "x.example.com", "certificate": certificate, "client_ca": "c", "https": {"redirect": false, "hsts": true}}),
            ],
        ),
        ("domains/x.yaml", vec![json!({"fqdn": "x.example.com", "certificate": {"type": "auto"}})]),
        (
            "domains/x.yaml",
            vec![json!({
                "fqdn": "x.example.com",
                "records": [{"name": "a", "type": "TXT", "value": ["x", 5], "ttl": "5m"}],
            })],
        ),
        ("functions/x.yaml", vec![own.clone(), json!({"trigger": http, "includes": []})]),
        (
            "functions/x.yaml",
            vec![
                own.clone(),
                json!({
                    "trigger": {"type": "https", "paths": ["/x"]}, "domains": ["main"], "methods": ["GET"],
                }),
            ],
        ),
        (
            "functions/x.yaml",
            vec![
                own.clone(),
                json!({
                    "trigger": {"type": "pubsub", "local": false, "channel": "c"},
                }),
            ],
        ),
        (
            "functions/x.yaml",
            vec![
                own.clone(),
                json!({
                    "trigger": {"type": "p2p", "protocol": "/s/v1", "command": "c"},
                }),
            ],
        ),
        (
            "functions/x.yaml",
            vec![
                own,
                json!({
                    "trigger": {"type": "p2p", "service": "/s/v1", "command": "c"},
                }),
            ],
        ),
        (
            "libraries/x.yaml",
            vec![json!({
                "source": {"path": "/src", "branch": "main", "github": github},
            })],
        ),
        (
            "messaging/x.yaml",
            vec![json!({
                "local": true, "channel": {"match": "c", "regex": true},
                "bridges": {"mqtt": {"enable": true}, "websocket": {"enable": false}},
            })],
        ),
        ("services/x.yaml", vec![json!({"protocol": "/x/v1"})]),
        ("smartops/x.yaml", vec![json!({"source": "libraries/lib", "execution": execution})]),
        (
            "storages/x.yaml",
            vec![
                matched.clone(),
                json!({
                    "object": {"versioning": true, "size": "5GB"},
                }),
            ],
        ),
        ("storages/x.yaml", vec![matched, json!({"streaming": {"ttl": "5m", "size": "5GB"}})]),
        (
            "websites/x.yaml",
            vec![json!({
                "domains": ["main"], "paths": ["/w"], "source": {"branch": "main", "github": github},
            })],
        ),
        ("websites/x.yaml", vec![json!({"domains": ["main"], "source": {"paths": ["/w"]}})]),
    ];
    let whole = |parts: Vec<Value>| {
        let mut whole = about.clone();
        for part in parts {
            let Value::Object(part) = part else { panic!("{part}") };
            whole.as_object_mut().unwrap().extend(part);
        }
        whole
    };
    parts.into_iter().map(|(path, parts)| (path, whole(parts))).collect()
}

/// The project that a document stands in.
fn around(path: &str, document: &Value) -> MemoryTree {
    let files = [
        ("config.yaml", "id: QmP\nname: p\n"),
        ("domains/main.yaml", "id: QmD\nfqdn: main.example.com\n"),
        ("libraries/lib.yaml", "id: QmL\n"),
        ("services/s.yaml", "id: QmS\nprotocol: /s/v1\n"),
        ("functions/x.wasm", "placeholder"),
        ("websites/x/index.html", "<p>"),
    ];
    let files = files.map(|(path, text)| (path, text.to_owned()));
    MemoryTree::new(files.into_iter().chain([(path, document.to_string())]))
}

/// The document as it is, without each key, and with each key's value replaced.
fn mutants(document: &Value) -> Vec<(String, Value)> {
    let mut mutants = vec![("as it is".to_owned(), document.clone())];
    let others = [
        json!(null),
        json!(""),
        json!(" "),
        json!("x"),
        json!(5),
        json!(1.5),
        json!(true),
        json!(false),
        json!([]),
        json!(["x"]),
        json!([true]),
        json!([[]]),
        json!({}),
        json!({"x": "y"}),
        json!("5GB"),
        json!("1h15m"),
        json!("0s"),
        json!("0.0MiB"),
        json!("inline"),
        json!("pubsub"),
    ];
    for pointer in pointers(document, "") {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut without = document.clone();
        without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        mutants.push((format!("without {pointer}"), without));
        for other in &others {
            let mut changed = document.clone();
            *changed.pointer_mut(&pointer).unwrap() = other.clone();
            mutants.push((format!("{pointer} is {other}"), changed));
        }
    }
    mutants
}

fn pointers(value: &Value, above: &str) -> Vec<String> {
    if let Value::Array(items) = value {
        let inner = |(n, item)| pointers(item, &format!("{above}/{n}"));
        return items.iter().enumerate().flat_map(inner).collect();
    }
    let Value::Object(map) = value else { return Vec::new() };
    let below = map.iter().flat_map(|(key, value)| {
        let pointer = format!("{above}/{key}");
        let inner = pointers(value, &pointer);
        [pointer].into_iter().chain(inner)
    });
    below.collect()
}

/// Whether the reader refuses a file for a reason that stands in it alone.
fn of_one_file(diagnostics: &Diagnostics, path: &str) -> bool {
    diagnostics.iter().any(|diagnostic| {
        let error = diagnostic.severity == Severity::Error && is_at(diagnostic, path);
        // These need a parser of methods, addresses and the like; a schema would only repeat it.
        let of_content = [
            "HTTP method",
            "e-mail",
            "`source` cannot be",
            "branch of Git",
            "`records.ttl` cannot be `1",
        ];
        error
            && OF_ONE_FILE.contains(&diagnostic.code)
            && !of_content.iter().any(|words| diagnostic.message.contains(words))
    })
}

fn is_at(diagnostic: &Diagnostic, path: &str) -> bool {
    diagnostic.place.as_ref().is_some_and(|place| &*place.file == path)
}

const OF_ONE_FILE: [&str; 9] = [
    codes::WRONG_TYPE,
    codes::MISSING_KEY,
    codes::INVALID_VALUE,
    codes::INVALID_SIZE,
    codes::INVALID_DURATION,
    codes::INVALID_VARIABLE,
    codes::OUT_OF_RANGE,
    codes::AMBIGUOUS_STORAGE,
    codes::TOO_MANY,
];

/// Where there is no document to compare.
const UNREADABLE: [&str; 6] = [
    codes::YAML_SYNTAX,
    codes::UNSUPPORTED_YAML,
    codes::TOO_COMPLEX,
    codes::DUPLICATE_KEY,
    codes::NOT_UTF8,
    codes::UNREADABLE_FILE,
];

/// What `headgate schema` calls a kind of file.
#[derive(Clone, Copy, Debug)]
struct Kind(&'static str);

impl Kind {
    fn of(path: &str) -> Option<Self> {
        let parts: Vec<_> = path.split('/').collect();
        let name = match *parts.as_slice() {
            ["config.yaml"] => "project",
            ["applications", _, "config.yaml"] => "application",
            ["applications", _, group, _] | [group, _] => {
                let folders = [
                    ("databases", "database"),
                    ("domains", "domain"),
                    ("functions", "function"),
                    ("libraries", "library"),
                    ("messaging", "messaging"),
                    ("services", "service"),
                    ("smartops", "smartop"),
                    ("storages", "storage"),
                    ("websites", "website"),
                ];
                folders.into_iter().find(|(folder, _)| *folder == group)?.1
            }
            _ => return None,
        };
        Some(Self(name))
    }

    /// ` function` or `n application`, to follow an `a`.
    fn article(self) -> String {
        match self.0 {
            "application" => "n application".to_owned(),
            name => format!(" {name}"),
        }
    }
}

/// The file as editors see it: by YAML 1.2, in which `yes` is a word.
fn as_json(text: &str) -> Option<Value> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).ok()
}

fn kind_of(project: &Path, file: &Path) -> Kind {
    Kind::of(file.strip_prefix(project).unwrap().to_str().unwrap()).unwrap()
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() && entry.path().extension().is_some_and(|e| e == "yaml") => {
                    files.push(entry.path());
                }
                _ => {}
            }
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
