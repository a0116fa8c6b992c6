//! Killed at any instant of a deploy, a node restarts into a revision that is whole.

use std::time::Duration;

use headgate_tests::{GitRepo, Protocol, TestNode, eventually, guest};
use serde_json::json;

const HOST: &str = "small.example.com";

/// Deploys that are killed, each a little later in its course than the one before.
const KILLS: u32 = 24;
const STEP: Duration = Duration::from_millis(6);

#[tokio::test]
async fn a_node_killed_while_it_deploys_serves_a_whole_revision() {
    let repo = GitRepo::small(HOST, "0");
    repo.write("functions/greeting.wasm", guest("wasi-c"));
    write_revision(&repo, 0);
    repo.commit("revision 0");
    let project = json!({"name": "small", "config": repo.url(), "branch": "main", "poll": "100ms"});
    let mut node = TestNode::run(json!({"projects": [project]})).await;

    for revision in 1..=KILLS {
        write_revision(&repo, revision);
        let commit = repo.commit(&format!("revision {revision}"));
        // Half of them may hit the fetch, the others what comes after.
        if revision % 2 == 0 {
            while node.event("deploying").await["commit"] != *commit {}
        }
        // The instant is the point here, so this waits for no condition.
        tokio::time::sleep(STEP * revision).await;
        node.kill();
        assert!(!node.exited().await.success());
        node.restart().await;
        let served = whole_revision(&node).await;
        assert!(served + 1 >= revision, "revision {served} is older than what was accepted last");
        eventually("the newest revision is deployed", async || {
            (whole_revision(&node).await == revision).then_some(())
        })
        .await;
    }
    assert_eq!(leftovers(&node), Vec::<String>::new(), "of killed writes");
}

/// One number, in a page, a compressible file, and a function's variable.
fn write_revision(repo: &GitRepo, revision: u32) {
    repo.write_page(&revision.to_string());
    repo.write("websites/main/numbers.txt", format!("{revision}\n").repeat(5_000));
    repo.write(
        "functions/greeting.yaml",
        format!(
            "id: function-greeting\ntrigger:\n  type: https\n  method: GET\n  paths: [/greeting]\n\
             domains: [main]\nvariables:\n  GREETING: '{revision}'\nsource: .\n\
             execution:\n  timeout: 5s\n  memory: 4MB\n  call: greeting\n"
        ),
    );
}

/// The number that is served, which must be the same everywhere.
async fn whole_revision(node: &TestNode) -> u32 {
    let mut client = node.client(Protocol::Http1, HOST).await;
    // A revision may be accepted between two requests; then they are asked again.
    for _ in 0..3 {
        let page = client.get("/").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let numbers = client.get_with("/numbers.txt", &[("accept-encoding", "gzip")]).await;
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(&*numbers.body);
        std::io::Read::read_to_string(&mut decoder, &mut text).expect("a whole file");
        let greeting = client.get("/greeting").await.text();
        if client.get("/").await.body != page.body {
            continue;
        }
        let revision = page.text();
        assert_eq!(text, format!("{revision}\n").repeat(5_000));
        assert_eq!(greeting, revision);
        return revision.parse().unwrap();
    }
    panic!("three revisions within a few requests");
}

/// Files that are neither blobs, records nor natives by name. A restart clears what a kill left.
fn leftovers(node: &TestNode) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![node.state().join("blobs"), node.state().join("native")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with(".tmp") || name.ends_with(".tmp") {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
