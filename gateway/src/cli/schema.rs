//! `headgate schema`: what a project's files and `node.yaml` may say, for editors.
//!
//! Made from the tables that they are read by, so it is always that of this binary.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, builder::PossibleValuesParser};
use headgate_project::json_schema;
use serde_json::Value;

use crate::{
    cli::{Verdict, output::Output},
    node_config,
};

/// The one kind of file that is not part of a project.
const NODE: &str = "node";

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// The kind of file; without one, those of a project are printed as one document
    #[arg(value_parser = PossibleValuesParser::new(kinds()))]
    kind: Option<String>,

    /// Write one schema for each kind of file into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    all: Option<PathBuf>,
}

pub(super) fn run(arguments: SchemaArguments, output: &Output) -> anyhow::Result<Verdict> {
    let SchemaArguments { kind, all } = arguments;
    let Some(folder) = all else {
        let one = kind.as_deref().and_then(of);
        output.text(&text(&one.unwrap_or_else(json_schema::all))?)?;
        return Ok(Verdict::Well);
    };
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    for kind in kinds() {
        let Some(schema) = of(kind) else { continue };
        let file = folder.join(format!("{kind}.json"));
        fs::write(&file, text(&schema)?).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(Verdict::Well)
}

fn kinds() -> impl Iterator<Item = &'static str> {
    json_schema::names().chain([NODE])
}

fn of(kind: &str) -> Option<Value> {
    if kind == NODE { Some(node_config::json_schema()) } else { json_schema::of(kind) }
}

fn text(schema: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}
