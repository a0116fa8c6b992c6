//! `Serial`: the version of a zone, compared as RFC 1982 says.

use std::{cmp::Ordering, fmt};

/// An SOA serial.
///
/// It wraps around, so it has no total order: of two serials half the space apart neither is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial(u32);

impl Serial {
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    pub const fn value(self) -> u32 {
        self.0
    }

    /// Whether a secondary that has `other` would fetch this one.
    pub fn is_newer_than(self, other: Self) -> bool {
        self.partial_cmp(&other) == Some(Ordering::Greater)
    }

    /// The serial of what comes after `self`: `wanted` (say, the time in seconds) if that is newer,
    /// else the next number. So a clock that was set back never freezes secondaries.
    #[must_use]
    pub fn advance(self, wanted: Self) -> Self {
        if wanted.is_newer_than(self) { wanted } else { Self(self.0.wrapping_add(1)) }
    }
}

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.0.wrapping_sub(other.0) {
            0 => Some(Ordering::Equal),
            0x8000_0000 => None,
            1..0x8000_0000 => Some(Ordering::Greater),
            _ => Some(Ordering::Less),
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_newer_across_the_wrap() {
        let [old, new] = [Serial::new(u32::MAX), Serial::new(3)];
        assert!(new.is_newer_than(old) && !old.is_newer_than(new));
        assert!(!old.is_newer_than(old));
        assert_eq!(Serial::new(0).partial_cmp(&Serial::new(0x8000_0000)), None);
    }

    #[test]
    fn a_serial_never_goes_back() {
        let current = Serial::new(100);
        assert_eq!(current.advance(Serial::new(250)), Serial::new(250));
        assert_eq!(current.advance(Serial::new(50)), Serial::new(101));
        assert_eq!(current.advance(current), Serial::new(101));
        assert_eq!(Serial::new(u32::MAX).advance(Serial::new(u32::MAX)), Serial::new(0));
    }
}
