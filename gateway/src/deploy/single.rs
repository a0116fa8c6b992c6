//! One function of a project, prepared as a deploy would: what `headgate run-function` runs.
//!
//! Only what the function is linked with is compiled, and only problems that concern it keep it from being
//! run. Nothing is accepted, so nothing of this is ever served.

use std::sync::Arc;

use headgate_executor::{Executor, FunctionLimits};
use headgate_project::{
    Diagnostic, Diagnostics, Function, Project, Severity,
    diagnostic::{closest, codes},
    model::{HttpTrigger, IdleFunction, Trigger},
};
use headgate_store::BlobStore;
use headgate_types::{Clock, SystemClock};
use tokio::task;

use super::{
    Candidate, DeployError, IngestCache, Prepared, Preparing, Progress, Reach,
    guest::capped_limits,
    ingest::{DomainTls, Extent, ingest},
};
use crate::manifest::Manifest;

/// What became of the wish to run one function.
#[derive(Debug)]
pub(crate) enum Single {
    Ready {
        /// Of this function alone.
        manifest: Box<Manifest>,
        /// What concerns it and does not keep it from being run.
        diagnostics: Diagnostics,
        /// Errors of the project that do not.
        elsewhere: usize,
    },
    /// It has errors.
    Refused(Diagnostics),
    /// No function of the project has this name.
    Unknown(UnknownFunction),
}

/// A name that means no function, or several.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum UnknownFunction {
    #[error("there is no function `{name}`")]
    Absent { name: String, meant: Option<String>, known: Vec<String> },
    #[error("several applications have a function `{name}`")]
    Ambiguous { name: String, known: Vec<String> },
    /// It is there, and its trigger is none that is served.
    #[error("the function `{name}` is not called by HTTP requests")]
    NotHttp { name: String },
}

/// Prepares the function that `name` means: `name`, or `application/name`.
///
/// # Errors
/// When this machine fails, not the project.
pub(crate) async fn single(
    store: &Arc<BlobStore>,
    executor: &Executor,
    limits: FunctionLimits,
    candidate: Candidate,
    name: &str,
    progress: &Progress,
) -> Result<Single, DeployError> {
    let Candidate { revision, sources, tree, options } = candidate;
    let read = tree.clone();
    let loaded = task::spawn_blocking(move || headgate_project::load(&*read, &options)).await?;
    let (project, found) = (loaded.project.or(loaded.rest), loaded.diagnostics);
    let project = project.unwrap_or_default();
    let index = match choose(&project, &found, name) {
        Ok(Choice::Sound(index)) => index,
        Ok(Choice::Broken(stem)) => return Ok(Single::Refused(concerning(&found, &[stem]).0)),
        Err(unknown) => return Ok(Single::Unknown(unknown)),
    };
    let project = alone(project, index);
    let function = project.functions[0].clone();

    let (store, reporting) = (store.clone(), progress.clone());
    let storing = store.clone();
    let (project, ingested) = task::spawn_blocking(move || {
        let (cache, extent) = (IngestCache::default(), Extent::Guests);
        let now = SystemClock.now();
        let (_, ingested) = ingest(&storing, &*tree, &project, extent, cache, now, &reporting);
        (project, ingested)
    })
    .await?;
    let ingested = ingested?;

    let preparing =
        Preparing { store: &store, executor, limits, progress, reach: Reach::FromFunctions };
    let (mut cache, mut all) = (IngestCache::default(), found);
    let mut own = Diagnostics::default();
    let extent = Extent::Everything;
    let guests = preparing.compile(&project, &ingested, extent, &mut cache, &mut own).await?;
    capped_limits(&function, &limits).into_iter().for_each(|warning| own.push(warning));
    let mut stems = vec![stem(function.application.as_deref(), "functions", &function.name)];
    for module in cache.compiled.values().flat_map(|compiled| compiled.linkage.modules()) {
        stems.extend(module_stems(function.application.as_deref(), module));
    }
    if let headgate_project::Source::Library(library) = &function.source {
        stems.push(stem(library.application.as_deref(), "libraries", &library.name));
    }
    ingested.diagnostics.into_iter().for_each(|diagnostic| all.push(diagnostic));
    let (mut diagnostics, elsewhere) = concerning(&all, &stems);
    diagnostics.append(own);
    if diagnostics.iter().any(prevents) {
        return Ok(Single::Refused(diagnostics));
    }
    // Nothing is served, so nobody shakes hands.
    let tls = vec![DomainTls::default(); project.domains.len()];
    let prepared = Prepared { project, guests, sites: Vec::new(), tls };
    let manifest = Box::new(prepared.manifest(revision, sources));
    Ok(Single::Ready { manifest, diagnostics, elsewhere })
}

/// Which function is meant.
enum Choice {
    /// This one of the project's.
    Sound(usize),
    /// The one described here, with errors that leave nothing to run.
    Broken(String),
}

