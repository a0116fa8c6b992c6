//! `Policy`: what a route demands of a request before its target is asked.
//!
//! One mechanism for functions, websites and whatever comes later; limits today, authentication, CORS
//! and rates later.

use std::sync::Arc;

use headgate_types::ByteSize;
use tokio::sync::Semaphore;

/// Compiled once with the snapshot; checking it allocates nothing.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Longest request body that is passed on; longer ones are answered 413.
    pub max_body: ByteSize,
    /// Requests under way at once; one more is answered 503 with `Retry-After`.
    pub in_flight: Arc<Semaphore>,
}

/// Bounds what one route can hold of the node. Functions have tighter limits of their own; this one
/// also covers websites, whose slow readers hold buffers.
pub const MAX_IN_FLIGHT: usize = 4096;

impl Policy {
    pub fn new(max_body: ByteSize) -> Self {
        Self { max_body, in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)) }
    }
}
