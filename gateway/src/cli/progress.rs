//! Bars for long work, on a terminal only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use headgate_types::ProjectName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::event::Stage;

/// Work that is shorter shows no bar: it would only flicker.
const BAR_AFTER: Duration = Duration::from_millis(300);

/// One bar for each project that is being prepared.
#[derive(Debug)]
pub(super) struct Progress {
    bars: MultiProgress,
    running: Mutex<BTreeMap<ProjectName, Running>>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(bars: MultiProgress) -> Self {
        Self { bars, running: Mutex::default() }
    }

    pub(super) fn started(&self, project: &ProjectName) {
        self.running().insert(project.clone(), Running { since: Instant::now(), bar: None });
    }

    pub(super) fn moved(&self, project: &ProjectName, stage: Stage, done: u64, total: u64) {
        let mut all = self.running();
        let running = all
            .entry(project.clone())
            .or_insert_with(|| Running { since: Instant::now(), bar: None });
        if running.bar.is_none() && running.since.elapsed() < BAR_AFTER {
            return;
        }
        let bar = running.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(total).with_style(style()).with_prefix(project.to_string());
            self.bars.add(bar)
        });
        bar.set_message(name(stage));
        bar.set_length(total);
        bar.set_position(done);
    }

    pub(super) fn ended(&self, project: &ProjectName) {
        if let Some(Running { bar: Some(bar), .. }) = self.running().remove(project) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<ProjectName, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As bars and `--output json` call it.
pub(super) fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Fetching => "fetching",
        Stage::Storing => "storing",
        Stage::Compiling => "compiling",
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix} {msg} {wide_bar} {pos}/{len} {elapsed}")
        .expect("the template is a constant")
}
