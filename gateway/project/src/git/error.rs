//! What can go wrong with a remote, told so that its owner knows what to do.

use std::{error::Error, fmt, io, os::unix::fs::MetadataExt, path::PathBuf};

use headgate_types::{Branch, ByteSize, Chain, Commit};

use super::{GitLimits, RemoteConfig, clone::MAX_BRANCHES_SHOWN};

/// Why a branch cannot be followed. No variant shows credentials.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("`{url}` is not a Git URL we follow: {why}")]
    Url { url: String, why: &'static str },
    #[error("`{branch}` is not a branch name")]
    BranchName { branch: Branch },
    #[error("failed to read the token file `{}`", path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("failed to use the folder `{}`", dir.display())]
    Folder { dir: PathBuf, source: io::Error },
    #[error("{url} has no branch `{branch}`; {}", Listed(branches))]
    NoBranch { url: String, branch: Branch, branches: Vec<String> },
    #[error(
        "`{}` is a folder and not a repository, so it has no branches: leave `branch` out to serve it \
         as it lies there, or run `git init` in it and commit",
        path.display()
    )]
    PlainFolder { path: PathBuf },
    #[error("`{}` does not exist", path.display())]
    NoFolder { path: PathBuf },
    #[error("{url} is not a repository, or these credentials may not see it")]
    NoRepository { url: String, source: RemoteCause },
    #[error("{url} does not let us in: {hint}")]
    Refused { url: String, hint: &'static str, source: RemoteCause },
    #[error(
        "the ssh host key of {host} is not trusted: compare what `ssh-keyscan -p {port} {host}` says with \
         the one its owner publishes, and append that to {known_hosts}"
    )]
    HostKey { host: String, port: u16, known_hosts: String, source: RemoteCause },
    #[error(
        "{host} shows another ssh host key than the one in {known_hosts}, as somebody in between would: only \
         if its owner says that it was changed, take the old one out and add the new one"
    )]
    HostKeyChanged { host: String, known_hosts: String, source: RemoteCause },
    #[error(
        "`{}` belongs to another user, and Git reads it only after `git config --global --add \
         safe.directory {}`",
        path.display(),
        path.display()
    )]
    Owner { path: PathBuf, source: RemoteCause },
    #[error("`{program}` is not installed, and {url} needs it")]
    NoProgram { program: &'static str, url: String },
    #[error("{url} cannot be reached")]
    Unreachable { url: String, source: RemoteCause },
    #[error("{url} took longer than {limit:?}; it is tried again")]
    TimedOut { url: String, limit: std::time::Duration },
    #[error(
        "{url} is over the limit of {}: keep large files elsewhere, or follow a smaller repository",
        ByteSize::from_bytes(*.limit)
    )]
    TooLarge { url: String, limit: u64 },
    #[error("interrupted")]
    Interrupted,
    #[error("the disk is full")]
    Full { source: RemoteCause },
    #[error("failed to fetch from {url}; it is tried again")]
    Failed { url: String, source: RemoteCause },
    #[error("commit {} is not in the clone; the next look fetches it", .0.fmt_short())]
    NotFetched(Commit),
    /// The next fetch clones again.
    #[error("the clone is damaged; the next look clones again")]
    Damaged { source: RemoteCause },
    #[error("commit {} cannot be served: {why}", commit.fmt_short())]
    Tree { commit: Commit, why: String },
}

/// The cause as text. The original may carry the URL with its credentials in fields of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RemoteCause(pub(super) String);

impl RemoteCause {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        Self(Chain(error).to_string())
    }
}

/// A failure as it happened, before it is explained.
#[derive(Debug)]
pub(super) enum Failure {
    Explained(GitError),
    Interrupted,
    TimedOut,
    TooLarge,
    NoBranch(Vec<String>),
    /// In talking to the remote or receiving from it, with what ssh said.
    Remote {
        error: gix::Error,
        ssh: String,
    },
    /// In the clone itself.
    Clone(RemoteCause),
}

