//! Being let in, by servers as they are: over HTTP with a password, over ssh with a deploy key.

use std::{
    net::{TcpListener, TcpStream},
    process::Child,
    thread,
};

use super::*;

#[test]
fn a_server_that_wants_a_password_is_told_from_one_that_has_nothing() {
    let fixture = Fixture::with_commit();
    let server = HttpServer::start(fixture.dir.path());
    let refused = server.follow(&fixture, "secret/origin/.git").fetch().unwrap_err();
    assert!(matches!(refused, GitError::Refused { .. }), "{refused:?}");
    assert!(refused.to_string().contains("`token_file`"), "{refused}");
    let gone = server.follow(&fixture, "gone.git").fetch().unwrap_err();
    assert!(matches!(gone, GitError::NoRepository { .. }), "{gone:?}");
}

#[test]
fn a_token_or_a_user_and_a_password_open_a_server() {
    let fixture = Fixture::with_commit();
    let server = HttpServer::start(fixture.dir.path());
    let file = fixture.dir.path().join("token");
    let follow = |username: Option<&str>, content: &str| {
        fs::write(&file, content).unwrap();
        let remote = server.remote("secret/origin/.git").with_token_file(&file);
        let remote = username.into_iter().fold(remote, RemoteConfig::with_username);
        fixture.follow_remote(remote)
    };
    for (username, content) in [(None, "s3cret\n"), (None, "ada:s3cret"), (Some("ada"), "s3cret\n")]
    {
        let commit = fixture.commit("config.yaml", content);
        let repository = follow(username, content);
        assert_eq!(repository.fetch().unwrap(), commit, "{username:?} {content}");
        assert_eq!(read(&repository, &commit, "config.yaml"), content);
    }
    for (username, content) in [(None, "wrong"), (Some("bob"), "s3cret")] {
        let refused = follow(username, content).poll().unwrap_err();
        assert!(matches!(refused, GitError::Refused { .. }), "{refused:?}");
        assert!(!format!("{refused:?}").contains("s3cret"), "{refused:?}");
    }
    let renewed = follow(None, "wrong");
    assert!(renewed.poll().is_err());
    fs::write(&file, "s3cret").unwrap();
    assert!(renewed.poll().is_ok(), "the file is read again");
}

/// One exchange of capabilities, which HTTP asks for, and one of refs; nothing else, and nothing long.
#[test]
fn an_unchanged_branch_costs_one_list_of_refs_and_no_objects() {
    let fixture = Fixture::new();
    fixture.write("noise", (0..100_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    fixture.commit_all("large");
    for n in 0..100 {
        fixture.git(&["branch", &format!("other-{n}")]);
    }
    let server = HttpServer::start(fixture.dir.path());
    let file = fixture.dir.path().join("token");
    fs::write(&file, "s3cret").unwrap();
    let open = server.remote("origin/.git");
    let secret = server.remote("secret/origin/.git").with_token_file(&file);
    for remote in [open, secret] {
        let repository = fixture.follow_remote(remote);
        repository.fetch().unwrap();
        server.exchanges();
        for _ in 0..3 {
            assert!(repository.poll().unwrap().fetched);
            let exchanges = server.exchanges();
            let what: Vec<_> = exchanges.iter().map(|exchange| &*exchange.what).collect();
            assert_eq!(what, ["handshake", "ls-refs"], "{exchanges:?}");
            assert!(exchanges.iter().all(|exchange| exchange.status == "200 OK"), "{exchanges:?}");
            let bytes: usize = exchanges.iter().map(|exchange| exchange.bytes).sum();
            assert!(bytes < 2000, "{exchanges:?}");
        }
    }
    assert_eq!(fixture.packs().len(), 1);
}

#[test]
fn a_list_of_refs_without_an_end_is_not_read_to_it() {
    let fixture = Fixture::with_commit();
    let server = HttpServer::start(fixture.dir.path());
    let repository = server.follow(&fixture, "endless.git");
    for error in [repository.poll().unwrap_err(), repository.fetch_within(1 << 20).unwrap_err()] {
        assert!(matches!(error, GitError::TooLarge { .. }), "{error:?}");
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x.git", silent.local_addr().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let remote = RemoteConfig::new(&url, Branch::new("main")).unwrap();
    let repository = Repository::open(dir.path(), remote, GitLimits::default()).unwrap();
    let started = Instant::now();
    let error = repository.poll().unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
}

#[test]
fn a_deploy_key_opens_an_ssh_server_whose_host_key_is_known() {
    let fixture = Fixture::with_commit();
    let Some(server) = SshServer::start(fixture.dir.path()) else { return };
    let url =
        format!("ssh://{}@127.0.0.1:{}{}", server.user, server.port, fixture.origin().display());
    let remote = || RemoteConfig::new(&url, Branch::new("main")).unwrap();
    let keys = fixture.dir.path();
    let known = || remote().with_known_hosts(&keys.join("known_hosts"));
    let repository = fixture.follow_remote(known().with_ssh_key(&keys.join("deploy")));
    for content in ["id: 2", "id: 3"] {
        let commit = fixture.commit("config.yaml", content);
        assert_eq!(repository.poll().unwrap().commit, commit);
        assert_eq!(repository.fetch().unwrap(), commit);
        assert_eq!(read(&repository, &commit, "config.yaml"), content);
    }

    let stranger = fixture.follow_remote(known().with_ssh_key(&keys.join("stranger")));
    let refused = stranger.poll().unwrap_err();
    assert!(matches!(refused, GitError::Refused { .. }), "{refused:?}");
    assert!(refused.to_string().contains("`ssh_key`"), "{refused}");

    fs::write(keys.join("no_hosts"), "").unwrap();
    let distrusting = remote().with_known_hosts(&keys.join("no_hosts"));
    let distrusting = fixture.follow_remote(distrusting.with_ssh_key(&keys.join("deploy")));
    let unknown = distrusting.poll().unwrap_err();
    assert!(matches!(unknown, GitError::HostKey { .. }), "{unknown:?}");
}

/// A real `sshd` with a host key of its own, which lets in the key `deploy` of its folder and not `stranger`.
struct SshServer {
    process: Child,
    port: u16,
    user: String,
}

const SSHD: &str = "/usr/sbin/sshd";

impl SshServer {
    /// `None`, loudly, where there is no sshd.
    fn start(dir: &Path) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            println!("NOT CHECKED: there is no {SSHD}; install openssh-server");
            return None;
        }
        for key in ["host", "deploy", "stranger"] {
            let file = dir.join(key);
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]);
        }
        fs::copy(dir.join("deploy.pub"), dir.join("authorized")).unwrap();
        if rustix::process::geteuid().is_root() {
            // sshd wants it when it is started by root, and leaves it empty.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/authorized\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             PermitRootLogin prohibit-password\nAcceptEnv GIT_PROTOCOL\n",
            dir = dir.display()
        );
        fs::write(dir.join("sshd_config"), config).unwrap();
        let host = fs::read_to_string(dir.join("host.pub")).unwrap();
        fs::write(dir.join("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        let log = fs::File::create(dir.join("sshd.log")).unwrap();
        let process = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { process, port, user: run("id", &["-un"]) };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(dir.join("sshd.log")).unwrap();
            assert!(server.process.try_wait().unwrap().is_none(), "sshd ended: {}", log());
            assert!(Instant::now() < deadline, "sshd does not listen: {}", log());
            thread::yield_now();
        }
        Some(server)
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
