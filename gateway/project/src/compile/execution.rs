//! `execution`: how long a guest may run and how much memory it may use.

use std::time::Duration;

use headgate_types::ByteSize;

use super::Compiler;
use crate::{
    defaults::{DEFAULT_MEMORY, DEFAULT_TIMEOUT, MAX_MEMORY, MAX_TIMEOUT, MEMORY_PAGE},
    diagnostic::{Diagnostic, Place, codes},
    model::Group,
    raw,
    schema::{At, Text, Written},
};

/// What a guest is called with, once everything is decided.
pub(super) struct Execution {
    pub(super) call: Option<Text>,
    pub(super) call_place: Place,
    pub(super) timeout: Duration,
    pub(super) timeout_place: Place,
    pub(super) memory: ByteSize,
    pub(super) memory_place: Place,
}

impl Compiler<'_> {
    pub(super) fn execution(&mut self, raw: raw::Execution, group: Group) -> Option<Execution> {
        if raw.missing {
            let (noun, seconds) = (group.noun(), DEFAULT_TIMEOUT.as_secs());
            let message = format!("the {noun} gets {seconds}s and {DEFAULT_MEMORY}");
            self.report.push(
                Diagnostic::warning(codes::DEFAULT_LIMIT, message)
                    .at(raw.place.clone())
                    .note(
                        "it does not say how long it may be silent and how much memory it may use",
                    )
                    .hint(format!(
                        "add `execution: {{timeout: {seconds}s, memory: {DEFAULT_MEMORY}}}`"
                    )),
            );
        }
        let (timeout, memory) = (self.timeout(&raw), self.memory(&raw));
        Some(Execution {
            call_place: raw.call.place().unwrap_or(&raw.place).clone(),
            call: raw.call.value().map(|call| call.value),
            timeout: timeout?,
            timeout_place: raw.timeout.place().unwrap_or(&raw.place).clone(),
            memory: memory?,
            memory_place: raw.memory.place().unwrap_or(&raw.place).clone(),
        })
    }

    fn timeout(&mut self, raw: &raw::Execution) -> Option<Duration> {
        let key = "execution.timeout";
        match &raw.timeout {
            Written::Broken => None,
            Written::Absent | Written::Blank(_) => {
                if !raw.missing {
                    let value = format!("{}s", DEFAULT_TIMEOUT.as_secs());
                    self.default_limit(key, &value, raw.timeout.place().unwrap_or(&raw.place));
                }
                Some(DEFAULT_TIMEOUT)
            }
            Written::Value(At { value, place }) if value.is_zero() => {
                self.zero(key, NO_ANSWER, place)
            }
            Written::Value(At { value, place }) if *value > MAX_TIMEOUT => {
                self.capped(key, ("one hour", "1h"), place);
                Some(MAX_TIMEOUT)
            }
            Written::Value(at) => Some(at.value),
        }
    }

    fn memory(&mut self, raw: &raw::Execution) -> Option<ByteSize> {
        let key = "execution.memory";
        match &raw.memory {
            Written::Broken => None,
            Written::Absent | Written::Blank(_) => {
                if !raw.missing {
                    let place = raw.memory.place().unwrap_or(&raw.place);
                    self.default_limit(key, &DEFAULT_MEMORY.to_string(), place);
                }
                Some(DEFAULT_MEMORY)
            }
            Written::Value(At { value, place }) if value.as_bytes() == 0 => {
                self.zero(key, NO_ANSWER, place)
            }
            Written::Value(At { value, place }) if *value > MAX_MEMORY => {
                let most = MAX_MEMORY.to_string();
                let limit = format!("{most}, all that WebAssembly can address");
                self.capped(key, (&limit, &most), place);
                Some(MAX_MEMORY)
            }
            Written::Value(at) => {
                let pages = at.value.as_bytes().div_ceil(MEMORY_PAGE);
                Some(ByteSize::from_bytes(pages * MEMORY_PAGE))
            }
        }
    }

    fn default_limit(&mut self, key: &str, value: &str, place: &Place) {
        let message = format!("there is no `{key}`, so it is {value}");
        let (group, last) = key.split_once('.').unwrap_or(("", key));
        self.report.push(
            Diagnostic::warning(codes::DEFAULT_LIMIT, message)
                .at(place.clone())
                .hint(format!("add `{last}: {value}` below `{group}:` to say so")),
        );
    }

    fn capped(&mut self, key: &str, (limit, written): (&str, &str), place: &Place) {
        let message = format!("`{key}` is limited to {limit}");
        self.report.push(
            Diagnostic::warning(codes::CAPPED_LIMIT, message)
                .at(place.clone())
                .label("more than a function can get")
                .hint(format!("write `{written}` or less; most nodes give less, and say how much")),
        );
    }

    pub(super) fn zero<T>(&mut self, key: &str, why: &str, place: &Place) -> Option<T> {
        self.report.push(
            Diagnostic::error(codes::OUT_OF_RANGE, format!("`{key}` is zero"))
                .at(place.clone())
                .note(why)
                .hint(format!("write more than that, such as `{}`", example_above_zero(key))),
        );
        None
    }
}

fn example_above_zero(key: &str) -> &'static str {
    match key.rsplit('.').next() {
        Some("timeout") => "timeout: 30s",
        Some("memory") => "memory: 64MiB",
        Some("ttl") => "ttl: 5m",
        _ => "size: 5GB",
    }
}

const NO_ANSWER: &str = "a function with nothing to run on could never answer";
