//! `headgate new`: a project that serves at once, made from a template.
//!
//! On a terminal it asks for what was not given; elsewhere, and with `--output json`, flags say everything.

mod git;
mod prompt;

use std::path::{Path, PathBuf};

use clap::{Args, builder::PossibleValuesParser};
use headgate_types::ProjectName;
use serde_json::json;

use self::git::Git;
use crate::{
    cli::{
        Verdict,
        output::{Output, Paint, count, plain},
        table::table,
    },
    node_config,
    template::{self, Created, Template},
};

#[derive(Debug, Args)]
pub(super) struct NewArguments {
    /// The folder to make it in: a new one, or an empty one; by default one called as the project
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,

    /// What to make; on a terminal you are asked
    #[arg(long, value_name = "TEMPLATE", value_parser = names())]
    template: Option<String>,

    /// The project's name [default: the folder's]
    #[arg(long, value_name = "NAME")]
    name: Option<ProjectName>,

    /// Make it a Git repository with a first commit
    #[arg(long)]
    git: bool,

    /// List the templates and make nothing
    #[arg(long, conflicts_with_all = ["dir", "template", "name", "git"])]
    list: bool,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(template::ALL.iter().map(|template| template.name))
}

/// What was not given and cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum NewError {
    #[error(
        "no template is given, and there is no terminal to ask on; there are {}",
        template::names()
    )]
    NoTemplate,
    #[error("neither a folder nor a name is given, and there is no terminal to ask on")]
    NoName,
    #[error("the folder {} has no name that a project could have", dir.display())]
    Unnameable { dir: PathBuf },
}

pub(super) fn run(arguments: NewArguments, output: &Output) -> anyhow::Result<Verdict> {
    if arguments.list {
        list(output)?;
        return Ok(Verdict::Well);
    }
    let wish = Wish::of(&arguments, output)?;
    let created = template::create(&wish.dir, wish.template, &wish.name)?;
    let git =
        if arguments.git { git::commit(&wish.dir, wish.template.name)? } else { Git::NotAsked };
    if output.is_json() {
        output.json(&json!({
            "project": created.name,
            "template": wish.template.name,
            "dir": wish.dir,
            "files": created.files,
            "git": git.to_json(),
            "next": next(&wish.dir),
        }))?;
    } else {
        output.text(&told(&wish, &created, &git, output))?;
    }
    Ok(Verdict::Well)
}

/// Everything that has to be known.
#[derive(Debug)]
struct Wish {
    template: &'static Template,
    dir: PathBuf,
    name: ProjectName,
}

impl Wish {
    fn of(arguments: &NewArguments, output: &Output) -> anyhow::Result<Self> {
        let can_ask = prompt::is_possible(output);
        let template = match arguments.template.as_deref().and_then(template::find) {
            Some(template) => template,
            None if can_ask => prompt::template()?,
            None => return Err(NewError::NoTemplate.into()),
        };
        let (dir, name) = match (&arguments.dir, &arguments.name) {
            (Some(dir), Some(name)) => (dir.clone(), name.clone()),
            (Some(dir), None) => (dir.clone(), name_of(dir)?),
            (None, Some(name)) => (name.as_str().into(), name.clone()),
            (None, None) if can_ask => {
                let name = prompt::name(template.name)?;
                (name.as_str().into(), name)
            }
            (None, None) => return Err(NewError::NoName.into()),
        };
        Ok(Self { template, dir, name })
    }
}

/// Made of the folder's name as `headgate dev` makes it, so that both call it the same.
fn name_of(dir: &Path) -> Result<ProjectName, NewError> {
    let unnameable = || NewError::Unnameable { dir: dir.to_owned() };
    let whole = std::path::absolute(dir).map_err(|_| unnameable())?;
    // `.` and `..` are dealt with by the folder that is there, whatever it is called.
    let whole = whole.canonicalize().unwrap_or(whole);
    node_config::name_of_folder(&whole).ok_or_else(unnameable)
}

fn list(output: &Output) -> std::io::Result<()> {
    if output.is_json() {
        let all = template::ALL.iter();
        let all = all.map(|template| json!({"template": template.name, "about": template.about}));
        return output.json(&all.collect::<Vec<_>>()).map(|_| ());
    }
    let row = |template: &Template| [template.name.to_owned(), template.about.to_owned()];
    let rows: Vec<_> = template::ALL.iter().map(row).collect();
    output.text(&table(["TEMPLATE", "WHAT IT MAKES"], &rows))
}

fn told(wish: &Wish, created: &Created, git: &Git, output: &Output) -> String {
    let mut text = format!(
        "{} {} is made: {} in {}\n\n",
        output.paint(Paint::Good, "✓"),
        created.name,
        count(created.files.len(), "file"),
        plain(&wish.dir.display().to_string()),
    );
    for file in &created.files {
        text.push_str(&format!("  {file}\n"));
    }
    if let Some(said) = git.told() {
        text.push_str(&format!("\n{said}\n"));
    }
    text.push_str("\nNext:\n");
    for command in next(&wish.dir) {
        text.push_str(&format!("  {}\n", output.paint(Paint::Strong, &plain(&command))));
    }
    text.push_str("\nREADME.md there says how to go on.\n");
    text
}

/// What to type now.
fn next(dir: &Path) -> Vec<String> {
    let serve = "headgate dev".to_owned();
    if dir == Path::new(".") { vec![serve] } else { vec![format!("cd {}", quoted(dir)), serve] }
}

/// As a shell takes it for one word.
fn quoted(dir: &Path) -> String {
    let text = dir.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '~');
    if text.chars().all(plain) && !text.starts_with(['-', '~']) {
        return text;
    }
    let dashed = if text.starts_with('-') { "./" } else { "" };
    format!("'{dashed}{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_commands_can_be_typed_as_they_are() {
        assert_eq!(next(Path::new("shop")), ["cd shop", "headgate dev"]);
        assert_eq!(next(Path::new(".")), ["headgate dev"]);
        assert_eq!(quoted(Path::new("my shop")), "'my shop'");
        assert_eq!(quoted(Path::new("-x's")), r"'./-x'\''s'");
    }

    #[test]
    fn a_project_is_named_as_its_folder_is() {
        assert_eq!(name_of(Path::new("/nowhere/my shop")).unwrap().as_str(), "my-shop");
        assert!(matches!(name_of(Path::new("/")), Err(NewError::Unnameable { .. })));
    }
}
