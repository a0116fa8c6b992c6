//! The configuration of `headgate dev`, which has no file.
//!
//! What is worth keeping between runs is kept: the authority (so that it is trusted once) in
//! `$XDG_DATA_HOME/headgate/ca`, and the state of each project (so that guests compile once) in
//! `$XDG_STATE_HOME/headgate/dev/<hash of the folder's path>`. Both can be deleted at any time.

use std::path::{Path, PathBuf};

use headgate_types::{Branch, Digest, ProjectName};

use super::{
    AcmeSettings, AdminConfig, ConfigError, DevAids, DnsConfig, FollowedProject, GitCredentials,
    Listen, NodeConfig, OtherRepositories, Overrides, OwnershipRule, Source, TlsConfig, ZoneConfig,
    defaults,
};

/// What a developer may choose.
#[derive(Debug, Clone, Default)]
pub struct DevOptions {
    /// The project's folder.
    pub dir: PathBuf,
    /// Follow this branch of the repository at `dir` instead of the files as they lie there.
    pub branch: Option<Branch>,
    /// Another authority than the local one: Pebble on this machine, say.
    pub acme: Option<AcmeSettings>,
    pub overrides: Overrides,
}

/// The user's folders, by the XDG base directory rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    /// `$XDG_STATE_HOME`, else `~/.local/state`.
    pub state: PathBuf,
    /// `$XDG_DATA_HOME`, else `~/.local/share`.
    pub data: PathBuf,
}

impl Homes {
    /// Takes the environment as a function, so that tests need not change their own. Relative values are
    /// ignored, as the rules demand. `None` when neither the variables nor `HOME` are set.
    pub fn from_env(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<Self> {
        let absolute = |name| variable(name).filter(|path| path.is_absolute());
        let home = absolute("HOME");
        let under = |name, rest| absolute(name).or_else(|| Some(home.as_ref()?.join(rest)));
        Some(Self {
            state: under("XDG_STATE_HOME", ".local/state")?,
            data: under("XDG_DATA_HOME", ".local/share")?,
        })
    }

    /// Those of the user whose home is `home`, when their variables are not known.
    pub fn under(home: &Path) -> Self {
        Self { state: home.join(".local/state"), data: home.join(".local/share") }
    }

    /// Where the authority of every dev node of this user is kept.
    pub fn authority(&self) -> PathBuf {
        self.data.join("headgate/ca")
    }

    /// Where the dev node of the project at `dir` keeps its state. `dir` is canonical.
    pub fn dev_state(&self, dir: &Path) -> PathBuf {
        let hash = Digest::of(dir.as_os_str().as_encoded_bytes());
        self.state.join("headgate/dev").join(hash.fmt_short().to_string())
    }

    /// The admin socket of the dev node of the project at `dir`. `dir` is canonical.
    pub fn dev_socket(&self, dir: &Path) -> PathBuf {
        self.dev_state(dir).join(SOCKET)
    }
}

pub(super) const SOCKET: &str = "admin.sock";

pub(super) fn config(options: &DevOptions, homes: &Homes) -> Result<NodeConfig, ConfigError> {
    let path = &options.dir;
    let unusable = |error| ConfigError::ProjectFolder { path: path.clone(), error };
    let dir = path.canonicalize().map_err(unusable)?;
    if !dir.is_dir() {
        return Err(unusable(std::io::ErrorKind::NotADirectory.into()));
    }
    let state = homes.dev_state(&dir);
    let mut config = NodeConfig {
        http: Listen::by_default(defaults::loopback(defaults::DEV_HTTP_PORT)),
        https: Listen::by_default(defaults::loopback(defaults::DEV_HTTPS_PORT)),
        zone: defaults::DEV_ZONE.parse().ok().map(|name| {
            let loopback = defaults::loopback(defaults::DEV_DNS_PORT);
            ZoneConfig::with_defaults(name, loopback.map(|address| address.ip()).into())
        }),
        dns: Some(DnsConfig {
            listen: Listen::by_default(defaults::loopback(defaults::DEV_DNS_PORT)),
            tls: Vec::new(),
            if_free: true,
            query_log: None,
        }),
        admin: AdminConfig { socket: state.join(SOCKET), listen: None },
        workers: defaults::workers(),
        tls: TlsConfig {
            local: homes.authority(),
            acme: options.acme.clone(),
            certificates: Vec::new(),
        },
        projects: vec![project(&dir, options.branch.clone())],
        resolver: None,
        executor: defaults::EXECUTOR,
        limits: defaults::LIMITS,
        drain: defaults::DEV_DRAIN,
        log: defaults::DEV_LOG,
        outbound: headgate_outbound::Config::default(),
        store: defaults::STORE,
        aids: DevAids::ALL,
        state,
    };
    config.apply(&options.overrides);
    Ok(config)
}

fn project(dir: &Path, branch: Option<Branch>) -> FollowedProject {
    let source = match &branch {
        Some(_) => Source::Git(dir.to_string_lossy().into_owned()),
        None => Source::Folder(dir.to_owned()),
    };
    FollowedProject {
        name: name_of(dir),
        source,
        branch: branch.unwrap_or_else(|| Branch::new(defaults::BRANCH)),
        poll: defaults::DEV_POLL,
        credentials: GitCredentials::default(),
        others: OtherRepositories::default(),
        ownership: OwnershipRule::Trust,
    }
}

fn name_of(dir: &Path) -> ProjectName {
    name_of_folder(dir).or_else(|| "project".parse().ok()).expect("`project` is a project name")
}

/// The folder's name with what cannot stand in a project's name turned into `-`, if that leaves anything.
pub(crate) fn name_of_folder(dir: &Path) -> Option<ProjectName> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let text: String =
        dir.file_name().unwrap_or_default().to_string_lossy().chars().map(plain).take(63).collect();
    text.trim_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn homes() -> Homes {
        Homes { state: "/s".into(), data: "/d".into() }
    }

