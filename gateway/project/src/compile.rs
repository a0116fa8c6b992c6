//! From what is written to what is meant: names resolved, defaults filled in, conflicts found.
//!
//! Every check runs, whatever failed before it; a mistake is reported once, where it was made, and
//! not again at all the places that depend on it.

mod code;
mod domain;
mod execution;
mod foreign;
mod function;
mod records;
mod resources;
mod routes;
mod scope;
mod source;
mod trigger;
mod website;

use std::collections::{BTreeMap, HashMap};

use headgate_types::HostPattern;

use self::{
    code::Code,
    routes::Claims,
    scope::{Index, file_to_add},
};
use crate::{
    LoadOptions,
    artefact::ArtefactFile,
    diagnostic::{Diagnostic, Diagnostics, Place, Severity, codes, quoted},
    dotenv, identity,
    model::{
        About, Application, Cloud, Group, IdleFunction, Project, ResourceRef, Unserved as Idle,
    },
    raw,
    schema::{At, Text, Written},
    tree::Tree,
};

/// The project; it is whole only if nothing was reported as an error.
pub(crate) fn compile(
    mut raw: raw::Project,
    tree: &dyn Tree,
    options: &LoadOptions,
    report: &mut Diagnostics,
) -> Project {
    let config = raw.config.take();
    let text = |pick: fn(&raw::Common) -> &Written<Text>| {
        let common = config.as_ref().map(|config| &config.common);
        common.and_then(|common| pick(common).clone().value()).map(|at| at.value)
    };
    let (id, name) = (text(|common| &common.id), text(|common| &common.name));
    let description = text(|common| &common.description);
    let mut compiler = Compiler {
        tree,
        project_name: name.as_deref().unwrap_or_default().to_owned(),
        dotenv: if options.dotenv { dotenv::read(tree, report) } else { BTreeMap::new() },
        domains: Index::default(),
        libraries: Index::default(),
        library_code: BTreeMap::new(),
        smartops: Index::default(),
        protocols: Index::default(),
        services_unread: false,
        claims: Claims::default(),
        code: Code::default(),
        code_elsewhere: options.code_elsewhere,
        taubyte: id.as_ref().is_some_and(|id| id.starts_with(TAUBYTE_ID)),
        ids: HashMap::new(),
        idle_functions: Vec::new(),
        unserved: Vec::new(),
        report,
    };
    compiler.index(&raw);
    let mut project = Project {
        id: id.map(|id| id.to_string()),
        name: name.map(|name| name.to_string()),
        description: description.map(|text| text.to_string()),
        ..Project::default()
    };
    if let Some(raw::Config { common, email, clouds }) = config {
        project.tags = texts(common.tags);
        project.email = compiler.email(email);
        project.clouds = compiler.clouds(clouds);
    }
    let c = &mut compiler;
    project.applications = raw.applications.into_iter().map(|raw| c.application(raw)).collect();
    project.domains = c.domains(raw.domains);
    project.databases = raw.databases.into_iter().filter_map(|raw| c.database(raw)).collect();
    // Before the functions, which may be made from them.
    project.libraries = raw.libraries.into_iter().filter_map(|raw| c.library(raw)).collect();
    project.functions = raw.functions.into_iter().filter_map(|raw| c.function(raw)).collect();
    project.messaging = raw.messaging.into_iter().filter_map(|raw| c.messaging(raw)).collect();
    project.services = raw.services.into_iter().filter_map(|raw| c.service(raw)).collect();
    project.smartops = raw.smartops.into_iter().filter_map(|raw| c.smartop(raw)).collect();
    project.storages = raw.storages.into_iter().filter_map(|raw| c.storage(raw)).collect();
    project.websites = raw.websites.into_iter().filter_map(|raw| c.website(raw)).collect();
    compiler.settle_code();
    project.idle_functions = compiler.idle_functions;
    project.unserved = compiler.unserved;
    project
}

fn texts(written: Written<Vec<At<Text>>>) -> Vec<Text> {
    let texts = written.value().map(|at| at.value).unwrap_or_default();
    texts.into_iter().map(|text| text.value).collect()
}

