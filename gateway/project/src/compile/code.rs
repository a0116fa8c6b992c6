//! Code that is not here: a mistake in a project, and half a project in Taubyte's configuration
//! repositories, whose code is in another one.

use super::Compiler;
use crate::{
    artefact,
    diagnostic::{Diagnostic, Place, codes, listed, quoted},
    model::Group,
    schema::{At, Text},
};

/// What was found of the project's code so far.
#[derive(Default)]
pub(super) struct Code {
    /// Some of it is in this tree, be it in need of building.
    here: bool,
    missing: Vec<Missing>,
}

struct Missing {
    group: Group,
    name: Text,
    /// The repository that its YAML names.
    fullname: Option<Text>,
    error: Diagnostic,
}

impl Compiler<'_> {
    /// Whether a website or library has no files because nobody brought its repository.
    pub(super) fn is_unmapped(
        &self,
        error: &Diagnostic,
        group: Group,
        names: artefact::Name<'_>,
    ) -> bool {
        let bases = names.bases(group.folder());
        let mounted = bases.iter().any(|base| self.tree.repository_of(base).is_some());
        matches!(error.code, codes::SITE_NOT_FOUND | codes::ARTEFACT_NOT_FOUND)
            && !mounted
            && !names.has_files(self.tree, group)
    }

    pub(super) fn code_found(&mut self) {
        self.code.here = true;
    }

    /// The code of a function, library or website could not be used. Whether that is an error is told
    /// in the end.
    pub(super) fn code_missing(
        &mut self,
        group: Group,
        names: artefact::Name<'_>,
        fullname: Option<Text>,
        error: Diagnostic,
    ) {
        let not_found = matches!(
            error.code,
            codes::ARTEFACT_NOT_FOUND | codes::SITE_NOT_FOUND | codes::UNMAPPED_REPOSITORY
        );
        if not_found && !names.has_files(self.tree, group) {
            self.code.missing.push(Missing { group, name: names.name.into(), fullname, error });
        } else {
            self.code.here = true;
            self.report.push(error);
        }
    }

    /// Reports what is missing, each as an error, or all of it as a warning if nothing was to be expected.
    pub(super) fn settle_code(&mut self) {
        let Code { here, missing } = std::mem::take(&mut self.code);
        let separate = self.taubyte || missing.iter().any(|missing| missing.fullname.is_some());
        if here || !(self.code_elsewhere && separate) {
            return missing.into_iter().for_each(|missing| self.report.push(missing.error));
        }
        if missing.is_empty() {
            return;
        }
        let names = |wanted: Group| {
            let of_group = missing.iter().filter(|missing| missing.group == wanted);
            of_group.map(|missing| &*missing.name).collect::<Vec<_>>()
        };
        let mut warning =
            Diagnostic::warning(codes::CODE_ELSEWHERE, "this project's code is not here")
                .at(Place::file("config.yaml"));
        for (group, what) in [
            (Group::Functions, "WebAssembly"),
            (Group::Libraries, "WebAssembly"),
            (Group::Websites, "files"),
        ] {
            let names = names(group);
            if !names.is_empty() {
                let group = group.folder();
                warning = warning.note(format!("{group} without {what}: {}", listed(names)));
            }
        }
        // What has a repository of its own is named by it, the rest is in the one of the code.
        let fullname = missing.iter().find_map(|missing| missing.fullname.as_deref());
        let sites = missing.iter().any(|missing| missing.group == Group::Websites);
        let fullname = fullname.or_else(|| sites.then_some("acme/site")).map(quoted);
        let own = fullname.as_deref().map(|name| {
            let name = name.trim_matches('`');
            format!("`repositories: {{{name}: URL}}` for what is in a repository of its own")
        });
        let guests = missing.iter().any(|missing| missing.group != Group::Websites);
        let code = guests.then(|| "`code: URL` for the functions' code".to_owned());
        let keys: Vec<_> = code.into_iter().chain(own).collect();
        let keep = match (guests, sites) {
            (true, false) => "WebAssembly at `functions/<name>.wasm`",
            (false, true) => "a site's files in `websites/<name>/`",
            _ => "WebAssembly at `functions/<name>.wasm` and a site's files in `websites/<name>/`",
        };
        self.report.push(
            warning
                .note(
                    "so this is taken for a configuration repository, whose code is in other \
                     repositories; a node that follows this one alone refuses it",
                )
                .hint(format!(
                    "whoever runs the node names the others to it, in this project's entry in its \
                     `node.yaml`: {}; or keep all in one repository, with {keep}",
                    keys.join(", ")
                )),
        );
    }
}

/// The same, said of a website or library whose files its YAML places into a repository nobody told us
/// of.
pub(super) fn unmapped(
    not_found: Diagnostic,
    group: Group,
    names: artefact::Name<'_>,
    At { value, place }: At<Text>,
) -> Diagnostic {
    let repository = quoted(&value);
    let noun = group.noun();
    let message = format!(
        "the {noun} `{}` is in the repository {repository}, and nothing says where that is",
        names.name
    );
    let base = names.bases(group.folder()).swap_remove(0);
    let plain = repository.trim_matches('`');
    let what = if group == Group::Websites { "site" } else { noun };
    let hint = format!(
        "whoever runs the node adds `repositories: {{{plain}: URL}}` to this project in its `node.yaml`; \
         for `headgate dev`, or to keep all in one repository, put the {what} into `{base}/`"
    );
    Diagnostic { code: codes::UNMAPPED_REPOSITORY, message, ..not_found }.at(place).hint(hint)
}
