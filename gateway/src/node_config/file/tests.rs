use std::{fs, time::Duration};

use headgate_outbound::{
    Policy,
    policy::{Ports, Rule},
};
use headgate_project::Severity;
use headgate_types::ByteSize;

use super::*;
use crate::node_config::{DEFAULT_SOCKET, LogFormat, LogLevel, Overrides, Source};

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("node.yaml"), yaml).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("node.yaml")
    }
}

fn read_text(yaml: &str) -> Result<NodeConfig, ConfigError> {
    read(&Folder::with(yaml).file())
}

/// The problems as `line:column: message`; each has its hint.
fn problems(yaml: &str) -> Vec<String> {
    match read_text(yaml) {
        Err(ConfigError::Invalid(report)) => report
            .iter()
            .map(|problem| {
                assert!(problem.hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{problem:?}");
                assert_eq!(problem.severity, Severity::Error, "{problem:?}");
                let place = problem.place.as_ref().unwrap();
                format!("{}:{}: {}", place.line, place.column, problem.message)
            })
            .collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

#[test]
fn an_empty_file_gives_every_default() {
    for yaml in ["", "# nothing\n\n", "version: 1\n"] {
        let config = read_text(yaml).unwrap();
        assert_eq!(config.state, PathBuf::from("/var/lib/headgate"));
        assert_eq!(config.admin.socket, PathBuf::from(DEFAULT_SOCKET));
        assert_eq!(config.http.addresses, defaults::everywhere(80));
        assert_eq!(config.limits, defaults::LIMITS);
        assert_eq!(config.aids, DevAids::NONE);
        assert!(config.projects.is_empty());
    }
}

#[test]
fn a_full_file_is_read_as_written() {
    let folder = Folder::with(
        "version: 1
state: state
http: ['127.0.0.1:0']
https: []
admin: {listen: '[::1]:9901'}
workers: 3
tls: {authority: local}
projects:
  - name: shop
    config: https://git.example.com/shop.git
    branch: live
    poll: 2s
    token_file: token
  - {name: docs, config: sites/docs}
  - {name: blog, config: 'git@git.example.com:ada/blog.git'}
  - {name: local, config: repository, branch: main}
executor: {instances: 10, memory_limit: 64MiB, deadline_limit: 90s, concurrency: 2, queue: 3}
limits: {max_connections: 100, per_address_connections: 5, per_address_rate: 6, request_body: 1MB}
drain: 5s
log: {format: json, level: warn, access: false}
store: {keep_revisions: 2}
",
    );
    let root = folder.0.path();
    fs::write(root.join("token"), "secret").unwrap();
    let config = read(&folder.file()).unwrap();
    assert_eq!(config.state, root.join("state"));
    assert_eq!(config.admin.socket, root.join("state/admin.sock"));
    assert_eq!(config.http, Listen::exactly(vec!["127.0.0.1:0".parse().unwrap()]));
    assert!(config.https.addresses.is_empty());
    assert_eq!(config.workers.get(), 3);
    let sources: Vec<_> = config.projects.iter().map(|p| p.source.clone()).collect();
    assert_eq!(
        sources,
        [
            Source::Git("https://git.example.com/shop.git".into()),
            Source::Folder(root.join("sites/docs")),
            Source::Git("git@git.example.com:ada/blog.git".into()),
            Source::Git(root.join("repository").to_string_lossy().into_owned()),
        ]
    );
    assert_eq!(config.projects[0].credentials.token_file, Some(root.join("token")));
    assert_eq!(config.projects[0].poll, Duration::from_secs(2));
    assert_eq!(config.executor.memory_limit, ByteSize::from_mib(64));
    assert_eq!(config.executor.deadline_limit, Duration::from_secs(90));
    assert_eq!(config.executor.project_instances, 5, "half of what there is");
    assert_eq!(config.limits.request_body, ByteSize::from_bytes(1_000_000));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.store.keep_revisions.get(), 2);
}

#[test]
fn overrides_win_over_the_file() {
    let folder = Folder::with("state: /a\nworkers: 2\nhttp: ['127.0.0.1:1']\n");
    let overrides = Overrides {
        state: Some("/b".into()),
        http: Some(vec!["127.0.0.1:0".parse().unwrap()]),
        log_level: Some(LogLevel::Error),
        ..Overrides::default()
    };
    let config = NodeConfig::load(&folder.file(), &overrides).unwrap();
    assert_eq!(config.state, PathBuf::from("/b"));
    assert_eq!(config.admin.socket, PathBuf::from("/b/admin.sock"));
    assert_eq!(config.tls.local, PathBuf::from("/b/ca"));
    assert_eq!(config.http.addresses[0].port(), 0);
    assert_eq!(config.workers.get(), 2);
    assert_eq!(config.log.level, LogLevel::Error);
}

#[test]
fn secrets_are_files_that_exist_and_never_part_of_a_url() {
    let found = problems(
        "projects:
  - {name: a, config: 'https://ada:secret@example.com/a.git'}
  - {name: b, config: 'https://token@example.com/b.git'}
  - {name: c, config: 'ssh://git@example.com/c.git', ssh_key: missing}
",
    );
    assert_eq!(found[0], "2:23: the URL holds credentials");
    assert_eq!(found[1], "3:23: the URL holds credentials");
    assert!(found[2].starts_with("4:") && found[2].contains("there is no file"), "{found:?}");
    assert!(!found.concat().contains("secret"), "credentials are not repeated");
}

#[test]
fn credentials_in_a_url_are_not_shown_with_their_line() {
    let yaml = "projects:
  - {name: a, config: 'https://ada:sec/ret@example.com/a.git'}
  - {name: b, config: https://tökenß@example.com/b.git, ssh_key: /nowhere}
  - {name: c, config: 'ssh://git@example.com/c.git', ssh_key: /nowhere}
";
    let Err(ConfigError::Invalid(report)) = read_text(yaml) else { panic!("it is valid") };
    let shown = report.render_human(false);
    assert!(
        shown.contains("3 |   - {name: b, config: https://******@example.com/b.git,"),
        "{shown}"
    );
    assert!(shown.contains("'ssh://git@example.com/c.git'"), "{shown}");
    assert!(!shown.contains("ret@") && !shown.contains("sec"), "{shown}");
}

#[test]
fn a_project_may_be_in_several_repositories() {
    let folder = Folder::with(
        "projects:
  - name: shop
    config: https://git.example.com/acme/shop.git
    username: ada
    token_file: token
    ssh_key: key
    code: code
    repositories:
      acme/Site: https://git.example.com/acme/site.git
      acme/docs: {url: 'git@example.org:acme/docs.git', ssh_key: other-key, known_hosts: hosts}
      acme/else: https://elsewhere.example.com/acme/else.git
      acme/lib:
        url: https://elsewhere.example.com/acme/lib.git
        token_file: other-token
",
    );
    let root = folder.0.path();
    for file in ["token", "other-token", "key", "other-key", "hosts"] {
        fs::write(root.join(file), "secret").unwrap();
    }
    let config = read(&folder.file()).unwrap();
    let others = &config.projects[0].others;
    let path = |name: &str| Some(root.join(name));
    let code = others.code.as_ref().unwrap();
    assert_eq!(code.url, root.join("code").to_string_lossy());
    let find = |name| others.find(name).unwrap();
    let site = find("acme/site");
    assert_eq!(site.url, "https://git.example.com/acme/site.git");
    assert_eq!(site.credentials, config.projects[0].credentials, "those of the project");
    assert_eq!(site.credentials.username.as_deref(), Some("ada"));
    let docs = find("ACME/docs");
    assert_eq!(docs.credentials.ssh_key, path("other-key"));
    assert_eq!(docs.credentials.known_hosts, path("hosts"));
    assert_eq!(docs.credentials.token_file, None);
    let elsewhere = find("acme/else");
    assert_eq!(elsewhere.credentials.token_file, None, "another host is not shown the token");
    assert_eq!(elsewhere.credentials.ssh_key, path("key"));
    let lib = find("acme/lib");
    assert_eq!(lib.credentials.token_file, path("other-token"));
    assert_eq!(lib.credentials.username, None, "it belongs to the other token");
    assert!(others.find("acme/none").is_none());
}

#[test]
fn a_file_that_is_missing_or_huge_is_not_read() {
    assert!(matches!(read(Path::new("/nowhere/node.yaml")), Err(ConfigError::Read { .. })));
    let huge = "#".repeat(usize::try_from(defaults::LARGEST_FILE).unwrap() + 1);
    assert!(matches!(read_text(&huge), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn what_functions_may_call_is_read_as_rules() {
    let config = read_text(
        "outbound:
  allow: [10.20.0.0/16, '10.1.2.3:6333', '*.svc.internal:8080']
  deny: [ads.example.com]
  ports: [443, 8000-8999]
",
    )
    .unwrap();
    let Policy { allow, deny, ports } = config.outbound.policy;
    let shown = |rules: Vec<Rule>| rules.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(allow), ["10.20.0.0/16", "10.1.2.3:6333", "*.svc.internal:8080"]);
    assert_eq!(shown(deny), ["ads.example.com"]);
    assert_eq!(ports, [Ports(443..=443), Ports(8000..=8999)]);
    assert_eq!(read_text("").unwrap().outbound, headgate_outbound::Config::default());
}

#[test]
fn mistakes_in_rules_are_reported_at_their_places() {
    let found = problems(
        "outbound:
  allow: [10.0.0.1/8, 'http://api.internal']
  ports: [0]
  roots: nowhere.pem
",
    );
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(found[0], "2:11: `10.0.0.1/8`: the network has bits set behind its length");
    assert_eq!(found[1], "2:23: `http://api.internal`: not a port");
    assert_eq!(found[2], "3:11: `0`: not a port, nor a range of ports");
    assert!(found[3].starts_with("4:10: there is no file "), "{found:#?}");
}

#[test]
fn dns_over_tls_is_answered_where_it_is_asked_for() {
    let zone = "version: 1\nzone: {name: edge.example.org, addresses: [192.0.2.1]}\n";
    let tls = |dns: &str| read_text(&format!("{zone}{dns}")).unwrap().dns.unwrap().tls;
    assert_eq!(tls(""), []);
    let addresses = ["192.0.2.1:853".parse().unwrap(), "[2001:db8::1]:853".parse().unwrap()];
    assert_eq!(tls("dns: {tls: ['192.0.2.1:853', '[2001:db8::1]:853']}\n"), addresses);
    assert_eq!(
        problems(&format!("{zone}dns: {{tls: ['192.0.2.1']}}\n")),
        ["3:13: `192.0.2.1` is not an address with a port"]
    );
}
