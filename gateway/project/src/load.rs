//! `load`: a tree in, a project and everything there is to say about it out.

use crate::{
    artefact, compile,
    diagnostic::{Diagnostic, Diagnostics, Place, codes},
    identity,
    layout::{self, Layout, ResourceFile},
    model::{Group, Project, Website},
    raw,
    schema::{self, Field, Fields},
    tree::Tree,
    yaml::{self, Source},
};

/// What `dev` wants beyond what a repository gets. The default is a repository's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// A tree without any project file, but with an `index.html`, is one website.
    pub plain_site: bool,
    /// The variables of `.env` at the root go over those of every function.
    pub dotenv: bool,
}

/// What a tree turned out to be.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// `None` if and only if there is an error among the diagnostics.
    pub project: Option<Project>,
    /// What is sound of a project that has errors, so that whoever looks further can report at once what
    /// is wrong with it as well. Never to be served.
    pub rest: Option<Project>,
    pub diagnostics: Diagnostics,
}

/// Reads the project in a tree, in Taubyte's layout, and reports all its problems at once.
///
/// The same tree and options always give the same project and the same diagnostics in the same order.
pub fn load(tree: &dyn Tree, options: &LoadOptions) -> Loaded {
    let mut diagnostics = Diagnostics::default();
    for unlisted in tree.unlisted() {
        diagnostics.push(
            Diagnostic::warning(codes::UNREADABLE_PATH, "this is left out of the project")
                .at(Place::file(unlisted.path.as_str()))
                .note(unlisted.reason.to_string())
                .hint("rename it, or change who may read it"),
        );
    }
    let project = project(tree, options, &mut diagnostics);
    diagnostics.name_repositories(tree);
    let (project, rest) = match diagnostics.has_errors() {
        true => (None, project),
        false => (project, None),
    };
    Loaded { project, rest, diagnostics }
}

fn project(tree: &dyn Tree, options: &LoadOptions, report: &mut Diagnostics) -> Option<Project> {
    let layout = layout::scan(tree, report)?;
    if layout.is_empty() && !report.has_errors() {
        if options.plain_site
            && let Some(root) = artefact::of_plain_folder(tree)
        {
            return Some(plain_site(root));
        }
        report.push(no_project(options));
        return None;
    }
    if !layout.has_config {
        report.push(
            Diagnostic::warning(codes::MISSING_CONFIG, "this project has no `config.yaml`")
                .at(Place::file("config.yaml"))
                .note("it gives the project its name, from which ids are derived")
                .hint("add one that says `name: my_project`"),
        );
    }
    let raw = read(tree, layout, report);
    Some(compile::compile(raw, tree, options, report))
}

fn no_project(options: &LoadOptions) -> Diagnostic {
    let wanted = match options.plain_site {
        true => "a project has a `config.yaml`, a website an `index.html`",
        false => "a project has a `config.yaml` at the top of its repository",
    };
    Diagnostic::error(codes::NO_PROJECT, "there is no project here")
        .note(wanted)
        .hint("check the folder and the branch")
}

fn plain_site(root: crate::model::SiteRoot) -> Project {
    let name = "site";
    let website = Website {
        application: None,
        name: name.into(),
        id: identity::derive("", None, Group::Websites, name),
        hosts: Vec::new(),
        domains: Vec::new(),
        prefixes: vec!["/".into()],
        root,
        place: Place::file(""),
    };
    Project {
        id: None,
        name: None,
        description: None,
        applications: Vec::new(),
        domains: Vec::new(),
        functions: Vec::new(),
        websites: vec![website],
        unserved: Vec::new(),
    }
}

/// Reads every file of the layout, in order.
fn read(tree: &dyn Tree, layout: Layout<'_>, report: &mut Diagnostics) -> raw::Project {
    let mut project = raw::Project::default();
    if layout.has_config {
        let fields = read_fields(tree, "config.yaml", "a project", schema::PROJECT, report);
        project.config = fields.map(|fields| raw::Config::read(&fields));
    }
    for name in layout.applications {
        let fields = if layout.application_configs.contains(name) {
            let path = format!("applications/{name}/config.yaml");
            read_fields(tree, &path, "an application", schema::APPLICATION, report)
        } else {
            None
        };
        let common = fields.map(|fields| raw::Common::read(&fields));
        project.applications.push(raw::Application { name: name.into(), common });
    }
    for file in layout.resources {
        read_resource(tree, &file, &mut project, report);
    }
    project
}

fn read_resource(
    tree: &dyn Tree,
    file: &ResourceFile<'_>,
    project: &mut raw::Project,
    report: &mut Diagnostics,
) {
    let table = match file.group {
        Group::Domains => schema::DOMAIN,
        Group::Functions => schema::FUNCTION,
        Group::Websites => schema::WEBSITE,
        _ => return project.others.extend(read_other(tree, file, report)),
    };
    let what = format!("a {}", file.group.noun());
    match (read_fields(tree, file.path, &what, table, report), file.group) {
        (Some(fields), Group::Domains) => {
            project.domains.push(resource(file, &fields, raw::Domain::read));
        }
        (Some(fields), Group::Functions) => {
            project.functions.push(resource(file, &fields, raw::Function::read));
        }
        (Some(fields), _) => project.websites.push(resource(file, &fields, raw::Website::read)),
        (None, Group::Domains) => {
            project.unread_domains.push((file.application.map(Into::into), file.name.into()));
        }
        (None, _) => {}
    }
}

/// A resource of a group without a table: it must be YAML, and no more is known about it.
fn read_other(
    tree: &dyn Tree,
    file: &ResourceFile<'_>,
    report: &mut Diagnostics,
) -> Option<raw::Other> {
    let source = Source::read(tree, file.path, report)?;
    yaml::parse(&source, report)?;
    Some(raw::Other {
        group: file.group,
        application: file.application.map(Into::into),
        name: file.name.into(),
        place: source.whole(),
    })
}

pub(crate) fn read_fields(
    tree: &dyn Tree,
    path: &str,
    what: &str,
    table: &'static [Field],
    report: &mut Diagnostics,
) -> Option<Fields> {
    let source = Source::read(tree, path, report)?;
    let node = yaml::parse(&source, report)?;
    schema::read(&source, &node, what, table, report)
}

fn resource<T>(
    file: &ResourceFile<'_>,
    fields: &Fields,
    body: fn(&Fields) -> T,
) -> raw::Resource<T> {
    raw::Resource {
        application: file.application.map(Into::into),
        name: file.name.into(),
        place: Place::file(file.path),
        common: raw::Common::read(fields),
        body: body(fields),
    }
}
