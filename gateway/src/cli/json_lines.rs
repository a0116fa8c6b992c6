//! Events for scripts: one JSON object a line on standard output.
//!
//! Every object has `event` and `time` (RFC 3339, UTC). Fields are added, never renamed or removed.
//!
//! | `event` | further fields |
//! |---|---|
//! | `ready` | `version`, `http`, `https`, `dns` (bound addresses), `admin_socket`, `admin_listen` (or null), `urls` |
//! | `deploying` | `project`, `branch`, `commit` |
//! | `progress` | `project`, `stage` (`fetching`, `storing`, `compiling`), `done`, `total` |
//! | `deployed` | `project`, `branch`, `commit`, `generation`, `elapsed_ms`, `functions`, `websites`, `changed` (or null), `urls`, `diagnostics` (warnings) |
//! | `refused` | `project`, `branch`, `commit`, `serving` (a commit or null), `diagnostics` |
//! | `rollback` | as `deployed`, without `diagnostics`, and `before` (the commit that was served) |
//! | `pinned`, `unpinned` | as `rollback` |
//! | `held` | `project`, `branch`, `commit`, `author`, `subject`, `serving` (each but the first three may be null) |
//! | `failed` | `project`, `error`, `retry_in_ms` (or null) |
//! | `verified` | `project`, `host` |
//! | `pending` | `project`, `host`, `record` (`type`, `name`, `value`; or null), `why` |
//! | `certificate` | `names`, `issuer`, `not_after` (RFC 3339), `renewed` (or new) |
//! | `certificate_failing` | `names`, `why`, `advice` (or null), `next` (what happens then) |
//! | `draining` | `connections` |
//! | `stopped` | `cut` (connections that did not finish in time) |
//!
//! `changed` says what differs from what was served before, and is null when this process served nothing yet: `files`
//! is their number, `things` names the first of them, each a `path` and `how` (`added`, `changed`, `removed`) or a
//! number of `files` of an `owner` (`website main`), and `more` is the number of things not named.
//!
//! `diagnostics` are objects as `headgate check --output json` prints them. Commits are whole; a folder's is
//! `worktree-` and a digest.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use headgate_ownership::Record;
use headgate_project::changes::{Change, Changes, How};
use headgate_types::{Clock, Generation, Revision};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cli::{output::Output, progress},
    event::{Event, Reporter, Switched},
};

/// Writes events as they come. Nobody reading is no reason to stop serving.
pub(super) struct JsonLines {
    pub(super) output: Output,
    pub(super) clock: Arc<dyn Clock>,
}

impl Reporter for JsonLines {
    fn report(&self, event: Event) {
        let time = self.clock.now().to_string();
        let _ = self.output.json(&Stamped { time, line: Line::of(&event) });
    }
}

