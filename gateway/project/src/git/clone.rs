//! `BareClone`: our copy of the branch's newest commits, and the talk with the remote over it.

use std::{
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use gix::{
    ObjectId, ThreadSafeRepository,
    bstr::ByteSlice,
    open::{Options, Permissions},
    progress::Discard,
    protocol::{
        handshake::Ref,
        transport::client::{
            TransportWithoutIO,
            blocking_io::{Transport, http},
        },
    },
    remote::{Connection, Direction, fetch::Shallow},
    sec::{Permission, identity::Account},
};

use super::{
    GitError, GitLimits, RemoteConfig,
    error::Failure,
    metered::{Meter, Metered},
};

/// Named in an error when the wanted branch is missing.
pub(super) const MAX_BRANCHES_SHOWN: usize = 10;

/// Each fetch adds a pack, and gix has no garbage collection: after this many, cloning anew (one commit
/// deep) is cheaper than looking into all of them.
const MAX_PACKS: usize = 50;

/// Of the bytes a fetch may bring: so much may gather beside the largest pack, which a clone made anew
/// would hardly be smaller than.
const GATHERED_SHARE: u64 = 2;

/// Where a repository keeps its packs.
pub(super) const PACKS: &str = "objects/pack";

/// What a remote may say before it sends a pack. One that is asked for one branch sends a hundred bytes,
/// one that speaks the old protocol sends a line for each branch and tag.
const REFS_BYTES: u64 = 16 << 20;

/// What ssh may say before we stop reading it.
const MAX_SSH_WORDS: usize = 4 << 10;

/// An opened bare repository with shallow history.
#[derive(Debug)]
pub(super) struct BareClone {
    repository: ThreadSafeRepository,
    ssh_errors: PathBuf,
}

impl BareClone {
    pub(super) fn make(
        dir: &Path,
        remote: &RemoteConfig,
        limits: &GitLimits,
    ) -> Result<Self, Failure> {
        let ssh_errors = ssh_errors(dir);
        let repository = ThreadSafeRepository::init_opts(
            dir,
            gix::create::Kind::Bare,
            gix::create::Options::default(),
            options(remote, limits, &ssh_errors),
        );
        let repository = repository.map_err(|error| Failure::clone(&error))?;
        Ok(Self { repository, ssh_errors })
    }

    pub(super) fn open(
        dir: &Path,
        remote: &RemoteConfig,
        limits: &GitLimits,
    ) -> Result<Self, Failure> {
        let ssh_errors = ssh_errors(dir);
        let repository = options(remote, limits, &ssh_errors).open_path_as_is(true).open(dir);
        let repository = repository.map_err(|error| Failure::clone(&error))?;
        Ok(Self { repository, ssh_errors })
    }

    /// Removes what a killed process left half done. Nobody else writes to our clone.
    pub(super) fn clear_leftovers(dir: &Path) -> io::Result<()> {
        for_each_file(&dir.join(PACKS), &mut |path| {
            let whole = match path.extension().and_then(|extension| extension.to_str()) {
                Some("pack") => path.with_extension("idx").exists(),
                Some("idx") => path.with_extension("pack").exists(),
                Some("keep") => true,
                _ => false,
            };
            if whole { Ok(()) } else { fs::remove_file(path) }
        })?;
        let remove_lock = &mut |path: &Path| match path.extension() {
            Some(extension) if extension == "lock" => fs::remove_file(path),
            _ => Ok(()),
        };
        for_each_file(dir, remove_lock)?;
        for_each_file_below(&dir.join("refs"), remove_lock)
    }

    /// Whether so many packs have gathered, or so much in them, that the clone should be made anew.
    pub(super) fn is_worn(dir: &Path, limits: &GitLimits) -> bool {
        let packs = pack_sizes(dir);
        let largest = packs.iter().max().copied().unwrap_or_default();
        let gathered = packs.iter().sum::<u64>() - largest;
        packs.len() > MAX_PACKS || gathered > limits.pack_bytes / GATHERED_SHARE
    }

    /// Whether it holds more than a single fetch brought.
    pub(super) fn has_gathered(dir: &Path) -> bool {
        pack_sizes(dir).len() > 1
    }

    pub(super) fn pack_folder(&self) -> PathBuf {
        self.repository.path().join(PACKS)
    }

    pub(super) fn repository(&self) -> &ThreadSafeRepository {
        &self.repository
    }

    /// Whether a commit is here. What it consists of may still be damaged.
    pub(super) fn has_commit(&self, id: ObjectId) -> bool {
        self.repository.to_thread_local().find_commit(id).is_ok()
    }

    /// Where the branch points on the remote.
    pub(super) fn remote_head(
        &self,
        remote: &RemoteConfig,
        stop: &Arc<AtomicBool>,
    ) -> Result<ObjectId, Failure> {
        let repository = self.repository.to_thread_local();
        let meter = Meter::new(stop.clone(), REFS_BYTES);
        self.talk(remote, &meter, || {
            let git_remote = fetching(&repository, remote, remote.branch.as_str())?;
            let connection = connect(&git_remote, remote, &meter)?;
            let (map, _handshake) =
                connection.ref_map(Discard, gix::remote::ref_map::Options::default())?;
            match find_branch(&map.remote_refs, remote) {
                Some(id) => Ok(Ok(id)),
                None => Ok(Err(Failure::NoBranch(branches(&repository, remote, &meter)?))),
            }
        })?
    }

    /// Receives the newest commit of the branch and lets our branch point to it.
    pub(super) fn fetch(
        &self,
        remote: &RemoteConfig,
        limits: &GitLimits,
        stop: &Arc<AtomicBool>,
    ) -> Result<ObjectId, Failure> {
        let repository = self.repository.to_thread_local();
        let meter = Meter::new(stop.clone(), limits.pack_bytes.saturating_add(REFS_BYTES));
        self.talk(remote, &meter, || {
            let git_remote = fetching(&repository, remote, remote.branch.as_str())?;
            match receive(connect(&git_remote, remote, &meter)?, remote, stop)? {
                Some(id) => Ok(Ok(id)),
                None => Ok(Err(Failure::NoBranch(branches(&repository, remote, &meter)?))),
            }
        })?
    }

    /// As [`fetch`](Self::fetch), from a remote that is reached in another way.
    #[cfg(any(test, fuzzing))]
    pub(super) fn fetch_over<T: Transport>(
        &self,
        remote: &RemoteConfig,
        transport: T,
        stop: &Arc<AtomicBool>,
    ) -> Result<ObjectId, Failure> {
        let repository = self.repository.to_thread_local();
        let meter = Meter::new(stop.clone(), u64::MAX);
        self.talk(remote, &meter, || {
            let git_remote = fetching(&repository, remote, remote.branch.as_str())?;
            let connection = git_remote.to_connection_with_transport(transport);
            Ok(receive(connection, remote, stop)?.ok_or(Failure::NoBranch(Vec::new())))
        })?
    }

    /// Runs `work`, and adds what ssh had to say if it fails.
    fn talk<T>(
        &self,
        remote: &RemoteConfig,
        meter: &Meter,
        work: impl FnOnce() -> Result<T, Talk>,
    ) -> Result<T, Failure> {
        if let Some(path) = remote.local_path().filter(|path| !path.exists()) {
            return Err(Failure::Explained(GitError::NoFolder { path }));
        }
        let _absent = fs::remove_file(&self.ssh_errors);
        work().map_err(|failed| match failed {
            Talk::Config(error) => Failure::Explained(error),
            Talk::Remote(_) if meter.is_exhausted() => Failure::TooLarge,
            Talk::Remote(error) => Failure::Remote { error, ssh: self.ssh_words() },
        })
    }

    fn ssh_words(&self) -> String {
        let mut words = fs::read(&self.ssh_errors).unwrap_or_default();
        words.truncate(MAX_SSH_WORDS);
        String::from_utf8_lossy(&words).into_owned()
    }
}

/// What may fail between us and the remote.
enum Talk {
    Config(GitError),
    Remote(gix::Error),
}

impl From<gix::Error> for Talk {
    fn from(error: gix::Error) -> Self {
        Self::Remote(error)
    }
}

type Boxed = Box<dyn Transport + Send>;

/// The remote with one branch, or those of a pattern; `+` follows force-pushes.
fn fetching<'a>(
    repository: &'a gix::Repository,
    remote: &RemoteConfig,
    branch: &str,
) -> Result<gix::Remote<'a>, Talk> {
    let branch = format!("+refs/heads/{branch}:refs/heads/{branch}");
    Ok(repository
        .remote_at(remote.url.clone())?
        .with_fetch_tags(gix::remote::fetch::Tags::None)
        .with_refspecs([branch.as_str()], Direction::Fetch)?)
}

