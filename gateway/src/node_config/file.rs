//! `node.yaml` as written, and the way from there to a `NodeConfig`.
//!
//! Serde stops at the first thing out of shape (an unknown key, a list for a text). Scalars are therefore
//! taken as text with their place and parsed here, so that all wrong values are reported together.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use headgate_types::{Branch, ProjectName};
use serde::Deserialize;
use serde_saphyr::Spanned;

use self::{
    outbound::OutboundFile,
    repository::{CredentialsFile, Named, RepositoryFile},
};
use super::{
    AdminConfig, Authority, ConfigError, DevAids, ExecutorConfig, FollowedProject, Limits, Listen,
    LogConfig, NodeConfig, Source, StoreConfig, TlsConfig, defaults, dev::SOCKET, problem::Problem,
};

mod outbound;
mod repository;
mod scalar;
mod yaml;

/// Reads, parses and validates the file at `path`.
pub(super) fn read(path: &Path) -> Result<NodeConfig, ConfigError> {
    let text = text_of(path)?;
    let written =
        yaml::parse(&text, path).map_err(|problem| ConfigError::Invalid(vec![problem]))?;
    let mut reader = Reader { file: path, problems: Vec::new() };
    let config = reader.node(written);
    let mut problems = reader.problems;
    if problems.is_empty() {
        return Ok(config);
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(ConfigError::Invalid(problems))
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let failed = |error| ConfigError::Read { path: path.to_owned(), error };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let limit = defaults::LARGEST_FILE;
    file.take(limit + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > limit {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(text)
}

/// A text with the place it stands at.
type Text = Spanned<String>;

/// The whole file, version 1. Everything is optional; what is missing takes its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NodeFile {
    /// Read before the rest, to choose this type.
    #[serde(rename = "version")]
    _version: Option<Text>,
    state: Option<Text>,
    http: Option<Vec<Text>>,
    https: Option<Vec<Text>>,
    admin: AdminFile,
    workers: Option<Text>,
    tls: TlsFile,
    projects: Vec<ProjectFile>,
    executor: ExecutorFile,
    limits: LimitsFile,
    drain: Option<Text>,
    log: LogFile,
    outbound: OutboundFile,
    store: StoreFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AdminFile {
    socket: Option<Text>,
    listen: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsFile {
    authority: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectFile {
    name: Text,
    config: Text,
    branch: Option<Text>,
    poll: Option<Text>,
    username: Option<Text>,
    token_file: Option<Text>,
    ssh_key: Option<Text>,
    known_hosts: Option<Text>,
    code: Option<Spanned<RepositoryFile>>,
    repositories: Option<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExecutorFile {
    instances: Option<Text>,
    project_instances: Option<Text>,
    memory_limit: Option<Text>,
    deadline_limit: Option<Text>,
    concurrency: Option<Text>,
    queue: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsFile {
    max_connections: Option<Text>,
    per_address_connections: Option<Text>,
    per_address_rate: Option<Text>,
    request_body: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogFile {
    format: Option<Text>,
    level: Option<Text>,
    access: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreFile {
    keep_revisions: Option<Text>,
}

/// Turns what is written into what is meant, and notes every mistake on the way.
struct Reader<'a> {
    file: &'a Path,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn node(&mut self, file: NodeFile) -> NodeConfig {
        let state = match &file.state {
            Some(text) => self.path(text),
            None => PathBuf::from(defaults::STATE),
        };
        NodeConfig {
            http: self.listen(file.http, defaults::HTTP_PORT),
            https: self.listen(file.https, defaults::HTTPS_PORT),
            admin: self.admin(file.admin, &state),
            workers: self.workers(file.workers),
            tls: self.tls(file.tls, &state),
            projects: self.projects(file.projects),
            executor: self.executor(file.executor),
            limits: self.limits(file.limits),
            drain: self.drain(file.drain),
            log: self.log(file.log),
            outbound: self.outbound(file.outbound),
            store: self.store(file.store),
            aids: DevAids::NONE,
            state,
        }
    }

    fn listen(&mut self, written: Option<Vec<Text>>, port: u16) -> Listen {
        let Some(written) = written else {
            return Listen::by_default(defaults::everywhere(port));
        };
        let addresses = written.iter().filter_map(|text| self.address(text, port)).collect();
        Listen::exactly(addresses)
    }

    fn address(&mut self, text: &Text, port: u16) -> Option<SocketAddr> {
        let parsed = text.value.parse().ok();
        if parsed.is_none() {
            self.mistake(
                text,
                format!("`{}` is not an address with a port", text.value),
                format!("write `0.0.0.0:{port}` or `[::]:{port}`; a host name is not looked up"),
            );
        }
        parsed
    }

    fn admin(&mut self, file: AdminFile, state: &Path) -> AdminConfig {
        let listen = file.listen.and_then(|text| {
            let address = self.address(&text, 9901)?;
            if address.ip().is_loopback() {
                return Some(address);
            }
            self.mistake(
                &text,
                format!("`{address}` is not a loopback address"),
                "the admin API asks nobody who they are, so it listens on 127.0.0.1 or [::1] only; \
                 reach it from elsewhere through ssh"
                    .to_owned(),
            );
            None
        });
        let socket = file.socket.map_or_else(|| state.join(SOCKET), |text| self.path(&text));
        AdminConfig { socket, listen }
    }

    fn workers(&mut self, written: Option<Text>) -> NonZeroUsize {
        let most = defaults::MOST_WORKERS;
        let count = self.number(written, 1..=most as u64).and_then(|n| usize::try_from(n).ok());
        count.and_then(NonZeroUsize::new).unwrap_or_else(defaults::workers)
    }

    fn tls(&mut self, file: TlsFile, state: &Path) -> TlsConfig {
        if let Some(text) = file.authority.filter(|text| text.value != "local") {
            self.mistake(
                &text,
                format!("`{}` is not an authority this version can use", text.value),
                "write `authority: local`, or leave it out".to_owned(),
            );
        }
        TlsConfig { authority: Authority::Local { folder: state.join("ca") } }
    }

    fn projects(&mut self, written: Vec<ProjectFile>) -> Vec<FollowedProject> {
        if let Some(extra) = written.get(defaults::MOST_PROJECTS) {
            self.mistake(
                &extra.name,
                format!("a node follows at most {} projects", defaults::MOST_PROJECTS),
                "divide them over several nodes".to_owned(),
            );
        }
        let mut projects: Vec<FollowedProject> = Vec::new();
        let mut places = BTreeMap::new();
        for file in written.into_iter().take(defaults::MOST_PROJECTS) {
            let at = file.name.clone();
            let Some(project) = self.project(file) else { continue };
            match places.get(&project.name) {
                Some(first) => self.mistake(
                    &at,
                    format!("the project `{}` is listed twice", project.name),
                    format!("it stands already in line {first}; give one of them another name"),
                ),
                None => {
                    places.insert(project.name.clone(), at.referenced.line());
                    projects.push(project);
                }
            }
        }
        projects
    }

    fn project(&mut self, file: ProjectFile) -> Option<FollowedProject> {
        let name = self.parsed(
            &file.name,
            |text| text.parse::<ProjectName>(),
            "it names the project in logs, paths and on the command line",
        );
        let source = self.source(&file.config, file.branch.is_some());
        let written = CredentialsFile {
            username: file.username,
            token_file: file.token_file,
            ssh_key: file.ssh_key,
            known_hosts: file.known_hosts,
        };
        let alone = file.code.is_none() && file.repositories.is_none();
        let credentials = match &source {
            Some(Source::Git(url)) if alone => self.fitting_credentials(written, url),
            _ => self.credentials(written),
        };
        let others = self.others(file.code, file.repositories, source.as_ref(), &credentials);
        let poll = match file.poll {
            Some(text) => self.duration(&text, defaults::SHORTEST_POLL, defaults::LONGEST_DRAIN),
            None => Some(defaults::POLL),
        };
        Some(FollowedProject {
            name: name?,
            source: source?,
            branch: self.branch(file.branch),
            poll: poll?,
            credentials,
            others,
        })
    }

    fn branch(&mut self, written: Option<Text>) -> Branch {
        let Some(text) = written else { return Branch::new(defaults::BRANCH) };
        let name = text.value.strip_prefix("refs/heads/").unwrap_or(&text.value);
        // Git's own rules are checked by Git; this catches what would confuse a path or a terminal.
        if name.is_empty()
            || name.starts_with('-')
            || name.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            self.mistake(
                &text,
                format!("`{name}` is not a branch"),
                "write its short name, such as `main`".to_owned(),
            );
        }
        Branch::new(name)
    }

    /// A URL or `user@host:path` is Git's; a path is a working folder, unless a branch of it was asked for.
    fn source(&mut self, text: &Text, branch_named: bool) -> Option<Source> {
        let value = text.value.trim();
        if value.is_empty() {
            self.mistake(
                text,
                "`config` is empty".to_owned(),
                "name the project's repository (a URL) or its folder".to_owned(),
            );
            return None;
        }
        if branch_named || value.contains("://") || is_scp_like(value) {
            return self.repository_url(text).map(Source::Git);
        }
        Some(Source::Folder(self.path(text)))
    }

    fn executor(&mut self, file: ExecutorFile) -> ExecutorConfig {
        let default = defaults::EXECUTOR;
        let instances = self.count(file.instances, default.instances);
        let per_project = defaults::project_instances(instances);
        let deadline_limit = file.deadline_limit.and_then(|text| {
            let shortest = defaults::SHORTEST_DEADLINE_LIMIT;
            self.duration(&text, shortest, defaults::LONGEST_DEADLINE_LIMIT)
        });
        ExecutorConfig {
            instances,
            project_instances: self.count(file.project_instances, per_project),
            deadline_limit: deadline_limit.unwrap_or(default.deadline_limit),
            memory_limit: self.size(file.memory_limit, default.memory_limit),
            concurrency: self.count(file.concurrency, default.concurrency),
            queue: self.count(file.queue, default.queue),
        }
    }

    fn limits(&mut self, file: LimitsFile) -> Limits {
        let default = defaults::LIMITS;
        let connections = self.number(file.max_connections, 1..=u64::from(u32::MAX));
        Limits {
            max_connections: connections
                .and_then(|n| NonZeroUsize::new(usize::try_from(n).ok()?))
                .or(default.max_connections),
            per_address_connections: self
                .count(file.per_address_connections, default.per_address_connections),
            per_address_rate: self.count(file.per_address_rate, default.per_address_rate),
            request_body: self.size(file.request_body, default.request_body),
        }
    }

    fn drain(&mut self, written: Option<Text>) -> Duration {
        written
            .and_then(|text| self.duration(&text, Duration::ZERO, defaults::LONGEST_DRAIN))
            .unwrap_or(defaults::DRAIN)
    }

    fn log(&mut self, file: LogFile) -> LogConfig {
        let default = defaults::LOG;
        LogConfig {
            format: self.choice(file.format).unwrap_or(default.format),
            level: self.choice(file.level).unwrap_or(default.level),
            access: file.access.unwrap_or(default.access),
        }
    }

    fn store(&mut self, file: StoreFile) -> StoreConfig {
        let default = defaults::STORE.keep_revisions;
        let keep = self.number(file.keep_revisions, 1..=1000);
        let keep = keep.and_then(|n| NonZeroUsize::new(usize::try_from(n).ok()?));
        StoreConfig { keep_revisions: keep.unwrap_or(default) }
    }
}

/// `git@host:path`: a colon before the first slash, and more than a drive letter in front of it.
fn is_scp_like(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(host, path)| host.len() > 1 && !host.contains('/') && !path.is_empty())
}

#[cfg(test)]
mod tests;
