//! Killed at any instant of a deploy, a node restarts into a revision that is whole.

use std::time::Duration;

use headgate_tests::{GitRepo, Protocol, TestNode, eventually, guest};
use serde_json::json;

const HOST: &str = "small.example.com";

/// Deploys that are killed, each a little later in its course than the one before. `HEADGATE_KILLS` is for
/// who wants more of them.
const KILLS: u32 = 24;
/// Files that change with each revision, so that a deploy has some length.
const FILES: u32 = 60;
const POLL: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_node_killed_while_it_deploys_serves_a_whole_revision() {
    let kills = std::env::var("HEADGATE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let repo = GitRepo::small(HOST, "0");
    commit_revision(&repo, 0);
    let project = json!({"name": "small", "config": repo.url(), "branch": "main", "poll": "100ms"});
    let mut node = TestNode::run(json!({"projects": [project]})).await;
    node.event("deployed").await;
    commit_revision(&repo, 1);
    let elapsed = node.event("deployed").await["elapsed_ms"].as_f64().unwrap();
    let elapsed = Duration::from_secs_f64(elapsed / 1e3);

    let mut in_the_midst = 0;
    for revision in 2..kills + 2 {
        let part = f64::from(revision - 2) / f64::from(kills);
        let commit = commit_revision(&repo, revision);
        // Half of them may hit the fetch, the others what comes after.
        let course = if revision % 2 == 0 {
            while node.event("deploying").await["commit"] != *commit {}
            elapsed
        } else {
            POLL + elapsed
        };
        // The instant is the point here, so this waits for no condition.
        tokio::time::sleep(course.mul_f64(part)).await;
        node.kill();
        assert!(!node.exited().await.success());
        let said =
            |name| node.events().iter().any(|e| e["event"] == name && e["commit"] == *commit);
        in_the_midst += u32::from(said("deploying") && !said("deployed"));

        node.restart().await;
        let served = whole_revision(&node).await;
        assert!(served + 1 >= revision, "revision {served} is older than what was accepted last");
        eventually("the newest revision is deployed", async || {
            (whole_revision(&node).await == revision).then_some(())
        })
        .await;
    }
    assert!(in_the_midst > 0, "no kill hit a deploy of {elapsed:?}");
    assert_eq!(leftovers(&node), Vec::<String>::new(), "of killed writes");
}

/// One number, in a page, in compressible files, and in a function's code and variable. Returns the commit.
fn commit_revision(repo: &GitRepo, revision: u32) -> String {
    repo.write_page(&revision.to_string());
    for file in 0..FILES {
        repo.write(&format!("websites/main/{file}.txt"), numbers(revision, file));
    }
    repo.write("functions/greeting.wasm", numbered(guest("wasi-c"), revision));
    repo.write(
        "functions/greeting.yaml",
        format!(
            "id: function-greeting\ntrigger:\n  type: https\n  method: GET\n  paths: [/greeting]\n\
             domains: [main]\nvariables:\n  GREETING: '{revision}'\nsource: .\n\
             execution:\n  timeout: 5s\n  memory: 4MB\n  call: greeting\n"
        ),
    );
    repo.commit(&format!("revision {revision}"))
}

/// The same guest under another digest, so that it has to be compiled: a custom section is added, which
/// means nothing (WebAssembly core specification §5.5.3).
fn numbered(mut wasm: Vec<u8>, revision: u32) -> Vec<u8> {
    wasm.extend([0, 6, 1, b'r']);
    wasm.extend(revision.to_le_bytes());
    wasm
}

/// What one file of a revision says; no two say the same.
fn numbers(revision: u32, file: u32) -> String {
    format!("{revision} {file}\n").repeat(500)
}

const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip")];

/// The number that is served, which must be the same everywhere.
async fn whole_revision(node: &TestNode) -> u32 {
    let mut client = node.client(Protocol::Http1, HOST).await;
    // A revision may be accepted between two requests; then they are asked again.
    for _ in 0..3 {
        let page = client.get("/").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let mut files = Vec::new();
        for file in [0, FILES / 2, FILES - 1] {
            let compressed = client.get_with(&format!("/{file}.txt"), GZIP).await;
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&*compressed.body);
            std::io::Read::read_to_string(&mut decoder, &mut text).expect("a whole file");
            files.push((file, text));
        }
        let greeting = client.get("/greeting").await.text();
        if client.get("/").await.body != page.body {
            continue;
        }
        let revision = page.text().parse().unwrap();
        for (file, text) in files {
            assert!(text == numbers(revision, file), "{file}.txt is not of revision {revision}");
        }
        assert_eq!(greeting, revision.to_string());
        return revision;
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
