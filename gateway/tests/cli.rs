//! The real binary, as a person and a script meet it: help, exit codes, output, errors.
//!
//! What `dev` and `run` serve over HTTP is told in the stories of `headgate-tests`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use headgate::{
    admin::{
        AdminListener, AdminState, DomainRow, DomainsView, Operations, Phase, RouteKind, RouteRow,
        SnapshotView,
    },
    log_hub::{LogLine, LogStream},
    node_config::AdminConfig,
    revisions::{ChooseError, Done, History, Named, RevisionsError, Wanted},
};
use headgate_types::{Branch, Generation, MethodSet, ProjectName, Timestamp};
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The slowest command compiles a few guests in a debug build on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// A home of its own for each test, so that none meets the user's files or another test's.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headgate"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        finish(self.command(arguments).spawn().unwrap())
    }
}

/// What a command left behind.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Waits for the end; a command that hangs is killed, which fails the test.
fn finish(child: Child) -> Ended {
    let pid = Pid::from_child(&child);
    let (done, ended) = mpsc::sync_channel::<()>(1);
    let watchdog = thread::spawn(move || {
        if ended.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    drop(done);
    watchdog.join().unwrap();
    Ended {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    folder.canonicalize().unwrap().to_str().unwrap().to_owned()
}

const COMMANDS: [&str; 15] = [
    "new",
    "dev",
    "run",
    "check",
    "status",
    "routes",
    "domains",
    "logs",
    "revisions",
    "rollback",
    "pin",
    "follow",
    "explain",
    "schema",
    "completions",
];

#[test]
fn help_lists_every_command_with_its_purpose() {
    let help = Home::new().run(&["--help"]);
    assert_eq!(help.code, Some(0));
    let places: Vec<_> = COMMANDS
        .iter()
        .map(|command| {
            let line = help.stdout.lines().position(|line| {
                line.strip_prefix("  ").is_some_and(|l| l.split(' ').next() == Some(command))
            });
            line.unwrap_or_else(|| panic!("{command} is missing: {}", help.stdout))
        })
        .collect();
    assert!(places.is_sorted(), "in the order of use");
    assert!(help.stdout.contains("Exit codes:"));
}

#[test]
fn every_command_teaches_by_example() {
    let home = Home::new();
    for command in COMMANDS {
        let help = home.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(
            help.stdout.contains(&format!("  headgate {command}")),
            "{command}: {}",
            help.stdout
        );
        let longest = help.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{command} has lines of {longest:?} characters");
    }
}

#[test]
fn version_is_the_packages() {
    let version = Home::new().run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(version.stdout, format!("headgate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_what_was_meant() {
    let home = Home::new();
    let typo = home.run(&["chekc"]);
    assert_eq!(typo.code, Some(2));
    assert!(typo.stderr.contains("check"), "{}", typo.stderr);
    assert_eq!(typo.stdout, "");
    assert_eq!(home.run(&[]).code, Some(2));
    let address = home.run(&["dev", "--http", "localhost"]);
    assert_eq!(address.code, Some(2));
    assert!(address.stderr.contains("such as 127.0.0.1:8080"), "{}", address.stderr);
    let variable = home.command(&["dev"]).env("HEADGATE_HTTPS", "nonsense").spawn().unwrap();
    let variable = finish(variable);
    assert_eq!(variable.code, Some(2));
    assert!(variable.stderr.contains("nonsense"), "{}", variable.stderr);
}

#[test]
fn new_says_what_it_made_and_what_to_type_next() {
    let home = Home::new();
    let made = home.run(&["new", "my shop", "--template", "zig"]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    assert!(made.stdout.starts_with("✓ my-shop is made: "), "{}", made.stdout);
    assert!(made.stdout.contains("\n  functions/hello/main.wasm\n"), "{}", made.stdout);
    assert!(made.stdout.contains("Next:\n  cd 'my shop'\n  headgate dev\n"), "{}", made.stdout);
    assert!(home.path().join("my shop/functions/hello/build").is_file());
    assert!(!home.path().join("my shop/.git").exists());

    let named = home.run(&["new", "--name", "other", "--template", "static"]);
    assert_eq!(named.code, Some(0), "{named:?}");
    assert!(home.path().join("other/config.yaml").is_file(), "a folder called as the project");
}

#[test]
fn new_writes_over_nothing() {
    let home = Home::new();
    fs::create_dir(home.path().join("shop")).unwrap();
    fs::write(home.path().join("shop/config.yaml"), "mine").unwrap();
    let refused = home.run(&["new", "shop", "--template", "static"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let said = "error: the folder shop is not empty: it holds config.yaml\n  help: ";
    assert!(refused.stderr.starts_with(said), "{refused:?}");
    assert_eq!(fs::read_dir(home.path().join("shop")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(home.path().join("shop/config.yaml")).unwrap(), "mine");
}

#[test]
fn new_without_a_terminal_says_which_templates_there_are() {
    let home = Home::new();
    let unasked = home.run(&["new", "shop"]);
    assert_eq!((unasked.code, unasked.stdout.as_str()), (Some(1), ""));
    for named in ["static", "rust", "javascript", "go", "python", "assemblyscript", "zig"] {
        assert!(unasked.stderr.contains(named), "{named}: {unasked:?}");
        assert!(home.run(&["new", "--list"]).stdout.contains(&format!("\n{named} ")), "{named}");
    }
    let misspelt = home.run(&["new", "shop", "--template", "pyhton"]);
    assert_eq!(misspelt.code, Some(2));
    assert!(misspelt.stderr.contains("'python'"), "{misspelt:?}");
    let nowhere = home.run(&["new", "--template", "rust"]);
    assert!(nowhere.stderr.contains("headgate new DIR --template NAME"), "{nowhere:?}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn new_makes_a_repository_when_asked_and_commits_under_the_users_name_alone() {
    let home = Home::new();
    let path = std::env::var_os("PATH").unwrap();
    let make =
        |arguments: &[&str]| finish(home.command(arguments).env("PATH", &path).spawn().unwrap());
    let nameless = make(&["new", "a", "--template", "static", "--git"]);
    assert_eq!(nameless.code, Some(0), "{nameless:?}");
    assert!(nameless.stdout.contains("git config --global user.name"), "{nameless:?}");

    fs::write(home.path().join(".gitconfig"), "[user]\nname = Ada\nemail = ada@example.com\n")
        .unwrap();
    // As in a hook of another repository, which must not get the commit.
    let mut command =
        home.command(&["new", "b", "--template", "rust", "--git", "--output", "json"]);
    command.env("PATH", &path).env("GIT_DIR", home.path().join("a/.git"));
    let made = finish(command.spawn().unwrap()).json();
    let log = Command::new("git")
        .args(["log", "main", "--format=%H %an", "--name-only"])
        .current_dir(home.path().join("b"))
        .output()
        .unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    let commit = made["git"]["commit"].as_str().unwrap();
    assert!(log.starts_with(&format!("{commit} Ada\n")), "{log}");
    assert!(log.contains("\nfunctions/hello/main.wasm\n"), "what is served is committed: {log}");
}

#[test]
fn new_asks_on_a_terminal() {
    let home = Home::new();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = || OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let child =
        home.command(&["new"]).env("TERM", "xterm").stdin(side()).stderr(side()).spawn().unwrap();
    let mut screen = Screen { terminal: terminal.into(), seen: String::new() };
    screen.wait_for("assemblyscript");
    screen.type_in("\x1b[B"); // an arrow down: from static to rust
    screen.type_in("\r");
    screen.wait_for("hello-rust");
    screen.type_in("\r");
    let made = finish(child);
    assert_eq!(made.code, Some(0), "{made:?} {}", screen.seen);
    assert!(made.stdout.contains("hello-rust is made"), "{made:?}");
    assert!(home.path().join("hello-rust/functions/hello/Cargo.toml").is_file());
}

/// The other side of a terminal.
struct Screen {
    terminal: fs::File,
    seen: String,
}

impl Screen {
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let read = self.terminal.read(&mut buffer).unwrap();
            assert!(read > 0, "closed before `{text}`: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }
}

#[test]
fn check_passes_a_good_project_and_a_plain_site_and_writes_nothing() {
    let home = Home::new();
    for name in ["shop", "site"] {
        let check = home.run(&["check", &fixture(name)]);
        assert_eq!(check.code, Some(0), "{name}: {check:?}");
        assert_eq!(check.stderr, "", "{name}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn check_shows_every_problem_with_its_place_and_exits_with_1() {
    let check = Home::new().run(&["check", &fixture("broken")]);
    assert_eq!(check.code, Some(1));
    assert!(check.stdout.contains("functions/undefined_domain.yaml:8:11"), "{}", check.stdout);
    assert!(check.stdout.contains("functions/bad_duration.yaml:11:12"), "{}", check.stdout);
    let summary = check.stdout.trim_end().lines().last().unwrap();
    assert!(summary.contains(" errors"), "{summary}");
    assert!(!check.stdout.contains('\x1b'), "no colours into a pipe");
}

#[test]
fn check_speaks_json() {
    let home = Home::new();
    let broken = home.run(&["check", &fixture("broken"), "--output", "json"]);
    assert_eq!(broken.code, Some(1));
    let json = broken.json();
    let diagnostics = json["diagnostics"].as_array().unwrap();
    let errors = diagnostics.iter().filter(|d| d["severity"] == "error").count();
    assert!(errors > 1);
    assert_eq!(json["errors"], errors);
    assert!(diagnostics.iter().all(|d| d["code"].is_string() && d["message"].is_string()));
    let good = home.run(&["--output", "json", "check", &fixture("site")]);
    assert_eq!(good.json()["errors"], 0);
}

#[test]
fn check_speaks_sarif_with_paths_from_where_it_runs() {
    let home = Home::new();
    let broken = home.run(&["check", &fixture("broken"), "--output", "sarif"]);
    assert_eq!(broken.code, Some(1));
    let run = broken.json()["runs"][0].clone();
    let results = run["results"].as_array().unwrap();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let duration = results.iter().find(|result| result["ruleId"] == "invalid-duration").unwrap();
    let rule = &rules[usize::try_from(duration["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!(rule["id"], "invalid-duration");
    assert!(rule["help"]["text"].as_str().unwrap().contains("1h15m"));
    let physical = &duration["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "functions/bad_duration.yaml");
    let region = &physical["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&11.into(), &12.into()));
    let mut above = home.command(&["check", "broken", "--output", "sarif"]);
    let above = finish(above.current_dir(fixture("broken/..")).spawn().unwrap());
    assert!(above.stdout.contains(r#""uri":"broken/functions/bad_duration.yaml""#), "{above:?}");
    let status = home.run(&["status", "--output", "sarif"]);
    assert_eq!((status.code, status.stdout.as_str()), (Some(2), ""));
    assert!(status.stderr.contains("only `headgate check` writes SARIF"), "{}", status.stderr);
}

#[test]
fn check_passes_a_repository_that_holds_configuration_alone() {
    let home = Home::new();
    let project = home.path().join("config");
    for (path, text) in [
        ("config.yaml", "id: QmP\nname: p\n"),
        ("domains/main.yaml", "id: QmD\nfqdn: a.example\n"),
        (
            "functions/ping.yaml",
            "id: QmF\ntrigger: {type: http, method: get, paths: [/ping]}\ndomains: [main]\n\
             source: .\nexecution: {timeout: 1s, memory: 32GB, call: ping}\n",
        ),
    ] {
        let file = project.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let check = home.run(&["check", project.to_str().unwrap()]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("warning[code-elsewhere]"), "{}", check.stdout);
    assert!(check.stdout.contains("warning[capped-limit]"), "{}", check.stdout);
}

#[test]
fn schema_prints_one_kind_or_all_and_writes_a_file_for_each() {
    let home = Home::new();
    let function = home.run(&["schema", "function"]);
    assert_eq!(function.code, Some(0), "{function:?}");
    assert!(function.json()["properties"]["trigger"]["properties"]["paths"].is_object());
    let all = home.run(&["schema"]).json();
    assert!(all["definitions"]["storage"]["properties"]["streaming"].is_object());
    let folder = home.path().join("schemas");
    let written = home.run(&["schema", "--all", folder.to_str().unwrap()]);
    assert_eq!(written.code, Some(0), "{written:?}");
    assert_eq!(fs::read_to_string(folder.join("function.json")).unwrap(), function.stdout);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 12);
    let unknown = home.run(&["schema", "funktion"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("function"), "{}", unknown.stderr);
}

#[test]
fn check_of_no_folder_is_an_error_on_stderr() {
    let check = Home::new().run(&["check", "nowhere"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(1), ""));
    assert!(
        check.stderr.starts_with("error: cannot open the project folder nowhere\n"),
        "{check:?}"
    );
    assert!(check.stderr.contains("  because: "), "{check:?}");
}

#[test]
fn a_bad_node_yaml_is_refused_with_places_and_help() {
    let home = Home::new();
    let file = home.path().join("node.yaml");
    fs::write(&file, "version: 1\nhttp: ['localhost:80']\nadmin:\n  listen: 0.0.0.0:1\n").unwrap();
    let run = home.run(&["run", "--config", "node.yaml"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("`localhost:80` is not an address"), "{run:?}");
    assert!(run.stderr.contains(" --> node.yaml:2:8\n"), "{run:?}");
    assert!(run.stderr.contains("`0.0.0.0:1` is not a loopback address\n"), "{run:?}");
    assert!(run.stderr.ends_with("\n2 errors\n"), "{run:?}");
    fs::write(&file, "projets: []\n").unwrap();
    let run = finish(home.command(&["run"]).env("HEADGATE_CONFIG", &file).spawn().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("did you mean `projects`?"), "{run:?}");
}

#[test]
fn a_missing_node_yaml_says_how_to_get_one() {
    let run = Home::new().run(&["run", "--config", "nowhere.yaml"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("error: cannot read nowhere.yaml\n"), "{run:?}");
    assert!(run.stderr.contains("headgate run --help"), "{run:?}");
}

#[test]
fn data_commands_without_a_node_say_how_to_start_one() {
    let home = Home::new();
    let socket = home.path().join("admin.sock");
    for command in ["status", "routes", "domains", "logs", "revisions"] {
        let asked = home.run(&[command, "--socket", socket.to_str().unwrap()]);
        assert_eq!((asked.code, asked.stdout.as_str()), (Some(1), ""), "{command}");
        assert!(asked.stderr.contains("no headgate is running at"), "{command}: {asked:?}");
        assert!(asked.stderr.contains("`headgate dev`"), "{command}: {asked:?}");
    }
}

#[test]
fn explain_knows_its_codes_and_guesses_at_others() {
    let home = Home::new();
    let known = home.run(&["explain", "unknown-key"]);
    assert_eq!(known.code, Some(0));
    assert!(known.stdout.starts_with("unknown-key\n\n"), "{known:?}");
    let unknown = home.run(&["explain", "unkown-key"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(unknown.stderr.contains("did you mean `unknown-key`?"), "{unknown:?}");
    let json = home.run(&["explain", "unknown-key", "--output", "json"]).json();
    assert_eq!(json["code"], "unknown-key");
    for code in home.run(&["explain"]).stdout.lines() {
        assert_eq!(home.run(&["explain", code]).code, Some(0), "{code}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.stdout.contains("routes"), "{shell}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let home = Home::new();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let ended = finish(home.command(&["completions", "bash"]).stdout(writer).spawn().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

/// A node's admin socket, answered by this process.
struct Node {
    home: Home,
    state: AdminState,
    _runtime: tokio::runtime::Runtime,
}

struct View;

impl SnapshotView for View {
    fn generation(&self) -> Generation {
        Generation(3)
    }

    fn routes(&self) -> Vec<RouteRow> {
        vec![RouteRow {
            host: "shop.localhost".into(),
            path: "/users/{id}".into(),
            methods: MethodSet::GET_HEAD,
            kind: RouteKind::Function,
            name: "users".into(),
            project: "shop".parse().unwrap(),
            application: None,
        }]
    }
}

/// A node that accepted nothing yet.
struct NothingKept;

fn nothing<T>() -> Result<T, RevisionsError> {
    Err(RevisionsError::Choose { error: ChooseError::Nothing, candidates: Vec::new() })
}

#[async_trait]
impl Operations for NothingKept {
    async fn list(&self, _: Option<ProjectName>) -> Result<Vec<History>, RevisionsError> {
        Ok(Vec::new())
    }

    async fn pin(&self, _: &Named, _: &Wanted) -> Result<Done, RevisionsError> {
        nothing()
    }

    async fn follow(&self, _: &Named) -> Result<Done, RevisionsError> {
        nothing()
    }
}

impl DomainsView for NothingKept {
    fn domains(&self) -> Vec<DomainRow> {
        Vec::new()
    }
}

impl Node {
    fn start() -> Self {
        let home = Home::new();
        let config = AdminConfig { socket: home.path().join("admin.sock"), listen: None };
        let state = AdminState {
            board: Arc::default(),
            registry: Arc::default(),
            logs: Arc::default(),
            view: Arc::new(View),
            readiness: Arc::default(),
            domains: Arc::new(NothingKept),
            operations: Arc::new(NothingKept),
        };
        state.board.follow(
            &"shop".parse().unwrap(),
            &Branch::new("main"),
            "/srv/shop".into(),
            None,
        );
        state.readiness.set(Phase::Ready);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(async { AdminListener::bind(&config).unwrap() });
        runtime.spawn(listener.serve(state.clone(), CancellationToken::new()));
        Self { home, state, _runtime: runtime }
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("admin.sock")
    }

    fn ask(&self, arguments: &[&str]) -> Ended {
        let mut command = self.home.command(arguments);
        finish(command.env("HEADGATE_SOCKET", self.socket()).spawn().unwrap())
    }

    fn log(&self, text: &str) {
        self.state.logs.publish(LogLine {
            time: Timestamp::from_millis(0),
            project: "shop".parse().unwrap(),
            application: None,
            function: Some("hello".into()),
            request_id: None,
            stream: LogStream::Stdout,
            text: text.into(),
        });
    }
}

#[test]
fn status_and_routes_are_tables_or_json() {
    let node = Node::start();
    let status = node.ask(&["status"]);
    assert_eq!(status.code, Some(0));
    assert!(status.stdout.contains("· ready · generation 3 · 1 route\n"), "{status:?}");
    assert!(status.stdout.contains("shop     main    waiting"), "{status:?}");
    let json = node.ask(&["status", "--output", "json"]).json();
    assert_eq!((&json["phase"], &json["generation"]), (&"ready".into(), &3.into()));
    assert_eq!(json["projects"][0]["state"], "waiting");
    let routes = node.ask(&["routes"]);
    assert!(routes.stdout.contains("shop.localhost  /users/{id}  GET, HEAD  function users  shop"));
    let json = node.ask(&["routes", "--output", "json"]).json();
    assert_eq!((&json[0]["kind"], &json[0]["name"]), (&"function".into(), &"users".into()));
}

#[test]
fn orders_that_are_refused_say_why_to_people_and_to_scripts() {
    let node = Node::start();
    for order in ["rollback", "pin", "follow"] {
        let refused = node.ask(&[order, "shop"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{order}");
        assert_eq!(refused.stderr, "error: nothing was accepted yet\n");
        let json = node.ask(&[order, "shop", "--output", "json"]);
        assert_eq!(json.code, Some(1));
        assert_eq!(json.json()["error"], "nothing was accepted yet");
    }
    let revisions = node.ask(&["revisions"]).stdout;
    let text = "shop main · /srv/shop\nNothing was accepted yet. `headgate status` says why.\n";
    assert_eq!(revisions, text);
    assert_eq!(node.ask(&["revisions", "--output", "json"]).json()[0]["revisions"], json!([]));
    assert!(node.ask(&["domains"]).stdout.starts_with("No host is served yet."));
}

#[test]
fn logs_are_shown_and_followed() {
    let node = Node::start();
    node.log("first");
    assert_eq!(node.ask(&["logs"]).stdout, "00:00:00.000Z shop/hello first\n");
    assert_eq!(node.ask(&["logs", "--project", "blog"]).stdout, "");
    let mut command = node.home.command(&["logs", "-f", "--output", "json"]);
    let mut child = command.env("HEADGATE_SOCKET", node.socket()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for text in ["first", "second"] {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["text"], text);
        node.log("second");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = fixture("site");
    let dev = Home::new().run(&["dev", &site, "--http", &address, "--https", "127.0.0.1:0"]);
    assert_eq!((dev.code, dev.stdout.as_str()), (Some(1), ""));
    assert!(dev.stderr.contains(&address), "{dev:?}");
    assert!(dev.stderr.contains("port 0 picks a free one"), "{dev:?}");
}

#[test]
fn dev_announces_its_addresses_answers_status_and_stops_on_sigterm() {
    let home = Home::new();
    let site = fixture("site");
    let flags = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--output", "json"];
    let mut child = home.command(&[&["dev", &site], &flags[..]].concat()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let ready = event(&mut stdout, "ready");
    for key in ["http", "https"] {
        let address: std::net::SocketAddr = ready[key][0].as_str().unwrap().parse().unwrap();
        assert_ne!(address.port(), 0);
    }
    // The dev node of a folder is found from inside it.
    let status = home.command(&["status", "--output", "json"]).current_dir(&site).spawn().unwrap();
    assert_eq!(finish(status).json()["phase"], "ready");
    let second = home.run(&[&["dev", &site], &flags[..]].concat());
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("another headgate"), "{second:?}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    event(&mut stdout, "stopped");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(finish(child).code, Some(0), "{rest}");
}

/// Reads events up to the one called `name`.
fn event(stdout: &mut impl BufRead, name: &str) -> Value {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "ended before `{name}`: {seen}");
        let value: Value = serde_json::from_str(&line).unwrap();
        if value["event"] == name {
            return value;
        }
        seen.push_str(&line);
    }
}
