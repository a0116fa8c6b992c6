//! `headgate dev trust`: makes this machine trust the local authority.
//!
//! On Linux the system's store is a folder and a command that reads it; browsers built on NSS have
//! a database of their own in the home directory. Doing it twice is the same as doing it once.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::local_authority::LocalAuthority;

/// Folders of the system's store and the command that takes them up: Debian and its kin, Arch and
/// p11-kit, Fedora and its kin.
const SYSTEM_STORES: [SystemStore; 3] = [
    SystemStore {
        folder: "usr/local/share/ca-certificates",
        extension: "crt",
        command: "update-ca-certificates",
        arguments: &[],
    },
    SystemStore {
        folder: "etc/ca-certificates/trust-source/anchors",
        extension: "pem",
        command: "trust",
        arguments: &["extract-compat"],
    },
    SystemStore {
        folder: "etc/pki/ca-trust/source/anchors",
        extension: "pem",
        command: "update-ca-trust",
        arguments: &[],
    },
];

/// Where commands are looked for. Not `PATH`: this runs as root.
const COMMANDS: [&str; 4] = ["usr/sbin", "usr/bin", "sbin", "bin"];

/// The databases of Chromium and, below a profile each, of Firefox.
const NSS_DATABASES: [&str; 2] = [".pki/nssdb", "snap/chromium/current/.pki/nssdb"];
const FIREFOX_PROFILES: [&str; 2] = [".mozilla/firefox", "snap/firefox/common/.mozilla/firefox"];

struct SystemStore {
    folder: &'static str,
    extension: &'static str,
    command: &'static str,
    arguments: &'static [&'static str],
}

/// The trust stores of a machine.
#[derive(Debug, Clone)]
pub struct TrustStores {
    /// Where the file system begins: `/`, or a folder in tests.
    pub root: PathBuf,
    /// Whose browsers are told, if anybody's.
    pub home: Option<PathBuf>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trusted {
    /// The file that the system's store reads.
    pub system: Option<PathBuf>,
    /// Databases of browsers.
    pub browsers: Vec<PathBuf>,
    /// What is left to be done by hand, in sentences.
    pub left: Vec<String>,
}

/// Why the authority is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the system's trust store belongs to root: run `sudo headgate dev trust`")]
    NeedsRoot(#[source] io::Error),
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot run {command}")]
    Run { command: PathBuf, source: io::Error },
    #[error("{command} failed: {message}")]
    Failed { command: PathBuf, message: String },
}

impl TrustStores {
    /// This machine's, and the browsers of the user whose home is given.
    pub fn of_this_machine(home: Option<PathBuf>) -> Self {
        Self { root: PathBuf::from("/"), home }
    }

    /// Makes the machine trust `authority`.
    pub fn trust(&self, authority: &LocalAuthority) -> Result<Trusted, TrustError> {
        let mut done = Trusted::default();
        match self.system_store() {
            Some((store, command)) => {
                done.system = Some(self.trust_in_system(store, &command, authority)?);
            }
            None => done.left.push(format!(
                "this system's trust store is not known here: add {} to it by hand",
                authority.root_path().display()
            )),
        }
        self.trust_in_browsers(authority, &mut done)?;
        Ok(done)
    }

    fn system_store(&self) -> Option<(&'static SystemStore, PathBuf)> {
        SYSTEM_STORES.iter().find_map(|store| {
            let folder = self.root.join(store.folder);
            // update-ca-certificates comes before the folder, which Debian's package leaves to the
            // administrator.
            let parent = folder.parent().is_some_and(Path::is_dir);
            let command = self.command(store.command)?;
            (folder.is_dir() || parent).then_some((store, command))
        })
    }

    fn trust_in_system(
        &self,
        store: &SystemStore,
        command: &Path,
        authority: &LocalAuthority,
    ) -> Result<PathBuf, TrustError> {
        let folder = self.root.join(store.folder);
        let file = folder.join(format!("{}.{}", file_name(authority), store.extension));
        let write = || {
            if fs::read(&file).is_ok_and(|there| there == authority.root_pem().as_bytes()) {
                return Ok(());
            }
            fs::create_dir_all(&folder)?;
            fs::write(&file, authority.root_pem())
        };
        write().map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => TrustError::NeedsRoot(source),
            _ => TrustError::Write { path: file.clone(), source },
        })?;
        // Again even if the file was there: an earlier run may have stopped in between.
        run(command, store.arguments.iter().copied())?;
        Ok(file)
    }

    fn trust_in_browsers(
        &self,
        authority: &LocalAuthority,
        done: &mut Trusted,
    ) -> Result<(), TrustError> {
        let databases = self.browser_databases();
        if databases.is_empty() {
            return Ok(());
        }
        let Some(certutil) = self.command("certutil") else {
            done.left.push(
                "browsers here have trust stores of their own: install `libnss3-tools` and run this again"
                    .to_owned(),
            );
            return Ok(());
        };
        for database in databases {
            let mut place = std::ffi::OsString::from("sql:");
            place.push(&database);
            let arguments =
                [OsStr::new("-A"), "-d".as_ref(), &place, "-t".as_ref(), "C,,".as_ref()];
            let named = ["-n".as_ref(), OsStr::new(authority.name()), "-i".as_ref()];
            let file = [authority.root_path().as_os_str()];
            run(&certutil, arguments.into_iter().chain(named).chain(file))?;
            done.browsers.push(database);
        }
        Ok(())
    }

    fn browser_databases(&self) -> Vec<PathBuf> {
        let Some(home) = &self.home else { return Vec::new() };
        let mut found: Vec<_> = NSS_DATABASES.iter().map(|path| home.join(path)).collect();
        for profiles in FIREFOX_PROFILES {
            let profiles = fs::read_dir(home.join(profiles)).into_iter().flatten().flatten();
            found.extend(profiles.map(|profile| profile.path()));
        }
        found.retain(|folder| folder.join("cert9.db").is_file());
        found.sort();
        found
    }

    fn command(&self, name: &str) -> Option<PathBuf> {
        COMMANDS.iter().map(|dir| self.root.join(dir).join(name)).find(|path| path.is_file())
    }
}

/// Different for each machine's authority, so that a shared image can trust several.
fn file_name(authority: &LocalAuthority) -> String {
    let name = authority.name().chars();
    let name: String = name.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    name.to_ascii_lowercase().trim_matches('-').to_owned()
}

fn run<S: AsRef<OsStr>>(
    command: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<(), TrustError> {
    let output: Output = Command::new(command)
        .args(arguments)
        .output()
        .map_err(|source| TrustError::Run { command: command.to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let message = message.trim().lines().last().unwrap_or("it gave no reason").to_owned();
    Err(TrustError::Failed { command: command.to_owned(), message })
}
