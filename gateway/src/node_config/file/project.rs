//! The projects that `node.yaml` lists.

use std::collections::BTreeMap;

use headgate_project::{
    Diagnostic,
    diagnostic::codes,
    schema::{At, Fields, Text},
};
use headgate_types::{Branch, ProjectName};

use super::{Reader, acme, scalar};
use crate::node_config::{FollowedProject, OwnershipRule, Source, defaults};

impl Reader<'_> {
    /// How many there may be is checked by the table, as for every list.
    pub(super) fn projects(&mut self, file: &Fields) -> Vec<FollowedProject> {
        let mut projects: Vec<FollowedProject> = Vec::new();
        let mut places = BTreeMap::new();
        // Whoever may push here could have certificates made for the names of others.
        let usual = || match acme::is_authority(file) {
            true => OwnershipRule::Verify,
            false => OwnershipRule::Trust,
        };
        let ownership = scalar::word(file, "ownership").unwrap_or_else(usual);
        for item in file.items("projects").value().map_or_else(Vec::new, |items| items.value) {
            let Some(project) = self.project(&item, ownership) else { continue };
            let Some(name) = item.text("name").value() else { continue };
            if let Some(first) = places.get(&project.name).cloned() {
                let message = format!("the project `{}` is listed twice", project.name);
                self.report.push(
                    Diagnostic::error(codes::INVALID_VALUE, message)
                        .at(name.place)
                        .label("again here")
                        .related(first, "first here")
                        .hint("give one of them another name, or remove it"),
                );
                continue;
            }
            places.insert(project.name.clone(), name.place);
            projects.push(project);
        }
        projects
    }

    fn project(&mut self, file: &Fields, ownership: OwnershipRule) -> Option<FollowedProject> {
        let name = file.text("name").value().and_then(|text| self.project_name(&text));
        let branch = file.text("branch").value();
        let source = file.text("config").value();
        let source = source.and_then(|text| self.source(&text, branch.is_some()));
        let alone = !["code", "repositories"].iter().any(|key| file.says(key));
        let credentials = match &source {
            Some(Source::Git(url)) if alone => self.fitting_credentials(file, url),
            _ => self.credentials(file),
        };
        let others = self.others(file, source.as_ref(), &credentials);
        Some(FollowedProject {
            name: name?,
            source: source?,
            branch: self.branch(branch),
            poll: file.duration("poll").value().map_or(defaults::POLL, |poll| poll.value),
            credentials,
            others,
            ownership: scalar::word(file, "ownership").unwrap_or(ownership),
        })
    }

    fn project_name(&mut self, text: &At<Text>) -> Option<ProjectName> {
        let parsed = text.value.parse::<ProjectName>();
        if let Err(error) = &parsed {
            let hint = "it names the project in logs, paths and on the command line";
            self.mistake(text, error.to_string(), hint);
        }
        parsed.ok()
    }

    fn branch(&mut self, written: Option<At<Text>>) -> Branch {
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
                "a branch's name has no blanks and does not begin with `-`: `main`, `feature/search`",
            );
        }
        Branch::new(name)
    }

    /// A URL or `user@host:path` is Git's; a path is a working folder, unless a branch of it was asked for.
    fn source(&mut self, text: &At<Text>, branch_named: bool) -> Option<Source> {
        let value = text.value.trim();
        if branch_named || value.contains("://") || is_scp_like(value) {
            return self.repository_url(text).map(Source::Git);
        }
        Some(Source::Folder(self.path(text)))
    }
}

/// `git@host:path`: a colon before the first slash, and more than a drive letter in front of it.
pub(super) fn is_scp_like(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(host, path)| host.len() > 1 && !host.contains('/') && !path.is_empty())
}
