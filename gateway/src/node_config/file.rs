//! `node.yaml` as written, and the way from there to a `NodeConfig`.
//!
//! It is read as the files of projects are, by a table (`table.rs`), so that every mistake is shown at its
//! place with what to write instead. What a table cannot tell is checked here.

use std::{
    fs::File,
    io::Read,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use headgate_project::{
    Diagnostic, Diagnostics,
    diagnostic::codes,
    schema::{At, Fields, Text, read_text},
};

use super::{
    AdminConfig, CertificateFiles, ConfigError, DevAids, ExecutorConfig, Limits, Listen, LogConfig,
    NodeConfig, StoreConfig, TlsConfig, defaults, dev::SOCKET,
};

mod acme;
mod names;
mod outbound;
mod project;
mod repository;
mod scalar;
mod table;

pub(super) use self::table::NODE;

/// The one version there is. An older one would be read by its own table and converted forward here.
const VERSION: &str = "1";

/// Reads, parses and validates the file at `path`.
pub(super) fn read(path: &Path) -> Result<NodeConfig, ConfigError> {
    let text = text_of(path)?;
    let file = path.to_string_lossy();
    let mut report = Diagnostics::default();
    let fields = read_text(&file, &text, &NODE, &mut report);
    let shown: Arc<str> = without_credentials(&text).into();
    report.add_source((&*file).into(), shown.clone());
    let Some(fields) = fields else { return Err(ConfigError::Invalid(report)) };
    if let Some(problem) = other_version(&fields) {
        // Alone: by another version, all else may be right.
        let mut report = Diagnostics::default();
        report.add_source((&*file).into(), shown);
        report.push(problem);
        return Err(ConfigError::Invalid(report));
    }
    let mut reader = Reader { file: path, report };
    let config = reader.node(&fields);
    match reader.report {
        report if report.is_empty() => Ok(config),
        report => Err(ConfigError::Invalid(report)),
    }
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

/// What may be shown of the file: a URL with credentials is a mistake, which must not carry them into the
/// journal. Each of their characters is replaced by another one, so that places stay what they are.
fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.extend([before, "://"]);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}');
        let url = &after[..after.find(ends).unwrap_or(after.len())];
        let user = repository::user_of(url).unwrap_or_default();
        let secret = user.contains(':') || before.ends_with("http") || before.ends_with("https");
        shown.extend(user.chars().map(|c| if secret { '*' } else { c }));
        rest = &after[user.len()..];
    }
    shown + rest
}

fn other_version(fields: &Fields) -> Option<Diagnostic> {
    let version = fields.text("version").value().filter(|version| &*version.value != VERSION)?;
    let message = format!("version `{}` is not known to this headgate", version.value);
    let hint = format!("write `version: {VERSION}`, or use a newer headgate");
    Some(Diagnostic::error(codes::INVALID_VALUE, message).at(version.place).hint(hint))
}

/// Turns what is written into what is meant, and notes every mistake on the way.
struct Reader<'a> {
    file: &'a Path,
    report: Diagnostics,
}

