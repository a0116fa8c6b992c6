//! `Serials`: which version of a zone was served last, on disk.
//!
//! A serial belongs to what a zone says: as long as that stays the same, so does the serial, over
//! restarts too. What is new gets the time in seconds, or the next number if that would not be newer, so
//! that a clock that was set back changes nothing. It is on disk before it is served.
//!
//! Zones that are served no more are remembered: a domain that comes back must not begin again.

use std::{
    collections::BTreeMap,
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use headgate_dns::Serial;
use headgate_types::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

const FILE: &str = "zones.json";
const FORMAT: u32 = 1;

/// A zone takes a hundred bytes; this is a hundred thousand of them. Beyond it those that are served no
/// more are forgotten.
const MOST_ZONES: usize = 100_000;
const LARGEST_FILE: u64 = 64 << 20;

#[derive(Debug)]
pub struct Serials {
    folder: PathBuf,
    zones: BTreeMap<String, Version>,
    /// What is on disk is older.
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    serial: u32,
    content: Digest,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    zones: BTreeMap<String, Version>,
}

#[derive(Debug, thiserror::Error)]
pub enum SerialsError {
    #[error("cannot read or write the serials of zones at {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{} is damaged or of a newer headgate; put back what it was, or remove it and serials begin with the time",
        path.display()
    )]
    Damaged { path: PathBuf },
}

impl Serials {
    /// Reads what was kept in the state folder, if anything was.
    ///
    /// # Errors
    /// If it can neither be read nor understood.
    pub fn open(state: &Path) -> Result<Self, SerialsError> {
        let path = state.join(FILE);
        let mut text = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut text));
        let zones = match read {
            Ok(_) => match serde_json::from_slice::<Kept>(&text) {
                Ok(kept) if kept.format == FORMAT => kept.zones,
                Ok(_) | Err(_) => return Err(SerialsError::Damaged { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(SerialsError::Io { path, source }),
        };
        Ok(Self { folder: state.to_owned(), zones, changed: false })
    }

    /// The serial of a zone that says `content` now.
    pub fn of(&mut self, origin: &str, content: Digest, now: Timestamp) -> Serial {
        let seconds = now.as_millis() / 1000 % (1 << 32);
        let wanted = Serial::new(u32::try_from(seconds).expect("taken modulo 2^32"));
        let serial = match self.zones.get(origin) {
            Some(last) if last.content == content => return Serial::new(last.serial),
            Some(last) => Serial::new(last.serial).advance(wanted),
            None => wanted,
        };
        self.zones.insert(origin.to_owned(), Version { serial: serial.value(), content });
        self.changed = true;
        serial
    }

    /// Puts it on disk, if it is not: whole or not at all, and there after a power failure.
    ///
    /// # Errors
    /// If the disk refuses; then it is tried again with the next call.
    pub fn keep(&mut self, served: &dyn Fn(&str) -> bool) -> Result<(), SerialsError> {
        if !self.changed {
            return Ok(());
        }
        if self.zones.len() > MOST_ZONES {
            self.zones.retain(|origin, _| served(origin));
        }
        let path = self.folder.join(FILE);
        self.write(&path).map_err(|source| SerialsError::Io { path, source })?;
        self.changed = false;
        Ok(())
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let kept = Kept { format: FORMAT, zones: self.zones.clone() };
        let text = serde_json::to_vec(&kept)?;
        let permissions = Permissions::from_mode(0o600);
        let mut file =
            tempfile::Builder::new().permissions(permissions).tempfile_in(&self.folder)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    const ZONE: &str = "example.org.";

    #[test]
    fn a_serial_changes_with_what_the_zone_says_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut serials = Serials::open(folder.path()).unwrap();
        let first = serials.of(ZONE, digest("one"), at(1000));
        assert_eq!(first.value(), 1000);
        assert_eq!(serials.of(ZONE, digest("one"), at(2000)), first);
        let second = serials.of(ZONE, digest("two"), at(2000));
        assert_eq!(second.value(), 2000);
        serials.keep(&|_| true).unwrap();
        let mut again = Serials::open(folder.path()).unwrap();
        assert_eq!(again.of(ZONE, digest("two"), at(3000)), second, "after a restart, too");
    }

    #[test]
    fn a_clock_that_was_set_back_never_takes_a_serial_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut serials = Serials::open(folder.path()).unwrap();
        serials.of(ZONE, digest("one"), at(5000));
        serials.keep(&|_| true).unwrap();
        let mut again = Serials::open(folder.path()).unwrap();
        assert_eq!(again.of(ZONE, digest("two"), at(10)).value(), 5001);
        assert_eq!(again.of(ZONE, digest("one"), at(10)).value(), 5002, "back is also a change");
        assert_eq!(again.of("other.org.", digest("one"), at(10)).value(), 10);
    }

    #[test]
    fn what_is_damaged_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for damaged in ["{", r#"{"format": 2, "zones": {}}"#] {
            fs::write(&path, damaged).unwrap();
            let error = Serials::open(folder.path()).unwrap_err();
            assert!(matches!(error, SerialsError::Damaged { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }
}
