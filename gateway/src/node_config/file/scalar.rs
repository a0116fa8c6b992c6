//! Single values of `node.yaml`: each is parsed where it stands, and a wrong one is noted with its remedy.

use std::{
    fmt,
    fs::File,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use headgate_types::{ByteSize, parse_duration};
use serde_saphyr::Spanned;

use super::{Problem, Reader, Text};
use crate::node_config::absolute;

impl Reader<'_> {
    /// Absolute; what is relative starts at the folder of the file, so that the node can be started from anywhere.
    pub(super) fn path(&mut self, text: &Text) -> PathBuf {
        if text.value.is_empty() || text.value.contains('\0') {
            self.mistake(
                text,
                "this is not a path".to_owned(),
                "name a file or a folder".to_owned(),
            );
        }
        absolute(&self.file.parent().unwrap_or_else(|| Path::new("")).join(&text.value))
    }

    /// A file that must be there when the node starts; its content is read when it is used.
    pub(super) fn secret(&mut self, written: Option<Text>) -> Option<PathBuf> {
        let text = written?;
        let path = self.path(&text);
        if let Err(error) = File::open(&path) {
            self.mistake(
                &text,
                format!("cannot read {}: {error}", path.display()),
                "name a file that the user headgate runs as may read".to_owned(),
            );
        }
        Some(path)
    }

    pub(super) fn count(&mut self, written: Option<Text>, default: u32) -> u32 {
        let number = self.number(written, 1..=u64::from(u32::MAX));
        number.and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
    }

    pub(super) fn number(
        &mut self,
        written: Option<Text>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let text = written?;
        let number = text.value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.mistake(
                &text,
                format!("`{}` is not a number that fits here", text.value),
                format!("write a whole number from {} to {}", range.start(), range.end()),
            );
        }
        number
    }

    pub(super) fn size(&mut self, written: Option<Text>, default: ByteSize) -> ByteSize {
        let parsed = written.and_then(|text| {
            self.parsed(&text, str::parse, "a size has its unit with it, such as `64MiB`")
        });
        parsed.unwrap_or(default)
    }

    pub(super) fn duration(
        &mut self,
        text: &Text,
        least: Duration,
        most: Duration,
    ) -> Option<Duration> {
        let duration =
            self.parsed(text, parse_duration, "a duration has its unit with it, such as `30s`")?;
        if (least..=most).contains(&duration) {
            return Some(duration);
        }
        self.mistake(
            text,
            format!("{duration:?} is out of range"),
            format!("write a duration from {least:?} to {most:?}"),
        );
        None
    }

    /// One word of a closed set.
    pub(super) fn choice<T: clap::ValueEnum>(&mut self, written: Option<Text>) -> Option<T> {
        let text = written?;
        let choice = T::from_str(&text.value, false).ok();
        if choice.is_none() {
            let names: Vec<String> = T::value_variants()
                .iter()
                .filter_map(|variant| {
                    Some(format!("`{}`", variant.to_possible_value()?.get_name()))
                })
                .collect();
            self.mistake(
                &text,
                format!("`{}` is not one of the choices", text.value),
                format!("write one of {}", names.join(", ")),
            );
        }
        choice
    }

    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        text: &Text,
        parse: impl FnOnce(&str) -> Result<T, E>,
        help: &str,
    ) -> Option<T> {
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistake(text, format!("`{}`: {error}", text.value), help.to_owned());
                None
            }
        }
    }

    pub(super) fn mistake<T>(&mut self, at: &Spanned<T>, message: String, help: String) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: at.referenced.line(),
            column: at.referenced.column(),
            message,
            help: Some(help),
        });
    }
}
