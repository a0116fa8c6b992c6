//! Events for people: a line each on standard output, bars for long work on standard error.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use headgate_project::changes::Changes;
use headgate_types::{HostPattern, ProjectName, Revision};

use crate::{
    cli::{
        domains::record_text,
        output::{Output, Paint, count, plain},
        progress::Progress,
    },
    event::{Deployed, Event, Ready, Reporter, Switched},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// URLs shown for one deploy; a project may have hundreds of routes.
const MOST_URLS: usize = 10;

/// Changed things named on the line of a deploy, which should stay one.
const MOST_CHANGES: usize = 3;

/// For somebody who wonders why every request is answered 404.
const NO_PROJECT: &str = "
No project is followed yet. Add one to node.yaml, then send SIGHUP:
  projects:
    - name: shop
      config: https://git.example.com/shop.git
";

/// What is told at `ready`, beyond the addresses.
#[derive(Debug)]
pub(super) enum Greeting {
    Dev {
        dir: PathBuf,
        /// Where the certificate to trust is kept.
        authority: PathBuf,
        branch: Option<String>,
    },
    Run,
}

/// The reporter for a person.
#[derive(Debug)]
pub(super) struct Terminal {
    output: Output,
    greeting: Greeting,
    progress: Progress,
    /// The URLs shown for each project, so that they are shown again only when they changed.
    shown: Mutex<BTreeMap<ProjectName, Vec<String>>>,
}

impl Reporter for Terminal {
    fn report(&self, event: Event) {
        let text = match &event {
            Event::Ready(ready) => self.ready(ready),
            Event::Deploying { revision } => return self.progress.started(&revision.project),
            Event::Progress { project, stage, done, total } => {
                return self.progress.moved(project, *stage, *done, *total);
            }
            Event::Deployed(deployed) => {
                self.progress.ended(&deployed.revision.project);
                self.deployed(deployed)
            }
            Event::Refused { revision, again: true, .. } => {
                return self.progress.ended(&revision.project);
            }
            Event::Refused { revision, diagnostics, serving, again: false } => {
                self.progress.ended(&revision.project);
                let serving = match serving {
                    Some(revision) if is_folder(revision) => {
                        "its last good state is still served".to_owned()
                    }
                    Some(revision) => format!("still serving {}", named(revision)),
                    None => "nothing is served yet".to_owned(),
                };
                format!(
                    "{} {} refused, {serving}\n\n{}\n",
                    self.paint(Paint::Bad, "✗"),
                    named(revision),
                    diagnostics.render_human(self.output.color).trim_end()
                )
            }
            Event::RolledBack(switched) => self.switched(switched, "is served again"),
            Event::Pinned(switched) => self.switched(switched, "is pinned"),
            Event::Unpinned(switched) => {
                let mark = self.paint(Paint::Good, "✓");
                let Revision { project, branch, commit } = &switched.revision;
                let (branch, commit) = (plain(branch.as_str()), plain(commit.fmt_short()));
                format!("{mark} {project} follows {branch} again, from {commit}\n")
            }
            Event::Held { revision, source, .. } => {
                self.progress.ended(&revision.project);
                let subject = source.as_ref().and_then(|source| source.subject.as_deref());
                let subject = subject.map(|subject| format!(" “{}”", plain(subject)));
                format!(
                    "{} {}{} is not deployed: the branch is pinned (`headgate follow {}`)\n",
                    self.paint(Paint::Attention, "!"),
                    exactly(revision),
                    subject.unwrap_or_default(),
                    revision.project,
                )
            }
            Event::Failed { project, error, retry_in } => {
                self.progress.ended(project);
                let again = retry_in.map(|wait| format!(" (again in {})", rounded(wait)));
                let mark = self.paint(Paint::Attention, "!");
                format!("{mark} {project}: {}{}\n", plain(error), again.unwrap_or_default())
            }
            Event::HostVerified { project, host } => {
                let mark = self.paint(Paint::Good, "✓");
                format!("{mark} {project}: {} is verified and served\n", plain(&host.to_string()))
            }
            Event::HostPending { project, host, record, why } => {
                let mark = self.paint(Paint::Attention, "!");
                let host = plain(&host.to_string());
                let enter = record
                    .as_ref()
                    .map(|record| format!("  its owner enters in DNS: {}\n", record_text(record)));
                let enter = enter.unwrap_or_default();
                format!("{mark} {project}: {host} is not served: {}\n{enter}", plain(why))
            }
            Event::Certificate { names, issuer, not_after, renewed } => {
                let mark = self.paint(Paint::Good, "✓");
                let how = if *renewed { "renewed" } else { "issued" };
                let (names, issuer) = (listed(names), plain(issuer));
                format!("{mark} certificate for {names} {how} by {issuer}, until {not_after}\n")
            }
            Event::CertificateFailing { names, why, advice, next } => {
                let mark = self.paint(Paint::Attention, "!");
                let advice = advice.as_ref().map(|advice| format!("  {}\n", plain(advice)));
                format!(
                    "{mark} no new certificate for {}: {} ({next})\n{}",
                    listed(names),
                    plain(why),
                    advice.unwrap_or_default()
                )
            }
            Event::Draining { connections: 0 } => return,
            Event::Draining { connections } => {
                let open = count(usize::try_from(*connections).unwrap_or(usize::MAX), "connection");
                format!("Finishing {open}; a second signal ends at once.\n")
            }
            Event::Stopped { cut: 0 } => "Stopped.\n".to_owned(),
            Event::Stopped { cut } => format!("Stopped; {cut} did not finish in time.\n"),
        };
        // Nobody reading is no reason to stop serving.
        let _ = self.output.text(&text);
    }
}

impl Terminal {
    pub(super) fn new(output: Output, greeting: Greeting) -> Self {
        let progress = Progress::new(output.bars.clone());
        Self { output, greeting, progress, shown: Mutex::default() }
    }

    fn ready(&self, ready: &Ready) -> String {
        match &self.greeting {
            Greeting::Dev { dir, authority, branch } => {
                let folder = plain(&dir.display().to_string());
                let what = match branch {
                    Some(branch) => format!("branch {} of {folder}", plain(branch)),
                    None => folder,
                };
                let changes = match branch {
                    Some(_) => "Commits are live as soon as they are made.",
                    None => "Saved changes are live at once.",
                };
                let mut text = format!("\nHeadgate {VERSION} serves {what}\n\n");
                for url in ready.urls.iter().take(MOST_URLS) {
                    text.push_str(&format!("  {}\n", self.paint(Paint::Strong, url)));
                }
                text.push_str(&format!("\n{changes} Ctrl-C stops.\n"));
                if let Some(names) = names_advice(ready) {
                    text.push_str(&self.paint(Paint::Faint, &names));
                    text.push('\n');
                }
                if !ready.https.is_empty() {
                    text.push_str(&self.paint(Paint::Faint, &trust_advice(authority)));
                    text.push('\n');
                }
                text + "\n"
            }
            Greeting::Run => {
                let mut text = format!("Headgate {VERSION} is ready\n");
                for (name, addresses) in
                    [("http", &ready.http), ("https", &ready.https), ("dns", &ready.dns)]
                {
                    for address in addresses {
                        text.push_str(&format!("  {name:5} {address}\n"));
                    }
                }
                text.push_str(&format!("  admin {}\n", ready.admin_socket.display()));
                if ready.projects == 0 {
                    text.push_str(NO_PROJECT);
                }
                if let Some(address) = ready.admin_listen {
                    text.push_str(&format!("  admin {address}\n"));
                }
                text
            }
        }
    }

    fn deployed(&self, deployed: &Deployed) -> String {
        let mut text = format!(
            "{} {} live in {}",
            self.paint(Paint::Good, "✓"),
            named(&deployed.revision),
            rounded(deployed.elapsed),
        );
        match &deployed.changes {
            Some(changes) if !changes.is_empty() => {
                text.push_str(&format!(" · {}", changed(changes)));
            }
            _ => {
                for (n, noun) in [(deployed.functions, "function"), (deployed.websites, "website")]
                {
                    if n > 0 {
                        text.push_str(&format!(" · {}", count(n, noun)));
                    }
                }
            }
        }
        text.push('\n');
        if self.are_news(deployed) {
            for url in deployed.urls.iter().take(MOST_URLS) {
                text.push_str(&format!("  {}\n", plain(url)));
            }
            if let Some(more @ 1..) = deployed.urls.len().checked_sub(MOST_URLS) {
                text.push_str(&format!("  and {more} more: `headgate routes`\n"));
            }
        }
        if !deployed.diagnostics.is_empty() {
            let rendered = deployed.diagnostics.render_human(self.output.color);
            text.push_str(&format!("\n{}\n\n", rendered.trim_end()));
        }
        text
    }

    fn switched(&self, switched: &Switched, what: &str) -> String {
        format!(
            "{} {} {what}, in {}; `headgate follow {}` goes back to the newest\n",
            self.paint(Paint::Good, "✓"),
            exactly(&switched.revision),
            rounded(switched.elapsed),
            switched.revision.project,
        )
    }

    /// Whether the URLs differ from those shown last for the project.
    fn are_news(&self, deployed: &Deployed) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let project = deployed.revision.project.clone();
        let before = shown.insert(project, deployed.urls.clone());
        before.is_none_or(|before| before != deployed.urls)
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        self.output.paint(paint, text)
    }
}

