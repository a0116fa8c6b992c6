use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use headgate_types::{Branch, Commit, RequestId, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    client::{Client, ClientError},
    wire::{FunctionRow, LogEntry, NodeStatus, ProjectState, Refusal},
    *,
};
use crate::{
    domains::Domains,
    lab::{Events, Lab},
    log_hub::{LogLine, LogStream},
    node_config::AdminConfig,
    revisions::Revisions,
    status::{Latest, Serving},
};

struct View;

impl SnapshotView for View {
    fn generation(&self) -> Generation {
        Generation(7)
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
        Vec::new()
    }
}

/// An admin server over a socket in a temporary folder.
struct Admin {
    /// What its orders would change.
    _lab: Lab,
    folder: tempfile::TempDir,
    state: AdminState,
    tcp: Option<std::net::SocketAddr>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Admin {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        let listener = AdminListener::bind(&config).unwrap();
        let lab = Lab::following(&["shop"]);
        let shared = lab.shared(Arc::new(Events::default()));
        let state = AdminState {
            board: shared.board.clone(),
            registry: Arc::default(),
            logs: Arc::default(),
            view: Arc::new(View),
            readiness: Arc::default(),
            domains: Arc::new(Domains::trusting(lab.publisher().clone())),
            functions: Arc::new(View),
            certificates: None,
            names: None,
            operations: Arc::new(Revisions::new(shared)),
        };
        let (tcp, shutdown) = (listener.tcp_address(), CancellationToken::new());
        let serving = tokio::spawn(listener.serve(state.clone(), shutdown.clone()));
        Self { _lab: lab, folder, state, tcp, shutdown, serving }
    }

    fn socket(&self) -> PathBuf {
        config(&self.folder).socket
    }

    fn client(&self) -> Client {
        Client::new(self.socket())
    }

    async fn text(&self, path: &str) -> Result<String, ClientError> {
        Ok(String::from_utf8(self.client().bytes(path).await?.to_vec()).unwrap())
    }

    /// The answer to raw bytes over TCP.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.tcp.unwrap()).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        String::from_utf8(answer).unwrap()
    }
}

