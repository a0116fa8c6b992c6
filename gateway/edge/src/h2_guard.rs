//! `H2Guard`: counts what an HTTP/2 client makes us do without asking for anything.
//!
//! The `h2` crate bounds streams, windows and lists, but has no limit on frames over time. This
//! guard watches the frame headers that pass, pays for each kind from a budget of its own, and says
//! when one is spent. Pure: bytes and time in, verdict out.

use tokio::time::Instant;

use crate::{
    budget::Bucket,
    frames::{Frame, Frames, flag, kind},
    limits::H2Limits,
    refusal::Refusal,
};

/// The client's connection preface (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `ENHANCE_YOUR_CALM` (RFC 9113 §7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Watches one HTTP/2 connection.
#[derive(Debug)]
pub struct H2Guard {
    inbound: Frames,
    outbound: Frames,
    preface_left: usize,
    budgets: Budgets,
    /// The header block under way, if there is one.
    block: Option<Block>,
    last_stream: u32,
    verdict: Option<Refusal>,
}

#[derive(Debug)]
struct Budgets {
    resets: Bucket,
    settings_and_pings: Bucket,
    other: Bucket,
    window_updates: u32,
}

/// A header block that HEADERS began and no END_HEADERS has ended.
#[derive(Debug, Clone, Copy)]
struct Block {
    continuations: u32,
    bytes: usize,
    since: Instant,
}

impl H2Guard {
    pub fn new(limits: &H2Limits, now: Instant) -> Self {
        Self {
            inbound: Frames::default(),
            outbound: Frames::default(),
            preface_left: PREFACE.len(),
            budgets: Budgets {
                resets: Bucket::new(&limits.resets, now),
                settings_and_pings: Bucket::new(&limits.settings_and_pings, now),
                other: Bucket::new(&limits.other_frames, now),
                window_updates: 0,
            },
            block: None,
            last_stream: 0,
            verdict: None,
        }
    }

    /// Follows what the client sent. Once there is a verdict it stays.
    pub fn received(
        &mut self,
        bytes: &[u8],
        limits: &H2Limits,
        now: impl Fn() -> Instant,
    ) -> Option<Refusal> {
        let skip = self.preface_left.min(bytes.len());
        self.preface_left -= skip;
        let Self { inbound, budgets, block, last_stream, verdict, .. } = self;
        inbound.feed(&bytes[skip..], |frame| {
            if frame.kind == kind::HEADERS {
                *last_stream = (*last_stream).max(frame.stream);
            }
            if verdict.is_none() {
                *verdict = budgets
                    .pay(&frame, limits, &now)
                    .and_then(|()| measure(block, &frame, limits, &now))
                    .err();
            }
        });
        self.verdict
    }

    /// Follows what we sent.
    pub fn sent(&mut self, bytes: &[u8], limits: &H2Limits) {
        let Self { outbound, budgets, .. } = self;
        outbound.feed(bytes, |frame| {
            if frame.kind == kind::DATA {
                budgets.window_updates =
                    budgets.window_updates.saturating_add(limits.window_updates_per_data);
            }
        });
    }

    /// Since when the client owes the end of a header block.
    pub fn head_begun(&self) -> Option<Instant> {
        self.block.map(|block| block.since)
    }

    /// A GOAWAY frame with `ENHANCE_YOUR_CALM`, if one can be put in where our output stands.
    pub fn goaway(&self) -> Option<[u8; 17]> {
        if !self.outbound.at_boundary() {
            return None;
        }
        let mut frame = [0; 17];
        frame[2] = 8; // length of the payload
        frame[3] = kind::GOAWAY;
        frame[9..13].copy_from_slice(&self.last_stream.to_be_bytes());
        frame[13..].copy_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
        Some(frame)
    }
}

impl Budgets {
    fn pay(
        &mut self,
        frame: &Frame,
        limits: &H2Limits,
        now: impl Fn() -> Instant,
    ) -> Result<(), Refusal> {
        let (bucket, budget, refusal) = match frame.kind {
            kind::HEADERS | kind::CONTINUATION => return Ok(()), // measured by block
            kind::DATA if frame.length > 0 || frame.has(flag::END_STREAM) => return Ok(()),
            kind::WINDOW_UPDATE if self.window_updates > 0 => {
                self.window_updates -= 1;
                return Ok(());
            }
            kind::RST_STREAM => (&mut self.resets, &limits.resets, Refusal::H2Resets),
            kind::SETTINGS | kind::PING => (
                &mut self.settings_and_pings,
                &limits.settings_and_pings,
                Refusal::H2SettingsAndPings,
            ),
            _ => (&mut self.other, &limits.other_frames, Refusal::H2OtherFrames),
        };
        if bucket.take(budget, now) { Ok(()) } else { Err(refusal) }
    }
}