/// `functions/hello.yaml, 3 files of website main and 2 more`
fn changed(changes: &Changes) -> String {
    let named = changes.things.iter().take(MOST_CHANGES).map(|change| plain(&change.to_string()));
    let mut text = named.collect::<Vec<_>>().join(", ");
    let more = changes.things.len().saturating_sub(MOST_CHANGES) + changes.more;
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// How the hosts of the project are looked up, or why they are not.
fn names_advice(ready: &Ready) -> Option<String> {
    if let Some(address) = ready.dns.first() {
        let (ip, port) = (address.ip(), address.port());
        return Some(format!("Its hosts resolve at {address}: `dig @{ip} -p {port} HOST`."));
    }
    let taken = ready.dns_taken.first()?;
    Some(format!(
        "{taken} is taken, so its hosts are not resolved; --dns 127.0.0.1:0 picks a free port."
    ))
}

fn trust_advice(authority: &Path) -> String {
    format!(
        "HTTPS uses this user's own authority, kept in {}.\n\
         `headgate dev trust` makes browsers accept it.",
        authority.display()
    )
}

/// `shop main@1a2b3c4d5e`; a folder has no commit worth showing.
fn named(revision: &Revision) -> String {
    if is_folder(revision) {
        return revision.project.to_string();
    }
    exactly(revision)
}

/// As [`named`], with the state of a folder: which of several is meant is what is told.
fn exactly(revision: &Revision) -> String {
    let branch = plain(revision.branch.as_str());
    format!("{} {branch}@{}", revision.project, plain(revision.commit.fmt_short()))
}

fn is_folder(revision: &Revision) -> bool {
    revision.commit.as_str().starts_with("worktree-")
}

fn rounded(duration: Duration) -> String {
    match duration.as_millis() {
        0..1000 => format!("{} ms", duration.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

fn listed(names: &[HostPattern]) -> String {
    let names: Vec<_> = names.iter().map(|name| plain(&name.to_string())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headgate_project::{
        Group,
        changes::{Change, How, Owner},
    };
    use headgate_types::{Branch, Commit, Generation};

    use super::*;
    use crate::cli::output::OutputFormat;

    fn revision(commit: &str) -> Revision {
        Revision {
            project: "shop".parse().unwrap(),
            branch: Branch::new("main"),
            commit: Commit::new(commit),
        }
    }

    #[test]
    fn urls_are_shown_when_they_are_new() {
        let output = Output::detect(OutputFormat::Json); // without colours, whatever the tests run on
        let terminal = Terminal::new(output, Greeting::Run);
        let deployed = |urls: usize| {
            terminal.deployed(&Deployed {
                revision: revision("1a2b3c4d5e6f"),
                generation: Generation(1),
                elapsed: Duration::from_millis(84),
                functions: 6,
                websites: 1,
                changes: None,
                diagnostics: Arc::default(),
                urls: (0..urls).map(|n| format!("http://{n}.localhost")).collect(),
            })
        };
        let live = "✓ shop main@1a2b3c4d5e live in 84 ms · 6 functions · 1 website\n";
        assert_eq!(deployed(1), format!("{live}  http://0.localhost\n"));
        assert_eq!(deployed(1), live);
        assert!(deployed(12).ends_with("  http://9.localhost\n  and 2 more: `headgate routes`\n"));
    }

    #[test]
    fn a_node_that_follows_nothing_says_how_to_add_a_project() {
        let output = Output::detect(OutputFormat::Json);
        let terminal = Terminal::new(output, Greeting::Run);
        let ready = |projects| {
            terminal.ready(&Ready {
                http: Vec::new(),
                https: Vec::new(),
                dns: Vec::new(),
                dns_over_tls: Vec::new(),
                dns_taken: Vec::new(),
                admin_socket: "/s/admin.sock".into(),
                admin_listen: None,
                projects,
                urls: Vec::new(),
            })
        };
        assert!(ready(0).contains("\n  projects:\n    - name: shop\n"), "{}", ready(0));
        assert!(!ready(1).contains("projects"), "{}", ready(1));
    }

    #[test]
    fn what_changed_is_named_in_one_line() {
        let file = |path: &str, how| Change::File { path: path.into(), how };
        let owner = Owner { application: None, group: Group::Websites, name: "main".into() };
        let mut changes = Changes {
            files: 5,
            things: vec![
                file("functions/hello.yaml", How::Changed),
                Change::Files { of: owner, count: 3 },
                file("functions/\u{1b}[2J.yaml", How::Removed),
            ],
            more: 0,
        };
        assert_eq!(
            changed(&changes),
            "functions/hello.yaml, 3 files of website main, functions/\\u{1b}[2J.yaml removed"
        );
        changes.things.push(file("config.yaml", How::Changed));
        changes.more = 6;
        assert!(changed(&changes).ends_with(" removed and 7 more"), "{}", changed(&changes));
    }

    #[test]
    fn a_commit_is_named_and_a_folder_is_not() {
        assert_eq!(named(&revision("1a2b3c4d5e6f7a8b")), "shop main@1a2b3c4d5e");
        assert_eq!(named(&revision("worktree-1a2b3c4d5e6f")), "shop");
        assert_eq!(exactly(&revision("worktree-1a2b3c4d5e6f")), "shop main@worktree-1a2b3c4d5e");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(rounded(Duration::from_micros(84_600)), "84 ms");
        assert_eq!(rounded(Duration::from_millis(1250)), "1.2 s");
    }
}
