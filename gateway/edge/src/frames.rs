//! `Frames`: follows HTTP/2 frame boundaries in passing bytes (RFC 9113 §4.1).
//!
//! Pure and without a buffer of its own: it keeps at most the nine bytes of a frame header.

/// Length of a frame header.
const HEADER: usize = 9;

/// Types of frames (RFC 9113 §6).
pub mod kind {
    pub const DATA: u8 = 0x0;
    pub const HEADERS: u8 = 0x1;
    pub const RST_STREAM: u8 = 0x3;
    pub const SETTINGS: u8 = 0x4;
    pub const PUSH_PROMISE: u8 = 0x5;
    pub const PING: u8 = 0x6;
    pub const GOAWAY: u8 = 0x7;
    pub const WINDOW_UPDATE: u8 = 0x8;
    pub const CONTINUATION: u8 = 0x9;
}

/// Flags of frames.
pub mod flag {
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
}

/// The header of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    /// Length of the payload.
    pub length: usize,
}

impl Frame {
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn parse(header: &[u8; HEADER]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *header;
        Self {
            kind,
            flags,
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]), // the highest bit is reserved
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
        }
    }
}

/// Follows frame boundaries in passing bytes.
#[derive(Debug, Default)]
pub struct Frames {
    header: [u8; HEADER],
    have: usize,
    payload_left: usize,
}

impl Frames {
    /// Calls `on` for each frame whose header ends in `bytes`.
    pub fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let skip = self.payload_left.min(bytes.len());
                self.payload_left -= skip;
                bytes = &bytes[skip..];
                continue;
            }
            let take = (HEADER - self.have).min(bytes.len());
            self.header[self.have..self.have + take].copy_from_slice(&bytes[..take]);
            self.have += take;
            bytes = &bytes[take..];
            if self.have == HEADER {
                let frame = Frame::parse(&self.header);
                (self.have, self.payload_left) = (0, frame.length);
                on(frame);
            }
        }
    }

    /// Whether a frame of our own could be put in here.
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && self.payload_left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(frames: &mut Frames, bytes: &[u8]) -> Vec<Frame> {
        let mut seen = Vec::new();
        frames.feed(bytes, |frame| seen.push(frame));
        seen
    }

    #[test]
    fn a_header_is_read_with_its_reserved_bit_cleared() {
        let mut frames = Frames::default();
        let got = seen(&mut frames, &[0, 1, 2, 1, 5, 0x80, 0, 0, 3]);
        assert_eq!(got, [Frame { kind: 1, flags: 5, stream: 3, length: 258 }]);
        assert!(!frames.at_boundary());
        assert!(seen(&mut frames, &[0; 258]).is_empty());
        assert!(frames.at_boundary());
    }

    proptest! {
        #[test]
        fn any_split_shows_the_same_frames(
            payloads in proptest::collection::vec((any::<u8>(), 0usize..40), 0..8),
            cut in 1usize..20,
        ) {
            let mut bytes = Vec::new();
            for (kind, length) in &payloads {
                bytes.extend_from_slice(&[0, 0, *length as u8, *kind, 0, 0, 0, 0, 1]);
                bytes.resize(bytes.len() + length, 0xff);
            }
            let whole = seen(&mut Frames::default(), &bytes);
            let mut frames = Frames::default();
            let parts: Vec<_> =
                bytes.chunks(cut).flat_map(|part| seen(&mut frames, part)).collect();
            prop_assert_eq!(whole.len(), payloads.len());
            prop_assert_eq!(whole, parts);
            prop_assert!(frames.at_boundary());
        }
    }
}
