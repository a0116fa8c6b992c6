//! What is asked on a terminal. Enter takes what is proposed.

use std::io::{self, IsTerminal};

use anyhow::Context as _;
use dialoguer::{Input, Select, theme::ColorfulTheme};
use headgate_types::ProjectName;

use crate::{
    cli::output::Output,
    template::{self, Template},
};

/// Whether there is somebody to ask: questions go to standard error, answers come from standard input.
pub(super) fn is_possible(output: &Output) -> bool {
    !output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

pub(super) fn template() -> anyhow::Result<&'static Template> {
    let width = template::ALL.iter().map(|template| template.name.len()).max().unwrap_or_default();
    let line = |template: &Template| format!("{:width$}  {}", template.name, template.about);
    let chosen = Select::with_theme(&ColorfulTheme::default())
        .with_prompt("What shall it be? (arrows choose, Enter takes)")
        .items(template::ALL.iter().map(line))
        .default(0)
        .report(false)
        .interact()
        .context("asking for a template")?;
    Ok(&template::ALL[chosen])
}

/// The project's name, which becomes the folder's.
pub(super) fn name(proposed: &str) -> anyhow::Result<ProjectName> {
    let proposed = format!("hello-{proposed}").parse().ok();
    let theme = ColorfulTheme::default();
    let input = Input::<ProjectName>::with_theme(&theme).with_prompt("Its name, and its folder's");
    let input = match proposed {
        Some(proposed) => input.default(proposed),
        None => input,
    };
    input.interact_text().context("asking for a name")
}
