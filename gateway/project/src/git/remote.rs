//! `RemoteConfig`: which branch of which repository, and how to be let in.

use std::{
    fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use gix::url::Scheme;
use headgate_types::Branch;

use super::{GitError, is_branch_name};

/// What stands in for credentials wherever a URL is shown.
const REDACTED: &str = "[redacted]";

/// Given where a server wants a user name beside a token and none is configured; GitHub asks for it,
/// GitLab and Gitea take any.
const TOKEN_USER: &str = "x-access-token";

/// A branch of a remote repository. `Display` and `Debug` show no credentials.
#[derive(Clone)]
pub struct RemoteConfig {
    /// Without credentials; a user name stays for ssh.
    pub(super) url: gix::Url,
    shown: Box<str>,
    pub(super) branch: Branch,
    /// From the URL.
    credentials: Option<Credentials>,
    username: Option<Box<str>>,
    token_file: Option<PathBuf>,
    ssh_key: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
}

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl RemoteConfig {
    /// `url` may be `https://`, `ssh://`, `user@host:path`, `file://` or a path; `http://` too, but
    /// with credentials only where nothing leaves this machine. A token may stand in it
    /// (`https://TOKEN@host/…`), a file is the better place.
    ///
    /// # Errors
    /// [`GitError::Url`] or [`GitError::BranchName`], neither showing what may be a secret.
    pub fn new(url: &str, branch: Branch) -> Result<Self, GitError> {
        let refused = |why| GitError::Url { url: redact(url), why };
        let mut parsed = gix::url::parse(url).map_err(|_| refused("it cannot be parsed"))?;
        if !is_branch_name(branch.as_str()) {
            return Err(GitError::BranchName { branch });
        }
        let credentials = match &parsed.scheme {
            Scheme::Https | Scheme::Http => take_credentials(&mut parsed),
            Scheme::Ssh if parsed.password().is_some() => {
                return Err(refused("ssh takes a key, not a password; remove it from the URL"));
            }
            Scheme::Ssh | Scheme::File => None,
            _ => return Err(refused("use https, ssh or a path")),
        };
        if credentials.is_some() && !takes_token(&parsed) {
            return Err(refused("credentials are not sent over plain http; use https"));
        }
        let shown = match &credentials {
            Some(_) => redact(url),
            None => redact(&parsed.to_bstring().to_string()),
        };
        Ok(Self {
            url: parsed,
            shown: shown.into(),
            branch,
            credentials,
            username: None,
            token_file: None,
            ssh_key: None,
            known_hosts: None,
        })
    }

    /// Reads `TOKEN` or `user:TOKEN` from a file before each connection over https, so that it can be
    /// renewed while we run. Other URLs have no use for it.
    #[must_use]
    pub fn with_token_file(self, path: &Path) -> Self {
        Self { token_file: Some(path.to_owned()), ..self }
    }

    /// The user beside the token, so that the file holds nothing but that.
    #[must_use]
    pub fn with_username(self, name: &str) -> Self {
        Self { username: Some(name.into()), ..self }
    }

    /// Uses this private key for ssh and no other.
    #[must_use]
    pub fn with_ssh_key(self, path: &Path) -> Self {
        Self { ssh_key: Some(path.to_owned()), ..self }
    }

    /// Trusts the ssh host keys of this file instead of those of `~/.ssh/known_hosts`.
    #[must_use]
    pub fn with_known_hosts(self, path: &Path) -> Self {
        Self { known_hosts: Some(path.to_owned()), ..self }
    }

    pub fn branch(&self) -> &Branch {
        &self.branch
    }

    /// The repository's folder, if it is one on this machine.
    pub(super) fn local_path(&self) -> Option<PathBuf> {
        let path = self.url.path.clone();
        (self.url.scheme == Scheme::File).then(|| gix::path::from_bstring(path).ok()).flatten()
    }

    /// Whether a token may be shown to it: over https, or over http to this machine itself.
    pub fn takes_token(&self) -> bool {
        takes_token(&self.url)
    }

    pub fn is_ssh(&self) -> bool {
        self.url.scheme == Scheme::Ssh
    }

    /// Whether both are on one host, which may see the same credentials.
    pub fn is_of_host(&self, other: &Self) -> bool {
        let host = |remote: &Self| (remote.url.host().map(str::to_lowercase), remote.url.port);
        self.url.scheme == other.url.scheme && host(self) == host(other)
    }

    pub(super) fn is_http(&self) -> bool {
        matches!(self.url.scheme, Scheme::Https | Scheme::Http)
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.url.scheme, Scheme::Https | Scheme::Ssh)
    }

    pub(super) fn host(&self) -> &str {
        self.url.host().unwrap_or("localhost")
    }

    /// What to show to an https server, if anything.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, GitError> {
        let Some(path) = self.token_file.as_ref().filter(|_| self.takes_token()) else {
            return Ok(self.credentials.clone());
        };
        let content = fs::read_to_string(path)
            .map_err(|source| GitError::TokenFile { path: path.clone(), source })?;
        let content = content.trim();
        let (user, password) = match &self.username {
            Some(username) => (&**username, content),
            None => content.split_once(':').unwrap_or((TOKEN_USER, content)),
        };
        Ok(Some(Credentials { user: user.to_owned(), password: password.to_owned() }))
    }

    pub(super) fn ssh_port(&self) -> u16 {
        self.url.port.unwrap_or(22)
    }

    /// Where ssh looks for host keys, in words.
    pub(super) fn known_hosts(&self) -> String {
        match &self.known_hosts {
            Some(path) => path.display().to_string(),
            None => "`~/.ssh/known_hosts` of the user that headgate runs as".to_owned(),
        }
    }

    /// The command line gix runs for ssh, which it gives to a shell. What ssh has to say goes into
    /// `errors` instead of our terminal. gix waits for ssh however long that takes, so it has a limit.
    pub(super) fn ssh_command(&self, errors: &Path, limit: Duration) -> String {
        // Never ask anyone anything; notice within a minute that the other side is gone.
        let mut command = format!(
            "timeout {} ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10 \
             -o ServerAliveInterval=15 -o ServerAliveCountMax=3",
            limit.as_secs().max(1)
        );
        if let Some(key) = &self.ssh_key {
            command += &format!(" -o IdentitiesOnly=yes -i {}", shell_quoted(key));
        }
        if let Some(known_hosts) = &self.known_hosts {
            let option = format!("UserKnownHostsFile={}", known_hosts.display());
            command += &format!(" -o {}", shell_quoted(Path::new(&option)));
        }
        command + &format!(" 2>{}", shell_quoted(errors))
    }
}

