//! The repositories of a project in `node.yaml`: URLs, what they map, and how to be let in.

use std::collections::BTreeMap;

use headgate_project::{
    diagnostic::codes,
    git::{GitError, RemoteConfig},
    schema::{At, Fields, Text},
};
use headgate_types::Branch;

use super::{Reader, project::is_scp_like};
use crate::node_config::{GitCredentials, GitSource, OtherRepositories, Source, defaults};

impl Reader<'_> {
    /// A URL or `user@host:path` as it is; a path from the folder of the file on.
    pub(super) fn repository_url(&mut self, text: &At<Text>) -> Option<String> {
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
                self.mistake(text, error.to_string(), help);
                None
            }
        }
    }

    fn url(&mut self, text: &At<Text>, scheme: &str, rest: &str) -> Option<String> {
        if !matches!(scheme, "https" | "http" | "ssh" | "file") {
            self.mistake(
                text,
                format!("`{scheme}` repositories cannot be followed"),
                "use https, ssh or file",
            );
            return None;
        }
        if user_of(rest).is_some_and(|user| user.contains(':') || scheme.starts_with("http")) {
            self.mistake(
                text,
                "the URL holds credentials",
                "put the token into a file only headgate may read, and name it in `token_file`",
            );
            return None;
        }
        Some(text.value.trim().to_owned())
    }

    pub(super) fn credentials(&mut self, file: &Fields) -> GitCredentials {
        self.credentials_but(file, |_| false)
    }

    /// Without the files that are to be removed from the configuration.
    fn credentials_but(&mut self, file: &Fields, removed: impl Fn(&str) -> bool) -> GitCredentials {
        let username = file.text("username").value();
        let token_file = file.text("token_file").value();
        if let (Some(username), None) = (&username, &token_file) {
            self.mistake(
                username,
                "`username` stands without a `token_file`",
                "name the file that holds the password or token of this user",
            );
        }
        let mut secret = |name: &str| match removed(name) {
            true => None,
            false => self.secret(file.text(name).value()),
        };
        GitCredentials {
            username: username.map(|text| text.value.to_string()),
            token_file: secret("token_file"),
            ssh_key: secret("ssh_key"),
            known_hosts: secret("known_hosts"),
        }
    }

    /// Credentials for this URL alone, which therefore have to be of its kind.
    pub(super) fn fitting_credentials(&mut self, file: &Fields, url: &str) -> GitCredentials {
        let Ok(remote) = remote(url) else { return self.credentials(file) };
        let token = match url.starts_with("http://") {
            true => ("is not sent over plain http", "use https"),
            false => ("is for https", "remove it; ssh takes `ssh_key`, a path needs none"),
        };
        let key = ("is for ssh", "remove it; https takes `token_file`, a path needs none");
        for (name, fits, (why, help)) in [
            ("token_file", remote.takes_token(), token),
            ("username", remote.takes_token(), token),
            ("ssh_key", remote.is_ssh(), key),
            ("known_hosts", remote.is_ssh(), key),
        ] {
            if let Some(text) = file.text(name).value().filter(|_| !fits) {
                self.mistake(&text, format!("`{name}` {why}"), help);
            }
        }
        // Of what is to be removed, nothing else needs to be right.
        let removed = |name: &str| match name {
            "token_file" => !remote.takes_token() && !url.starts_with("http://"),
            _ => !remote.is_ssh(),
        };
        self.credentials_but(file, removed)
    }

    /// The repositories beside that of the configuration.
    pub(super) fn others(
        &mut self,
        file: &Fields,
        configuration: Option<&Source>,
        default: &GitCredentials,
    ) -> OtherRepositories {
        if let Some(Source::Folder(_)) = configuration {
            if let Some(key) = ["code", "repositories"].into_iter().find(|key| file.says(key)) {
                self.problem(
                    codes::INVALID_VALUE,
                    file.place_of(key),
                    format!("`{key}` stands beside a `config` that is a folder"),
                    format!(
                        "remove `{key}`; or name a `branch`, if the folder is a repository that is to \
                         be followed"
                    ),
                );
            }
            return OtherRepositories::default();
        }
        let home = match configuration {
            Some(Source::Git(url)) => remote(url).ok(),
            _ => None,
        };
        let named = file.tables("repositories").value().map_or_else(Vec::new, |named| named.value);
        if let Some((name, _)) = named.get(defaults::MOST_REPOSITORIES) {
            let most = defaults::MOST_REPOSITORIES;
            self.problem(
                codes::TOO_MANY,
                name.place.clone(),
                format!("a project has at most {most} repositories"),
                "divide it into several projects",
            );
        }
        let code = file.holds_table("code").then(|| file.table("code"));
        let code = code.and_then(|code| self.repository(&code, home.as_ref(), default));
        let mut found = BTreeMap::new();
        for (name, repository) in named.into_iter().take(defaults::MOST_REPOSITORIES) {
            let full_name = self.full_name(&name);
            let source = self.repository(&repository, home.as_ref(), default);
            let (Some(full_name), Some(source)) = (full_name, source) else { continue };
            if found.insert(full_name, source).is_some() {
                self.mistake(
                    &name,
                    format!("`{}` is listed twice", name.value),
                    "remove one of the two; upper and lower case are the same here",
                );
            }
        }
        OtherRepositories { code, named: found }
    }

    fn full_name(&mut self, name: &At<Text>) -> Option<String> {
        let plain = |part: &str| !part.is_empty() && !part.contains(['/', ':', ' ']);
        let valid = name.value.split_once('/').is_some_and(|(o, n)| plain(o) && plain(n));
        if !valid {
            self.mistake(
                name,
                format!("`{}` is not the full name of a repository", name.value),
                "write `owner/name`, as the website's or library's `source.github.fullname`",
            );
        }
        valid.then(|| name.value.to_ascii_lowercase())
    }

    /// What it does not say about access is said by the project.
    fn repository(
        &mut self,
        file: &Fields,
        home: Option<&RemoteConfig>,
        default: &GitCredentials,
    ) -> Option<GitSource> {
        let url = self.repository_url(&file.text("url").value()?)?;
        let own = self.fitting_credentials(file, &url);
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

/// What stands before the `@` of a URL whose scheme is cut off. A password may hold a `/` that should have
/// been escaped; it is known by the colon before it, which no port follows.
pub(super) fn user_of(url: &str) -> Option<&str> {
    let host = url.split('/').next().unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let user = match host.split_once(':') {
        Some((_, port)) if !host.contains('@') && !is_port(port) => url.rsplit_once('@'),
        _ => host.rsplit_once('@'),
    };
    user.map(|(user, _)| user)
}

/// Of a branch that is as good as any: only the URL counts.
fn remote(url: &str) -> Result<RemoteConfig, GitError> {
    RemoteConfig::new(url, Branch::new(defaults::BRANCH))
}
