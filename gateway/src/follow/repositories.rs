//! `Repositories`: the repositories of one project, looked at as one source.
//!
//! ```text
//! configuration ──poll, fetch──► its YAML names websites and libraries ──┐
//! code, and each of those that node.yaml knows ──poll all, fetch what is new──► one tree, one commit
//! ```
//!
//! A look succeeds as a whole or not at all: a project is never deployed from what one of its
//! repositories was before and another is now. A project in a single repository is the same without the
//! second half. Every call blocks.

use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc,
    },
    thread,
    time::Instant,
};

use headgate_project::{
    Separate,
    git::{GitError, GitLimits, GitTree, RemoteConfig, RemoteHead, Repository},
    separate,
    tree::{Mount, MountPoint, MountedTree, Tree, TreeLimits},
};
use headgate_types::{Branch, Commit, Digest};

use super::source::{Seen, SourceError};
use crate::{
    manifest::SourceEntry,
    node_config::{FollowedProject, GitCredentials, GitSource, MOST_REPOSITORIES, Source},
};

/// Repositories of one project that are asked for news at one time: their host sees no more of us than of
/// a browser, and a project of a hundred is still asked within a few seconds.
const POLLS_AT_ONCE: usize = 8;

/// What the code's repository is called in messages; it has no name of its own.
const CODE: &str = "of the code";

/// The folder of the clones beside that of the configuration.
const OTHERS: &str = "others";

pub(super) struct Repositories {
    project: FollowedProject,
    /// The configuration is cloned into it, the others into folders of it.
    dir: PathBuf,
    /// Of each repository; of the disk, all of them get what one may bring.
    limits: GitLimits,
    interrupted: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the folder of the clone.
    open: HashMap<PathBuf, Arc<Repository>>,
    /// What a commit of the configuration says about others, so that it is read once.
    said: Option<(Commit, Arc<[Separate]>)>,
}

/// A repository beside that of the configuration.
struct Other<'a> {
    source: &'a GitSource,
    branch: Branch,
    /// What it is called in messages.
    name: Arc<str>,
    dir: PathBuf,
    mounts: Vec<MountPoint>,
}

/// One of them, and its newest commit.
struct Fetched<'a> {
    other: Other<'a>,
    repository: Arc<Repository>,
    commit: Commit,
}

impl Repositories {
    /// Touches neither disk nor network.
    pub(super) fn new(project: &FollowedProject, dir: PathBuf) -> Self {
        let (interrupted, state) = (AtomicBool::new(false), Mutex::default());
        let limits = GitLimits::default();
        Self { project: project.clone(), dir, limits, interrupted, state }
    }

    /// The newest commits of all, if they are not `seen`.
    pub(super) fn look(&self, seen: Option<&Commit>) -> Result<Option<Seen>, SourceError> {
        match self.look_once(seen) {
            // What earlier fetches left in the clones took the room, not what the project needs.
            Err(error) if error.is_too_large() && self.start_over() => self.look_once(seen),
            looked => looked,
        }
    }

    /// Lets go of what has gathered in the clones; whether there is such.
    fn start_over(&self) -> bool {
        let gathered =
            self.state().open.values().filter(|repository| repository.start_over()).count();
        gathered > 0
    }

    fn look_once(&self, seen: Option<&Commit>) -> Result<Option<Seen>, SourceError> {
        let since = Instant::now();
        let configuration = self.configuration()?;
        let head = configuration.poll()?;
        if self.project.others.is_empty() && seen == Some(&head.commit) {
            return Ok(None);
        }
        let commit = if head.fetched { head.commit } else { configuration.fetch()? };
        let others = self.others(&configuration, &commit)?;
        let fetched = self.fetch(&configuration, others)?;
        let whole = match fetched.is_empty() {
            true => commit.clone(),
            false => Commit::of_several(&commit, fetched.iter().flat_map(Fetched::places)),
        };
        if seen == Some(&whole) {
            return Ok(None);
        }
        let sources = [(&configuration, &commit)].into_iter();
        let sources = sources.chain(fetched.iter().map(|one| (&one.repository, &one.commit)));
        let sources = sources.map(|(repository, commit)| entry(repository, commit)).collect();
        let tree = compose(configuration.tree(&commit)?, &fetched)?;
        Ok(Some(Seen { commit: whole, sources, tree, since }))
    }

    /// Ends whatever is under way, soon, and refuses all later looks.
    pub(super) fn interrupt(&self) {
        self.interrupted.store(true, SeqCst);
        self.state().open.values().for_each(|repository| repository.interrupt());
    }

