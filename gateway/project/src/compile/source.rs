//! `source`: where the code of a function, library or website is.

use super::{Compiler, scope::file_to_add};
use crate::{
    diagnostic::{Diagnostic, Place, Severity, codes, quoted},
    git::is_branch_name,
    model::{Group, Repository, Source},
    raw,
    schema::{At, Text, Written},
};

impl Compiler<'_> {
    /// The `source` of a function or smartop.
    pub(super) fn source(
        &mut self,
        application: Option<&Text>,
        source: Written<Text>,
        group: Group,
        file: &Place,
    ) -> Option<Source> {
        let At { value, place } = match source {
            Written::Broken => return None,
            Written::Absent | Written::Blank(_) => {
                let message =
                    format!("there is no `source`, so the {}'s own files are used", group.noun());
                self.report.push(
                    Diagnostic::warning(codes::ASSUMED_SOURCE, message)
                        .at(source.place().unwrap_or(file).clone())
                        .hint("add `source: .` to say so"),
                );
                return Some(Source::Own);
            }
            Written::Value(at) => at,
        };
        if &*value == "." {
            return Some(Source::Own);
        }
        match value.strip_prefix("libraries/") {
            Some(library) => self.library_named(application, library, place),
            None => {
                let message = format!("`source` cannot be {}", quoted(&value));
                let mut error = Diagnostic::error(codes::INVALID_VALUE, message).at(place);
                if let Some(meant) = self.source_meant(application, &value) {
                    error = error.label(format!("did you mean {}?", quoted(&meant)));
                }
                self.report.push(error.hint(format!(
                    "write `source: .` for the {}'s own files, or `source: libraries/<name>`",
                    group.noun()
                )));
                None
            }
        }
    }

    /// A library by something like its path or by its name alone; any other path is that of the code
    /// itself, which is found by the function's name.
    fn source_meant(&self, application: Option<&Text>, written: &str) -> Option<String> {
        let path = written.trim_start_matches("./").trim_matches('/');
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let name = name.split('.').next().unwrap_or(name);
        let of_libraries = matches!(folder, "lib" | "libs" | "library" | "libraries");
        let known = || self.libraries.find(application, &Text::from(name)).is_some();
        if !name.is_empty() && (of_libraries || known()) {
            return Some(format!("libraries/{name}"));
        }
        let own = path.is_empty() || written.starts_with(['.', '/']);
        own.then(|| ".".to_owned())
    }

    fn library_named(
        &mut self,
        application: Option<&Text>,
        name: &str,
        place: Place,
    ) -> Option<Source> {
        if let Some((library, ())) = self.libraries.find(application, &Text::from(name)) {
            return Some(Source::Library(library));
        }
        self.report.push_with(Severity::Error, || {
            let message = format!("the library {} is not defined", quoted(name));
            let error = Diagnostic::error(codes::UNKNOWN_LIBRARY, message).at(place);
            let remedy = file_to_add(Group::Libraries, name);
            self.libraries.explain(error, application, name, &remedy)
        });
        None
    }

    /// The repository that a library's or website's `source` names.
    pub(super) fn repository(&mut self, raw: raw::Repository) -> Option<Repository> {
        if !raw.given {
            return None;
        }
        let hint = "add the repository's owner and name, such as `fullname: acme/site`";
        let what = "`source.github`";
        let fullname = self.require(raw.fullname, "fullname", what, &raw.place, hint)?.value;
        let text = |written: Written<Text>| written.value().map(|at| at.value);
        Some(Repository { id: text(raw.id), fullname, branch: text(raw.branch) })
    }

    /// False for a `source.branch` that no repository can have.
    pub(super) fn check_branch(&mut self, branch: &Written<Text>) -> bool {
        let Written::Value(At { value, place }) = branch else { return true };
        let valid = is_branch_name(value);
        if !valid {
            let message = format!("{} cannot be a branch of Git", quoted(value));
            self.report.push(
                Diagnostic::error(codes::INVALID_VALUE, message)
                    .at(place.clone())
                    .hint(
                        "write its name without `refs/heads/`, such as `main` or `feature/search`; \
                         no part of it may begin with `.`, and none of `..`, `~`, `^`, `:`, `?`, `*`, \
                         `[`, `\\` and blanks may be in it",
                    ),
            );
        }
        valid
    }
}