fn choose(project: &Project, found: &Diagnostics, name: &str) -> Result<Choice, UnknownFunction> {
    let sound: Vec<_> = project
        .functions
        .iter()
        .map(|function| called(function.application.as_deref(), &function.name))
        .collect();
    let broken = broken(project, found, &sound);
    // By its whole name, else by its own alone, if that is not several.
    let whole = |known: &str| known == name;
    let own = |known: &str| known.rsplit('/').next() == Some(name);
    for is_meant in [&whole as &dyn Fn(&str) -> bool, &own] {
        let meant: Vec<_> = (0..sound.len()).filter(|at| is_meant(&sound[*at])).collect();
        match (meant.as_slice(), broken.iter().find(|known| is_meant(known))) {
            ([one], _) => return Ok(Choice::Sound(*one)),
            ([], Some(known)) => return Ok(Choice::Broken(described_at(known))),
            ([], None) => {}
            (several, _) => {
                let known = several.iter().map(|at| sound[*at].clone()).collect();
                return Err(UnknownFunction::Ambiguous { name: name.to_owned(), known });
            }
        }
    }
    let idle = project.idle_functions.iter();
    let mut idle = idle.map(|function| called(function.application.as_deref(), &function.name));
    if idle.any(|known| whole(&known) || own(&known)) {
        return Err(UnknownFunction::NotHttp { name: name.to_owned() });
    }
    let mut known: Vec<_> = sound.into_iter().chain(broken).collect();
    known.sort_unstable();
    Err(UnknownFunction::Absent { name: name.to_owned(), meant: meant(name, &known), known })
}

/// Functions of which there is nothing to run but errors: most are known by their files alone, those without
/// code are idle.
fn broken(project: &Project, found: &Diagnostics, sound: &[String]) -> Vec<String> {
    let errors = found.iter().filter(|problem| problem.severity == Severity::Error);
    let named = errors.filter_map(|problem| described(&problem.place.as_ref()?.file));
    let without_code = project.idle_functions.iter().filter_map(|function| {
        let name = called(function.application.as_deref(), &function.name);
        matches!(function.trigger, Trigger::Http(_)).then_some(name)
    });
    let mut names: Vec<_> = named.chain(without_code).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !sound.contains(name));
    names
}

/// The name that was probably meant, with or without its application.
fn meant(name: &str, known: &[String]) -> Option<String> {
    if let Some(near) = closest(name, known.iter().map(String::as_str)) {
        return Some(near.to_owned());
    }
    let own = |known: &str| known.rsplit('/').next().unwrap_or_default().to_owned();
    let owns: Vec<_> = known.iter().map(|known| own(known)).collect();
    let near = closest(name, owns.iter().map(String::as_str))?;
    known.iter().find(|known| own(known) == near).cloned()
}

/// As people call it: `health`, or `admin/health` in an application.
pub(crate) fn called(application: Option<&str>, name: &str) -> String {
    application.map_or_else(|| name.to_owned(), |application| format!("{application}/{name}"))
}

/// The function that a YAML file describes.
fn described(file: &str) -> Option<String> {
    let stem = file.strip_suffix(".yaml")?;
    match stem.split('/').collect::<Vec<_>>().as_slice() {
        ["functions", name] => Some((*name).to_owned()),
        ["applications", application, "functions", name] => Some(called(Some(application), name)),
        _ => None,
    }
}

/// Where a resource of an application, or of the project itself, is described, less the ending.
fn stem(application: Option<&str>, group: &str, name: &str) -> String {
    match application {
        Some(application) => format!("applications/{application}/{group}/{name}"),
        None => format!("{group}/{name}"),
    }
}

/// Of a function, by what [`called`] calls it.
fn described_at(called: &str) -> String {
    match called.split_once('/') {
        Some((application, name)) => stem(Some(application), "functions", name),
        None => stem(None, "functions", called),
    }
}

/// Where `libraries/x` may be described, seen from an application.
fn module_stems(application: Option<&str>, module: &str) -> Vec<String> {
    let Some((group, name)) = module.split_once('/') else { return Vec::new() };
    let own = application.map(|application| stem(Some(application), group, name));
    own.into_iter().chain([stem(None, group, name)]).collect()
}

/// The project with this function alone to be called. All others can still be imported from.
fn alone(mut project: Project, index: usize) -> Project {
    let function = project.functions.swap_remove(index);
    let others = std::mem::replace(&mut project.functions, vec![function]);
    project.idle_functions.extend(others.into_iter().map(idle));
    project.websites.clear();
    project
}

fn idle(function: Function) -> IdleFunction {
    let Function { secure, hosts, domains, paths, methods, .. } = function;
    IdleFunction {
        application: function.application,
        name: function.name,
        id: function.id,
        about: function.about,
        trigger: Trigger::Http(HttpTrigger { secure, hosts, domains, paths, methods }),
        source: function.source,
        artefact: Some(function.artefact),
        call: function.call,
        call_place: function.call_place,
        timeout: function.timeout,
        memory: function.memory,
        variables: function.variables,
        place: function.place,
    }
}

/// Whether it keeps the function from being run. That another one claims its route does not: it matters only
/// once both are served.
fn prevents(problem: &Diagnostic) -> bool {
    problem.severity == Severity::Error && problem.code != codes::DUPLICATE_ROUTE
}

/// What is said of the files of these resources, and how many errors are said of others.
fn concerning(all: &Diagnostics, stems: &[String]) -> (Diagnostics, usize) {
    let is_of = |file: &str, stem: &str| {
        file.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '/']))
    };
    let kept = all.only(|diagnostic| {
        let place = diagnostic.place.as_ref();
        place.is_some_and(|place| stems.iter().any(|stem| is_of(&place.file, stem)))
    });
    let elsewhere = all.errors() - kept.errors();
    (kept, elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_that_of_a_function_if_it_lies_where_they_do() {
        assert_eq!(described("functions/a.yaml").as_deref(), Some("a"));
        assert_eq!(described("applications/shop/functions/a.yaml").as_deref(), Some("shop/a"));
        assert_eq!(described("libraries/a.yaml"), None);
        assert_eq!(described("functions/a.wasm"), None);
    }

    #[test]
    fn a_module_is_looked_for_in_the_application_first() {
        let stems = module_stems(Some("shop"), "libraries/tax");
        assert_eq!(stems, ["applications/shop/libraries/tax", "libraries/tax"]);
    }
}