/// Receives the newest commit of the branch; `None` if there is none.
fn receive<T: Transport>(
    connection: Connection<'_, '_, '_, T>,
    remote: &RemoteConfig,
    stop: &AtomicBool,
) -> Result<Option<ObjectId>, Talk> {
    let options = gix::remote::ref_map::Options::default();
    let prepared = connection.prepare_fetch(Discard, options)?;
    let Some(id) = find_branch(&prepared.ref_map().remote_refs, remote) else { return Ok(None) };
    let newest_only = Shallow::DepthAtRemote(NonZeroU32::MIN);
    prepared.with_shallow(newest_only).receive(Discard, stop)?;
    Ok(Some(id))
}

/// Connects, showing credentials at once if there are any, and never asking a person or a helper.
fn connect<'a, 'repo>(
    git_remote: &'a gix::Remote<'repo>,
    remote: &RemoteConfig,
    meter: &Meter,
) -> Result<Connection<'a, 'static, 'repo, Boxed>, Talk> {
    let mut credentials = remote.credentials().map_err(Talk::Config)?;
    let connection = match remote.is_http() {
        true => {
            let (url, version) = git_remote.sanitized_url_and_version(Direction::Fetch)?;
            let mut http = Metered::new(meter.clone());
            if let Some(found) = credentials.take_if(|_| !remote.is_encrypted()) {
                http = http.with_credentials(&found);
            }
            let transport = http::Transport::new_http(http, url, version, false);
            git_remote.to_connection_with_transport(Box::new(transport) as Boxed)
        }
        false => git_remote.connect(Direction::Fetch)?,
    };
    let mut connection = connection.with_credentials(|_| Ok(None));
    if let Some(found) = credentials {
        let account =
            Account { username: found.user, password: found.password, oauth_refresh_token: None };
        let transport = connection.transport_mut();
        transport.set_identity(account).map_err(gix::Error::from_error)?;
    }
    Ok(connection)
}