#[derive(Serialize)]
struct Stamped<'a> {
    time: String,
    #[serde(flatten)]
    line: Line<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Ready {
        version: &'a str,
        http: &'a [SocketAddr],
        https: &'a [SocketAddr],
        dns: &'a [SocketAddr],
        dns_over_tls: &'a [SocketAddr],
        admin_socket: &'a Path,
        admin_listen: Option<SocketAddr>,
        projects: usize,
        urls: &'a [String],
    },
    Deploying {
        #[serde(flatten)]
        revision: &'a Revision,
    },
    Progress {
        project: &'a str,
        stage: &'static str,
        done: u64,
        total: u64,
    },
    Deployed {
        #[serde(flatten)]
        revision: &'a Revision,
        generation: Generation,
        elapsed_ms: f64,
        functions: usize,
        websites: usize,
        changed: Option<Value>,
        urls: &'a [String],
        diagnostics: Value,
    },
    Refused {
        #[serde(flatten)]
        revision: &'a Revision,
        serving: Option<&'a str>,
        again: bool,
        diagnostics: Value,
    },
    Rollback(SwitchedLine<'a>),
    Pinned(SwitchedLine<'a>),
    Unpinned(SwitchedLine<'a>),
    Held {
        #[serde(flatten)]
        revision: &'a Revision,
        author: Option<&'a str>,
        subject: Option<&'a str>,
        serving: Option<&'a str>,
    },
    Failed {
        project: &'a str,
        error: &'a str,
        retry_in_ms: Option<f64>,
    },
    Verified {
        project: &'a str,
        host: String,
    },
    Pending {
        project: &'a str,
        host: String,
        record: Option<&'a Record>,
        why: &'a str,
    },
    Certificate {
        names: Vec<String>,
        issuer: &'a str,
        not_after: String,
        renewed: bool,
    },
    #[serde(rename = "certificate_failing")]
    CertificateFailing {
        names: Vec<String>,
        why: &'a str,
        advice: Option<&'a str>,
        next: &'a str,
    },
    Draining {
        connections: u64,
    },
    Stopped {
        cut: u64,
    },
}

#[derive(Serialize)]
struct SwitchedLine<'a> {
    #[serde(flatten)]
    revision: &'a Revision,
    before: &'a str,
    generation: Generation,
    elapsed_ms: f64,
    functions: usize,
    websites: usize,
    urls: &'a [String],
}

impl<'a> SwitchedLine<'a> {
    fn of(switched: &'a Switched) -> Self {
        Self {
            revision: &switched.revision,
            before: switched.before.as_str(),
            generation: switched.generation,
            elapsed_ms: millis(switched.elapsed),
            functions: switched.functions,
            websites: switched.websites,
            urls: &switched.urls,
        }
    }
}

impl<'a> Line<'a> {
    fn of(event: &'a Event) -> Self {
        match event {
            Event::Ready(ready) => Self::Ready {
                version: env!("CARGO_PKG_VERSION"),
                http: &ready.http,
                https: &ready.https,
                dns: &ready.dns,
                dns_over_tls: &ready.dns_over_tls,
                admin_socket: &ready.admin_socket,
                admin_listen: ready.admin_listen,
                projects: ready.projects,
                urls: &ready.urls,
            },
            Event::Deploying { revision } => Self::Deploying { revision },
            Event::Progress { project, stage, done, total } => Self::Progress {
                project: project.as_str(),
                stage: progress::name(*stage),
                done: *done,
                total: *total,
            },
            Event::Deployed(deployed) => Self::Deployed {
                revision: &deployed.revision,
                generation: deployed.generation,
                elapsed_ms: millis(deployed.elapsed),
                functions: deployed.functions,
                websites: deployed.websites,
                changed: deployed.changes.as_ref().map(changed),
                urls: &deployed.urls,
                diagnostics: deployed.diagnostics.to_json(),
            },
            Event::Refused { revision, diagnostics, serving, again } => Self::Refused {
                revision,
                again: *again,
                serving: serving.as_ref().map(|serving| serving.commit.as_str()),
                diagnostics: diagnostics.to_json(),
            },
            Event::RolledBack(switched) => Self::Rollback(SwitchedLine::of(switched)),
            Event::Pinned(switched) => Self::Pinned(SwitchedLine::of(switched)),
            Event::Unpinned(switched) => Self::Unpinned(SwitchedLine::of(switched)),
            Event::Held { revision, source, serving } => Self::Held {
                revision,
                author: source.as_ref().and_then(|source| source.author.as_deref()),
                subject: source.as_ref().and_then(|source| source.subject.as_deref()),
                serving: serving.as_ref().map(|serving| serving.commit.as_str()),
            },
            Event::Failed { project, error, retry_in } => {
                Self::Failed { project: project.as_str(), error, retry_in_ms: retry_in.map(millis) }
            }
            Event::HostVerified { project, host } => {
                Self::Verified { project: project.as_str(), host: host.to_string() }
            }
            Event::HostPending { project, host, record, why } => Self::Pending {
                project: project.as_str(),
                host: host.to_string(),
                record: record.as_ref(),
                why,
            },
            Event::Certificate { names, issuer, not_after, renewed } => Self::Certificate {
                names: names.iter().map(ToString::to_string).collect(),
                issuer,
                not_after: not_after.to_string(),
                renewed: *renewed,
            },
            Event::CertificateFailing { names, why, advice, next } => {
                let names = names.iter().map(ToString::to_string).collect();
                Self::CertificateFailing { names, why, advice: advice.as_deref(), next }
            }
            Event::Draining { connections } => Self::Draining { connections: *connections },
            Event::Stopped { cut } => Self::Stopped { cut: *cut },
        }
    }
}

fn changed(changes: &Changes) -> Value {
    let things = changes.things.iter().map(|change| match change {
        Change::File { path, how } => {
            let how = match how {
                How::Added => "added",
                How::Changed => "changed",
                How::Removed => "removed",
            };
            json!({"path": path, "how": how})
        }
        Change::Files { of, count } => json!({"owner": of.to_string(), "files": count}),
    });
    json!({"files": changes.files, "things": things.collect::<Vec<_>>(), "more": changes.more})
}

/// With the microseconds behind the point.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use headgate_project::{Diagnostic, Diagnostics};
    use headgate_types::{Branch, Commit};

    use super::*;
    use crate::event::{Deployed, Ready, Stage};

    fn revision() -> Revision {
        Revision {
            project: "shop".parse().unwrap(),
            branch: Branch::new("main"),
            commit: Commit::new("c0ffee"),
        }
    }

    fn diagnostics() -> Arc<Diagnostics> {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::warning("unknown-key", "x"));
        Arc::new(diagnostics)
    }

    /// As it is written: `event` and its fields, without the time.
    fn written(event: &Event) -> Value {
        let stamped = Stamped { time: "t".into(), line: Line::of(event) };
        let mut value: Value =
            serde_json::from_str(&serde_json::to_string(&stamped).unwrap()).unwrap();
        assert_eq!(value["time"].take(), "t");
        value
    }

    #[test]
    fn ready_names_every_address() {
        let value = written(&Event::Ready(Ready {
            http: vec!["127.0.0.1:8080".parse().unwrap(), "[::1]:8080".parse().unwrap()],
            https: vec!["127.0.0.1:8443".parse().unwrap()],
            dns: Vec::new(),
            dns_over_tls: Vec::new(),
            dns_taken: Vec::new(),
            admin_socket: "/s/admin.sock".into(),
            admin_listen: None,
            projects: 1,
            urls: vec!["http://localhost:8080".into()],
        }));
        assert_eq!(value["event"], "ready");
        assert_eq!(value["http"][1], "[::1]:8080");
        assert_eq!(value["admin_socket"], "/s/admin.sock");
        assert_eq!(value["admin_listen"], Value::Null);
        assert_eq!(value["urls"][0], "http://localhost:8080");
    }

    #[test]
    fn a_deploy_is_told_with_its_revision_and_diagnostics() {
        let value = written(&Event::Deployed(Deployed {
            revision: revision(),
            generation: Generation(3),
            elapsed: Duration::from_micros(84_250),
            functions: 6,
            websites: 1,
            changes: Some(Changes {
                files: 3,
                things: vec![Change::File { path: "config.yaml".into(), how: How::Added }],
                more: 1,
            }),
            diagnostics: diagnostics(),
            urls: Vec::new(),
        }));
        assert_eq!((&value["event"], &value["project"]), (&"deployed".into(), &"shop".into()));
        assert_eq!((&value["branch"], &value["commit"]), (&"main".into(), &"c0ffee".into()));
        assert_eq!((&value["generation"], &value["elapsed_ms"]), (&3.into(), &84.25.into()));
        assert_eq!(value["changed"]["things"][0], json!({"path": "config.yaml", "how": "added"}));
        assert_eq!((&value["changed"]["files"], &value["changed"]["more"]), (&3.into(), &1.into()));
        assert_eq!(value["diagnostics"][0]["code"], "unknown-key");
    }

    #[test]
    fn every_event_has_its_name() {
        let project = || "shop".parse().unwrap();
        let switched = || Switched {
            revision: revision(),
            before: Commit::new("bad"),
            generation: Generation(4),
            elapsed: Duration::from_millis(2),
            functions: 1,
            websites: 0,
            urls: Vec::new(),
        };
        let rollback = written(&Event::RolledBack(switched()));
        assert_eq!((&rollback["commit"], &rollback["before"]), (&"c0ffee".into(), &"bad".into()));
        let events = [
            (Event::Deploying { revision: revision() }, "deploying"),
            (
                Event::Progress { project: project(), stage: Stage::Compiling, done: 1, total: 2 },
                "progress",
            ),
            (
                Event::Refused {
                    revision: revision(),
                    diagnostics: diagnostics(),
                    serving: Some(revision()),
                    again: false,
                },
                "refused",
            ),
            (Event::RolledBack(switched()), "rollback"),
            (Event::Pinned(switched()), "pinned"),
            (Event::Unpinned(switched()), "unpinned"),
            (Event::Held { revision: revision(), source: None, serving: None }, "held"),
            (Event::Failed { project: project(), error: "x".into(), retry_in: None }, "failed"),
            (Event::Draining { connections: 1 }, "draining"),
            (Event::Stopped { cut: 0 }, "stopped"),
        ];
        for (event, name) in events {
            assert_eq!(written(&event)["event"], name);
        }
    }
}
