//! `Phases`: what the time of an invocation went into.
//!
//! A request reads the clock where it did before, once when its instance is ready and once when its guest ended;
//! the rest is subtraction. Nothing is allocated for it.

use std::time::Duration;

use crate::metrics::Start;

/// How far an invocation came, and what each part took. Whoever is asked early knows less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Waiting for a slot of its function, of its project and of the pool.
    pub queue: Duration,
    /// Opening artefacts; nothing if they were open.
    pub opening: Duration,
    /// How its instance came to be ready; `None` if it was not admitted.
    pub start: Option<Start>,
    /// From its admission until its instance was ready for the event; nothing if it was ready before.
    pub starting: Duration,
    /// What the guest computed, its start within the request included, when that was last looked at.
    pub computed: Duration,
}
