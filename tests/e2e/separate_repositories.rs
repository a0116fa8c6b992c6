//! A project as Taubyte keeps it: configuration, code and website in repositories of their own.

use std::net::TcpListener;

use headgate_tests::{GitRepo, TestNode, eventually, guest};
use serde_json::{Value, json};

const HOST: &str = "shop.example.com";

/// The repositories of one project.
struct Shop {
    configuration: GitRepo,
    code: GitRepo,
    site: GitRepo,
}

impl Shop {
    /// A function of the project, one of an application, and a website that says `page`.
    fn new(page: &str) -> Self {
        let shop =
            Self { configuration: GitRepo::new(), code: GitRepo::new(), site: GitRepo::new() };
        let function = |path: &str| {
            format!(
                "trigger: {{type: https, method: GET, paths: [{path}]}}\ndomains: [main]\nsource: .\n\
                 execution: {{timeout: 1s, memory: 1MB, call: hello}}\n"
            )
        };
        let configuration = &shop.configuration;
        configuration.write("config.yaml", "id: config-shop\nname: shop\n");
        configuration.write("domains/main.yaml", format!("fqdn: {HOST}\n"));
        configuration.write("functions/hello.yaml", function("/hello"));
        configuration.write("applications/back/functions/hi.yaml", function("/hi"));
        shop.place_site("acme/Site", None);
        configuration.commit("configure");
        shop.code.write("functions/hello/main.wasm", guest("hello"));
        shop.code.write("back/functions/hi/artifact.wasm", guest("hello"));
        shop.code.write("functions/trap.yaml", "trigger: [not, the, project's]\n");
        shop.code.commit("code");
        shop.write_page(page);
        shop.site.commit("site");
        shop
    }

    fn place_site(&self, full_name: &str, branch: Option<&str>) {
        let branch = branch.map_or(String::new(), |branch| format!("  branch: {branch}\n"));
        let yaml = format!(
            "domains: [main]\npaths: [/]\nsource:\n{branch}  github: {{id: 7, fullname: {full_name}}}\n"
        );
        self.configuration.write("websites/front.yaml", yaml);
    }

    fn write_page(&self, page: &str) {
        self.site.write("dist/index.html", page);
    }

    fn config(&self) -> Value {
        json!({"projects": [{
            "name": "shop",
            "config": self.configuration.url(),
            "branch": "main",
            "poll": "100ms",
            "code": self.code.url(),
            "repositories": {"acme/site": {"url": self.site.url()}},
        }]})
    }
}

#[tokio::test]
async fn a_project_in_several_repositories_is_one_revision() {
    let shop = Shop::new("one");
    let node = TestNode::run(shop.config()).await;
    let first = node.event("deployed").await["commit"].as_str().unwrap().to_owned();
    let (configured, digest) = first.split_once('+').unwrap();
    assert!(shop.configuration.head().starts_with(configured) && configured.len() == 10, "{first}");
    assert_eq!(node.get(HOST, "/").await.text(), "one");
    for path in ["/hello", "/hi"] {
        assert_eq!(node.get(HOST, path).await.text(), "Hello, world!", "{path}");
    }

    shop.write_page("two");
    shop.site.commit("only the site");
    let second = node.event("deployed").await["commit"].as_str().unwrap().to_owned();
    assert!(second.starts_with(configured) && !second.ends_with(digest), "{first}, {second}");
    assert_eq!(node.get(HOST, "/").await.text(), "two");
    assert_eq!(node.get(HOST, "/hello").await.text(), "Hello, world!");

    shop.write_page("rewritten");
    shop.site.rewrite("by force");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "rewritten");
}

#[tokio::test]
async fn a_bad_commit_in_one_repository_refuses_the_whole() {
    let shop = Shop::new("one");
    let node = TestNode::run(shop.config()).await;
    let good = node.event("deployed").await;

    shop.code.write("functions/hello/main.wasm", "not wasm at all");
    shop.code.commit("bad");
    let refused = node.event("refused").await;
    assert_eq!(refused["serving"], good["commit"]);
    let told = refused["diagnostics"].to_string();
    assert!(told.contains("functions/hello/main.wasm"), "{told}");
    assert!(told.contains(&shop.code.url()), "the repository is named: {told}");
    shop.write_page("two");
    shop.site.commit("good by itself");
    node.event("refused").await;
    assert_eq!(node.get(HOST, "/").await.text(), "one");
    assert_eq!(node.get(HOST, "/hello").await.text(), "Hello, world!");

    shop.code.write("functions/hello/main.wasm", guest("hello"));
    shop.code.commit("mended");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "two");
}

