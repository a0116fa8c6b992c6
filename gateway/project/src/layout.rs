//! Which file is what: Taubyte's layout, by path alone.
//!
//! A resource is named by its file. YAML anywhere else (in a function's sources, in `.github`) is not
//! ours; names that look like a slip are pointed out.

use std::collections::BTreeSet;

use crate::{
    defaults::{MAX_NAME, MAX_YAML_FILES, MAX_YAML_TOTAL},
    diagnostic::{Diagnostic, Diagnostics, Place, closest, codes, listed, quoted},
    model::Group,
    tree::Tree,
};

/// The configuration files of a tree, in order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Layout<'a> {
    /// The root's `config.yaml`.
    pub(crate) has_config: bool,
    /// Every application, by its `config.yaml` or by any resource in it.
    pub(crate) applications: BTreeSet<&'a str>,
    /// The applications that have a `config.yaml`.
    pub(crate) application_configs: BTreeSet<&'a str>,
    pub(crate) resources: Vec<ResourceFile<'a>>,
    /// Applications whose name was reported.
    refused: BTreeSet<&'a str>,
}

#[derive(Debug)]
pub(crate) struct ResourceFile<'a> {
    pub(crate) group: Group,
    pub(crate) application: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) path: &'a str,
}

impl Layout<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_config && self.applications.is_empty() && self.resources.is_empty()
    }
}

/// Sorts the tree's YAML files, or `None` if there are too many to read.
pub(crate) fn scan<'a>(tree: &'a dyn Tree, report: &mut Diagnostics) -> Option<Layout<'a>> {
    let mut layout = Layout::default();
    let (mut files, mut bytes) = (0, 0);
    let mut suspects = BTreeSet::new();
    for entry in tree.entries() {
        let Some((stem, extension)) = entry.path.rsplit_once('.') else { continue };
        if !matches!(extension, "yaml" | "yml") {
            continue;
        }
        match place_of(stem) {
            Slot::Foreign => {}
            Slot::Suspect { folder, meant } => {
                suspects.insert((folder, meant));
            }
            _ if extension == "yml" => report.push(wrong_extension(&entry.path, stem)),
            slot => {
                files += 1;
                bytes += entry.size;
                layout.add(slot, &entry.path, report);
            }
        }
    }
    for (folder, meant) in suspects {
        report.push(suspect_folder(folder, meant));
    }
    if files > MAX_YAML_FILES || bytes > MAX_YAML_TOTAL {
        let message = format!("this project has {files} YAML files with {bytes} bytes");
        let hint = format!(
            "a project has at most {MAX_YAML_FILES} files with {MAX_YAML_TOTAL} bytes; split it"
        );
        let error = Diagnostic::error(codes::TOO_MANY, message).at(Place::file("config.yaml"));
        report.push(error.hint(hint));
        return None;
    }
    Some(layout)
}

/// What a path without its extension stands for.
enum Slot<'a> {
    Config,
    ApplicationConfig(&'a str),
    Resource {
        group: Group,
        application: Option<&'a str>,
        name: &'a str,
    },
    /// Not ours, but one letter beside a folder that would be.
    Suspect {
        folder: &'a str,
        meant: Group,
    },
    Foreign,
}

fn place_of(stem: &str) -> Slot<'_> {
    let parts: Vec<_> = stem.splitn(5, '/').collect();
    let (application, folder, name) = match *parts.as_slice() {
        ["config"] => return Slot::Config,
        ["applications", application, "config"] => return Slot::ApplicationConfig(application),
        ["applications", application, folder, name] => (Some(application), folder, name),
        [folder, name] => (None, folder, name),
        _ => return Slot::Foreign,
    };
    if let Some(group) = Group::ALL.into_iter().find(|group| group.folder() == folder) {
        return Slot::Resource { group, application, name };
    }
    let meant = closest(folder, Group::ALL.iter().map(|group| group.folder()));
    match Group::ALL.into_iter().find(|group| Some(group.folder()) == meant) {
        Some(meant) => {
            let end = stem.len() - name.len() - 1;
            Slot::Suspect { folder: &stem[..end], meant }
        }
        None => Slot::Foreign,
    }
}

impl<'a> Layout<'a> {
    fn add(&mut self, slot: Slot<'a>, path: &'a str, report: &mut Diagnostics) {
        match slot {
            Slot::Config => self.has_config = true,
            Slot::ApplicationConfig(application) => {
                if check_application(application, &mut self.refused, report) {
                    self.applications.insert(application);
                    self.application_configs.insert(application);
                }
            }
            Slot::Resource { group, application, name } => {
                let valid = application.is_none_or(|application| {
                    check_application(application, &mut self.refused, report)
                }) && check_name(name, group.noun(), path, report);
                if valid {
                    self.applications.extend(application);
                    self.resources.push(ResourceFile { group, application, name, path });
                }
            }
            Slot::Suspect { .. } | Slot::Foreign => {}
        }
    }
}

/// Names become parts of scopes, host names in `dev` and metric labels.
fn check_name(name: &str, kind: &str, path: &str, report: &mut Diagnostics) -> bool {
    check(name, kind, "file", path, report)
}

/// The same of the folder that an application is; said once, whatever is in it.
fn check_application<'a>(
    name: &'a str,
    refused: &mut BTreeSet<&'a str>,
    report: &mut Diagnostics,
) -> bool {
    !refused.contains(name) && {
        let valid = check(name, "application", "folder", &format!("applications/{name}"), report);
        if !valid {
            refused.insert(name);
        }
        valid
    }
}

fn check(name: &str, kind: &str, what: &str, path: &str, report: &mut Diagnostics) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let valid = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(allowed);
    if !valid {
        let ours: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        // Of a name in another script nothing would be left.
        let rename = match ours.contains(|c: char| c.is_ascii_alphanumeric()) {
            true => format!(", such as {}", quoted(&ours[..ours.len().min(MAX_NAME)])),
            false => String::new(),
        };
        let message = format!("{} cannot be the name of this {kind}", quoted(name));
        report.push(
            Diagnostic::error(codes::INVALID_NAME, message)
                .at(Place::file(path))
                .note("files and folders name what they describe")
                .hint(format!(
                    "rename the {what}: use at most {MAX_NAME} letters from `a` to `z`, digits, `_` and `-`{rename}"
                )),
        );
    }
    valid
}

fn wrong_extension(path: &str, stem: &str) -> Diagnostic {
    Diagnostic::warning(codes::YML_EXTENSION, "this file is not read: its name ends in `.yml`")
        .at(Place::file(path))
        .hint(format!("rename it to {}", quoted(&format!("{stem}.yaml"))))
}

fn suspect_folder(folder: &str, meant: Group) -> Diagnostic {
    let message = format!("the YAML files in {} are not read", quoted(&format!("{folder}/")));
    Diagnostic::warning(codes::UNKNOWN_FOLDER, message)
        .at(Place::file(folder))
        .note(format!("folders that are read: {}", listed(Group::ALL.map(Group::folder))))
        .hint(format!("did you mean `{}/`?", meant.folder()))
}