/// How the ids begin that Taubyte's tools make: base58 of a SHA-256 multihash.
const TAUBYTE_ID: &str = "Qm";

struct Compiler<'a> {
    tree: &'a dyn Tree,
    project_name: String,
    dotenv: BTreeMap<String, String>,
    /// `None` for a domain that was reported as wrong: a reference to it is not a second mistake.
    domains: Index<Option<HostPattern>>,
    libraries: Index<()>,
    /// The code of each library that could be read, if it has some.
    library_code: BTreeMap<ResourceRef, Option<ArtefactFile>>,
    smartops: Index<()>,
    /// The services, by protocol instead of name.
    protocols: Index<()>,
    /// Some service could not be read, so that any protocol may be its.
    services_unread: bool,
    claims: Claims,
    code: Code,
    code_elsewhere: bool,
    /// Its id was given by a Taubyte cloud, where code is never beside the configuration.
    taubyte: bool,
    ids: HashMap<Text, Place>,
    idle_functions: Vec<IdleFunction>,
    unserved: Vec<Idle>,
    report: &'a mut Diagnostics,
}

/// A resource that does nothing yet: its group, application, name and file.
type Unserved<'a> = (Group, &'a Option<Text>, &'a Text, &'a Place);

impl Compiler<'_> {
    /// Everything that others refer to, before anything is looked at.
    fn index(&mut self, raw: &raw::Project) {
        for library in &raw.libraries {
            self.libraries.insert(library.application.clone(), library.name.clone(), ());
        }
        for smartop in &raw.smartops {
            self.smartops.insert(smartop.application.clone(), smartop.name.clone(), ());
        }
        for service in &raw.services {
            match service.body.protocol.clone().value() {
                Some(At { value, .. }) => {
                    self.protocols.insert(service.application.clone(), value, ());
                }
                None => self.services_unread = true,
            }
        }
        for (group, application, name) in &raw.unread {
            let (application, name) = (application.clone(), name.clone());
            match group {
                Group::Domains => self.domains.insert(application, name, None),
                Group::Libraries => self.libraries.insert(application, name, ()),
                Group::Smartops => self.smartops.insert(application, name, ()),
                Group::Services => self.services_unread = true,
                _ => {}
            }
        }
    }

    fn application(&mut self, raw: raw::Application) -> Application {
        let raw::Application { name, common } = raw;
        let Some(common) = common else {
            return Application { name, id: None, about: About::default() };
        };
        self.check_name(&name, &common.name, "folder");
        let project = self.project_name.clone();
        if let Written::Value(id) = &common.id {
            // No group has this name, so no resource has this id.
            self.check_id(id, || identity::derive(&project, Some(&*name), "", ""));
        }
        let about = self.about(Some(&name), &common);
        Application { name, id: common.id.value().map(|at| at.value.to_string()), about }
    }

    /// The resource's id, derived where none is written, and what else it says about itself.
    fn identify<T>(&mut self, group: Group, resource: &raw::Resource<T>) -> (String, About) {
        let raw::Resource { application, name, common, place, .. } = resource;
        self.check_name(name, &common.name, "file");
        let about = self.about(application.as_ref(), common);
        let project = self.project_name.clone();
        let derived = || identity::derive(&project, application.as_deref(), group.folder(), name);
        if let Written::Value(id) = &common.id {
            self.check_id(id, derived);
            return (id.value.to_string(), about);
        }
        let id = derived();
        let message = format!("the {} `{name}` has no `id`", group.noun());
        self.report.push(
            Diagnostic::warning(codes::MISSING_ID, message)
                .at(common.id.place().unwrap_or(place).clone())
                .note("one was made from its name, and will change when the file is renamed")
                .hint(format!("add this line to keep it: `id: {id}`")),
        );
        (id, about)
    }

    fn check_name(&mut self, name: &Text, written: &Written<Text>, file: &str) {
        let Written::Value(At { value, place }) = written else { return };
        if value != name {
            let message =
                format!("this is called `{name}`, as its {file} is, not {}", quoted(value));
            self.report.push(
                Diagnostic::warning(codes::NAME_DIFFERS, message)
                    .at(place.clone())
                    .hint(format!(
                        "remove this line; or rename the {file}, and with it what is called alike and what \
                         refers to it"
                    )),
            );
        }
    }

    /// `another` is an id that nothing else has.
    fn check_id(&mut self, At { value, place }: &At<Text>, another: impl FnOnce() -> String) {
        let Some(first) = self.ids.insert(value.clone(), place.clone()) else { return };
        self.report.push(
            Diagnostic::warning(
                codes::DUPLICATE_ID,
                format!("the id {} is used twice", quoted(value)),
            )
            .at(place.clone())
            .label("also here")
            .related(first, "first here")
            .note("ids tell resources apart when one of them is renamed")
            .hint(format!("in whichever is the copy, write `id: {}`", another())),
        );
    }

    /// Description and tags; those that attach a smartop are resolved.
    fn about(&mut self, application: Option<&Text>, common: &raw::Common) -> About {
        let description = common.description.clone().value().map(|at| at.value);
        let tags = common.tags.clone().value().map(|at| at.value).unwrap_or_default();
        let mut smartops = Vec::new();
        for At { value, place } in &tags {
            let Some(name) = value.strip_prefix("smartops:") else { continue };
            match self.smartops.find(application, &Text::from(name)) {
                Some((smartop, ())) => smartops.push(smartop),
                None => self.unknown_smartop(application, name, place.clone()),
            }
        }
        About { description, tags: tags.into_iter().map(|tag| tag.value).collect(), smartops }
    }

    /// Only a warning: smartops decide nothing yet, and a tag may be just a word.
    fn unknown_smartop(&mut self, application: Option<&Text>, name: &str, place: Place) {
        self.report.push_with(Severity::Warning, || {
            let message = format!("the smartop {} is not defined", quoted(name));
            let warning = Diagnostic::warning(codes::UNKNOWN_SMARTOP, message).at(place);
            let remedy = format!("remove the tag, or {}", file_to_add(Group::Smartops, name));
            self.smartops.explain(warning, application, name, &remedy)
        });
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

    fn not_served(&mut self, resource: Unserved<'_>, place: Place, message: &str) {
        let (group, application, name, file) = resource;
        let hint = match group {
            Group::Functions => "this file may stay; it stops nothing else",
            _ => {
                "this file may stay; functions that use it get an error, and nothing else is stopped"
            }
        };
        self.report.push(Diagnostic::warning(codes::NOT_SERVED_YET, message).at(place).hint(hint));
        self.unserved.push(Idle {
            group,
            application: application.clone(),
            name: name.clone(),
            place: file.clone(),
        });
    }

    fn email(&mut self, email: Written<Text>) -> Option<String> {
        let At { value, place } = email.value()?;
        let plausible = value.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !value.contains(char::is_whitespace)
        });
        if plausible {
            return Some(value.to_string());
        }
        let message = format!("{} is not an e-mail address", quoted(&value));
        self.report.push(
            Diagnostic::error(codes::INVALID_VALUE, message)
                .at(place)
                .hint("write it as `name@example.com`"),
        );
        None
    }

    /// Accounts at Taubyte's clouds: account and plan go together.
    fn clouds(&mut self, clouds: Written<Vec<(At<Text>, raw::Cloud)>>) -> Vec<Cloud> {
        let Written::Value(At { value: clouds, place }) = clouds else { return Vec::new() };
        self.report.push(
            Diagnostic::warning(codes::NOT_SERVED_YET, "accounts at clouds are not used here")
                .at(place)
                .hint("these lines may stay; they stop nothing else"),
        );
        let cloud = |(At { value: name, place }, raw): (At<Text>, raw::Cloud)| {
            let what = format!("the cloud {}", quoted(&name));
            let hint = "write both, as in `{account: acme, plan: prod}`, or neither";
            let raw::Cloud { account, plan } = raw;
            if let (Written::Absent | Written::Blank(_), Written::Absent | Written::Blank(_)) =
                (&account, &plan)
            {
                return None;
            }
            let account = self.require(account, "account", &what, &place, hint);
            let plan = self.require(plan, "plan", &what, &place, hint);
            Some(Cloud { name, account: account?.value, plan: plan?.value })
        };
        clouds.into_iter().filter_map(cloud).collect()
    }
}
