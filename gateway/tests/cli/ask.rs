//! The commands that ask a running node, or tell it something.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use headgate::{
    admin::{
        AdminListener, AdminState, DomainRow, DomainsView, FunctionsView, Operations, Phase,
        RouteKind, RouteRow, SnapshotView, wire::FunctionRow,
    },
    log_hub::{LogLine, LogStream},
    node_config::AdminConfig,
    revisions::{ChooseError, Done, History, Named, RevisionsError, Wanted},
};
use headgate_types::{Branch, Generation, HostPattern, MethodSet, ProjectName, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{Ended, Home, finish};

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

#[async_trait]
impl FunctionsView for View {
    async fn functions(&self) -> Vec<FunctionRow> {
        let digest = headgate_types::Digest::of(b"wasm");
        let row = json!({
            "project": "shop", "branch": "main", "commit": "1a2b3c4d", "application": null,
            "name": "users", "kind": "core", "call": "users", "artefact": digest, "size": 2048,
            "linked": [],
            "start_up": {"kind": "each", "because": "it calls `wasi_snapshot_preview1.random_get`"},
            "now": {"in_flight": 0, "waiting": 0, "prepared": 1},
            "limits": {"memory": "64MiB", "timeout_ms": 5000, "concurrency": 100, "queue": 100},
        });
        vec![serde_json::from_value(row).unwrap()]
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

#[async_trait]
impl DomainsView for NothingKept {
    fn domains(&self) -> Vec<DomainRow> {
        Vec::new()
    }

    async fn check(&self, _: &HostPattern) -> Vec<DomainRow> {
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
            certificates: None,
            names: None,
            functions: Arc::new(View),
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
fn data_commands_without_a_node_say_how_to_start_one() {
    let home = Home::new();
    let socket = home.path().join("admin.sock");
    for command in ["status", "routes", "functions", "domains", "logs", "revisions"] {
        let asked = home.run(&[command, "--socket", socket.to_str().unwrap()]);
        assert_eq!((asked.code, asked.stdout.as_str()), (Some(1), ""), "{command}");
        assert!(asked.stderr.contains("no headgate is running at"), "{command}: {asked:?}");
        assert!(asked.stderr.contains("`headgate dev`"), "{command}: {asked:?}");
    }
    let asked = home.run(&["status"]);
    let dev_node = home.path().join(".local/state/headgate/dev");
    for place in ["at /var/lib/headgate/admin.sock, nor at ", dev_node.to_str().unwrap()] {
        assert!(asked.stderr.contains(place), "every place is named: {asked:?}");
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
fn functions_are_a_table_or_one_of_them_in_words() {
    let node = Node::start();
    let all = node.ask(&["functions"]).stdout;
    assert!(all.contains("users     shop     core"), "{all}");
    assert!(all.contains("each instance, because it calls"), "{all}");
    let one = node.ask(&["functions", "users"]);
    assert_eq!(one.code, Some(0), "{one:?}");
    assert!(
        one.stdout.contains("  now       0 requests running, 0 waiting, 1 instance"),
        "{one:?}"
    );
    assert!(one.stdout.contains("help: a snapshot would give every request"), "{one:?}");
    let json = node.ask(&["functions", "users", "--output", "json"]).json();
    assert_eq!((&json[0]["start_up"]["kind"], &json[0]["size"]), (&"each".into(), &2048.into()));
    let unknown = node.ask(&["functions", "user"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(unknown.stderr.contains("did you mean `users`?"), "{unknown:?}");
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
    assert_eq!(node.ask(&["logs", "--project", "shop"]).stdout, "00:00:00.000Z shop/hello first\n");
    for arguments in [&["logs", "--project", "shpo"][..], &["logs", "-f", "--project", "shpo"]] {
        let unknown = node.ask(arguments);
        assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
        let told = "error: no project `shpo` is followed here; there is shop\n";
        assert_eq!(unknown.stderr, told);
    }
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
