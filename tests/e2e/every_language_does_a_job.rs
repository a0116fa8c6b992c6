//! One function a language, each with real work to do: what is posted comes back as what it comes to, and
//! what makes no sense is answered with the reason. Each node serves one function, so that every guest is
//! compiled once.

mod components;
mod core_modules;

use headgate_tests::{Answer, Client, Project, Protocol, Stream, TestNode, guest};

const HOST: &str = "jobs.example.com";
const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");

/// A node with one function at `/job` and below, and the folder it is in.
struct Job {
    node: TestNode,
    _project: Project,
}

impl Job {
    /// The component of this guest.
    async fn component(name: &str) -> Self {
        Self::new(name, FUNCTION).await
    }

    /// The core module of this guest, called by this export.
    async fn core(name: &str, export: &str) -> Self {
        Self::new(name, &format!("{FUNCTION}  call: {export}\n")).await
    }

    async fn new(name: &str, function: &str) -> Self {
        let project = Project::empty();
        project.write("config.yaml", "id: config-jobs\nname: jobs\n");
        project.write("domains/main.yaml", format!("id: domain-main\nfqdn: {HOST}\n"));
        project.write("functions/job.yaml", function);
        project.write("functions/job.wasm", guest(name));
        Self { node: TestNode::dev(project.path()).await, _project: project }
    }

    async fn client(&self) -> Client {
        self.node.client(Protocol::Http1, HOST).await
    }
}

const FUNCTION: &str = "\
id: function-job
trigger:
  type: https
  methods: [GET, POST]
  paths: [/job, '/job/{*path}']
domains: [main]
source: .
execution:
  timeout: 30s
  memory: 128MB
";

/// The whole answer: status, the fields that are not the gateway's own, and body.
#[track_caller]
fn check(answer: &Answer, status: u16, fields: &[(&str, &str)], body: impl AsRef<[u8]>) {
    let mut found: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| !OF_THE_GATEWAY.contains(name))
        .collect();
    found.sort_unstable();
    assert_eq!((answer.status.as_u16(), &*found), (status, fields), "{}", answer.text());
    let expected = body.as_ref();
    assert!(
        answer.body == expected,
        "found {:?} instead of {:?}",
        answer.text(),
        String::from_utf8_lossy(expected)
    );
}

const OF_THE_GATEWAY: [&str; 5] =
    ["connection", "content-length", "date", "transfer-encoding", "x-request-id"];

/// What arrives until it ends with this.
async fn read(stream: &mut Stream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let piece = stream.chunk().await.unwrap().expect("more is to come");
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text
}
