//! Clones of one project, and what they take of the disk together.

use std::{collections::BTreeMap, process::Command, time::Duration};

use super::*;
use crate::node_config::OtherRepositories;

/// A project of three repositories, and the folder of its clones.
struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        for name in ["configuration", "code", "site"] {
            fs::create_dir(fixture.dir.path().join(name)).unwrap();
            fixture.git(name, &["init", "--quiet", "--initial-branch=main"]);
        }
        let website = "source: {github: {fullname: acme/site}}\n";
        fixture.push("configuration", "websites/front.yaml", website.as_bytes());
        fixture
    }

    fn git(&self, repository: &str, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(["-c", "commit.gpgsign=false", "-c", "core.compression=0"])
            .args(arguments)
            .current_dir(self.dir.path().join(repository))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
    }

    fn push(&self, repository: &str, path: &str, content: &[u8]) {
        let file = self.dir.path().join(repository).join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self.git(repository, &["add", "--all"]);
        self.git(repository, &["commit", "--quiet", "-m", path]);
    }

    fn source(&self, repository: &str) -> GitSource {
        let url = format!("file://{}", self.dir.path().join(repository).display());
        GitSource { url, credentials: GitCredentials::default() }
    }

    fn repositories(&self, limits: GitLimits) -> Repositories {
        let named = BTreeMap::from([("acme/site".to_owned(), self.source("site"))]);
        let project = FollowedProject {
            name: "shop".parse().unwrap(),
            source: Source::Git(self.source("configuration").url),
            branch: Branch::new("main"),
            poll: Duration::from_secs(5),
            credentials: GitCredentials::default(),
            others: OtherRepositories { code: Some(self.source("code")), named },
            ownership: crate::node_config::OwnershipRule::Trust,
        };
        let dir = self.dir.path().join("clones");
        Repositories { limits, ..Repositories::new(&project, dir) }
    }
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    rand::Rng::fill(&mut rand::rng(), &mut noise[..]);
    noise
}

#[test]
fn what_one_repository_gathered_leaves_room_for_the_next() {
    const MIB: usize = 1 << 20;
    let fixture = Fixture::new();
    fixture.push("site", "index.html", b"one");
    let limits = GitLimits { pack_bytes: 8 << 20, ..GitLimits::default() };
    let repositories = fixture.repositories(limits);
    // Four commits fill the room, and the clone is not yet made anew for it.
    for _ in 0..4 {
        fixture.push("code", "functions/hello/main.wasm", &noise(2 * MIB));
        assert!(repositories.look(None).unwrap().is_some());
    }
    fixture.push("site", "index.html", &noise(5 * MIB));
    let seen = repositories.look(None).unwrap().unwrap();
    let page = seen.tree.read("websites/front/index.html", 64 << 20).unwrap();
    assert_eq!(page.len(), 5 * MIB);
    let code = seen.tree.read("functions/hello/main.wasm", 64 << 20).unwrap();
    assert_eq!(code.len(), 2 * MIB);
    assert!(repositories.look(Some(&seen.commit)).unwrap().is_none(), "all of it is here");
}

#[test]
fn what_is_too_large_by_itself_is_refused_however_often_it_is_looked_at() {
    let fixture = Fixture::new();
    fixture.push("code", "functions/hello/main.wasm", b"code");
    fixture.push("site", "index.html", &noise(16 << 20));
    let limits = GitLimits { pack_bytes: 1 << 20, ..GitLimits::default() };
    let repositories = fixture.repositories(limits);
    for _ in 0..2 {
        let error = repositories.look(None).err().unwrap();
        assert!(error.is_too_large(), "{error:?}");
    }
}

#[test]
fn clones_of_different_repositories_and_branches_are_different_folders() {
    let name = |full_name, branch| clone_name(full_name, &Branch::new(branch));
    let names = [
        name("a/b", "main"),
        name("a-b", "main"),
        name("a/b", "ma/in"),
        name("a/b", "ma-in"),
        name("a/b-main", "x"),
        name("a/b", "main-x"),
    ];
    for (n, one) in names.iter().enumerate() {
        assert!(!names[..n].contains(one), "{one}");
        let (readable, digest) = one.rsplit_once('-').unwrap();
        assert!(readable.starts_with("a-b") && digest.parse::<Digest>().is_ok(), "{one}");
    }
    assert_eq!(
        name("Acme/Site", "main").rsplit('-').next(),
        name("acme/site", "main").rsplit('-').next()
    );
    assert!(name(&"x".repeat(1000), "main").len() < 255);
}
