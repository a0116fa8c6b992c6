//! Against real repositories, made by the `git` on this machine.

mod access;
mod hostile;
mod http_server;

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use headgate_types::{Branch, Timestamp};

use self::http_server::HttpServer;
use super::*;
use crate::tree::{EntryKind, ReadError, Tree};

/// An author's repository, a follower's folder.
struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(fixture.origin()).unwrap();
        fixture.git(&["init", "--quiet", "--initial-branch=main"]);
        fixture
    }

    /// With one commit of one file.
    fn with_commit() -> Self {
        let fixture = Self::new();
        fixture.commit("config.yaml", "id: 1");
        fixture
    }

    fn origin(&self) -> PathBuf {
        self.dir.path().join("origin")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com"])
            .args(["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.origin())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.origin().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit_all(&self, message: &str) -> Commit {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        Commit::new(&self.git(&["rev-parse", "HEAD"]))
    }

    fn commit(&self, path: &str, content: &str) -> Commit {
        self.write(path, content);
        self.commit_all(path)
    }

    fn url(&self) -> String {
        format!("file://{}", self.origin().display())
    }

    fn follow(&self, branch: &str) -> Repository {
        self.follow_within(branch, GitLimits::default())
    }

    fn follow_within(&self, branch: &str, limits: GitLimits) -> Repository {
        let remote = RemoteConfig::new(&self.url(), Branch::new(branch)).unwrap();
        Repository::open(&self.dir.path().join("state"), remote, limits).unwrap()
    }

    fn follow_remote(&self, remote: RemoteConfig) -> Repository {
        Repository::open(&self.dir.path().join("state"), remote, GitLimits::default()).unwrap()
    }

    fn clone_dir(&self) -> PathBuf {
        self.dir.path().join("state/clone.git")
    }

    fn packs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.clone_dir().join("objects/pack")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension() == Some("pack".as_ref())).collect()
    }
}

/// Bytes that do not compress, others for each `seed` (xorshift64).
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

fn paths(tree: &GitTree) -> Vec<&str> {
    tree.entries().iter().map(|entry| &*entry.path).collect()
}

