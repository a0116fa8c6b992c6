//! Single values of `node.yaml`: each is parsed where it stands, and a wrong one is noted with its remedy.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use headgate_project::{
    Diagnostic, Place,
    diagnostic::codes,
    schema::{At, Fields, Text},
};
use headgate_types::ByteSize;

use super::Reader;
use crate::node_config::absolute;

impl Reader<'_> {
    /// Absolute; what is relative starts at the folder of the file, so that the node can be started from anywhere.
    pub(super) fn path(&mut self, text: &At<Text>) -> PathBuf {
        if text.value.contains('\0') {
            self.mistake(text, "this is not a path", "name a file or a folder");
        }
        absolute(&self.file.parent().unwrap_or_else(|| Path::new("")).join(&*text.value))
    }

    /// A file that must be there when the node starts; its content is read when it is used.
    pub(super) fn secret(&mut self, written: Option<At<Text>>) -> Option<PathBuf> {
        let text = written?;
        let path = self.path(&text);
        if let Err(error) = File::open(&path) {
            let (message, hint) = match error.kind() {
                io::ErrorKind::NotFound => (
                    format!("there is no file {}", path.display()),
                    "make the file, or correct the path, which starts at the folder of this file",
                ),
                _ => (
                    format!("cannot read {}: {error}", path.display()),
                    "name a file that the user headgate runs as may read",
                ),
            };
            self.problem(codes::UNREADABLE_FILE, text.place, message, hint);
        }
        Some(path)
    }

    pub(super) fn size(&mut self, file: &Fields, group: &str, key: &str) -> Option<ByteSize> {
        let size = file.size(key).value()?;
        if size.value.as_bytes() == 0 {
            let message = format!("`{group}.{key}` is zero");
            let hint = format!("write more than that, such as `{key}: 512MiB`");
            self.problem(codes::OUT_OF_RANGE, size.place, message, hint);
        }
        Some(size.value)
    }

    pub(super) fn mistake(
        &mut self,
        at: &At<Text>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problem(codes::INVALID_VALUE, at.place.clone(), message, hint);
    }

    pub(super) fn problem(
        &mut self,
        code: &'static str,
        at: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.report.push(Diagnostic::error(code, message).at(at).hint(hint));
    }
}

/// One word of a closed set, whose words the table knows as well.
pub(super) fn word<T: clap::ValueEnum>(file: &Fields, key: &str) -> Option<T> {
    T::from_str(&file.text(key).value()?.value, false).ok()
}
