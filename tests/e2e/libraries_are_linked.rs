//! Functions that share code: libraries are linked, found by scope, changed by a push of their own
//! repository, and there again after a restart.

use headgate_tests::{Answer, GitRepo, Project, TestNode, eventually, fixture, guest, headgate};
use http::{HeaderValue, StatusCode};
use serde_json::json;

const HOST: &str = "invoices.example.com";

#[tokio::test]
async fn functions_are_made_of_libraries() {
    let node = TestNode::dev(fixture("invoices")).await;
    // A library keeps its count for one request, and writes the answer of the function that called it.
    for _ in 0..2 {
        let invoice = node.get(HOST, "/invoice").await;
        assert_eq!((invoice.status, &*invoice.text()), (StatusCode::OK, "gross:   1190"));
        assert_eq!(stamps(&invoice), ["1", "2"]);
    }
    assert_eq!(node.get(HOST, "/quote?net=1000").await.text(), "1190");
    assert_eq!(node.get(HOST, "/export/quote?net=1000").await.text(), "1000");
    assert_eq!(node.get(HOST, "/quote").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_library_hands_over_what_it_wrote() {
    let node = TestNode::dev(fixture("invoices")).await;
    let letter = node.get(HOST, "/letter").await;
    let text = "Dear neighbour, this was never in your memory. Posted.";
    assert_eq!((letter.status, &*letter.text()), (StatusCode::OK, text));
}

fn stamps(answer: &Answer) -> Vec<HeaderValue> {
    answer.headers.get_all("x-stamp").iter().cloned().collect()
}

#[tokio::test]
async fn a_trap_in_a_library_is_its_functions_and_names_the_library() {
    let project = Project::copy_of("invoices");
    let yaml = std::fs::read_to_string(project.path().join("functions/invoice.yaml")).unwrap();
    project.write("functions/invoice.yaml", yaml.replace("call: invoice", "call: costly"));
    let node = TestNode::dev(project.path()).await;
    assert_eq!(node.get(HOST, "/invoice").await.status, StatusCode::BAD_GATEWAY);
    let trap = eventually("the trap is in the log", || async {
        let logs = node.command(&["logs"]).await;
        let text = String::from_utf8_lossy(&logs.stdout).into_owned();
        text.lines().find(|line| line.contains("trap: ")).map(str::to_owned)
    });
    let trap = trap.await;
    assert!(trap.contains("/invoice trap") && trap.contains("in `libraries/price`"), "{trap}");
    assert_eq!(node.get(HOST, "/quote?net=1000").await.text(), "1190");
}

#[tokio::test]
async fn a_library_in_a_repository_of_its_own_is_followed_and_kept() {
    let (project, tax) = (GitRepo::new(), GitRepo::new());
    project.write("config.yaml", "id: config-invoices\nname: invoices\n");
    project.write("domains/main.yaml", format!("id: domain-main\nfqdn: {HOST}\n"));
    project.write("functions/quote.yaml", QUOTE);
    project.write("libraries/price.yaml", "id: library-price\n");
    project.write("libraries/price.wasm", guest("price"));
    project.write(
        "libraries/tax.yaml",
        "id: library-tax\nsource:\n  path: /built\n  github: {id: 7, fullname: acme/Tax}\n",
    );
    project.commit("project");
    tax.write("built/main.wasm", guest("tax"));
    tax.commit("19 %");
    let mut node = TestNode::run(json!({"projects": [{
        "name": "invoices",
        "config": project.url(),
        "branch": "main",
        "poll": "100ms",
        "repositories": {"acme/tax": {"url": tax.url()}},
    }]}))
    .await;
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/quote?net=1000").await.text(), "1190");

    tax.write("built/main.wasm", guest("tax-free"));
    tax.commit("none");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/quote?net=1000").await.text(), "1000");

    // A library that needs whoever needs it is refused with the whole way, and all goes on as it was.
    tax.write("built/main.wasm", guest("price"));
    tax.commit("needs itself");
    let refused = node.event("refused").await.to_string();
    assert!(refused.contains("module-cycle"), "{refused}");
    assert!(refused.contains("libraries/tax → libraries/tax"), "{refused}");
    assert_eq!(node.get(HOST, "/quote?net=1000").await.text(), "1000");

    project.lose_origin();
    tax.lose_origin();
    node.terminate();
    assert!(node.exited().await.success());
    node.restart().await;
    assert_eq!(node.get(HOST, "/quote?net=1000").await.text(), "1000");
}

const QUOTE: &str = "\
id: function-quote
trigger: {type: https, method: GET, paths: [/quote]}
domains: [main]
source: libraries/price
execution: {timeout: 1s, memory: 1MB, call: quote}
";

#[tokio::test]
async fn check_says_what_does_not_fit() {
    let project = Project::copy_of("invoices");
    let sound = headgate(project.path(), &["check"]).await;
    assert!(sound.status.success(), "{sound:?}");
    project.write("libraries/tax.wasm", guest("hello"));
    project.remove("libraries/stamp.yaml");
    let output = headgate(project.path(), &["check"]).await;
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    for line in [
        "libraries/price.wasm imports `tax` of `libraries/tax`, which exports no such thing",
        "functions/invoice.wasm imports from `libraries/stamp`, which is not defined",
    ] {
        assert!(told.contains(line), "{told}");
    }
    assert!(!output.status.success());
}
