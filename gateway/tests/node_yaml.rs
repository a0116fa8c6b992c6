//! Every message about `node.yaml`, and its JSON Schema: `node_yaml/<name>.yaml` is a file,
//! `<name>.txt` what is said about it.
//!
//! After a change on purpose, `UPDATE_EXPECT=1` writes the files anew; then read the difference.

#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use headgate::node_config::{ConfigError, NodeConfig, Overrides, json_schema};
use headgate_project::{
    Diagnostics,
    diagnostic::{codes, explain},
};
use serde_json::{Value, json};

#[test]
fn every_mistake_is_shown_with_its_line_and_what_to_write() {
    let mut seen = 0;
    for case in cases() {
        let problems = load(&case).unwrap_err();
        for problem in problems.iter() {
            assert!(problem.hint.is_some() && problem.place.is_some(), "{problem:?}");
            assert!(explain(problem.code).is_some(), "{problem:?}");
        }
        // Found from anywhere, and read the same by everybody.
        let folder = case.parent().unwrap().to_str().unwrap();
        let told = problems.render_human(false).replace(&format!("{folder}/"), "");
        up_to_date(&case.with_extension("txt"), &told);
        seen += 1;
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn the_schema_in_the_repository_is_up_to_date() {
    let schema = json_schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    up_to_date(&root().join("schema/node.json"), &text);
}

/// What the schema refuses, the reader does; what only the reader can tell is listed in `BY_READER_ALONE`.
#[test]
fn schema_and_reader_agree_on_every_case() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for case in cases() {
        let text = fs::read_to_string(&case).unwrap();
        let options = serde_saphyr::options! { strict_booleans: true };
        let Ok(instance) = serde_saphyr::from_str_with_options::<Value>(&text, options) else {
            continue;
        };
        let problems = load(&case).unwrap_err();
        if problems.iter().any(|problem| problem.message.contains("not known to this headgate")) {
            continue; // of another version nothing else is told
        }
        let by_reader = refused_for_its_shape(&problems);
        assert_eq!(!schema.is_valid(&instance), by_reader, "{}", case.display());
    }
}

/// What people copy is as good as what is tested.
#[test]
fn the_examples_of_the_readme_and_the_help_name_the_schema_they_fit() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let readme = fs::read_to_string(root().join("../README.md")).unwrap();
    let readme = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    let help = Command::new(env!("CARGO_BIN_EXE_headgate")).args(["run", "--help"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let help = help.lines().skip_while(|line| !line.starts_with("A whole node.yaml")).skip(1);
    let help: String =
        help.map_while(|line| line.strip_prefix("  ")).map(|line| format!("{line}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.yaml");
    for example in [readme, help] {
        let modeline = "# yaml-language-server: $schema=node.schema.json\n";
        assert!(example.starts_with(modeline), "{example}");
        let instance = serde_saphyr::from_str::<Value>(&example).unwrap();
        assert!(schema.is_valid(&instance), "{example}");
        fs::write(&file, &example).unwrap();
        let problems = load(&file).err().unwrap_or_default();
        // It names files that this machine does not have.
        let others = problems.iter().find(|problem| problem.code != codes::UNREADABLE_FILE);
        assert_eq!(others, None, "{example}");
    }
}

/// Takes away each key of a whole file, and puts something else in its place.
#[test]
fn schema_and_reader_agree_on_files_that_are_wrong_in_one_place() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.yaml");
    for name in ["token", "key", "hosts"] {
        fs::write(folder.path().join(name), "secret").unwrap();
    }
    let mut tried = [0, 0];
    for (what, mutant) in mutants(&whole()) {
        fs::write(&file, mutant.to_string()).unwrap();
        let problems = load(&file).err().unwrap_or_default();
        let by_schema = !schema.is_valid(&mutant);
        assert_eq!(
            by_schema,
            refused_for_its_shape(&problems),
            "{what}: {mutant}\nschema: {:?}\n{}",
            schema.iter_errors(&mutant).map(|error| error.to_string()).collect::<Vec<_>>(),
            problems.render_human(false)
        );
        tried[usize::from(by_schema)] += 1;
    }
    assert!(tried[0] > 150 && tried[1] > 300, "{tried:?}");
}

/// With every key there is.
fn whole() -> Value {
    json!({
        "version": 1, "state": "state", "http": ["127.0.0.1:0"], "https": [], "workers": 3,
        "zone": {
            "name": "edge.example.org", "addresses": ["192.0.2.1", "2001:db8::1"],
            "nameservers": ["ns1.edge.example.org"], "contact": "ada@example.org",
        },
        "dns": {"listen": ["127.0.0.1:0"], "log": {"sample": 100}},
        "admin": {"socket": "admin.sock", "listen": "[::1]:9901"}, "tls": {
            "authority": "acme",
            "acme": {
                "directory": "https://acme.example.org/directory", "contact": ["ada@example.org"],
                "roots": "key", "external_account": {"id": "kid", "key_file": "key"},
                "profile": "shortlived",
            },
        },
        "projects": [{
            "name": "shop", "config": "https://git.example.com/shop.git", "branch": "live",
            "poll": "2s", "username": "ada", "token_file": "token", "ssh_key": "key",
            "known_hosts": "hosts", "code": "https://git.example.com/code.git",
            "repositories": {
                "acme/site": "https://git.example.com/site.git",
                "acme/docs": {
                    "url": "https://git.example.com/docs.git", "username": "ada",
                    "token_file": "token",
                },
                "acme/lib": {"url": "git@git.example.com:lib", "ssh_key": "key", "known_hosts": "hosts"},
            },
        }],
        "executor": {
            "instances": 10, "project_instances": 5, "memory_limit": "64MiB",
            "deadline_limit": "90s", "concurrency": 2, "queue": 3,
        },
        "limits": {
            "max_connections": 100, "per_address_connections": 5, "per_address_rate": 6,
            "request_body": "1MB",
        },
        "drain": "5s", "log": {"format": "json", "level": "warn", "access": false},
        "store": {"keep_revisions": 2},
    })
}

fn mutants(document: &Value) -> Vec<(String, Value)> {
    let mut mutants = vec![("as it is".to_owned(), document.clone())];
    let others = [
        json!(null),
        json!(""),
        json!("x"),
        json!(5),
        json!(0),
        json!(1.5),
        json!(true),
        json!([]),
        json!(["x"]),
        json!([true]),
        json!([[]]),
        json!({}),
        json!({"x": "y"}),
        json!("5GB"),
        json!("10s"),
        json!("0s"),
    ];
    for pointer in pointers(document, "") {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        let mut without = document.clone();
        if let Some(map) = without.pointer_mut(parent).unwrap().as_object_mut() {
            map.remove(&key);
            mutants.push((format!("without {pointer}"), without));
            let mut with_another = document.clone();
            let map = with_another.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            map.insert("another/key".to_owned(), json!("x"));
            mutants.push((format!("another key beside {pointer}"), with_another));
        }
        for other in &others {
            let mut changed = document.clone();
            *changed.pointer_mut(&pointer).unwrap() = other.clone();
            mutants.push((format!("{pointer} is {other}"), changed));
        }
    }
    mutants
}

fn pointers(value: &Value, above: &str) -> Vec<String> {
    let children: Vec<_> = match value {
        Value::Object(map) => map.iter().map(|(key, v)| (key.replace('/', "~1"), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => return Vec::new(),
    };
    let below = children.into_iter().flat_map(|(key, value)| {
        let pointer = format!("{above}/{key}");
        let inner = pointers(value, &pointer);
        [pointer].into_iter().chain(inner)
    });
    below.collect()
}

fn refused_for_its_shape(problems: &Diagnostics) -> bool {
    problems
        .iter()
        .any(|problem| !BY_READER_ALONE.iter().any(|words| problem.message.contains(words)))
}

/// What takes a parser, another value or the disk to see.
const BY_READER_ALONE: [&str; 26] = [
    "is of no use without its authority",
    "is not a URL of https",
    "is not an address",
    "is not a loopback address",
    "is not known to this headgate",
    "lists `",
    "is listed twice",
    "appears twice",
    "project name",
    "is not a branch",
    "is not the full name",
    "repositories cannot be followed",
    "the URL holds credentials",
    "cannot read",
    "there is no file",
    "stands without a `token_file`",
    "stands beside a `config`",
    "is for ssh",
    "is for https",
    "is not an IP address",
    "nobody is reached at",
    "is not a domain name",
    "is not a mail address",
    "leaves no room",
    "come to the same host",
    "has no address to answer with",
];

fn load(file: &Path) -> Result<NodeConfig, Diagnostics> {
    NodeConfig::load(file, &Overrides::default()).map_err(|error| match error {
        ConfigError::Invalid(problems) => problems,
        other => panic!("{other}"),
    })
}

fn up_to_date(file: &Path, actual: &str) {
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(file, actual).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; UPDATE_EXPECT=1 writes it anew\n{actual}",
        file.display()
    );
}

fn cases() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("tests/node_yaml")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