/// Follows header blocks. A frame of another kind inside one is h2's to refuse.
fn measure(
    block: &mut Option<Block>,
    frame: &Frame,
    limits: &H2Limits,
    now: impl Fn() -> Instant,
) -> Result<(), Refusal> {
    let (continuations, bytes, since) = match (frame.kind, &*block) {
        (kind::HEADERS, _) => (0, frame.length, None),
        (kind::CONTINUATION, Some(b)) => {
            (b.continuations + 1, b.bytes.saturating_add(frame.length), Some(b.since))
        }
        _ => return Ok(()),
    };
    if continuations > limits.continuation_frames || bytes > limits.header_block {
        return Err(Refusal::H2HeaderBlock);
    }
    *block = (!frame.has(flag::END_HEADERS)).then(|| Block {
        continuations,
        bytes,
        since: since.unwrap_or_else(now),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::budget::Budget;

    const LIMITS: fn() -> H2Limits = || H2Limits {
        resets: Budget { burst: 3, refill: 1, per: Duration::from_secs(1) },
        settings_and_pings: Budget { burst: 2, refill: 1, per: Duration::from_secs(1) },
        other_frames: Budget { burst: 4, refill: 1, per: Duration::from_secs(1) },
        window_updates_per_data: 2,
        continuation_frames: 2,
        header_block: 100,
        ..H2Limits::default()
    };

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + usize::from(length), 0);
        bytes
    }

    /// How many of `frame` pass before a verdict, and which it is.
    fn flood(frame: &[u8]) -> (u32, Option<Refusal>) {
        let (limits, now) = (LIMITS(), Instant::now());
        let mut guard = H2Guard::new(&limits, now);
        guard.received(PREFACE, &limits, || now);
        for n in 0..1000 {
            if let Some(refusal) = guard.received(frame, &limits, || now) {
                return (n, Some(refusal));
            }
        }
        (1000, None)
    }

    #[test]
    fn each_kind_has_a_budget_of_its_own() {
        assert_eq!(flood(&frame(kind::RST_STREAM, 0, 4)), (3, Some(Refusal::H2Resets)));
        let settings = Some(Refusal::H2SettingsAndPings);
        assert_eq!(flood(&frame(kind::PING, 0, 8)), (2, settings));
        assert_eq!(flood(&frame(kind::SETTINGS, 1, 0)), (2, settings));
        let other = Some(Refusal::H2OtherFrames);
        assert_eq!(flood(&frame(kind::DATA, 0, 0)), (4, other));
        assert_eq!(flood(&frame(2, 0, 5)), (4, other));
        assert_eq!(flood(&frame(0xfe, 0, 0)), (4, other));
        assert_eq!(flood(&frame(kind::WINDOW_UPDATE, 0, 4)), (4, other));
    }

    #[test]
    fn requests_and_content_cost_nothing() {
        assert_eq!(flood(&frame(kind::HEADERS, flag::END_HEADERS, 10)), (1000, None));
        assert_eq!(flood(&frame(kind::DATA, 0, 1)), (1000, None));
    }

    #[test]
    fn window_updates_are_free_for_data_we_sent() {
        let (limits, now) = (LIMITS(), Instant::now());
        let mut guard = H2Guard::new(&limits, now);
        guard.received(PREFACE, &limits, || now);
        guard.sent(&frame(kind::DATA, 0, 9).repeat(50), &limits);
        let updates = frame(kind::WINDOW_UPDATE, 0, 4).repeat(100);
        assert_eq!(guard.received(&updates, &limits, || now), None);
        assert!(guard.received(&updates, &limits, || now).is_some());
    }

    #[test]
    fn a_header_block_is_bounded_in_frames_and_bytes() {
        let block = |frames: &[Vec<u8>]| {
            let (limits, now) = (LIMITS(), Instant::now());
            let mut guard = H2Guard::new(&limits, now);
            guard.received(PREFACE, &limits, || now);
            let verdict = guard.received(&frames.concat(), &limits, || now);
            (verdict, guard.head_begun().is_some())
        };
        let (begin, go_on, end) = (
            frame(kind::HEADERS, 0, 10),
            frame(kind::CONTINUATION, 0, 10),
            frame(kind::CONTINUATION, flag::END_HEADERS, 10),
        );
        let refused = Some(Refusal::H2HeaderBlock);
        assert_eq!(block(&[begin.clone(), go_on.clone(), end.clone()]), (None, false));
        assert_eq!(block(&[begin.clone(), go_on.clone()]), (None, true));
        assert_eq!(block(&[begin.clone(), go_on.clone(), go_on.clone(), end]).0, refused);
        assert_eq!(block(&[frame(kind::HEADERS, 0, 101)]).0, refused);
        assert_eq!(block(&[begin, frame(kind::CONTINUATION, 0, 91)]).0, refused);
    }

    #[test]
    fn goaway_names_the_last_stream_and_only_stands_between_frames() {
        let (limits, now) = (LIMITS(), Instant::now());
        let mut guard = H2Guard::new(&limits, now);
        guard.received(PREFACE, &limits, || now);
        guard.received(&[0, 0, 0, 1, 4, 0, 0, 0, 7], &limits, || now);
        let goaway = guard.goaway().unwrap();
        assert_eq!(goaway, [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0xb]);
        guard.sent(&[0, 0, 5], &limits);
        assert_eq!(guard.goaway(), None);
    }
}