fn read(repository: &Repository, commit: &Commit, path: &str) -> String {
    let bytes = repository.tree(commit).unwrap().read(path, 1 << 20).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_branch_is_cloned_and_followed() {
    let fixture = Fixture::with_commit();
    let first = fixture.commit("functions/ping.yaml", "one");
    let repository = fixture.follow("main");
    assert_eq!(repository.poll().unwrap(), RemoteHead { commit: first.clone(), fetched: false });
    assert_eq!(repository.fetch().unwrap(), first);
    assert_eq!(repository.poll().unwrap(), RemoteHead { commit: first.clone(), fetched: true });
    let tree = repository.tree(&first).unwrap();
    assert_eq!(paths(&tree), ["config.yaml", "functions/ping.yaml"]);
    assert_eq!(tree.read("functions/ping.yaml", 3).unwrap(), "one");
    assert!(matches!(tree.read("functions/ping.yaml", 2), Err(ReadError::TooLarge { .. })));

    let second = fixture.commit("functions/ping.yaml", "two");
    assert_eq!(repository.poll().unwrap(), RemoteHead { commit: second.clone(), fetched: false });
    assert_eq!(repository.fetch().unwrap(), second);
    assert_eq!(read(&repository, &second, "functions/ping.yaml"), "two");
    assert_eq!(read(&repository, &first, "functions/ping.yaml"), "one", "for a rollback");
    assert_eq!(repository.fetch().unwrap(), second, "nothing new is fine");
}

#[test]
fn a_reopened_clone_serves_without_the_remote() {
    let fixture = Fixture::with_commit();
    let commit = fixture.follow("main").fetch().unwrap();
    fs::remove_dir_all(fixture.origin()).unwrap();
    let repository = fixture.follow("main");
    assert_eq!(read(&repository, &commit, "config.yaml"), "id: 1");
    assert!(matches!(repository.poll(), Err(GitError::NoFolder { .. })));
    assert!(matches!(repository.fetch(), Err(GitError::NoFolder { .. })));
    assert_eq!(read(&repository, &commit, "config.yaml"), "id: 1", "a failed fetch takes nothing");
}

#[test]
fn equal_files_keep_their_fingerprint_across_commits() {
    let fixture = Fixture::with_commit();
    let (first, second) = (fixture.commit("a", "1"), fixture.commit("b", "2"));
    let repository = fixture.follow("main");
    fixture.git(&["branch", "old", first.as_str()]);
    assert_eq!(repository.fetch().unwrap(), second);
    let fingerprint =
        |commit, path| repository.tree(commit).unwrap().find(path).unwrap().fingerprint;
    let before = fingerprint(&second, "a");
    let third = fixture.commit("b", "3");
    repository.fetch().unwrap();
    assert_eq!(fingerprint(&third, "a"), before);
    assert_ne!(fingerprint(&third, "b"), fingerprint(&second, "b"));
}

#[test]
fn history_is_left_out() {
    let fixture = Fixture::with_commit();
    let early = fixture.commit("config.yaml", "id: 2");
    let latest = fixture.commit("config.yaml", "id: 3");
    let repository = fixture.follow("main");
    assert_eq!(repository.fetch().unwrap(), latest);
    assert!(
        matches!(repository.tree(&early), Err(GitError::NotFetched(commit)) if commit == early)
    );
}

#[test]
fn force_pushes_are_followed() {
    let fixture = Fixture::with_commit();
    fixture.commit("config.yaml", "id: 2");
    let repository = fixture.follow("main");
    repository.fetch().unwrap();
    fixture.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let rewritten = fixture.commit("config.yaml", "id: other");
    assert_eq!(repository.fetch().unwrap(), rewritten);
    assert_eq!(read(&repository, &rewritten, "config.yaml"), "id: other");

    fixture.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    let unrelated = fixture.commit("config.yaml", "id: unrelated");
    fixture.git(&["branch", "--force", "main", "fresh"]);
    assert_eq!(repository.fetch().unwrap(), unrelated);
    fixture.git(&["branch", "--force", "main", rewritten.as_str()]);
    assert_eq!(repository.fetch().unwrap(), rewritten, "and back");
}

#[test]
fn a_branch_that_is_gone_is_reported_with_those_there_are() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("release");
    fixture.git(&["branch", "release"]);
    let commit = repository.fetch().unwrap();
    fixture.git(&["branch", "-D", "release"]);
    fixture.git(&["branch", "feature/x"]);
    for error in [repository.poll().unwrap_err(), repository.fetch().unwrap_err()] {
        let expected = format!("{} has no branch `release`; it has feature/x, main", fixture.url());
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(read(&repository, &commit, "config.yaml"), "id: 1");
}

#[test]
fn an_empty_repository_has_no_branches_yet() {
    let error = Fixture::new().follow("main").poll().unwrap_err();
    assert!(error.to_string().ends_with("it has no branches yet"), "{error}");
}

#[test]
fn a_missing_repository_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let remote = RemoteConfig::new(missing.to_str().unwrap(), Branch::new("main")).unwrap();
    let state = dir.path().join("state");
    let repository = Repository::open(&state, remote, GitLimits::default()).unwrap();
    let error = repository.poll().unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` does not exist", missing.display()));

    fs::create_dir(&missing).unwrap();
    let error = repository.poll().unwrap_err();
    assert!(error.to_string().contains("is a folder and not a repository"), "{error}");
    assert!(error.to_string().contains("leave `branch` out"), "{error}");
}

/// Only root can give a folder away, and its owner may have told Git to trust it.
#[test]
fn a_repository_of_another_user_is_read_or_explained() {
    const ANOTHER: u32 = 12_345;
    let fixture = Fixture::with_commit();
    for path in [fixture.origin(), fixture.origin().join(".git")] {
        if std::os::unix::fs::chown(path, Some(ANOTHER), Some(ANOTHER)).is_err() {
            println!("not checked: this user cannot give a folder away");
            return;
        }
    }
    match fixture.follow("main").poll() {
        Ok(_) => {}
        Err(error) => assert!(matches!(error, GitError::Owner { .. }), "{error:?}"),
    }
}

#[test]
fn a_remote_that_does_not_answer_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{closed}/shop.git"), format!("ssh://git@{closed}/shop.git")] {
        let remote = RemoteConfig::new(&url, Branch::new("main")).unwrap();
        let repository = Repository::open(dir.path(), remote, GitLimits::default()).unwrap();
        for error in [repository.poll().unwrap_err(), repository.fetch().unwrap_err()] {
            let ssh_is_missing = matches!(error, GitError::NoProgram { program: "ssh", .. });
            let unreachable = matches!(error, GitError::Unreachable { .. });
            assert!(unreachable || ssh_is_missing, "{url}: {error:?}");
        }
    }
}

#[test]
fn a_branch_is_followed_over_http() {
    let fixture = Fixture::with_commit();
    let server = HttpServer::start(fixture.dir.path());
    let repository = server.follow(&fixture, "origin/.git");
    for content in ["id: 2", "id: 3"] {
        let commit = fixture.commit("config.yaml", content);
        assert_eq!(
            repository.poll().unwrap(),
            RemoteHead { commit: commit.clone(), fetched: false }
        );
        assert_eq!(repository.fetch().unwrap(), commit);
        assert_eq!(read(&repository, &commit, "config.yaml"), content);
    }
    fixture.git(&["branch", "--move", "trunk"]);
    let error = repository.fetch().unwrap_err().to_string();
    assert!(error.ends_with("has no branch `main`; it has trunk"), "{error}");
}

#[test]
fn links_and_submodules_are_listed_but_never_read() {
    let fixture = Fixture::with_commit();
    std::os::unix::fs::symlink("/etc/passwd", fixture.origin().join("passwd")).unwrap();
    let other = Fixture::with_commit();
    fixture.git(&["submodule", "--quiet", "add", &other.url(), "lib"]);
    fixture.write("run.sh", "#!");
    fixture.git(&["add", "run.sh"]);
    fixture.git(&["update-index", "--chmod=+x", "run.sh"]);
    fixture.git(&["commit", "--quiet", "--all", "-m", "kinds"]);
    fixture.git(&["add", "passwd"]);
    let commit = fixture.commit_all("link");
    let repository = fixture.follow("main");
    assert_eq!(repository.fetch().unwrap(), commit);
    let tree = repository.tree(&commit).unwrap();
    let kinds: Vec<_> = tree.entries().iter().map(|entry| (&*entry.path, entry.kind)).collect();
    assert_eq!(
        kinds,
        [
            (".gitmodules", EntryKind::File),
            ("config.yaml", EntryKind::File),
            ("lib", EntryKind::Submodule),
            ("passwd", EntryKind::Symlink),
            ("run.sh", EntryKind::File),
        ]
    );
    for path in ["lib", "passwd"] {
        assert!(matches!(tree.read(path, 1 << 20), Err(ReadError::NotAFile { .. })), "{path}");
    }
}

#[test]
fn a_commit_leaves_out_what_a_working_folder_leaves_out() {
    let fixture = Fixture::with_commit();
    for path in [
        "node_modules/x/index.js",
        ".idea/x",
        "target/CACHEDIR.TAG",
        "target/x",
        "site/.well-known/security.txt",
        "site/target/index.html",
    ] {
        fixture.write(path, "x");
    }
    fixture.commit_all("all");
    let repository = fixture.follow("main");
    let tree = repository.tree(&repository.fetch().unwrap()).unwrap();
    let kept = ["config.yaml", "site/.well-known/security.txt", "site/target/index.html"];
    assert_eq!(paths(&tree), kept);
    let now = Timestamp::from_millis(1 << 45);
    let folder =
        crate::tree::FolderTree::open(&fixture.origin(), &TreeLimits::default(), now).unwrap();
    let in_folder: Vec<_> = folder.entries().iter().map(|entry| &*entry.path).collect();
    assert_eq!(in_folder, kept);
}

#[test]
fn ten_thousand_files_are_listed_and_one_large_file_is_refused() {
    let fixture = Fixture::new();
    for n in 0..10_000 {
        fixture.write(&format!("site/{}/{n}.txt", n % 100), n.to_string());
    }
    fixture.write("large.bin", vec![0; 8 << 20]);
    let commit = fixture.commit_all("many");
    let repository = fixture.follow("main");
    repository.fetch().unwrap();
    let tree = repository.tree(&commit).unwrap();
    assert_eq!(tree.entries().len(), 10_001);
    assert_eq!(tree.find("large.bin").unwrap().size, 8 << 20);
    let refused = tree.read("large.bin", 1 << 20).unwrap_err();
    assert_eq!(refused.to_string(), "`large.bin` has 8MiB, over the limit of 1MiB");
    assert_eq!(tree.read("site/7/4207.txt", 9).unwrap(), "4207");
}

#[test]
fn trees_over_a_limit_are_refused_by_naming_the_path() {
    let fixture = Fixture::with_commit();
    let commit = fixture.commit("a/b/c", "1");
    let refused = |entries, depth| {
        let limits = GitLimits { tree: TreeLimits { entries, depth }, ..GitLimits::default() };
        let repository = fixture.follow_within("main", limits);
        assert_eq!(repository.fetch().unwrap(), commit, "fetching is not the problem");
        repository.tree(&commit).unwrap_err().to_string()
    };
    assert!(refused(1, 9).contains("more than 1 files or folders, `a/b`"), "{}", refused(1, 9));
    assert!(refused(9, 1).contains("`a/b` lies more than 1 folders deep"), "{}", refused(9, 1));
}

#[test]
fn a_fetch_over_the_limits_ends() {
    let fixture = Fixture::with_commit();
    let noise: Vec<u8> =
        (0..2u32 << 20).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fixture.write("noise.bin", noise);
    fixture.commit_all("noise");
    let small = GitLimits { object_bytes: 1 << 20, ..GitLimits::default() };
    let error = fixture.follow_within("main", small).fetch().unwrap_err();
    assert!(matches!(error, GitError::TooLarge { limit: 1_048_576, .. }), "{error:?}");

    let repository = fixture.follow("main");
    repository.interrupt();
    assert!(matches!(repository.fetch(), Err(GitError::Interrupted)));
    assert!(matches!(repository.poll(), Err(GitError::Interrupted)));
}

#[test]
fn a_damaged_clone_is_made_again() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("main");
    let commit = repository.fetch().unwrap();
    let truncate = |path: &Path| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "to break our own test file")]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).unwrap();
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    let damages: [(&str, &dyn Fn()); 6] = [
        ("HEAD", &|| fs::write(fixture.clone_dir().join("HEAD"), "\0\0\0").unwrap()),
        ("no HEAD", &|| fs::remove_file(fixture.clone_dir().join("HEAD")).unwrap()),
        ("config", &|| fs::write(fixture.clone_dir().join("config"), "[core\n\0").unwrap()),
        ("no objects", &|| fs::remove_dir_all(fixture.clone_dir().join("objects")).unwrap()),
        ("pack", &|| fixture.packs().iter().for_each(|path| truncate(path))),
        ("index", &|| {
            fixture.packs().iter().for_each(|path| truncate(&path.with_extension("idx")));
        }),
    ];
    for (what, damage) in damages {
        damage();
        let repository = fixture.follow("main");
        assert_eq!(repository.fetch().unwrap(), commit, "{what}");
        assert_eq!(read(&repository, &commit, "config.yaml"), "id: 1", "{what}");
    }
}

#[test]
fn a_blob_found_damaged_makes_the_next_fetch_start_over() {
    let fixture = Fixture::new();
    fixture.write("a", "a".repeat(1 << 16));
    let commit = fixture.commit_all("blob");
    let repository = fixture.follow("main");
    repository.fetch().unwrap();
    let tree = repository.tree(&commit).unwrap();
    // The blob itself is replaced by another object; everything that leads to it is fine.
    let [pack] = &fixture.packs()[..] else { panic!("one pack") };
    let kept = fixture.dir.path().join("kept.pack");
    fs::rename(pack, &kept).unwrap();
    fs::remove_file(pack.with_extension("idx")).unwrap();
    let origin_objects = fixture.origin().join(".git/objects");
    for object in [commit.as_str().to_owned(), fixture.git(&["rev-parse", "HEAD^{tree}"])] {
        let folder = fixture.clone_dir().join("objects").join(&object[..2]);
        fs::create_dir_all(&folder).unwrap();
        let loose = origin_objects.join(&object[..2]).join(&object[2..]);
        fs::copy(loose, folder.join(&object[2..])).unwrap();
    }
    drop(tree);
    let repository = fixture.follow("main");
    assert!(matches!(repository.tree(&commit), Err(GitError::Damaged { .. })));
    assert!(!repository.poll().unwrap().fetched, "so that someone fetches");
    assert_eq!(repository.fetch().unwrap(), commit);
    assert_eq!(read(&repository, &commit, "a").len(), 1 << 16);
}

#[test]
fn a_damaged_remote_takes_nothing_from_the_clone() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("main");
    let commit = repository.fetch().unwrap();
    fixture.commit("config.yaml", "id: 2");
    fs::remove_dir_all(fixture.origin().join(".git/objects")).unwrap();
    fs::create_dir(fixture.origin().join(".git/objects")).unwrap();
    assert!(repository.fetch().is_err());
    assert_eq!(read(&repository, &commit, "config.yaml"), "id: 1");
    assert!(!fixture.dir.path().join("state/clone.next").exists());
}

#[test]
fn leftovers_of_a_killed_fetch_do_not_stop_the_next() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("main");
    repository.fetch().unwrap();
    let clone = fixture.clone_dir();
    for leftover in [
        "HEAD.lock",
        "shallow.lock",
        "packed-refs.lock",
        "refs/heads/main.lock",
        "objects/pack/.tmpAbC",
        "objects/pack/pack-1234.pack",
        "objects/pack/pack-5678.idx",
    ] {
        fs::write(clone.join(leftover), "half").unwrap();
    }
    let commit = fixture.commit("config.yaml", "id: 2");
    let repository = fixture.follow("main");
    assert_eq!(repository.fetch().unwrap(), commit);
    assert_eq!(read(&repository, &commit, "config.yaml"), "id: 2");
    assert!(!clone.join("objects/pack/.tmpAbC").exists());
    assert!(!clone.join("refs/heads/main.lock").exists());
}

#[test]
fn a_clone_worn_by_many_fetches_is_made_anew() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("main");
    let mut most = 0;
    for n in 0..55 {
        let commit = fixture.commit("config.yaml", &n.to_string());
        assert_eq!(repository.fetch().unwrap(), commit);
        most = most.max(fixture.packs().len());
    }
    assert!((40..=52).contains(&most), "{most} packs");
    assert!(fixture.packs().len() < 10);
}

#[test]
fn a_clone_worn_by_large_fetches_is_made_anew() {
    let fixture = Fixture::new();
    let limits = GitLimits { pack_bytes: 1 << 20, ..GitLimits::default() };
    let repository = fixture.follow_within("main", limits);
    let (mut most, mut sizes) = (0, Vec::new());
    for n in 0..8 {
        fixture.write("noise.bin", noise(n, 300 << 10));
        let commit = fixture.commit_all("noise");
        assert_eq!(repository.fetch().unwrap(), commit);
        most = most.max(repository.bytes());
        sizes.push(fixture.packs().len());
    }
    assert_eq!(sizes, [1, 2, 3, 1, 2, 3, 1, 2]);
    assert!(most < 1 << 20, "{most} bytes");
}

#[test]
fn a_large_repository_is_not_worn_by_being_large() {
    let fixture = Fixture::new();
    fixture.write("noise.bin", noise(0, 900 << 10));
    fixture.commit_all("noise");
    let limits = GitLimits { pack_bytes: 1 << 20, ..GitLimits::default() };
    let repository = fixture.follow_within("main", limits);
    for n in 1..5 {
        repository.fetch().unwrap();
        assert_eq!(fixture.packs().len(), n);
        fixture.commit("config.yaml", &n.to_string());
    }
}

#[test]
fn only_a_clone_that_has_gathered_something_starts_over() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("main");
    repository.fetch().unwrap();
    assert!(!repository.start_over(), "it would be as large as it is");
    let commit = fixture.commit("config.yaml", "2");
    repository.fetch().unwrap();
    assert!(repository.start_over());
    assert!(!repository.start_over(), "it is going to already");
    assert_eq!(repository.poll().unwrap(), RemoteHead { commit: commit.clone(), fetched: false });
    assert_eq!(repository.fetch().unwrap(), commit);
    assert_eq!(fixture.packs().len(), 1);
    assert_eq!(repository.poll().unwrap(), RemoteHead { commit, fetched: true });
}

#[test]
fn a_commit_tells_who_made_it_when_and_why() {
    let fixture = Fixture::with_commit();
    fixture.commit_all("Open the shop\n\nwith \x1b[31mcare");
    let repository = fixture.follow("main");
    let info = repository.commit_info(&repository.fetch().unwrap()).unwrap();
    assert_eq!((info.author.as_str(), info.subject.as_str()), ("Ada Lovelace", "Open the shop"));
    assert_eq!(info.time.to_string(), "2026-01-02T03:04:05.000Z");
    assert!(matches!(repository.commit_info(&Commit::new("0123")), Err(GitError::NotFetched(_))));
}

#[test]
fn a_poll_transfers_nothing() {
    let fixture = Fixture::with_commit();
    let repository = fixture.follow("main");
    let started = Instant::now();
    repository.poll().unwrap();
    assert!(fixture.packs().is_empty());
    assert!(started.elapsed() < GitLimits::default().time);
}
