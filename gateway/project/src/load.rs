//! `load`: a tree in, a project and everything there is to say about it out.

use crate::{
    artefact, compile,
    diagnostic::{Diagnostic, Diagnostics, Place, closest, codes, listed, quoted},
    identity,
    layout::{self, Layout, ResourceFile},
    marks,
    model::{About, Group, Project, Website},
    raw,
    schema::{self, Document, Fields},
    tree::Tree,
    yaml::{self, Source},
};

/// What `dev` and `check` want beyond what a repository gets. The default is a repository's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// A tree without any project file, but with an `index.html`, is one website.
    pub plain_site: bool,
    /// The variables of `.env` at the root go over those of every function.
    pub dotenv: bool,
    /// A tree without the code of any function and the files of any website is half a project, as
    /// Taubyte's configuration repositories are: what is missing is a warning. Only for looking at it;
    /// such a project has nothing to serve.
    pub code_elsewhere: bool,
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
        report.push(no_project(tree, options));
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
    let project = compile::compile(raw, tree, options, report);
    if let Some(problem) = nothing_left(&project, report) {
        report.push(problem);
    }
    Some(project)
}

/// A project that would take its site down: because a folder or a file of it is called a little wrong,
/// or because there is nothing that answers requests.
fn nothing_left(project: &Project, report: &Diagnostics) -> Option<Diagnostic> {
    let Project { functions, idle_functions, websites, unserved, .. } = project;
    let code_elsewhere = || report.iter().any(|found| found.code == codes::CODE_ELSEWHERE);
    if !(functions.is_empty() && websites.is_empty()) || report.has_errors() || code_elsewhere() {
        return None;
    }
    let unread = report.iter().filter(|found| could_answer(found));
    let unread: Vec<_> = unread.filter_map(|it| it.place.clone()).take(MOST_UNREAD).collect();
    if !unread.is_empty() && idle_functions.is_empty() {
        let message = "this project has no function and no website";
        let error = Diagnostic::error(codes::SERVES_NOTHING, message)
            .at(Place::file("config.yaml"))
            .note(match unread.as_slice() {
                [one] => format!("{} is not read, see the warning about it", quoted(&one.file)),
                some => {
                    let files = listed(some.iter().map(|place| &*place.file));
                    format!("{files} are not read, see the warnings about them")
                }
            })
            .hint("mend that, and the project is served");
        let related = |error: Diagnostic, place| error.related(place, "not read");
        return Some(unread.into_iter().fold(error, related));
    }
    let names = listed(unserved.iter().map(|idle| &*idle.name));
    let warning = Diagnostic::warning(codes::SERVES_NOTHING, "this project answers no request")
        .at(Place::file("config.yaml"))
        .note(match (idle_functions.is_empty(), unserved.is_empty()) {
            (true, true) => "it has no function and no website".to_owned(),
            (true, false) => {
                format!("it has no function and no website, and nothing here uses {names}")
            }
            (false, _) => format!("it has no website, and nothing here calls or uses {names}"),
        });
    Some(warning.hint(
        "add a website as `websites/main.yaml` with its files in `websites/main/`, or a function with \
         `trigger: {type: http, method: GET, paths: [/hello]}`; `headgate new DIR` makes a small project \
         with everything that either needs, to copy from",
    ))
}

/// Whoever mends these has understood.
const MOST_UNREAD: usize = 10;

/// Whether a warning is about files that are not read and might be functions or websites.
fn could_answer(found: &Diagnostic) -> bool {
    let groups = || [Group::Functions, Group::Websites].map(Group::folder);
    let names_one =
        |place: &Place| place.file.split('/').any(|folder| closest(folder, groups()).is_some());
    matches!(found.code, codes::UNKNOWN_FOLDER | codes::YML_EXTENSION)
        && found.place.as_ref().is_some_and(names_one)
}

fn no_project(tree: &dyn Tree, options: &LoadOptions) -> Diagnostic {
    let error = marks::nothing_here(match options.plain_site {
        true => "a project has a `config.yaml`, a website an `index.html`",
        false => "a project has a `config.yaml` at the top of its repository",
    });
    let below = tree.entries().iter().filter_map(|entry| match entry.path.split_once('/') {
        Some((folder, "config.yaml")) => Some(folder.to_owned()),
        _ => None,
    });
    marks::point_below(error, below.collect())
}

fn plain_site(root: crate::model::SiteRoot) -> Project {
    let name = "site";
    let website = Website {
        application: None,
        name: name.into(),
        id: identity::derive("", None, Group::Websites.folder(), name),
        about: About::default(),
        hosts: Vec::new(),
        domains: Vec::new(),
        prefixes: vec!["/".into()],
        repository: None,
        root,
        place: Place::file(""),
    };
    Project { websites: vec![website], ..Project::default() }
}

/// Reads every file of the layout, in order.
fn read(tree: &dyn Tree, layout: Layout<'_>, report: &mut Diagnostics) -> raw::Project {
    let mut project = raw::Project::default();
    if layout.has_config {
        let fields = read_fields(tree, "config.yaml", &schema::PROJECT, report);
        project.config = fields.map(|fields| raw::Config::read(&fields));
    }
    for name in layout.applications {
        let common = if layout.application_configs.contains(name) {
            let path = format!("applications/{name}/config.yaml");
            let fields = read_fields(tree, &path, &schema::APPLICATION, report);
            fields.map(|fields| raw::Common::read(&fields))
        } else {
            None
        };
        project.applications.push(raw::Application { name: name.into(), common });
    }
    for file in layout.resources {
        match read_fields(tree, file.path, file.group.document(), report) {
            Some(fields) => project.add(&file, &fields),
            None => {
                let application = file.application.map(Into::into);
                project.unread.push((file.group, application, file.name.into()));
            }
        }
    }
    project
}

pub(crate) fn read_fields(
    tree: &dyn Tree,
    path: &str,
    document: &'static Document,
    report: &mut Diagnostics,
) -> Option<Fields> {
    let source = Source::read(tree, path, report)?;
    let node = yaml::parse(&source, report)?;
    schema::read(&source, &node, document, report)
}

impl Group {
    pub(crate) fn document(self) -> &'static Document {
        match self {
            Self::Databases => &schema::DATABASE,
            Self::Domains => &schema::DOMAIN,
            Self::Functions => &schema::FUNCTION,
            Self::Libraries => &schema::LIBRARY,
            Self::Messaging => &schema::MESSAGING,
            Self::Services => &schema::SERVICE,
            Self::Smartops => &schema::SMARTOP,
            Self::Storages => &schema::STORAGE,
            Self::Websites => &schema::WEBSITE,
        }
    }
}

impl raw::Project {
    fn add(&mut self, file: &ResourceFile<'_>, fields: &Fields) {
        match file.group {
            Group::Databases => self.databases.push(resource(file, fields, raw::Database::read)),
            Group::Domains => self.domains.push(resource(file, fields, raw::Domain::read)),
            Group::Functions => self.functions.push(resource(file, fields, raw::Function::read)),
            Group::Libraries => self.libraries.push(resource(file, fields, raw::Library::read)),
            Group::Messaging => self.messaging.push(resource(file, fields, raw::Messaging::read)),
            Group::Services => self.services.push(resource(file, fields, raw::Service::read)),
            Group::Smartops => self.smartops.push(resource(file, fields, raw::Smartop::read)),
            Group::Storages => self.storages.push(resource(file, fields, raw::Storage::read)),
            Group::Websites => self.websites.push(resource(file, fields, raw::Website::read)),
        }
    }
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
