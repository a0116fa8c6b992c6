//! Writes a template's files into a folder of their own, over nothing that is there.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use headgate_types::ProjectName;

use super::Template;

/// A project that was made.
#[derive(Debug)]
pub struct Created {
    pub name: ProjectName,
    /// Relative to its folder, in order.
    pub files: Vec<String>,
}

/// Why a project could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the folder {} is not empty: it holds {}", dir.display(), listed(holds))]
    NotEmpty { dir: PathBuf, holds: Vec<String> },
    #[error("{} is there and is no folder", dir.display())]
    NotAFolder { dir: PathBuf },
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Makes a project in `dir`, which is made, too, unless it is there and empty. A repository without files
/// counts as empty.
///
/// # Errors
/// If anything else is there, or cannot be written. What was written before an error stays.
pub fn create(dir: &Path, template: &Template, name: &ProjectName) -> Result<Created, CreateError> {
    check_empty(dir)?;
    let files = template.files(name, &mut rand::rng());
    for (path, file) in &files {
        let path = dir.join(path);
        let mode = if file.executable { EXECUTABLE } else { PLAIN };
        write(&path, &file.content, mode).map_err(|source| CreateError::Write { path, source })?;
    }
    Ok(Created { name: name.clone(), files: files.into_keys().collect() })
}

fn check_empty(dir: &Path) -> Result<(), CreateError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(CreateError::NotAFolder { dir: dir.to_owned() });
        }
        Err(source) => return Err(CreateError::Write { path: dir.to_owned(), source }),
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    // One more than is told, so that it shows that there are more.
    let mut holds: Vec<_> = names.filter(|name| name != ".git").take(MOST_NAMED + 1).collect();
    holds.sort();
    if holds.is_empty() {
        return Ok(());
    }
    Err(CreateError::NotEmpty { dir: dir.to_owned(), holds })
}

/// Names of what is in the way; the first few tell which folder it is.
const MOST_NAMED: usize = 3;

fn listed(names: &[String]) -> String {
    let named = names.iter().take(MOST_NAMED).map(|name| name.escape_debug().to_string());
    let mut text = named.collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMED {
        text.push_str(", …");
    }
    text
}

/// Before the user's umask.
const PLAIN: u32 = 0o666;
const EXECUTABLE: u32 = 0o777;

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Never over a file that appeared meanwhile.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::template::find;

    fn name() -> ProjectName {
        "shop".parse().unwrap()
    }

    #[test]
    fn files_are_written_and_scripts_can_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("below/shop");
        let created = create(&dir, find("zig").unwrap(), &name()).unwrap();
        assert!(created.files.iter().all(|file| dir.join(file).is_file()), "{created:?}");
        let mode = |path| fs::metadata(dir.join(path)).unwrap().permissions().mode();
        assert_eq!(mode("functions/hello/build") & 0o100, 0o100);
        assert_eq!(mode("config.yaml") & 0o111, 0);
    }

    #[test]
    fn a_folder_with_anything_in_it_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a", "b", "c", "d"] {
            fs::write(folder.path().join(file), "mine").unwrap();
        }
        let refused = create(folder.path(), find("static").unwrap(), &name()).unwrap_err();
        assert!(refused.to_string().contains("it holds "), "{refused}");
        assert!(refused.to_string().ends_with(", …"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);

        let file = folder.path().join("a");
        let refused = create(&file, find("static").unwrap(), &name()).unwrap_err();
        assert!(matches!(refused, CreateError::NotAFolder { .. }), "{refused}");
    }

    #[test]
    fn a_repository_without_files_is_as_good_as_an_empty_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        create(folder.path(), find("static").unwrap(), &name()).unwrap();
    }
}
