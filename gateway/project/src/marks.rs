//! Whether a folder looks like a project, told by a few names in it.
//!
//! A home folder or `/` has hundreds of thousands of files, and listing them only to find no project among
//! them takes minutes. So whoever was given a folder by a person looks for these marks first.

use std::{fs, io, path::Path};

use crate::{
    defaults::MAX_LOOKED_AT,
    diagnostic::{Diagnostic, Place, closest, codes, listed},
    model::Group,
    tree::is_ignored,
};

/// Whether [`load`](crate::load()) would find anything in a folder: a project, be its folders misspelt, or
/// a website of plain files.
///
/// # Errors
/// If the folder cannot be listed.
pub fn is_project(dir: &Path) -> io::Result<bool> {
    let has = |name: &str| dir.join(name).exists();
    if ["config.yaml", "config.yml", "applications", "index.html", "build.zip"].into_iter().any(has)
        || ["out", "dist", "build"].iter().any(|built| dir.join(built).join("index.html").exists())
    {
        return Ok(true);
    }
    let mut seen = 0;
    for entry in fs::read_dir(dir)? {
        seen += 1;
        let entry = entry?;
        let name = entry.file_name();
        let group = closest(&name.to_string_lossy(), Group::ALL.map(Group::folder)).is_some();
        // Of more names, whoever lists the folder will say that they are too many.
        if seen > MAX_LOOKED_AT || group && holds_yaml(&entry.path()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What to tell someone whose folder has no such marks: where the project is, if it is near.
pub fn no_project(dir: &Path) -> Diagnostic {
    let error = nothing_here("a project has a `config.yaml`, a website an `index.html`");
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    if let Some(above) = whole.ancestors().skip(1).find(|above| is_configured(above)) {
        return error
            .hint(format!("the project is further up: give the folder `{}`", above.display()));
    }
    let below: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .take(MAX_LOOKED_AT)
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !is_ignored(name) && dir.join(name).join("config.yaml").is_file())
        .collect();
    point_below(error, below)
}

pub(crate) fn nothing_here(wanted: &str) -> Diagnostic {
    Diagnostic::error(codes::NO_PROJECT, "there is no project here")
        .at(Place::file("config.yaml"))
        .note(wanted)
}

/// The hint, with the folders that have a `config.yaml` of their own.
pub(crate) fn point_below(error: Diagnostic, mut below: Vec<String>) -> Diagnostic {
    if below.is_empty() {
        return error.hint("check the folder and the branch; `headgate new` makes a project");
    }
    below.sort_unstable();
    below.dedup();
    error.hint(format!(
        "did you mean one of its folders? {}; in a repository, a project's files are at the top",
        listed(below.iter().map(|it| &**it))
    ))
}

/// A `config.yaml` alone may be anybody's.
fn is_configured(dir: &Path) -> bool {
    let groups = Group::ALL.map(Group::folder);
    dir.join("config.yaml").is_file()
        && groups.iter().chain(&["applications"]).any(|group| dir.join(group).is_dir())
}

fn holds_yaml(folder: &Path) -> bool {
    let names = fs::read_dir(folder).into_iter().flatten().take(MAX_LOOKED_AT);
    names.filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn projects_sites_and_misspelt_projects_have_marks() {
        for file in [
            "config.yaml",
            "functions/a.yaml",
            "function/a.yaml",
            "websites/a.yml",
            "applications/a/config.yaml",
            "index.html",
            "dist/index.html",
        ] {
            assert!(is_project(folder(&[file]).path()).unwrap(), "{file}");
        }
        for file in ["a.txt", "functions/readme.md", "src/config.yaml", "build/a.o"] {
            assert!(!is_project(folder(&[file]).path()).unwrap(), "{file}");
        }
    }

    #[test]
    fn a_project_that_is_near_is_pointed_at() {
        let dir = folder(&["shop/config.yaml", "shop/functions/hello/src/main.rs", "other/a"]);
        let shop = dir.path().canonicalize().unwrap().join("shop");
        let above = no_project(&shop.join("functions/hello")).hint.unwrap();
        assert_eq!(
            above,
            format!("the project is further up: give the folder `{}`", shop.display())
        );
        let below = no_project(dir.path()).hint.unwrap();
        assert_eq!(
            below,
            "did you mean one of its folders? `shop`; in a repository, a project's files are at the top"
        );
        let nowhere = no_project(&dir.path().join("other")).hint.unwrap();
        assert!(nowhere.contains("`headgate new`"), "{nowhere}");
    }
}
