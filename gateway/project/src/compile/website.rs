//! Websites: prefixes and files.

use headgate_types::PathPattern;

use super::{Compiler, code::unmapped, foreign};
use crate::{
    artefact,
    diagnostic::{Diagnostic, codes, quoted},
    model::{Group, Website},
    raw,
    schema::{At, Text},
};

impl Compiler<'_> {
    pub(super) fn website(&mut self, raw: raw::Resource<raw::Website>) -> Option<Website> {
        let (id, about) = self.identify(Group::Websites, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let domains = self.resolve(application.as_ref(), body.domains, "a website", &place);
        let hint = "add the paths it answers under; `paths: [/]` is the whole host";
        let paths = self.require(body.paths, "paths", "a website", &place, hint);
        let mut prefixes = Vec::new();
        for path in paths.map(|at| at.value).unwrap_or_default() {
            if let Some(prefix) = self.prefix(&path) {
                self.claims.website(&domains.hosts, &prefix, &path.place, self.report);
                prefixes.push(prefix);
            }
        }
        let followed = self.check_branch(&body.repository.branch);
        let fullname = body.repository.fullname.clone().value();
        let repository = self.repository(body.repository);
        let names = artefact::Name { application: application.as_deref(), name: &name };
        let root = match artefact::of_website(self.tree, names) {
            Ok((root, doubt)) => {
                if let Some(doubt) = doubt {
                    self.report.push(doubt.at(place.clone()));
                }
                self.code_found();
                root
            }
            // Nobody could fetch it, which was said.
            Err(error) if error.code == codes::SITE_NOT_FOUND && !followed => return None,
            Err(error) => {
                let named = fullname.as_ref().map(|fullname| fullname.value.clone());
                let error = match fullname {
                    Some(fullname) if self.is_unmapped(&error, Group::Websites, names) => {
                        unmapped(*error, Group::Websites, names, fullname)
                    }
                    _ => *error,
                };
                let at = error.place.clone().unwrap_or_else(|| place.clone());
                self.code_missing(Group::Websites, names, named, error.at(at));
                return None;
            }
        };
        let (hosts, domains) = (domains.hosts, domains.names);
        Some(Website {
            application,
            name,
            id,
            about,
            hosts,
            domains,
            prefixes,
            repository,
            root,
            place,
        })
    }

    /// `/docs` for `/docs` and `/docs/`.
    fn prefix(&mut self, At { value, place }: &At<Text>) -> Option<Box<str>> {
        let (message, hint) = match value.parse::<PathPattern>() {
            Ok(path) if path.is_exact() => {
                if let Some(prefix) = foreign::prefix(value) {
                    let message = format!("{} is answered at just this path", quoted(value));
                    self.report.push(
                        Diagnostic::warning(codes::FOREIGN_PATTERN, message)
                            .at(place.clone())
                            .label("no pattern here")
                            .note("a website answers everything below its path")
                            .hint(format!("write `{prefix}` if that is meant")),
                    );
                }
                return Some(match value.trim_end_matches('/') {
                    "" => "/".into(),
                    prefix => prefix.into(),
                });
            }
            Ok(_) => (
                format!("{} has parameters, and a website has none", quoted(value)),
                "a website answers everything below its path; write only the beginning".to_owned(),
            ),
            Err(error) => (
                format!("{} is not a path: {error}", quoted(value)),
                format!("write `/{}`", value.trim_start_matches('/')),
            ),
        };
        self.report
            .push(Diagnostic::error(codes::INVALID_PATH, message).at(place.clone()).hint(hint));
        None
    }
}
