//! The guests that are measured, one for each way functions are written.

use std::fs;

use anyhow::{Context as _, ensure};
use bytes::Bytes;

use crate::binary::workspace;

/// A guest of `tests/guests`.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    pub language: &'static str,
    /// Folder and file in `tests/guests`.
    pub name: &'static str,
    /// The export of a core module; a component needs none.
    pub call: Option<&'static str>,
    /// Of a core guest or a small component the design promises so many microseconds per request.
    pub aim: Option<f64>,
    /// It compiles for seconds; quick runs leave it out.
    pub heavy: bool,
}

pub const C: Guest = core("C core", "hello", "hello", Some(25.0));
pub const RUST_COMPONENT: Guest = component("Rust component", "hello-rust", Some(40.0));

pub const GUESTS: [Guest; 6] = [
    C,
    core("Zig core", "hello-zig", "hello", Some(25.0)),
    core("Rust core", "ping", "ping", Some(25.0)),
    core("AssemblyScript core", "count", "count", None),
    RUST_COMPONENT,
    Guest { heavy: true, ..component("JavaScript component", "greet", None) },
];

const fn core(
    language: &'static str,
    name: &'static str,
    call: &'static str,
    aim: Option<f64>,
) -> Guest {
    Guest { language, name, call: Some(call), aim, heavy: false }
}

const fn component(language: &'static str, name: &'static str, aim: Option<f64>) -> Guest {
    Guest { language, name, call: None, aim, heavy: false }
}

impl Guest {
    pub fn wasm(&self) -> anyhow::Result<Bytes> {
        let path =
            workspace().join("tests/guests").join(self.name).join(format!("{}.wasm", self.name));
        let wasm = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(wasm.into())
    }

    /// The same guest with another greeting of the same length: its digest, its native artefact and its
    /// answer are its own.
    pub fn numbered(&self, number: usize) -> anyhow::Result<Bytes> {
        let mut wasm = self.wasm()?.to_vec();
        let greeting = numbered_greeting(number);
        ensure!(greeting.len() == GREETING.len(), "{number} makes the greeting longer");
        let mut places = wasm.windows(GREETING.len()).enumerate().filter(|(_, w)| *w == GREETING);
        let place = places.next().map(|(at, _)| at);
        ensure!(places.next().is_none(), "{} holds its greeting twice", self.name);
        let place = place.with_context(|| format!("{} holds no greeting", self.name))?;
        wasm[place..place + GREETING.len()].copy_from_slice(greeting.as_bytes());
        Ok(wasm.into())
    }
}

const GREETING: &[u8] = b"Hello, world!";

/// What the guest of that number answers.
pub fn numbered_greeting(number: usize) -> String {
    format!("Hello, {number:05}!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_is_there() {
        for guest in GUESTS {
            assert!(guest.wasm().unwrap().starts_with(b"\0asm"), "{}", guest.name);
        }
    }

    #[test]
    fn numbered_guests_differ_by_five_digits() {
        for guest in [C, RUST_COMPONENT] {
            let (original, copy) = (guest.wasm().unwrap(), guest.numbered(42).unwrap());
            let differing = original.iter().zip(&copy).filter(|(a, b)| a != b).count();
            assert_eq!((differing, original.len()), (5, copy.len()), "{}", guest.name);
        }
    }
}