fn config(folder: &tempfile::TempDir) -> AdminConfig {
    AdminConfig {
        socket: folder.path().join("admin.sock"),
        listen: Some("127.0.0.1:0".parse().unwrap()),
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("this ends soon")
}

fn line(project: &str, text: &str) -> LogLine {
    LogLine {
        time: Timestamp::from_millis(1),
        project: project.parse().unwrap(),
        application: None,
        function: Some("hello".into()),
        request_id: Some(RequestId::from_bytes([1; 16])),
        stream: LogStream::Stdout,
        text: text.into(),
    }
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_goes_with_the_node() {
    let admin = Admin::start();
    let mode = fs::metadata(admin.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(admin.text("/livez").await.unwrap(), "ok\n");
    admin.shutdown.cancel();
    within(admin.serving).await.unwrap();
    assert!(!config(&admin.folder).socket.exists());
}

#[tokio::test]
async fn a_second_node_is_told_that_one_is_running() {
    let admin = Admin::start();
    let error = AdminListener::bind(&config(&admin.folder)).unwrap_err();
    assert!(matches!(error, AdminError::AlreadyRunning(_)), "{error}");
    assert_eq!(admin.text("/livez").await.unwrap(), "ok\n");
}

#[tokio::test]
async fn a_dead_nodes_socket_is_replaced_and_anything_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    drop(std::os::unix::net::UnixListener::bind(&config.socket).unwrap());
    drop(AdminListener::bind(&config).unwrap());
    fs::write(&config.socket, "mine").unwrap();
    assert!(matches!(AdminListener::bind(&config), Err(AdminError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&config.socket).unwrap(), "mine");
}

#[tokio::test]
async fn readiness_says_what_it_waits_for() {
    let admin = Admin::start();
    let (project, branch) = ("shop".parse().unwrap(), Branch::new("main"));
    admin.state.board.follow(&project, &branch, "/srv/shop".into(), None);
    let refused = |answer| match answer {
        Err(ClientError::Refused { status, text }) => (status.as_u16(), text),
        other => panic!("{other:?}"),
    };
    let (status, text) = refused(admin.text("/readyz").await);
    assert_eq!((status, text.as_str()), (503, "starting: waiting for shop"));
    admin.state.readiness.set(Phase::Ready);
    assert_eq!(admin.text("/readyz").await.unwrap(), "ready\n");
    admin.state.readiness.set(Phase::Draining);
    assert_eq!(refused(admin.text("/readyz").await), (503, "draining".to_owned()));
}

#[tokio::test]
async fn status_and_routes_survive_the_wire() {
    let admin = Admin::start();
    let (project, branch) = ("shop".parse().unwrap(), Branch::new("main"));
    admin.state.board.follow(&project, &branch, "/srv/shop".into(), None);
    admin.state.board.update(&project, &branch, |status| {
        status.serving = Some(Serving {
            commit: Commit::new("c0ffee"),
            accepted_at: Timestamp::from_millis(5),
            functions: 2,
            websites: 1,
        });
        status.latest = Latest::Failed { error: "no route to host".into() };
    });
    let status: NodeStatus = admin.client().json("/status").await.unwrap();
    assert_eq!((status.generation, status.routes, status.functions), (Generation(7), 1, 2));
    assert_eq!(status.projects[0].state, ProjectState::Failed);
    assert_eq!(status.projects[0].error.as_deref(), Some("no route to host"));
    assert_eq!(status.projects[0].serving.as_ref().unwrap().commit.as_str(), "c0ffee");
    let routes: Vec<RouteRow> = admin.client().json("/routes").await.unwrap();
    assert_eq!(routes, View.routes());
}

#[tokio::test]
async fn metrics_are_complete_open_metrics() {
    let admin = Admin::start();
    assert!(admin.text("/metrics").await.unwrap().ends_with("# EOF\n"));
    let answer = admin.raw("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.contains("application/openmetrics-text; version=1.0.0"), "{answer}");
}

#[tokio::test]
async fn logs_are_followed_from_the_kept_lines_on() {
    let admin = Admin::start();
    admin.state.logs.publish(line("shop", "old"));
    admin.state.logs.publish(line("blog", "other"));
    let mut lines = admin.client().lines("/logs?follow=1&project=shop").await.unwrap();
    for text in ["old", "new"] {
        let json = within(lines.next()).await.unwrap().unwrap();
        let entry: LogEntry = serde_json::from_slice(&json).unwrap();
        assert_eq!(entry, LogEntry::Line(line("shop", text)));
        admin.state.logs.publish(line("shop", "new"));
    }
    admin.shutdown.cancel();
    while within(lines.next()).await.is_ok_and(|line| line.is_some()) {}
    within(admin.serving).await.unwrap();
}

#[tokio::test]
async fn tcp_answers_only_gets_that_name_loopback() {
    let admin = Admin::start();
    for (request, status) in [
        ("GET /livez HTTP/1.1\r\nhost: localhost:9901\r\n\r\n", "200"),
        ("GET /livez HTTP/1.1\r\nhost: [::1]:9901\r\n\r\n", "200"),
        ("GET /snapshot HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", "200"),
        ("GET /livez HTTP/1.1\r\nhost: attacker.example\r\n\r\n", "421"),
        ("GET /livez HTTP/1.1\r\nhost: localhost.attacker.example\r\n\r\n", "421"),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: a.example\r\n\r\n", "421"),
        ("GET /livez HTTP/1.0\r\n\r\n", "421"),
        ("POST /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n", "405"),
        ("POST /rollback HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n", "405"),
        ("GET /rollback HTTP/1.1\r\nhost: localhost\r\n\r\n", "403"),
        ("GET /revisions HTTP/1.1\r\nhost: localhost\r\n\r\n", "403"),
        ("GET /status HTTP/1.1\r\nhost: localhost\r\n\r\n", "403"),
        ("GET /logs HTTP/1.1\r\nhost: localhost\r\n\r\n", "403"),
        ("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n", "404"),
    ] {
        let answer = admin.raw(request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn orders_are_posted_to_the_socket_and_have_a_size() {
    let admin = Admin::start();
    let refused = |answer: Result<_, ClientError>| match answer {
        Err(ClientError::Refused { status, text }) => (status.as_u16(), text),
        other => panic!("{other:?}"),
    };
    let order = |project: &str| serde_json::json!({"project": project, "commit": null});
    let (status, text) = refused(admin.client().order("/rollback", &order("blog")).await);
    assert_eq!(status, 404);
    let refusal: Refusal = serde_json::from_str(&text).unwrap();
    assert_eq!(refusal.error, "no project `blog` is followed here; nothing is");
    let (status, _) = refused(admin.client().order("/rollback", &order("no/name")).await);
    assert_eq!(status, 400);
    let unknown = serde_json::json!({"project": "shop", "comit": "1"});
    let (status, text) = refused(admin.client().order("/pin", &unknown).await);
    assert!(status == 400 && text.contains("`comit`"), "{status} {text}");
    let long = order(&"x".repeat(17 << 10));
    assert_eq!(refused(admin.client().order("/follow", &long).await).0, 413);
    assert_eq!(refused(admin.client().bytes("/follow").await).0, 405);
    assert_eq!(refused(admin.client().order("/status", &order("shop")).await).0, 405);
}

#[tokio::test]
async fn a_head_beyond_16_kib_is_refused() {
    let admin = Admin::start();
    let long = "x".repeat(17 << 10);
    let request = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\na: {long}\r\n\r\n");
    assert!(admin.raw(&request).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn followers_leave_room_for_probes_and_connections_have_an_end() {
    let admin = Admin::start();
    let mut followers = Vec::new();
    for _ in 0..16 {
        followers.push(admin.client().lines("/logs?follow=1").await.unwrap());
    }
    let one_more = admin.client().lines("/logs?follow=1").await;
    assert!(matches!(one_more, Err(ClientError::Refused { status, .. }) if status == 503));
    assert_eq!(admin.text("/livez").await.unwrap(), "ok\n");
    let mut idle = Vec::new();
    for _ in 0..17 {
        idle.push(UnixStream::connect(admin.socket()).await.unwrap());
    }
    let mut byte = [0];
    assert_eq!(within(idle[16].read(&mut byte)).await.unwrap_or(0), 0, "the 33rd is closed");
    drop(followers.pop());
    // The freed place is taken as soon as the server noticed.
    within(async { while admin.text("/livez").await.is_err() {} }).await;
}

#[tokio::test]
async fn without_a_node_the_client_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(folder.path().join("admin.sock"));
    assert!(matches!(client.bytes("/livez").await, Err(ClientError::NotRunning(_))));
}