impl Reader<'_> {
    fn node(&mut self, file: &Fields) -> NodeConfig {
        let state = match file.text("state").value() {
            Some(text) => self.path(&text),
            None => PathBuf::from(defaults::STATE),
        };
        let projects = self.projects(file);
        let zone = self.zone(file, &projects);
        let (http, https) = (
            self.listen(file, "http", defaults::HTTP_PORT),
            self.listen(file, "https", defaults::HTTPS_PORT),
        );
        NodeConfig {
            dns: self.dns(file, zone.is_some(), [&http, &https]),
            zone,
            http,
            https,
            admin: self.admin(&file.table("admin"), &state),
            workers: nonzero(file, "workers").unwrap_or_else(defaults::workers),
            tls: TlsConfig {
                local: state.join("ca"),
                acme: self.acme(file),
                certificates: self.certificates(&file.table("tls")),
            },
            projects,
            resolver: file
                .text("resolver")
                .value()
                .and_then(|text| self.address(&text, defaults::DNS_PORT)),
            executor: self.executor(&file.table("executor")),
            limits: self.limits(&file.table("limits")),
            drain: file.duration("drain").value().map_or(defaults::DRAIN, |drain| drain.value),
            log: log(&file.table("log")),
            outbound: self.outbound(&file.table("outbound")),
            store: store(&file.table("store")),
            aids: DevAids::NONE,
            state,
        }
    }

    fn listen(&mut self, file: &Fields, key: &str, port: u16) -> Listen {
        match self.listened(file, key, port) {
            Some(addresses) => Listen::exactly(addresses),
            None => Listen::by_default(defaults::everywhere(port)),
        }
    }

    fn listened(&mut self, file: &Fields, key: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let written = file.list(key).value()?;
        Some(written.value.iter().filter_map(|text| self.address(text, port)).collect())
    }

    fn address(&mut self, text: &At<Text>, port: u16) -> Option<SocketAddr> {
        let parsed = text.value.parse().ok();
        if parsed.is_none() {
            self.mistake(
                text,
                format!("`{}` is not an address with a port", text.value),
                format!(
                    "write `127.0.0.1:{port}` for this machine alone, `0.0.0.0:{port}` or `[::]:{port}` \
                     for everybody; a host name is not looked up"
                ),
            );
        }
        parsed
    }

    fn admin(&mut self, file: &Fields, state: &Path) -> AdminConfig {
        let listen = file.text("listen").value().and_then(|text| {
            let address = self.address(&text, defaults::ADMIN_PORT)?;
            if address.ip().is_loopback() {
                return Some(address);
            }
            self.mistake(
                &text,
                format!("`{address}` is not a loopback address"),
                "the admin API asks nobody who they are, so it listens on 127.0.0.1 or [::1] only; \
                 reach it from elsewhere through ssh",
            );
            None
        });
        let socket = file.text("socket").value();
        let socket = socket.map_or_else(|| state.join(SOCKET), |text| self.path(&text));
        AdminConfig { socket, listen }
    }

    fn certificates(&mut self, file: &Fields) -> Vec<CertificateFiles> {
        let items = file.items("certificates").value().map_or_else(Vec::new, |items| items.value);
        let files = items.iter().filter_map(|item| {
            let cert = self.secret(item.text("cert").value());
            let key = self.secret(item.text("key").value());
            Some(CertificateFiles { cert: cert?, key: key? })
        });
        files.collect()
    }

    fn executor(&mut self, file: &Fields) -> ExecutorConfig {
        let default = defaults::EXECUTOR;
        let instances = count_of(file, "instances").unwrap_or(default.instances);
        let per_project = defaults::project_instances(instances);
        let deadline_limit = file.duration("deadline_limit").value();
        ExecutorConfig {
            instances,
            project_instances: count_of(file, "project_instances").unwrap_or(per_project),
            deadline_limit: deadline_limit.map_or(default.deadline_limit, |limit| limit.value),
            memory_limit: self
                .size(file, "executor", "memory_limit")
                .unwrap_or(default.memory_limit),
            concurrency: count_of(file, "concurrency").unwrap_or(default.concurrency),
            queue: count_of(file, "queue").unwrap_or(default.queue),
        }
    }

    fn limits(&mut self, file: &Fields) -> Limits {
        let default = defaults::LIMITS;
        Limits {
            max_connections: nonzero(file, "max_connections").or(default.max_connections),
            per_address_connections: count_of(file, "per_address_connections")
                .unwrap_or(default.per_address_connections),
            per_address_rate: count_of(file, "per_address_rate")
                .unwrap_or(default.per_address_rate),
            request_body: self.size(file, "limits", "request_body").unwrap_or(default.request_body),
        }
    }
}

/// Numbers are kept by the table within what these types can hold.
fn count_of(file: &Fields, key: &str) -> Option<u32> {
    file.number(key).value().and_then(|number| number.value.try_into().ok())
}

fn nonzero(file: &Fields, key: &str) -> Option<NonZeroUsize> {
    file.number(key).value().and_then(|number| NonZeroUsize::new(number.value.try_into().ok()?))
}

fn log(file: &Fields) -> LogConfig {
    let default = defaults::LOG;
    LogConfig {
        format: scalar::word(file, "format").unwrap_or(default.format),
        level: scalar::word(file, "level").unwrap_or(default.level),
        access: file.flag("access").value().map_or(default.access, |access| access.value),
    }
}

fn store(file: &Fields) -> StoreConfig {
    let keep = nonzero(file, "keep_revisions");
    StoreConfig { keep_revisions: keep.unwrap_or(defaults::STORE.keep_revisions) }
}

#[cfg(test)]
mod tests;
