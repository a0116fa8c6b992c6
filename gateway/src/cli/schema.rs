//! `headgate schema`: what a project's files may say, for editors.
//!
//! Made from the tables that projects are read by, so it is always that of this binary.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, builder::PossibleValuesParser};
use headgate_project::json_schema;
use serde_json::Value;

use crate::cli::{Verdict, output::Output};

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// The kind of file; without one, all schemas are printed as one document
    #[arg(value_parser = PossibleValuesParser::new(json_schema::names()))]
    kind: Option<String>,

    /// Write one schema for each kind of file into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    all: Option<PathBuf>,
}

pub(super) fn run(arguments: SchemaArguments, output: &Output) -> anyhow::Result<Verdict> {
    let SchemaArguments { kind, all } = arguments;
    let Some(folder) = all else {
        let one = kind.as_deref().and_then(json_schema::of);
        output.text(&text(&one.unwrap_or_else(json_schema::all))?)?;
        return Ok(Verdict::Well);
    };
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for kind in json_schema::names() {
        let Some(schema) = json_schema::of(kind) else { continue };
        let file = folder.join(format!("{kind}.json"));
        fs::write(&file, text(&schema)?).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(Verdict::Well)
}

fn text(schema: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}