    #[test]
    fn a_dev_node_listens_on_loopback_and_keeps_state_by_folder() {
        let root = tempfile::tempdir().unwrap();
        let shop = root.path().join("My Shop");
        std::fs::create_dir(&shop).unwrap();
        let options = DevOptions { dir: shop.clone(), ..DevOptions::default() };
        let config = NodeConfig::for_dev(&options, &homes()).unwrap();
        assert!(config.http.addresses.iter().all(|a| a.ip().is_loopback() && a.port() == 8080));
        assert!(!config.http.required);
        assert_eq!(config.projects[0].name.as_str(), "My-Shop");
        let canonical = shop.canonicalize().unwrap();
        assert_eq!(config.projects[0].source, Source::Folder(canonical.clone()));
        assert_eq!(config.admin.socket, homes().dev_socket(&canonical));
        assert_eq!((config.tls.local, config.tls.acme), ("/d/headgate/ca".into(), None));
        assert_eq!(config.aids, DevAids::ALL);
    }

    #[test]
    fn a_branch_makes_the_folder_a_repository() {
        let root = tempfile::tempdir().unwrap();
        let options = DevOptions {
            dir: root.path().to_owned(),
            branch: Some(Branch::new("next")),
            ..DevOptions::default()
        };
        let config = NodeConfig::for_dev(&options, &homes()).unwrap();
        assert!(matches!(config.projects[0].source, Source::Git(_)));
        assert_eq!(config.projects[0].branch.as_str(), "next");
    }

    #[test]
    fn another_state_folder_takes_the_socket_along_and_leaves_the_authority() {
        let root = tempfile::tempdir().unwrap();
        let overrides = Overrides { state: Some("/x".into()), ..Overrides::default() };
        let options =
            DevOptions { dir: root.path().to_owned(), overrides, ..DevOptions::default() };
        let config = NodeConfig::for_dev(&options, &homes()).unwrap();
        assert_eq!(config.admin.socket, PathBuf::from("/x/admin.sock"));
        assert_eq!(config.tls.local, PathBuf::from("/d/headgate/ca"));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let options = DevOptions { dir: "/nowhere/at/all".into(), ..DevOptions::default() };
        let error = NodeConfig::for_dev(&options, &homes()).unwrap_err();
        assert_eq!(error.to_string(), "cannot open the project folder /nowhere/at/all");
    }

    #[test]
    fn homes_follow_xdg_and_fall_back_to_home() {
        let both = |name: &str| match name {
            "HOME" => Some("/home/ada".into()),
            "XDG_STATE_HOME" => Some("relative".into()),
            "XDG_DATA_HOME" => Some("/data".into()),
            _ => None,
        };
        let homes = Homes::from_env(both).unwrap();
        assert_eq!(homes.state, PathBuf::from("/home/ada/.local/state"));
        assert_eq!(homes.data, PathBuf::from("/data"));
        assert_eq!(Homes::from_env(|_| None), None);
    }

    #[test]
    fn every_folder_gives_a_valid_project_name() {
        for (dir, name) in [("/", "project"), ("/a/---", "project"), ("/a/ä b.c", "b-c")] {
            assert_eq!(name_of(Path::new(dir)).as_str(), name, "{dir}");
        }
    }
}
