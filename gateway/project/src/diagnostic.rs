//! Diagnostics: what is wrong with a project, where, and what to do about it.
//!
//! Everything that reads a project adds to one [`Diagnostics`], so that a user sees all problems at
//! once. The gateway adds what only it can know (a guest that does not compile, a host another project
//! holds) through the same constructors. Where to print is not decided here.

pub mod codes;
mod json;
mod render;
mod sarif;

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{defaults::MAX_DIAGNOSTICS, tree::Tree};

pub use codes::explain;

/// A place in a file of the project; lines and columns count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub file: Arc<str>,
    /// 0 for the file as a whole.
    pub line: u32,
    pub column: u32,
    /// Characters on that line; 0 marks a point.
    pub length: u32,
}

impl Place {
    /// A file as a whole, where no line is to blame.
    pub fn file(path: impl Into<Arc<str>>) -> Self {
        Self { file: path.into(), line: 0, column: 0, length: 0 }
    }

    pub fn is_whole_file(&self) -> bool {
        self.line == 0
    }
}

/// `functions/hello.yaml:9:5`, or only the file.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The revision is refused.
    Error,
    /// The revision is served; someone should look.
    Warning,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem. Built like a sentence: `Diagnostic::error(code, "…").at(place).hint("…")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Kebab-case and stable, so that it can be looked up, filtered and linked.
    pub code: &'static str,
    pub severity: Severity,
    /// What is wrong, in one lower-case sentence without a full stop.
    pub message: String,
    pub place: Option<Place>,
    /// A few words under the marked text.
    pub label: Option<String>,
    /// Other places that take part in the problem, with a few words each.
    pub related: Vec<(Place, String)>,
    /// Why it matters, or what else there is to know.
    pub notes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self {
            code,
            severity,
            message,
            place: None,
            label: None,
            related: Vec::new(),
            notes: Vec::new(),
            hint: None,
        }
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn sort_key(&self) -> impl Ord + '_ {
        (&self.place, self.severity, self.code, &self.message)
    }
}

/// All problems found, and the text of the files they are in, for excerpts.
///
/// At most [`MAX_DIAGNOSTICS`] of each severity are kept; what is beyond is counted.
#[derive(Clone, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    sources: HashMap<Arc<str>, Arc<str>>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= MAX_DIAGNOSTICS {
            self.items.push(diagnostic);
        }
    }

    /// As [`push`](Self::push); what would only be counted is not made, which takes time where each looks
    /// for what else may have been meant.
    pub(crate) fn push_with(&mut self, severity: Severity, make: impl FnOnce() -> Diagnostic) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count >= MAX_DIAGNOSTICS {
            *count += 1;
            return;
        }
        let diagnostic = make();
        debug_assert_eq!(diagnostic.severity, severity, "as it was announced");
        self.push(diagnostic);
    }

    /// Makes excerpts of this file possible. Paths are as in [`Place::file`].
    pub fn add_source(&mut self, file: Arc<str>, text: Arc<str>) {
        self.sources.insert(file, without_private_keys(text));
    }

    /// Takes over the other's problems and sources.
    pub fn append(&mut self, other: Self) {
        let kept = |severity| other.items.iter().filter(|item| item.severity == severity).count();
        self.errors += other.errors - kept(Severity::Error);
        self.warnings += other.warnings - kept(Severity::Warning);
        self.sources.extend(other.sources);
        other.items.into_iter().for_each(|item| self.push(item));
    }

    /// Those that are wanted, with the texts of their files.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&&Diagnostic) -> bool) -> Self {
        let mut some = Self { sources: self.sources.clone(), ..Self::default() };
        self.items.iter().filter(wanted).for_each(|item| some.push(item.clone()));
        some
    }

    /// Says of each problem in a file of another repository which one that is.
    pub(crate) fn name_repositories(&mut self, tree: &dyn Tree) {
        for item in &mut self.items {
            let Some(Place { file, .. }) = &item.place else { continue };
            if let Some(repository) = tree.repository_of(file) {
                item.notes.push(format!("this file is of the repository {repository}"));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub fn errors(&self) -> usize {
        self.errors
    }

    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// In order of file, line and column; the same project always gives the same order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut items: Vec<_> = self.items.iter().collect();
        items.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
        items.into_iter()
    }

    /// `2 errors, 1 warning`; `no problems` when there are none.
    pub fn summary(&self) -> String {
        let count = |n: usize, noun: &str| match n {
            0 => None,
            1 => Some(format!("1 {noun}")),
            n => Some(format!("{n} {noun}s")),
        };
        let parts = [count(self.errors, "error"), count(self.warnings, "warning")];
        match parts.into_iter().flatten().collect::<Vec<_>>() {
            parts if parts.is_empty() => "no problems".to_owned(),
            parts => parts.join(", "),
        }
    }

    /// For a terminal or a log: each problem with an excerpt, then the summary.
    pub fn render_human(&self, color: bool) -> String {
        render::human(self, color)
    }

    /// An array with one object per problem; see `diagnostic/json.rs` for its keys.
    pub fn to_json(&self) -> serde_json::Value {
        json::array(self)
    }

    /// A SARIF 2.1.0 log, which code hosts and editors show at the lines. `folder` is where the project
    /// lies below what the reader calls its root: empty, or ends with a slash.
    pub fn to_sarif(&self, version: &str, folder: &str) -> serde_json::Value {
        sarif::log(self, version, folder)
    }

    fn line_of(&self, place: &Place) -> Option<&str> {
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        let line = self.sources.get(&place.file)?.split('\n').nth(index)?;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// Without the sources, which are the user's whole project.
impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Something a user wrote, as it may stand in a message: in backticks, on one line, not too long.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    for (n, c) in text.chars().enumerate() {
        match c {
            _ if n == MAX_QUOTED => {
                quoted.push('…');
                break;
            }
            c if c.is_control() => quoted.extend(c.escape_default()),
            c => quoted.push(c),
        }
    }
    quoted.push('`');
    quoted
}

