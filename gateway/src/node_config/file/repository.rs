//! The repositories of a project in `node.yaml`: URLs, what they map, and how to be let in.

use std::{collections::BTreeMap, fmt};

use headgate_project::git::{GitError, RemoteConfig};
use headgate_types::Branch;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::Spanned;

use super::{Reader, Text, is_scp_like};
use crate::node_config::{GitCredentials, GitSource, OtherRepositories, Source, defaults};

/// A URL, or a map with the URL and credentials of its own.
#[derive(Debug)]
pub(super) enum RepositoryFile {
    Url(String),
    Full(Box<FullRepository>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullRepository {
    url: Text,
    username: Option<Text>,
    token_file: Option<Text>,
    ssh_key: Option<Text>,
    known_hosts: Option<Text>,
}

/// Full names to repositories, in the order they are written.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<(Text, Spanned<RepositoryFile>)>);

pub(super) struct CredentialsFile {
    pub(super) username: Option<Text>,
    pub(super) token_file: Option<Text>,
    pub(super) ssh_key: Option<Text>,
    pub(super) known_hosts: Option<Text>,
}

impl Reader<'_> {
    /// A URL or `user@host:path` as it is; a path from the folder of the file on.
    pub(super) fn repository_url(&mut self, text: &Text) -> Option<String> {
        let value = text.value.trim();
        let url = match value.split_once("://") {
            Some((scheme, rest)) => self.url(text, scheme, rest)?,
            None if is_scp_like(value) => value.to_owned(),
            None => self.path(text).to_string_lossy().into_owned(),
        };
        match remote(&url) {
            Ok(_) => Some(url),
            Err(error) => {
                let help = "write it as `https://host/path`, `ssh://user@host/path` or a path";
                self.mistake(text, error.to_string(), help.to_owned());
                None
            }
        }
    }

    fn url(&mut self, text: &Text, scheme: &str, rest: &str) -> Option<String> {
        if !matches!(scheme, "https" | "http" | "ssh" | "file") {
            self.mistake(
                text,
                format!("`{scheme}` repositories cannot be followed"),
                "use https, ssh or file".to_owned(),
            );
            return None;
        }
        let host = rest.split('/').next().unwrap_or_default();
        let user = host.rsplit_once('@').map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':') || scheme.starts_with("http")) {
            self.mistake(
                text,
                "the URL holds credentials".to_owned(),
                "put the token into a file only headgate may read, and name it in `token_file`"
                    .to_owned(),
            );
            return None;
        }
        Some(text.value.trim().to_owned())
    }

    pub(super) fn credentials(&mut self, file: CredentialsFile) -> GitCredentials {
        if let (Some(username), None) = (&file.username, &file.token_file) {
            self.mistake(
                username,
                "`username` stands without a `token_file`".to_owned(),
                "name the file that holds the password or token of this user".to_owned(),
            );
        }
        GitCredentials {
            username: file.username.map(|text| text.value),
            token_file: self.secret(file.token_file),
            ssh_key: self.secret(file.ssh_key),
            known_hosts: self.secret(file.known_hosts),
        }
    }

    /// Credentials for this URL alone, which therefore have to be of its kind.
    pub(super) fn fitting_credentials(
        &mut self,
        file: CredentialsFile,
        url: &str,
    ) -> GitCredentials {
        if let Ok(remote) = remote(url) {
            let is_http = url.starts_with("http://");
            for (written, key) in [(&file.token_file, "token_file"), (&file.username, "username")] {
                let Some(text) = written.as_ref().filter(|_| !remote.takes_token()) else {
                    continue;
                };
                let (why, help) = match is_http {
                    true => ("is not sent over plain http", "use https"),
                    false => ("is for https", "remove it; ssh takes `ssh_key`, a path needs none"),
                };
                self.mistake(text, format!("`{key}` {why}"), help.to_owned());
            }
            for (written, key) in [(&file.ssh_key, "ssh_key"), (&file.known_hosts, "known_hosts")] {
                let Some(text) = written.as_ref().filter(|_| !remote.is_ssh()) else { continue };
                let help = "remove it; https takes `token_file`, a path needs none";
                self.mistake(text, format!("`{key}` is for ssh"), help.to_owned());
            }
        }
        self.credentials(file)
    }

    /// The repositories beside that of the configuration.
    pub(super) fn others(
        &mut self,
        code: Option<Spanned<RepositoryFile>>,
        named: Option<Named>,
        configuration: Option<&Source>,
        default: &GitCredentials,
    ) -> OtherRepositories {
        let Named(named) = named.unwrap_or_default();
        if let Some(Source::Folder(_)) = configuration {
            let name = named.first().map(|(name, _)| ("repositories", name.referenced));
            let code = code.as_ref().map(|code| ("code", code.referenced));
            if let Some((key, referenced)) = code.or(name) {
                let at = Spanned { value: (), defined: referenced, referenced };
                self.mistake(
                    &at,
                    format!("`{key}` stands beside a `config` that is a folder"),
                    "name a `branch`, so that the folder is followed as a repository".to_owned(),
                );
                return OtherRepositories::default();
            }
        }
        let home = match configuration {
            Some(Source::Git(url)) => remote(url).ok(),
            _ => None,
        };
        if let Some((name, _)) = named.get(defaults::MOST_REPOSITORIES) {
            let most = defaults::MOST_REPOSITORIES;
            self.mistake(
                name,
                format!("a project has at most {most} repositories"),
                "divide it into several projects".to_owned(),
            );
        }
        let code = code.and_then(|file| self.repository(file, home.as_ref(), default));
        let mut found = BTreeMap::new();
        for (name, file) in named.into_iter().take(defaults::MOST_REPOSITORIES) {
            let full_name = self.full_name(&name);
            let source = self.repository(file, home.as_ref(), default);
            let (Some(full_name), Some(source)) = (full_name, source) else { continue };
            if found.insert(full_name, source).is_some() {
                self.mistake(
                    &name,
                    format!("`{}` is listed twice", name.value),
                    "remove one of the two; upper and lower case are the same here".to_owned(),
                );
            }
        }
        OtherRepositories { code, named: found }
    }

    fn full_name(&mut self, name: &Text) -> Option<String> {
        let plain = |part: &str| !part.is_empty() && !part.contains(['/', ':', ' ']);
        let valid = name.value.split_once('/').is_some_and(|(o, n)| plain(o) && plain(n));
        if !valid {
            self.mistake(
                name,
                format!("`{}` is not the full name of a repository", name.value),
                "write `owner/name`, as the website's or library's `source.github.fullname`"
                    .to_owned(),
            );
        }
        valid.then(|| name.value.to_ascii_lowercase())
    }

    /// What it does not say about access is said by the project.
    fn repository(
        &mut self,
        file: Spanned<RepositoryFile>,
        home: Option<&RemoteConfig>,
        default: &GitCredentials,
    ) -> Option<GitSource> {
        let Spanned { value, referenced, defined } = file;
        let none =
            CredentialsFile { username: None, token_file: None, ssh_key: None, known_hosts: None };
        let (url, written) = match value {
            RepositoryFile::Url(value) => (Spanned { value, referenced, defined }, none),
            RepositoryFile::Full(full) => {
                let FullRepository { url, username, token_file, ssh_key, known_hosts } = *full;
                (url, CredentialsFile { username, token_file, ssh_key, known_hosts })
            }
        };
        if url.value.trim().is_empty() {
            let help = "name the repository's URL, or its path";
            self.mistake(&url, "the URL is empty".to_owned(), help.to_owned());
            return None;
        }
        let url = self.repository_url(&url)?;
        let own = self.fitting_credentials(written, &url);
        // A token is for the host it was made by; others are not shown it.
        let same_host = home.zip(remote(&url).ok()).is_some_and(|(a, b)| a.is_of_host(&b));
        let (username, token_file) = match own.token_file {
            None if same_host => (default.username.clone(), default.token_file.clone()),
            token_file => (own.username, token_file),
        };
        let credentials = GitCredentials {
            username,
            token_file,
            ssh_key: own.ssh_key.or_else(|| default.ssh_key.clone()),
            known_hosts: own.known_hosts.or_else(|| default.known_hosts.clone()),
        };
        Some(GitSource { url, credentials })
    }
}

/// Of a branch that is as good as any: only the URL counts.
fn remote(url: &str) -> Result<RemoteConfig, GitError> {
    RemoteConfig::new(url, Branch::new(defaults::BRANCH))
}

impl<'de> Deserialize<'de> for RepositoryFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct UrlOrMap;

        impl<'de> Visitor<'de> for UrlOrMap {
            type Value = RepositoryFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a map with `url`")
            }

            fn visit_str<E>(self, url: &str) -> Result<RepositoryFile, E> {
                Ok(RepositoryFile::Url(url.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RepositoryFile, A::Error> {
                FullRepository::deserialize(MapAccessDeserializer::new(map))
                    .map(|full| RepositoryFile::Full(Box::new(full)))
            }
        }

        from.deserialize_any(UrlOrMap)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of full names (`owner/name`) to URLs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Named(pairs))
            }
        }

        from.deserialize_map(Pairs)
    }
}