impl fmt::Display for RemoteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RemoteConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConfig")
            .field("url", &self.shown)
            .field("branch", &self.branch)
            .finish_non_exhaustive()
    }
}

fn takes_token(url: &gix::Url) -> bool {
    let is_here = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    match url.scheme {
        Scheme::Https => true,
        Scheme::Http => url.host().is_some_and(is_here),
        _ => false,
    }
}

/// Moves user and password out of a URL. A user alone is a token.
fn take_credentials(url: &mut gix::Url) -> Option<Credentials> {
    let password = url.set_password(None);
    let user = url.set_user(None)?;
    Some(match password {
        Some(password) => Credentials { user, password },
        None => Credentials { user: TOKEN_USER.to_owned(), password: user },
    })
}

/// Hides what may be a secret in a URL that may not even be one: all before the `@` of its authority,
/// unless that is the plain user name of an ssh URL, and all after a `?`.
fn redact(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?[redacted]"));
    let Some((scheme, rest)) = url.split_once("://") else {
        return format!("{url}{query}"); // a path or `user@host:path`, which has no place for a secret
    };
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let Some(at) = authority.rfind('@') else { return format!("{url}{query}") };
    let user = &authority[..at];
    if scheme == "ssh" && !user.contains(':') {
        return format!("{url}{query}");
    }
    format!("{scheme}://{REDACTED}{}{query}", &rest[at..])
}

fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> RemoteConfig {
        RemoteConfig::new(url, Branch::new("main")).unwrap()
    }

    #[test]
    fn credentials_are_shown_nowhere() {
        for url in [
            "https://s3cret@github.com/acme/shop",
            "https://bob:s3cret@github.com/acme/shop",
            "https://github.com/acme/shop?token=s3cret",
        ] {
            let remote = remote(url);
            for text in [remote.to_string(), format!("{remote:?}"), format!("{remote:#?}")] {
                assert!(!text.contains("s3cret") && !text.contains("bob"), "{text}");
                assert!(text.contains("github.com/acme/shop"), "{text}");
            }
        }
        for url in ["http://s3cret@host/x", "ssh://bob:s3cret@host/x", "ftp://s3cret@host/x"] {
            let error = RemoteConfig::new(url, Branch::new("main")).unwrap_err();
            assert!(matches!(error, GitError::Url { .. }));
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn a_token_comes_from_the_url_or_from_a_file_that_may_change() {
        let pair = |remote: &RemoteConfig| {
            remote.credentials().unwrap().map(|found| (found.user, found.password))
        };
        let of = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(pair(&remote("https://host/x")), None);
        assert_eq!(pair(&remote("https://tok@host/x")), of(TOKEN_USER, "tok"));
        assert_eq!(pair(&remote("https://bob:p%40ss@host/x")), of("bob", "p@ss"));

        let file = tempfile::NamedTempFile::new().unwrap();
        let configured = remote("https://tok@host/x").with_token_file(file.path());
        fs::write(file.path(), "first\n").unwrap();
        assert_eq!(pair(&configured), of(TOKEN_USER, "first"));
        fs::write(file.path(), "oauth2:second\n").unwrap();
        assert_eq!(pair(&configured), of("oauth2", "second"));
        let named = remote("https://host/x").with_token_file(file.path()).with_username("bob");
        assert_eq!(pair(&named), of("bob", "oauth2:second"));
        file.close().unwrap();
        assert!(matches!(configured.credentials(), Err(GitError::TokenFile { .. })));
    }

    #[test]
    fn a_token_is_shown_over_http_to_this_machine_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "token").unwrap();
        for (url, shown) in [
            ("http://127.0.0.1:80/x", true),
            ("http://[::1]/x", true),
            ("http://localhost/x", true),
            ("https://host/x", true),
            ("http://host/x", false),
            ("http://127.0.0.1.example.com/x", false),
            ("ssh://host/x", false),
            ("/srv/x", false),
        ] {
            let configured = remote(url).with_token_file(file.path());
            assert_eq!(configured.credentials().unwrap().is_some(), shown, "{url}");
            assert_eq!(configured.takes_token(), shown, "{url}");
        }
    }

    #[test]
    fn hosts_are_the_same_by_scheme_name_and_port() {
        let home = remote("https://git.example.com/acme/shop");
        for (url, same) in [
            ("https://GIT.example.com/acme/site", true),
            ("https://git.example.com:8443/acme/site", false),
            ("https://example.com/acme/site", false),
            ("ssh://git.example.com/acme/site", false),
        ] {
            assert_eq!(home.is_of_host(&remote(url)), same, "{url}");
        }
    }

    #[test]
    fn the_ssh_command_asks_nobody_and_quotes_paths() {
        let remote = remote("git@host:acme/shop.git").with_ssh_key(Path::new("/etc/it's mine"));
        assert_eq!(remote.to_string(), "git@host:acme/shop.git");
        let command = remote.ssh_command(Path::new("/state/errors"), Duration::from_secs(60));
        assert!(command.starts_with("timeout 60 ssh "), "{command}");
        assert!(command.contains("BatchMode=yes") && command.contains("StrictHostKeyChecking=yes"));
        assert!(command.contains(r"-o IdentitiesOnly=yes -i '/etc/it'\''s mine'"), "{command}");
        assert!(command.ends_with("2>'/state/errors'"), "{command}");
    }

    #[test]
    fn branch_names_git_would_refuse_are_refused() {
        for branch in ["", "a b", "a..b", "-/..", "x.lock", "a\nb"] {
            let refused = RemoteConfig::new("/srv/shop", Branch::new(branch));
            assert!(matches!(refused, Err(GitError::BranchName { .. })), "{branch:?}");
        }
    }
}