/// The branch among the refs the remote lists.
fn find_branch(refs: &[Ref], remote: &RemoteConfig) -> Option<ObjectId> {
    let full_name = format!("refs/heads/{}", remote.branch);
    let listed = refs.iter().map(Ref::unpack).find(|(name, ..)| *name == full_name.as_str());
    listed.and_then(|(_, id, _)| id).map(ToOwned::to_owned)
}

/// Which branches there are, for whoever misspelled one. Usually the remote is asked for ours only.
fn branches(
    repository: &gix::Repository,
    remote: &RemoteConfig,
    meter: &Meter,
) -> Result<Vec<String>, Talk> {
    let git_remote = fetching(repository, remote, "*")?;
    let options = gix::remote::ref_map::Options::default();
    let (map, _handshake) = connect(&git_remote, remote, meter)?.ref_map(Discard, options)?;
    let names = map.remote_refs.iter().filter_map(|listed| {
        let name = listed.unpack().0.strip_prefix(b"refs/heads/")?;
        Some(name.to_str_lossy().chars().filter(|c| !c.is_control()).collect())
    });
    Ok(names.collect())
}

/// Nothing of the user's Git configuration, but the proxy of the environment.
fn options(remote: &RemoteConfig, limits: &GitLimits, ssh_errors: &Path) -> Options {
    let mut permissions = Permissions::isolated();
    permissions.env.http_transport = Permission::Allow;
    let object_bytes = limits.object_bytes;
    Options::isolated().permissions(permissions).config_overrides([
        format!("core.sshCommand={}", remote.ssh_command(ssh_errors, limits.time)),
        "ssh.variant=ssh".to_owned(),
        // Moving a branch asks for a name even where no log of it is kept.
        "user.name=headgate".to_owned(),
        "user.email=headgate@localhost".to_owned(),
        format!("gitoxide.objects.allocLimit={object_bytes}"),
    ])
}

fn pack_sizes(dir: &Path) -> Vec<u64> {
    let entries = fs::read_dir(dir.join(PACKS)).into_iter().flatten().flatten();
    let packs = entries.filter(|entry| entry.path().extension() == Some("pack".as_ref()));
    packs.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).collect()
}

/// Beside the clone, so that it survives a new one.
fn ssh_errors(clone: &Path) -> PathBuf {
    clone.with_file_name("ssh-errors")
}

fn for_each_file(dir: &Path, visit: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            visit(&entry.path())?;
        }
    }
    Ok(())
}

/// Folders of refs are as deep as a branch name has slashes, of which it may have a hundred.
fn for_each_file_below(
    dir: &Path,
    visit: &mut impl FnMut(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for_each_file(&folder, visit)?;
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}
