//! Scopes: a name means the resource of one's own application first, and the project's otherwise.

use std::collections::BTreeMap;

use crate::{
    diagnostic::{Diagnostic, closest, listed, quoted},
    model::{Group, ResourceRef},
    schema::Text,
};

/// What a group's resources are known by, with what others want to know of each.
pub(super) struct Index<T> {
    resources: BTreeMap<(Option<Text>, Text), T>,
    /// By a name, the first of the applications that have a resource of it.
    owners: BTreeMap<Text, Text>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { resources: BTreeMap::new(), owners: BTreeMap::new() }
    }
}

impl<T> Index<T> {
    pub(super) fn insert(&mut self, application: Option<Text>, name: Text, value: T) {
        if let Some(application) = &application {
            let owner = self.owners.entry(name.clone()).or_insert_with(|| application.clone());
            if application < owner {
                owner.clone_from(application);
            }
        }
        self.resources.insert((application, name), value);
    }

    /// The application's own resource of this name, or the project's.
    pub(super) fn find(
        &self,
        application: Option<&Text>,
        name: &Text,
    ) -> Option<(ResourceRef, &T)> {
        let own = application.map(|application| Some(application.clone()));
        own.into_iter().chain([None]).find_map(|application| {
            let value = self.resources.get(&(application.clone(), name.clone()))?;
            Some((ResourceRef { application, name: name.clone() }, value))
        })
    }

    /// Adds to a diagnostic about a name that leads nowhere what there is, which of it was probably
    /// meant, and whether the name is another application's own. `remedy` says how to make it.
    pub(super) fn explain(
        &self,
        diagnostic: Diagnostic,
        application: Option<&Text>,
        name: &str,
        remedy: &str,
    ) -> Diagnostic {
        let visible = self.visible(application);
        let names: Vec<_> = visible.iter().map(|name| &**name).collect();
        let mut diagnostic = diagnostic.hint(match names.as_slice() {
            [] => remedy.to_owned(),
            names => {
                format!("known here: {}; or {remedy}", listed(names.iter().copied()))
            }
        });
        if let Some(owner) = self.owners.get(name) {
            let owner = quoted(owner);
            diagnostic = diagnostic.note(format!(
                "the application {owner} has one, which only its own resources can refer to"
            ));
        }
        match closest(name, names) {
            Some(meant) => diagnostic.label(format!("did you mean {}?", quoted(meant))),
            None => diagnostic,
        }
    }

    /// Names that a resource of this application can refer to, as many as a hint can use.
    pub(super) fn visible(&self, application: Option<&Text>) -> Vec<Text> {
        let scope = |scope: Option<Text>| {
            self.resources
                .range((scope.clone(), Text::from(""))..)
                .take_while(move |((application, _), _)| *application == scope)
                .map(|((_, name), _)| name.clone())
                .take(MAX_VISIBLE)
        };
        let own = application.cloned().map(|application| scope(Some(application)));
        own.into_iter().flatten().chain(scope(None)).collect()
    }
}

/// More names help nobody, and finding the closest of thousands takes time.
const MAX_VISIBLE: usize = 100;

/// How to make a resource that is missing: each is a file.
pub(super) fn file_to_add(group: Group, name: &str) -> String {
    let (noun, folder) = (group.noun(), group.folder());
    match name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        true => format!("add the {noun} as `{folder}/{name}.yaml`"),
        false => format!("add the {noun} as a file in `{folder}/`"),
    }
}
