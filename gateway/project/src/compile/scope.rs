//! Scopes: a name means the resource of one's own application first, and the project's otherwise.

use std::collections::BTreeMap;

use crate::{
    diagnostic::{Diagnostic, Place, closest, listed, quoted},
    model::ResourceRef,
    schema::Text,
};

/// What a group's resources are known by, with what others want to know of each.
pub(super) struct Index<T>(BTreeMap<(Option<Text>, Text), T>);

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Index<T> {
    pub(super) fn insert(&mut self, application: Option<Text>, name: Text, value: T) {
        self.0.insert((application, name), value);
    }

    /// The application's own resource of this name, or the project's.
    pub(super) fn find(
        &self,
        application: Option<&Text>,
        name: &Text,
    ) -> Option<(ResourceRef, &T)> {
        let own = application.map(|application| Some(application.clone()));
        own.into_iter().chain([None]).find_map(|application| {
            let value = self.0.get(&(application.clone(), name.clone()))?;
            Some((ResourceRef { application, name: name.clone() }, value))
        })
    }

    /// Names that a resource of this application can refer to, as many as a hint can use.
    pub(super) fn visible(&self, application: Option<&Text>) -> Vec<Text> {
        let scope = |scope: Option<Text>| {
            self.0
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

/// A name that leads nowhere.
pub(super) struct Unknown<'a> {
    pub(super) name: &'a str,
    /// Those that would lead somewhere.
    pub(super) visible: &'a [Text],
    /// How they are made: `libraries are files in `libraries/``.
    pub(super) rule: &'a str,
    pub(super) place: Place,
}

impl Unknown<'_> {
    /// Says what there is, and which of it was probably meant.
    pub(super) fn explain(self, diagnostic: Diagnostic) -> Diagnostic {
        let names: Vec<_> = self.visible.iter().map(|name| &**name).collect();
        let known = match names.as_slice() {
            [] => "there is none yet that can be seen from here".to_owned(),
            names => format!("those that can be seen from here: {}", listed(names.iter().copied())),
        };
        let diagnostic = diagnostic.at(self.place).hint(format!("{}; {known}", self.rule));
        match closest(self.name, names) {
            Some(meant) => diagnostic.label(format!("did you mean {}?", quoted(meant))),
            None => diagnostic,
        }
    }
}