impl Failure {
    pub(super) fn clone(error: &(dyn Error + 'static)) -> Self {
        Self::Clone(RemoteCause::of(error))
    }

    /// Whether starting over with an empty clone may help.
    pub(super) fn may_be_the_clone(&self) -> bool {
        match self {
            Self::Clone(_) => true,
            Self::Remote { error, ssh } => Reason::of(error, ssh) == Reason::Other,
            _ => false,
        }
    }

    pub(super) fn explain(self, remote: &RemoteConfig, limits: &GitLimits) -> GitError {
        let url = remote.to_string();
        match self {
            Self::Explained(error) => error,
            Self::Interrupted => GitError::Interrupted,
            Self::TimedOut => GitError::TimedOut { url, limit: limits.time },
            Self::TooLarge => GitError::TooLarge { url, limit: limits.pack_bytes },
            Self::NoBranch(branches) => {
                GitError::NoBranch { url, branch: remote.branch.clone(), branches }
            }
            Self::Clone(source) => GitError::Damaged { source },
            Self::Remote { error, ssh } => {
                let reason = Reason::of(&error, &ssh);
                let ssh = ssh.trim();
                let text = if ssh.is_empty() { Chain(&error).to_string() } else { ssh.to_owned() };
                explain_remote(reason, RemoteCause(text), url, remote, limits)
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { error, .. } => Chain(error).fmt(f),
            Self::Clone(cause) => cause.fmt(f),
            other => fmt::Debug::fmt(other, f),
        }
    }
}

fn explain_remote(
    reason: Reason,
    source: RemoteCause,
    url: String,
    remote: &RemoteConfig,
    limits: &GitLimits,
) -> GitError {
    // What `git-upload-pack` says of it reaches nobody: it just ends.
    if let (Reason::Other | Reason::Unreachable, Some(path)) = (reason, owned_by_another(remote)) {
        return GitError::Owner { path, source };
    }
    match reason {
        Reason::HostKey => GitError::HostKey {
            host: remote.host().to_owned(),
            port: remote.ssh_port(),
            known_hosts: remote.known_hosts(),
            source,
        },
        Reason::HostKeyChanged => GitError::HostKeyChanged {
            host: remote.host().to_owned(),
            known_hosts: remote.known_hosts(),
            source,
        },
        Reason::Refused => GitError::Refused { url, hint: access_hint(remote), source },
        Reason::NoRepository => match remote.local_path() {
            Some(path) if path.is_dir() => GitError::PlainFolder { path },
            _ => GitError::NoRepository { url, source },
        },
        Reason::NoProgram => {
            let program = if remote.is_ssh() { "ssh" } else { "git" };
            GitError::NoProgram { program, url }
        }
        Reason::Unreachable => GitError::Unreachable { url, source },
        Reason::ObjectTooLarge => GitError::TooLarge { url, limit: limits.object_bytes },
        Reason::DiskFull => GitError::Full { source },
        Reason::Other => GitError::Failed { url, source },
    }
}

/// The remote's folder, if it is one on this machine that is not ours.
fn owned_by_another(remote: &RemoteConfig) -> Option<PathBuf> {
    let path = remote.local_path()?;
    let owner = path.metadata().ok()?.uid();
    (owner != rustix::process::geteuid().as_raw()).then_some(path)
}

fn access_hint(remote: &RemoteConfig) -> &'static str {
    if remote.is_ssh() {
        "give a key that may read it (`ssh_key`), without a passphrase or with an agent"
    } else {
        "give a token that may read it (`token_file`)"
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    HostKey,
    HostKeyChanged,
    Refused,
    NoRepository,
    NoProgram,
    Unreachable,
    ObjectTooLarge,
    DiskFull,
    Other,
}

impl Reason {
    fn of(error: &gix::Error, ssh: &str) -> Self {
        Self::of_ssh(ssh).unwrap_or_else(|| Self::of_gix(error))
    }

    /// ssh ends with 255 whatever happened; only its words tell.
    fn of_ssh(said: &str) -> Option<Self> {
        let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
        if has(&["IDENTIFICATION HAS CHANGED"]) {
            Some(Self::HostKeyChanged)
        } else if has(&["Host key verification failed", "host key is known"]) {
            Some(Self::HostKey)
        } else if has(&["ssh: not found", "command not found", "failed to run command"]) {
            Some(Self::NoProgram)
        } else if has(&["Permission denied", "Too many authentication failures"]) {
            Some(Self::Refused)
        } else if has(&["epository not found", "not appear to be a git repository", "No such"]) {
            Some(Self::NoRepository)
        } else if has(&["Could not resolve", "connect to host", "timed out", "Connection closed"]) {
            Some(Self::Unreachable)
        } else {
            None
        }
    }

    fn of_gix(error: &gix::Error) -> Self {
        let text = Chain(error).to_string();
        let io_kind = error.downcast_any_ref::<io::Error>().map(io::Error::kind);
        if error.is_unauthenticated() || error.is_permission_denied() {
            Self::Refused
        } else if text.contains("HTTP status 404") || text.contains("is a valid git directory") {
            Self::NoRepository
        } else if text.contains("Failed to invoke program") {
            Self::NoProgram
        } else if io_kind == Some(io::ErrorKind::StorageFull) {
            Self::DiskFull
        } else if error.is_resource_exhausted() {
            Self::ObjectTooLarge
        } else if error.is_retryable() || text.contains("error sending request") {
            Self::Unreachable
        } else {
            Self::Other
        }
    }
}

/// Ends the sentence "has no branch `x`; …".
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it has no branches yet");
        }
        let shown = &self.0[..self.0.len().min(MAX_BRANCHES_SHOWN)];
        write!(f, "it has {}", shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_understood() {
        for (said, reason) in [
            (
                "No ED25519 host key is known for [::1]:22 and you have requested strict checking.\n\
              Host key verification failed.",
                Reason::HostKey,
            ),
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", Reason::HostKeyChanged),
            ("git@github.com: Permission denied (publickey).", Reason::Refused),
            ("ERROR: Repository not found.", Reason::NoRepository),
            ("fatal: '/srv/x' does not appear to be a git repository", Reason::NoRepository),
            (
                "ssh: Could not resolve hostname nowhere: Name or service not known",
                Reason::Unreachable,
            ),
            ("ssh: connect to host h port 22: Connection refused", Reason::Unreachable),
            ("sh: 1: ssh: not found", Reason::NoProgram),
            ("timeout: failed to run command 'ssh': No such file or directory", Reason::NoProgram),
        ] {
            assert_eq!(Reason::of_ssh(said), Some(reason), "{said}");
        }
        assert_eq!(Reason::of_ssh("Warning: added to the list of known hosts"), None);
    }

    #[test]
    fn missing_branches_are_listed_up_to_a_number() {
        let listed = |count: usize| {
            let branches: Vec<_> = (0..count).map(|n| format!("b{n}")).collect();
            Listed(&branches).to_string()
        };
        assert_eq!(listed(0), "it has no branches yet");
        assert_eq!(listed(2), "it has b0, b1");
        assert!(listed(MAX_BRANCHES_SHOWN + 3).ends_with(" and 3 more"));
    }
}
