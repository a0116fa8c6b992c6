//! What the operator sees of the zones.

use std::{net::SocketAddr, sync::Arc};

use headgate_dns::{Metrics, Zone, ZoneFile};

use super::{ZoneKeeper, Zoned};
use crate::admin::{
    NamesView,
    wire::{NamesStatus, RecordRow, UnansweredRow, ZoneProblemRow, ZoneRow},
};

/// The zones of a node, with what was counted.
#[derive(Debug)]
pub struct Nameplate {
    pub keeper: Arc<ZoneKeeper>,
    pub metrics: Arc<Metrics>,
    pub listen: Vec<SocketAddr>,
    pub tls: Vec<SocketAddr>,
}

impl NamesView for Nameplate {
    fn names(&self) -> NamesStatus {
        let (report, counts) = (self.keeper.report(), self.metrics.counts());
        let zone_row = |zoned: &Zoned| {
            let origin = zoned.zone.origin().to_string();
            ZoneRow {
                serial: zoned.zone.serial().value(),
                records: zoned.zone.records(),
                projects: zoned.projects.iter().cloned().collect(),
                queries: counts.zones.get(&origin).copied().unwrap_or_default(),
                zone: without_root(&origin).to_owned(),
            }
        };
        let problems = report.problems.iter().map(|problem| ZoneProblemRow {
            zone: without_root(&problem.zone).to_owned(),
            project: problem.project.clone(),
            problem: problem.text.clone(),
        });
        NamesStatus {
            enabled: true,
            listen: self.listen.clone(),
            tls: self.tls.clone(),
            zones: report.zones.iter().map(zone_row).collect(),
            problems: problems.collect(),
            unanswered: UnansweredRow {
                off_zone: counts.off_zone,
                malformed: counts.malformed,
                slipped: counts.slipped,
                dropped: counts.dropped,
            },
        }
    }

    fn records(&self, zone: &str) -> Option<Vec<RecordRow>> {
        let report = self.keeper.report();
        let zone: &Zone = &report.zones.iter().find(|zoned| is_called(zoned, zone))?.zone;
        let rows = ZoneFile(zone).rows().map(|row| RecordRow {
            owner: row.owner,
            ttl: row.ttl,
            kind: row.kind,
            data: row.data,
        });
        Some(rows.collect())
    }
}

fn is_called(zoned: &Zoned, name: &str) -> bool {
    let origin = zoned.zone.origin().to_string();
    without_root(&origin).eq_ignore_ascii_case(without_root(name))
}

fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}
