//! Units people write: `64MiB`, `20s`. One grammar for `node.yaml` and for projects.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A number of bytes. `MB` is 10⁶ and `MiB` 2²⁰, as in Taubyte's metric sizes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(u64);

impl ByteSize {
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn from_kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// The units a size may be written with.
    pub fn units() -> impl Iterator<Item = &'static str> {
        UNITS.iter().map(|(name, _)| *name)
    }
}

const UNITS: [(&str, u64); 19] = [
    ("B", 1),
    ("KB", 1_000),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("kiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("PB", 1_000_000_000_000_000),
    ("PiB", 1 << 50),
    ("EB", 1_000_000_000_000_000_000),
    ("EiB", 1 << 60),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

impl FromStr for ByteSize {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = (&text[..split], text[split..].trim_start());
        let scale = match unit {
            "" => 1,
            unit => UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, scale)| *scale)
                .ok_or(ParseUnitError::Size)?,
        };
        scaled(number, scale).map(Self).ok_or(ParseUnitError::Size)
    }
}

/// Exact for whole numbers; a fraction (`1.5GB`) is rounded down to whole bytes or nanoseconds.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = u128::from(whole) * u128::from(scale);
    if !fraction.is_empty() {
        let numerator: u128 = fraction.parse().ok()?;
        total += numerator * u128::from(scale) / 10u128.pow(u32::try_from(fraction.len()).ok()?);
    }
    u64::try_from(total).ok()
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, scale) in [
            ("GiB", 1u64 << 30),
            ("MiB", 1 << 20),
            ("KiB", 1 << 10),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
        ] {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl TryFrom<String> for ByteSize {
    type Error = ParseUnitError;

    fn try_from(text: String) -> Result<Self, ParseUnitError> {
        text.parse()
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

/// Parses a Go duration: `300ms`, `1h15m`, `1.5s`. No sign; a bare `0` is the only number without a unit.
pub fn parse_duration(text: &str) -> Result<Duration, ParseUnitError> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total) = (text, 0u64);
    if rest.is_empty() {
        return Err(ParseUnitError::Duration);
    }
    while !rest.is_empty() {
        let split = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .ok_or(ParseUnitError::Duration)?;
        let (number, tail) = rest.split_at(split);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let (_, nanos) = *DURATION_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(ParseUnitError::Duration)?;
        let part = scaled(number, nanos).ok_or(ParseUnitError::Duration)?;
        total = total.checked_add(part).ok_or(ParseUnitError::Duration)?;
        rest = next;
    }
    Ok(Duration::from_nanos(total))
}

/// As [`parse_duration`] reads it: `1h15m`, `90ms`, and `0s` for none.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (unit, scale) in DURATION_UNITS.iter().rev().filter(|(unit, _)| unit.is_ascii()) {
        let scale = u128::from(*scale);
        if rest >= scale {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// The units a duration may be written with.
pub fn duration_units() -> impl Iterator<Item = &'static str> {
    DURATION_UNITS.iter().map(|(name, _)| *name)
}

/// Both letters that stand for micro, as in Go.
const DURATION_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum ParseUnitError {
    #[error("a size is a number and a unit, such as `64MiB` or `5GB`")]
    Size,
    #[error("a duration is numbers and units, such as `20s`, `300ms` or `1h15m`")]
    Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_metric_unless_binary() {
        for (text, bytes) in [
            ("5GB", 5_000_000_000),
            ("64MiB", 64 << 20),
            ("32 MB", 32_000_000),
            ("1.5KiB", 1536),
            ("100", 100),
            ("0B", 0),
            ("2PB", 2_000_000_000_000_000),
            ("1kiB", 1024),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "GB", "5 XB", "-1MB", "1..2MB", ".", "18446744073709551616", "99999999TB"]
        {
            assert_eq!(text.parse::<ByteSize>(), Err(ParseUnitError::Size), "{text}");
        }
    }

    #[test]
    fn printed_sizes_parse_back() {
        for bytes in [0, 1, 1000, 1536, 64 << 20, 5_000_000_000, u64::MAX] {
            assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
    }

    #[test]
    fn printed_durations_parse_back() {
        for text in ["0s", "300ms", "1h15m", "6m40s", "1s500ms", "10us1ns"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        let longest = Duration::from_nanos(u64::MAX);
        assert_eq!(parse_duration(&format_duration(longest)), Ok(longest));
    }

    #[test]
    fn durations_follow_go() {
        for (text, nanos) in [
            ("20s", 20_000_000_000),
            ("1h15m", 4_500_000_000_000),
            ("6m40s", 400_000_000_000),
            ("1.5s", 1_500_000_000),
            ("300ms", 300_000_000),
            ("10us", 10_000),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for text in ["", "20", "s", "-1s", "1x", "1s2", "1.2.3s", "99999999999h"] {
            assert_eq!(parse_duration(text), Err(ParseUnitError::Duration), "{text}");
        }
    }
}
