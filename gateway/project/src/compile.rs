//! From what is written to what is meant: names resolved, defaults filled in, conflicts found.
//!
//! Every check runs, whatever failed before it; a mistake is reported once, where it was made, and
//! not again at all the places that depend on it.

mod domain;
mod function;
mod routes;
mod website;

use std::collections::{BTreeMap, HashMap};

use crate::{
    LoadOptions,
    diagnostic::{Diagnostic, Diagnostics, Place, codes, listed, quoted},
    dotenv, identity,
    model::{Application, Group, Project, Unserved},
    raw,
    schema::{At, Text, Written},
    tree::Tree,
};
use domain::DomainIndex;
use routes::Claims;

/// The project; it is whole only if nothing was reported as an error.
pub(crate) fn compile(
    raw: raw::Project,
    tree: &dyn Tree,
    options: &LoadOptions,
    report: &mut Diagnostics,
) -> Project {
    let config = raw.config.as_ref().map(|config| &config.common);
    let text = |pick: fn(&raw::Common) -> &Written<Text>| {
        config.and_then(|common| pick(common).clone().value()).map(|at| at.value.to_string())
    };
    let name = text(|common| &common.name);
    let mut compiler = Compiler {
        tree,
        project_name: name.clone().unwrap_or_default(),
        dotenv: if options.dotenv { dotenv::read(tree, report) } else { BTreeMap::new() },
        domains: DomainIndex::default(),
        claims: Claims::default(),
        ids: HashMap::new(),
        unserved: Vec::new(),
        report,
    };
    if let Some(config) = &raw.config {
        compiler.check_email(&config.email);
    }
    let domains = compiler.domains(raw.domains, raw.unread_domains);
    let functions =
        raw.functions.into_iter().filter_map(|function| compiler.function(function)).collect();
    let websites =
        raw.websites.into_iter().filter_map(|website| compiler.website(website)).collect();
    for other in raw.others {
        let what = format!("the {} `{}`", other.group.noun(), other.name);
        compiler.not_served(other, None, &format!("{what} is read, and nothing here uses it yet"));
    }
    Project {
        id: text(|common| &common.id),
        description: text(|common| &common.description),
        name,
        applications: raw.applications.into_iter().map(application).collect(),
        domains,
        functions,
        websites,
        unserved: compiler.unserved,
    }
}

fn application(raw: raw::Application) -> Application {
    let text = |written: Written<Text>| written.value().map(|at| at.value.to_string());
    let (id, description) = match raw.common {
        Some(common) => (text(common.id), text(common.description)),
        None => (None, None),
    };
    Application { name: raw.name, id, description }
}

struct Compiler<'a> {
    tree: &'a dyn Tree,
    project_name: String,
    dotenv: BTreeMap<String, String>,
    domains: DomainIndex,
    claims: Claims,
    ids: HashMap<Text, Place>,
    unserved: Vec<Unserved>,
    report: &'a mut Diagnostics,
}

impl Compiler<'_> {
    /// The resource's id, derived where none is written, and the checks of the common keys.
    fn identify<T>(&mut self, group: Group, resource: &raw::Resource<T>) -> String {
        let raw::Resource { application, name, common, place, .. } = resource;
        if let Written::Value(At { value, place }) = &common.name
            && value != name
        {
            let message = format!("this is called `{name}`, as its file is, not {}", quoted(value));
            self.report.push(
                Diagnostic::warning(codes::NAME_DIFFERS, message)
                    .at(place.clone())
                    .hint("rename the file, or remove this line"),
            );
        }
        match &common.id {
            Written::Value(At { value, place }) => {
                if let Some(first) = self.ids.insert(value.clone(), place.clone()) {
                    let message = format!("the id {} is used twice", quoted(value));
                    self.report.push(
                        Diagnostic::warning(codes::DUPLICATE_ID, message)
                            .at(place.clone())
                            .label("also here")
                            .related(first, "first here")
                            .note("ids tell resources apart when one of them is renamed")
                            .hint("when you copy a file, remove its `id`"),
                    );
                }
                value.to_string()
            }
            Written::Absent | Written::Blank(_) | Written::Broken => {
                let id = identity::derive(&self.project_name, application.as_deref(), group, name);
                let message = format!("the {} `{name}` has no `id`", group.noun());
                self.report.push(
                    Diagnostic::warning(codes::MISSING_ID, message)
                        .at(common.id.place().unwrap_or(place).clone())
                        .note(
                            "one was made from its name, and will change when the file is renamed",
                        )
                        .hint(format!("add this line to keep it: `id: {id}`")),
                );
                id
            }
        }
    }

    /// The value of a key that must be there; a missing one is reported where it would stand.
    fn require<T>(
        &mut self,
        written: Written<T>,
        key: &str,
        what: &str,
        place: &Place,
        hint: &str,
    ) -> Option<At<T>> {
        let (message, place) = match written {
            Written::Value(value) => return Some(value),
            Written::Broken => return None,
            Written::Absent => (format!("{what} needs `{key}`"), place.clone()),
            Written::Blank(place) => (format!("`{key}` is empty"), place),
        };
        self.report.push(Diagnostic::error(codes::MISSING_KEY, message).at(place).hint(hint));
        None
    }

    fn not_served(&mut self, other: raw::Other, place: Option<Place>, message: &str) {
        let raw::Other { group, application, name, place: file } = other;
        self.report.push(
            Diagnostic::warning(codes::NOT_SERVED_YET, message)
                .at(place.unwrap_or_else(|| file.clone()))
                .hint("the rest of the project is served; this file may stay"),
        );
        self.unserved.push(Unserved { group, application, name, place: file });
    }

    fn check_email(&mut self, email: &Written<Text>) {
        let Written::Value(At { value, place }) = email else { return };
        let plausible = value.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !value.contains(char::is_whitespace)
        });
        if !plausible {
            let message = format!("{} is not an e-mail address", quoted(value));
            self.report.push(
                Diagnostic::error(codes::INVALID_VALUE, message)
                    .at(place.clone())
                    .hint("write it as `name@example.com`"),
            );
        }
    }

    /// `this project has …`, for hints about names that do not exist.
    fn known(names: &[&str], none: &str) -> String {
        match names {
            [] => none.to_owned(),
            names => format!("this project has {}", listed(names.iter().copied())),
        }
    }
}