    fn configuration(&self) -> Result<Arc<Repository>, GitError> {
        let remote = self.remote()?;
        self.open(&self.dir, remote)
    }

    fn remote(&self) -> Result<RemoteConfig, GitError> {
        let Source::Git(url) = &self.project.source else {
            unreachable!("a Git source is made of a Git source");
        };
        remote(url, &self.project.branch, &self.project.credentials)
    }

    fn open(&self, dir: &Path, remote: RemoteConfig) -> Result<Arc<Repository>, GitError> {
        let mut state = self.state();
        if let Some(repository) = state.open.get(dir) {
            return Ok(repository.clone());
        }
        let repository = Arc::new(Repository::open(dir, remote, self.limits)?);
        if self.interrupted.load(SeqCst) {
            repository.interrupt();
        }
        state.open.insert(dir.to_owned(), repository.clone());
        Ok(repository)
    }

    /// Those this commit of the configuration wants and the node knows; each once, however many websites
    /// are in it. Whatever is missing is said by whoever reads the project.
    fn others(
        &self,
        configuration: &Repository,
        commit: &Commit,
    ) -> Result<Vec<Other<'_>>, SourceError> {
        let mut others: Vec<Other<'_>> = Vec::new();
        if let Some(source) = &self.project.others.code {
            others.push(Other {
                source,
                branch: self.project.branch.clone(),
                name: CODE.into(),
                dir: self.dir.join(OTHERS).join("code"),
                mounts: vec![MountPoint::Code],
            });
        }
        let (said, is_new) = self.said(configuration, commit)?;
        for separate in said.iter() {
            let Some(source) = self.project.others.find(&separate.full_name) else { continue };
            let branch = separate.branch.as_ref().unwrap_or(&self.project.branch);
            let dir = self.dir.join(OTHERS).join(clone_name(&separate.full_name, branch));
            let mount = MountPoint::Folder(separate.folder.clone());
            match others.iter().position(|other| other.dir == dir) {
                Some(known) => others[known].mounts.push(mount),
                None if others.len() == MOST_REPOSITORIES => {
                    return Err(SourceError::TooMany { limit: MOST_REPOSITORIES });
                }
                None => others.push(Other {
                    source,
                    branch: branch.clone(),
                    name: separate.full_name.clone(),
                    dir,
                    mounts: vec![mount],
                }),
            }
        }
        if is_new {
            self.forget_all_but(&others)?;
        }
        Ok(others)
    }

    /// What the commit says, and whether that was read just now.
    fn said(
        &self,
        configuration: &Repository,
        commit: &Commit,
    ) -> Result<(Arc<[Separate]>, bool), GitError> {
        if let Some((known, said)) = &self.state().said
            && known == commit
        {
            return Ok((said.clone(), false));
        }
        let said: Arc<[Separate]> = match self.project.others.named.is_empty() {
            true => Arc::default(),
            false => separate(&configuration.tree(commit)?).into(),
        };
        self.state().said = Some((commit.clone(), said.clone()));
        Ok((said, true))
    }

    /// Clones that are of no use any more would fill the disk.
    fn forget_all_but(&self, others: &[Other<'_>]) -> Result<(), GitError> {
        let kept = |dir: &Path| dir == self.dir || others.iter().any(|other| other.dir == dir);
        self.state().open.retain(|dir, _| kept(dir));
        let folder = self.dir.join(OTHERS);
        let failed = |source| GitError::Folder { dir: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if !kept(&path) {
                fs::remove_dir_all(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The newest commits of all. Everyone is asked and fetched, so that one that fails keeps no other
    /// from being ready when it is well again.
    fn fetch<'a>(
        &self,
        configuration: &Repository,
        others: Vec<Other<'a>>,
    ) -> Result<Vec<Fetched<'a>>, SourceError> {
        let polled = self.poll(&others);
        let mut room = self.limits.pack_bytes.saturating_sub(configuration.bytes());
        let mut failure = None;
        let mut all = Vec::with_capacity(others.len());
        // One after the other, so that together they take no more of the disk than one may alone.
        for (other, polled) in others.into_iter().zip(polled) {
            let newest = polled.and_then(|(repository, head)| {
                let commit =
                    if head.fetched { head.commit } else { repository.fetch_within(room)? };
                room = room.saturating_sub(repository.bytes());
                Ok((repository, commit))
            });
            match newest {
                Ok((repository, commit)) => all.push(Fetched { other, repository, commit }),
                Err(source) => {
                    failure.get_or_insert(SourceError::Other { repository: other.name, source });
                }
            }
        }
        failure.map_or(Ok(all), Err)
    }

    /// Where each of them is, in their order.
    fn poll(&self, others: &[Other<'_>]) -> Vec<Result<(Arc<Repository>, RemoteHead), GitError>> {
        let poll = |other: &Other<'_>| {
            let GitSource { url, credentials } = other.source;
            let repository = self.open(&other.dir, remote(url, &other.branch, credentials)?)?;
            let head = repository.poll()?;
            Ok((repository, head))
        };
        let (next, (answer, answers)) = (AtomicUsize::new(0), mpsc::sync_channel(others.len()));
        thread::scope(|scope| {
            for _ in 0..others.len().min(POLLS_AT_ONCE) {
                let (next, answer) = (&next, answer.clone());
                scope.spawn(move || {
                    while let number = next.fetch_add(1, Relaxed)
                        && let Some(other) = others.get(number)
                    {
                        let kept = answer.send((number, poll(other)));
                        kept.expect("the receiver outlives these threads");
                    }
                });
            }
        });
        drop(answer);
        let mut polled: Vec<_> = answers.into_iter().collect();
        polled.sort_by_key(|(number, _)| *number);
        polled.into_iter().map(|(_, result)| result).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An unusable URL may hold a secret anywhere, so it is not shown at all.
impl fmt::Display for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote() {
            Ok(remote) => remote.fmt(f),
            Err(_) => f.write_str("an unusable URL"),
        }
    }
}

impl Fetched<'_> {
    /// What tells this state of the project from others.
    fn places(&self) -> impl Iterator<Item = (&str, &Commit)> {
        let place = |mount| match mount {
            &MountPoint::Code => "",
            MountPoint::Folder(dir) => dir,
        };
        self.other.mounts.iter().map(move |mount| (place(mount), &self.commit))
    }
}

fn compose(configuration: GitTree, fetched: &[Fetched<'_>]) -> Result<Arc<dyn Tree>, SourceError> {
    if fetched.is_empty() {
        return Ok(Arc::new(configuration));
    }
    let mut mounts = Vec::new();
    for Fetched { other, repository, commit } in fetched {
        let tree = repository
            .tree(commit)
            .map_err(|source| SourceError::Other { repository: other.name.clone(), source })?;
        let tree: Arc<dyn Tree> = Arc::new(tree);
        let repository: Arc<str> = match other.mounts[..] {
            [MountPoint::Code] => repository.remote().to_string().into(),
            _ => other.name.clone(),
        };
        mounts.extend(other.mounts.iter().map(|at| Mount {
            at: at.clone(),
            tree: tree.clone(),
            repository: repository.clone(),
        }));
    }
    Ok(Arc::new(MountedTree::new(Arc::new(configuration), mounts, &TreeLimits::default())?))
}

fn remote(
    url: &str,
    branch: &Branch,
    credentials: &GitCredentials,
) -> Result<RemoteConfig, GitError> {
    let GitCredentials { username, token_file, ssh_key, known_hosts } = credentials;
    let mut remote = RemoteConfig::new(url, branch.clone())?;
    if let Some(name) = username {
        remote = remote.with_username(name);
    }
    if let Some(path) = token_file {
        remote = remote.with_token_file(path);
    }
    if let Some(path) = ssh_key {
        remote = remote.with_ssh_key(path);
    }
    if let Some(path) = known_hosts {
        remote = remote.with_known_hosts(path);
    }
    Ok(remote)
}

/// Readable, and by the whole digest another one for another repository or branch: `acme-site-main-01…`.
fn clone_name(full_name: &str, branch: &Branch) -> String {
    let exact = format!("{}\0{branch}", full_name.to_ascii_lowercase());
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let readable: String =
        format!("{full_name}-{branch}").chars().map(plain).take(MAX_READABLE).collect();
    format!("{readable}-{}", Digest::of(exact.as_bytes()))
}

/// File systems take 255 bytes.
const MAX_READABLE: usize = 100;

/// A commit that does not tell who made it is served all the same.
fn entry(repository: &Repository, commit: &Commit) -> SourceEntry {
    let info = repository.commit_info(commit).ok();
    let (author, committed_at, subject) = match info {
        Some(info) => (Some(info.author), Some(info.time), Some(info.subject)),
        None => (None, None, None),
    };
    SourceEntry {
        repository: repository.remote().to_string(),
        commit: commit.clone(),
        author,
        committed_at,
        subject,
    }
}

#[cfg(test)]
mod tests;
