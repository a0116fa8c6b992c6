//! Routes, without HTTP around them.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::{
    bench::{Bench, On},
    binary::sibling,
    child::{Child, stderr_file},
    measure::Samples,
    report::{Aim, Line},
};

const AIM: Aim = Aim::at_most(200.0);
const NO_ALLOCATION: Aim = Aim::at_most(0.0);

/// What `route_lookup` prints.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lookup {
    pub lookup_ns: f64,
    pub map_ns: f64,
    /// Over all lookups of one pass.
    pub allocations: u64,
}

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let found = (0..bench.rounds).map(|_| once(bench)).collect::<anyhow::Result<Vec<_>>>()?;
    let samples =
        |figure: fn(&Lookup) -> f64| Samples::from(found.iter().map(figure).collect::<Vec<_>>());
    let allocations = samples(|lookup| lookup.allocations as f64);
    Ok(vec![
        Line::new("route lookup, 100,000 hosts", "ns", &samples(|lookup| lookup.lookup_ns))
            .against("`HashMap` by host alone", Some(samples(|lookup| lookup.map_ns).median()))
            .aim(AIM)
            .note("host and path parsed, 300,000 routes, hosts in no order"),
        Line::new("route lookup, allocations", "", &allocations).aim(NO_ALLOCATION),
    ])
}

/// Building the table takes seconds without optimisation.
const PATIENCE: Duration = Duration::from_secs(120);

fn once(bench: &Bench) -> anyhow::Result<Lookup> {
    let mut command = bench.command(On::Server, sibling("route_lookup")?);
    command.arg(bench.seconds.to_string());
    let stderr = stderr_file(bench.scratch(), "route_lookup");
    let line = Child::spawn("route_lookup", &mut command, stderr)?.line(PATIENCE)?;
    serde_json::from_str(&line).with_context(|| format!("reading {line}"))
}
