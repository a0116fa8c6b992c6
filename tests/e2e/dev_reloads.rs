//! `headgate dev` shows a saved change at once, and a broken one without taking down what works.

use std::time::Duration;

use headgate_tests::{Project, Protocol, TestNode, eventually, fixture, guest};
use http::StatusCode;
use serde_json::{Value, json};

const HOST: &str = "small.example.com";

#[tokio::test]
async fn a_saved_page_is_served_at_once() {
    let project = Project::small(HOST, "one");
    let node = TestNode::dev(project.path()).await;
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "one");

    project.write("websites/main/index.html", "two");
    let deployed = node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "two");
    assert!(deployed["commit"].as_str().unwrap().starts_with("worktree-"), "{deployed}");
    // The promise is 300 ms; a debug build on a machine that also compiles gets more.
    let elapsed = Duration::from_secs_f64(deployed["elapsed_ms"].as_f64().unwrap() / 1e3);
    assert!(elapsed < Duration::from_secs(5), "{deployed}");
}

#[tokio::test]
async fn what_changed_is_told() {
    let project = Project::small(HOST, "one");
    let node = TestNode::dev(project.path()).await;
    assert!(node.event("deployed").await["changed"].is_null(), "nothing was served before");

    project.write("websites/main/.index.html.swp", "an editor's");
    project.write("websites/main/index.html", "two");
    let deployed = node.event("deployed").await;
    let page = json!({"path": "websites/main/index.html", "how": "changed"});
    assert_eq!(deployed["changed"], json!({"files": 1, "things": [page], "more": 0}));

    // What is told is what differs from what is served, not from what was refused.
    project.write("functions/hello.yaml", "trigger: [oops\n");
    node.event("refused").await;
    project.write("functions/hello.yaml", HELLO_AT_HI);
    let deployed = node.event("deployed").await;
    assert_eq!(deployed["changed"]["things"][0]["path"], "functions/hello.yaml", "{deployed}");
    assert_eq!(node.get(HOST, "/.index.html.swp").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_switch_to_another_branch_is_one_deploy() {
    let project = Project::small(HOST, "one");
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(project.path()).args(["-c", "user.name=A", "-c", "user.email=a@b"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let files = |of: &str| {
        for n in 0..MANY {
            project.write(&format!("websites/main/{}/{n}.html", n % 20), format!("{of} {n}"));
        }
    };
    files("one");
    git(&["init", "--quiet", "--initial-branch", "one"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "one"]);
    git(&["switch", "--quiet", "--create", "two"]);
    files("two");
    project.write("functions/hello.yaml", HELLO_AT_HI);
    git(&["commit", "--quiet", "--all", "--message", "two"]);
    git(&["switch", "--quiet", "one"]);

    let node = TestNode::dev(project.path()).await;
    node.event("deployed").await;
    git(&["switch", "--quiet", "two"]);
    let deployed = node.event("deployed").await;
    assert_eq!(node.get(HOST, "/hi").await.text(), "Hello, world!");
    assert_eq!(node.get(HOST, "/19/1999.html").await.text(), "two 1999");
    let pages = json!({"owner": "website main", "files": MANY});
    assert_eq!(deployed["changed"]["things"][1], pages, "{deployed}");

    git(&["switch", "--quiet", "one"]);
    node.event("deployed").await;
    let looked_at = |event: &&Value| event["event"] == "deploying";
    assert_eq!(node.events().iter().filter(looked_at).count(), 3, "{:#?}", node.events());
}

/// Files of a branch: Git writes them for longer than we wait for an editor to rest.
const MANY: usize = 2_000;

#[tokio::test]
async fn a_folder_moved_away_and_replaced_is_followed() {
    let place = Project::empty();
    let (served, other) = (place.path().join("shop"), Project::small(HOST, "two"));
    std::fs::rename(Project::small(HOST, "one").into_path(), &served).unwrap();
    let node = TestNode::dev(&served).await;
    node.event("deployed").await;
    std::fs::rename(&served, place.path().join("old")).unwrap();
    std::fs::rename(other.into_path(), &served).unwrap();
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "two");
    std::fs::write(served.join("websites/main/index.html"), "three").unwrap();
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "three");
}

#[tokio::test]
async fn a_function_can_be_added_and_taken_away() {
    let project = Project::small(HOST, "one");
    let node = TestNode::dev(project.path()).await;
    node.event("deployed").await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    assert_eq!(client.get("/api/hello").await.status, StatusCode::NOT_FOUND);

    project.write("functions/api.wasm", guest("api"));
    project.write("functions/api.yaml", API);
    eventually("the new function answers", async || {
        let answer = node.get(HOST, "/api/hello").await;
        (answer.text() == "Hello from a component\n").then_some(())
    })
    .await;
    // A connection from before sees the change, too.
    assert_eq!(client.get("/api/hello").await.status, StatusCode::OK);

    project.remove("functions/api.yaml");
    eventually("the function is gone", async || {
        (node.get(HOST, "/api/hello").await.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

const API: &str = "\
id: function-api
trigger:
  type: https
  methods: [GET, POST]
  paths: ['/api/{what}']
domains: [main]
source: .
execution:
  timeout: 10s
  memory: 64MB
";

#[tokio::test]
async fn a_broken_change_keeps_the_last_good_one_serving() {
    let project = Project::small(HOST, "one");
    let node = TestNode::dev(project.path()).await;
    let good = node.event("deployed").await;

    project.write("functions/hello.yaml", "trigger: [oops\n");
    project.write("websites/main/index.html", "two");
    let refused = node.event("refused").await;
    assert_eq!(refused["serving"], good["commit"], "{refused}");
    let problem = &refused["diagnostics"][0];
    assert_eq!(
        (&problem["severity"], &problem["file"]),
        (&"error".into(), &"functions/hello.yaml".into())
    );
    assert!(
        problem["line"].as_u64().is_some() && problem["column"].as_u64().is_some(),
        "{problem}"
    );
    assert_eq!(node.get(HOST, "/hello").await.text(), "Hello, world!");
    assert_eq!(node.get(HOST, "/").await.text(), "one", "all of the old revision, not a mixture");

    project.write("functions/hello.yaml", HELLO_AT_HI);
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/hi").await.text(), "Hello, world!");
    assert_eq!(node.get(HOST, "/").await.text(), "two");
}

const HELLO_AT_HI: &str = "\
id: function-hello
trigger:
  type: https
  method: GET
  paths: [/hi]
domains: [main]
source: .
execution:
  timeout: 1s
  memory: 1MB
  call: hello
";

#[tokio::test]
async fn a_project_broken_from_the_start_explains_itself_to_its_developer() {
    let node = TestNode::dev(fixture("broken")).await;
    let refused = node.event("refused").await;
    assert!(refused["serving"].is_null());
    let problems = refused["diagnostics"].as_array().unwrap();
    for file in ["bad_syntax", "bad_duration", "undefined_domain", "no_artefact"] {
        let path = format!("functions/{file}.yaml");
        let told = problems.iter().any(|problem| problem["file"] == *path);
        assert!(told, "{path} too: {:?}", codes(problems));
    }
    let mut client = node.client(Protocol::Http1, "broken.example.com").await;
    let page = client.get_with("/", &[("accept", "text/html")]).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("functions/bad_duration.yaml"), "{}", page.text());
    let text = client.get("/").await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    assert!(text.text().contains("functions/bad_duration.yaml"), "{}", text.text());
}

fn codes(problems: &[Value]) -> Vec<String> {
    problems.iter().map(|p| format!("{} {}", p["file"], p["code"])).collect()
}

#[tokio::test]
async fn what_is_wrong_with_guests_is_told_together_with_what_is_wrong_with_files() {
    let node = TestNode::dev(fixture("broken")).await;
    let refused = node.event("refused").await;
    let problems = refused["diagnostics"].as_array().unwrap();
    for (file, named) in [("missing_export", "helo"), ("strange_import", "acme/teleport")] {
        let path = format!("functions/{file}.yaml");
        let problem = problems.iter().find(|problem| problem["file"] == *path);
        let problem = problem.unwrap_or_else(|| panic!("{path} too: {:?}", codes(problems)));
        assert!(problem["message"].as_str().unwrap().contains(named), "{problem}");
    }
}

#[tokio::test]
async fn a_guest_that_cannot_run_is_refused_at_the_function_that_names_it() {
    let project = Project::small(HOST, "one");
    let node = TestNode::dev(project.path()).await;
    node.event("deployed").await;
    for (module, code) in [("strange", "import-not-provided"), ("count", "unknown-export")] {
        project.write("functions/hello.wasm", guest(module));
        // A file half written may be seen first; it is refused for what it is.
        let problem = loop {
            let problem = node.event("refused").await["diagnostics"][0].clone();
            if problem["code"] == code {
                break problem;
            }
        };
        assert_eq!(problem["file"], "functions/hello.yaml", "{problem}");
        assert_eq!(node.get(HOST, "/hello").await.text(), "Hello, world!");
    }
}

#[tokio::test]
async fn a_project_mended_after_a_broken_start_is_served() {
    let project = Project::small(HOST, "one");
    project.write("config.yaml", "name: [\n");
    let node = TestNode::dev(project.path()).await;
    node.event("refused").await;
    project.write("config.yaml", "id: config-small\nname: small\n");
    node.event("deployed").await;
    assert_eq!(node.get("localhost", "/").await.text(), "one");
}

#[tokio::test]
async fn a_plain_folder_of_pages_is_a_website() {
    let node = TestNode::dev(fixture("site")).await;
    let mut client = node.client(Protocol::Http1, "localhost").await;
    assert!(client.get("/").await.text().contains("<title>A plain folder</title>"));
    assert!(client.get("/about.html").await.text().contains("<title>About</title>"));
    assert!(client.get("/sub/").await.text().contains("<title>Below</title>"));
    assert_eq!(client.get("/sub").await.header("location"), "/sub/");
}

#[tokio::test]
async fn dev_follows_a_branch_when_told_to() {
    let repo = headgate_tests::GitRepo::small(HOST, "committed");
    let node = TestNode::dev_with(repo.origin(), &["--branch", "main"]).await;
    assert_eq!(node.event("deployed").await["commit"], repo.head());
    assert_eq!(node.get("localhost", "/").await.text(), "committed");
    repo.write_page("committed again");
    repo.commit("second");
    node.event("deployed").await;
    assert_eq!(node.get("localhost", "/").await.text(), "committed again");
}