#[tokio::test]
async fn a_website_whose_repository_nobody_mapped_is_told_where_to_do_so() {
    let shop = Shop::new("one");
    shop.place_site("acme/other", None);
    shop.configuration.commit("another site");
    let node = TestNode::run(shop.config()).await;
    let refused = node.event("refused").await;
    let all = refused["diagnostics"].as_array().unwrap();
    let problem = all.iter().find(|problem| problem["severity"] == "error").unwrap();
    assert_eq!(problem["code"], "unmapped-repository");
    assert!(problem.to_string().contains("repositories: {acme/other: URL}"), "{problem}");

    let mut config = shop.config();
    config["projects"][0]["repositories"]["Acme/Other"] = shop.site.url().into();
    node.reconfigure(config);
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "one");
}

#[tokio::test]
async fn a_website_follows_the_branch_its_yaml_names() {
    let shop = Shop::new("one");
    shop.site.branch("live");
    shop.write_page("live");
    shop.site.commit("live");
    let node = TestNode::run(shop.config()).await;
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "one", "the branch of the project");
    shop.place_site("acme/site", Some("live"));
    shop.configuration.commit("go live");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "live");
}

#[tokio::test]
async fn a_repository_that_is_gone_is_named_and_the_last_revision_goes_on() {
    let shop = Shop::new("one");
    let node = TestNode::run(shop.config()).await;
    node.event("deployed").await;
    shop.site.lose_origin();
    let failed = node.event("failed").await.to_string();
    let origin = shop.site.origin().display().to_string();
    assert!(failed.contains("acme/Site") && failed.contains(&origin), "{failed}");
    assert_eq!(node.get(HOST, "/").await.text(), "one");

    // The configuration no longer wants it, so it no longer matters.
    shop.configuration.write("websites/front/index.html", "own");
    shop.configuration.write("websites/front.yaml", "domains: [main]\npaths: [/]\n");
    shop.configuration.commit("a site of our own");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "own");
    let clones = std::fs::read_dir(node.state().join("repositories/shop/others")).unwrap();
    let names: Vec<_> = clones.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["code"], "what is of no use any more is removed");
}

#[tokio::test]
async fn a_node_whose_repositories_are_all_gone_restarts_and_serves_the_same() {
    let shop = Shop::new("one");
    let mut node = TestNode::run(shop.config()).await;
    let commit = node.event("deployed").await["commit"].clone();
    let (page, hello) = (node.get(HOST, "/").await, node.get(HOST, "/hello").await);
    for repo in [&shop.configuration, &shop.code, &shop.site] {
        repo.lose_origin();
    }
    node.terminate();
    assert!(node.exited().await.success());
    node.restart().await;
    let again = node.get(HOST, "/").await;
    assert_eq!((&again.body, again.header("etag")), (&page.body, page.header("etag")));
    assert_eq!(node.get(HOST, "/hello").await.body, hello.body);
    let status: Value = serde_json::from_str(&node.admin("/status").await.text()).unwrap();
    assert!(status.to_string().contains(commit.as_str().unwrap()), "{status}");
}

#[tokio::test]
async fn an_unchanged_project_is_not_deployed_again_after_a_restart() {
    let shop = Shop::new("one");
    let mut node = TestNode::run(shop.config()).await;
    node.event("deployed").await;
    node.terminate();
    node.exited().await;
    node.restart().await;
    shop.write_page("two");
    shop.site.commit("second");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "two");
    let deployed = node.events().into_iter().filter(|event| event["event"] == "deployed").count();
    assert_eq!(deployed, 1, "only what is new");
}

#[tokio::test]
async fn remotes_that_never_answer_block_no_other_project() {
    // Connected by the kernel, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/shop.git", silent.local_addr().unwrap());
    let repo = GitRepo::small(HOST, "one");
    let well = json!({"name": "well", "config": repo.url(), "branch": "main", "poll": "100ms"});
    let node = TestNode::run(json!({"projects": [well.clone()]})).await;
    node.event("deployed").await;
    let hung = (0..24).map(|n| json!({"name": format!("hung-{n}"), "config": url}));
    let projects: Vec<_> = hung.chain([well]).collect();
    node.reconfigure(json!({"projects": projects}));
    eventually("all are followed", async || {
        node.admin("/status").await.text().contains("hung-23").then_some(())
    })
    .await;
    for page in ["two", "three"] {
        repo.write_page(page);
        repo.commit(page);
        node.event("deployed").await;
        assert_eq!(node.get(HOST, "/").await.text(), page);
    }
    let status = node.admin("/status").await.text();
    assert!(!status.contains("cannot be followed"), "they still wait: {status}");
}