/// Longer values only bury the sentence they stand in.
const MAX_QUOTED: usize = 60;

/// `` `a`, `b` and `c` ``; of long lists only the beginning.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed_up_to(MAX_LISTED, names)
}

/// The same with none left out: for what there are few of, and any could be the one.
pub(crate) fn all_listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed_up_to(usize::MAX, names)
}

fn listed_up_to<'a>(most: usize, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let shown: Vec<_> = names.iter().take(most).map(|name| quoted(name)).collect();
    match (shown.as_slice(), names.len() - shown.len()) {
        ([], _) => String::new(),
        ([one], 0) => one.clone(),
        ([init @ .., last], 0) => format!("{} and {last}", init.join(", ")),
        (all, more) => format!("{} and {more} more", all.join(", ")),
    }
}

const MAX_LISTED: usize = 12;

/// The candidate a misspelt word was probably meant to be.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if length > MAX_QUOTED {
        return None;
    }
    // One slip in short words, two in longer ones: more than that suggests the wrong thing.
    let allowed = if length <= 4 { 1 } else { 2 };
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed)
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Keeps a thousand misspelt names in a project of thousands from taking seconds.
const MAX_CANDIDATES: usize = 500;

/// What may be shown of a file: each character of a private key is replaced by another one, so that places
/// stay what they are.
fn without_private_keys(text: Arc<str>) -> Arc<str> {
    const BEGIN: &str = " PRIVATE KEY-----";
    if !text.contains(BEGIN) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(begin) = rest.find(BEGIN) {
        let (before, after) = rest.split_at(begin + BEGIN.len());
        let key = after.find("-----END").unwrap_or(after.len());
        shown.push_str(before);
        shown.extend(after[..key].chars().map(|c| if c.is_whitespace() { c } else { '*' }));
        // The line that ends it says PRIVATE KEY, too, and begins no other.
        let end = after[key..].find(BEGIN).map_or(after.len(), |end| key + end + BEGIN.len());
        shown.push_str(&after[key..end]);
        rest = &after[end..];
    }
    (shown + rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_what_was_not_kept() {
        let mut diagnostics = Diagnostics::default();
        assert_eq!(diagnostics.summary(), "no problems");
        for _ in 0..MAX_DIAGNOSTICS + 2 {
            diagnostics.push(Diagnostic::warning("missing-id", "x"));
        }
        diagnostics.push(Diagnostic::error("yaml-syntax", "x"));
        assert_eq!(diagnostics.summary(), "1 error, 10002 warnings");
        let mut all = Diagnostics::default();
        all.append(diagnostics);
        assert_eq!(all.summary(), "1 error, 10002 warnings");
    }

    #[test]
    fn what_is_not_kept_is_not_made() {
        let (mut diagnostics, mut made) = (Diagnostics::default(), 0);
        for _ in 0..MAX_DIAGNOSTICS + 2 {
            diagnostics.push_with(Severity::Error, || {
                made += 1;
                Diagnostic::error("yaml-syntax", "x")
            });
        }
        diagnostics.push_with(Severity::Warning, || Diagnostic::warning("missing-id", "x"));
        assert_eq!(made, MAX_DIAGNOSTICS);
        assert_eq!(diagnostics.summary(), "10002 errors, 1 warning");
    }

    #[test]
    fn problems_come_in_the_order_of_their_places() {
        let place = |line| Place { file: "b".into(), line, column: 1, length: 1 };
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::warning("z", "z").at(place(2)));
        diagnostics.push(Diagnostic::error("y", "y").at(place(10)));
        diagnostics.push(Diagnostic::error("x", "x").at(Place::file("a")));
        let codes: Vec<_> = diagnostics.iter().map(|item| item.code).collect();
        assert_eq!(codes, ["x", "z", "y"]);
    }

    #[test]
    fn what_a_user_wrote_stays_on_one_line() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), MAX_QUOTED + 3);
    }

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["trigger", "domains", "source"];
        assert_eq!(closest("triger", known), Some("trigger"));
        assert_eq!(closest("Domain", known), Some("domains"));
        assert_eq!(closest("memory", known), None);
        assert_eq!(closest(&"x".repeat(1 << 20), known), None);
    }

    #[test]
    fn no_excerpt_shows_a_private_key() {
        let pem = "key: |\n  -----BEGIN EC PRIVATE KEY-----\n  SECRET\n  -----END EC PRIVATE KEY-----\nx: é";
        let two = format!("{pem}\n{pem}\n");
        let shown = without_private_keys(two.as_str().into());
        assert!(!shown.contains("SECRET"), "{shown}");
        assert_eq!(shown.matches("******").count(), 2, "{shown}");
        assert_eq!(shown.len(), two.len());
        assert!(shown.ends_with("-----END EC PRIVATE KEY-----\nx: é\n"), "{shown}");
        assert!(
            !without_private_keys("-----BEGIN PRIVATE KEY-----SECRET".into()).contains("SECRET")
        );
    }
}
