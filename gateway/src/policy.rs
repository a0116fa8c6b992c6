//! `Policy`: what a route demands of a request before its target is asked.
//!
//! One mechanism for functions, websites and whatever comes later; limits today, authentication, CORS
//! and rates later.

use std::sync::atomic::{AtomicU32, Ordering};

use headgate_types::ByteSize;

/// Compiled once with the snapshot; checking it allocates nothing.
#[derive(Debug)]
pub struct Policy {
    /// Longest request body that is passed on; longer ones are answered 413.
    pub max_body: ByteSize,
    in_flight: AtomicU32,
}

/// Bounds what one route can hold of the node. Functions have tighter limits of their own; this one
/// also covers websites, whose slow readers hold buffers.
const MAX_IN_FLIGHT: u32 = 4096;

/// A request's place under its route; given back when it is dropped.
#[derive(Debug)]
pub struct InFlight<'a>(&'a AtomicU32);

impl Policy {
    pub fn new(max_body: ByteSize) -> Self {
        Self { max_body, in_flight: AtomicU32::new(0) }
    }

    /// `None` while as many requests are under way as may be; such a one is answered 503.
    pub fn enter(&self) -> Option<InFlight<'_>> {
        let place = InFlight(&self.in_flight);
        // Counted first: a place that is one too many gives itself back.
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        (before < MAX_IN_FLIGHT).then_some(place)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let policy = Policy::new(ByteSize::from_mib(1));
        let places: Vec<_> = (0..MAX_IN_FLIGHT).map_while(|_| policy.enter()).collect();
        assert_eq!(places.len(), MAX_IN_FLIGHT as usize);
        assert!(policy.enter().is_none());
        drop(places);
        assert!(policy.enter().is_some());
    }
}
