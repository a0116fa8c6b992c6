//! The compressed forms of a file, made once so that no request pays for them.

use std::io::Write;

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::{Compression, GzBuilder};

use crate::table::Encoding;

/// The content under each coding that makes it noticeably smaller.
pub(crate) fn compress(content: &[u8]) -> Vec<(Encoding, Bytes)> {
    let Some(effort) = effort(content.len()) else { return Vec::new() };
    let worth_it = content.len() - content.len() / MIN_GAIN;
    [
        (Encoding::Br, brotli(content, effort.brotli)),
        (Encoding::Zstd, zstd::bulk::compress(content, effort.zstd).ok()),
        (Encoding::Gzip, gzip(content, effort.gzip)),
    ]
    .into_iter()
    .filter_map(|(encoding, encoded)| Some((encoding, encoded?)))
    .filter(|(_, encoded)| encoded.len() <= worth_it)
    .map(|(encoding, encoded)| (encoding, Bytes::from(encoded)))
    .collect()
}

/// Levels of the three encoders, on their own scales.
struct Effort {
    brotli: i32,
    zstd: i32,
    gzip: u32,
}

fn effort(size: usize) -> Option<Effort> {
    let effort = |brotli, zstd, gzip| Some(Effort { brotli, zstd, gzip });
    match size {
        _ if size < MIN_SIZE => None,
        _ if size <= SMALL => effort(11, 19, 9),
        _ if size <= MEDIUM => effort(9, 15, 9),
        _ if size <= LARGE => effort(5, 6, 6),
        _ => None,
    }
}

/// Below this a file fits into one packet with its headers, compressed or not.
const MIN_SIZE: usize = 256;

/// A variant must be smaller by one part in this many, that is by five per cent.
const MIN_GAIN: usize = 20;

/// The best that each encoder can do, for most files of a site; about a tenth of a second at most.
const SMALL: usize = 64 * 1024;

/// A tenth of a second again, at levels behind which the time doubles for a per cent or two: a change is to be
/// live in 300 ms.
const MEDIUM: usize = 512 * 1024;

/// About a second of CPU; what is larger and of a compressible type is a data set, fetched seldom.
const LARGE: usize = 16 * 1024 * 1024;

fn brotli(mut content: &[u8], quality: i32) -> Option<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality,
        lgwin: window_bits(content.len()),
        size_hint: content.len(),
        ..Default::default()
    };
    let mut encoded = Vec::new();
    brotli::BrotliCompress(&mut content, &mut encoded, &params).ok()?;
    Some(encoded)
}

/// A window no larger than the file: brotli's own range is 10 to 24, and browsers take up to 22 gladly.
fn window_bits(size: usize) -> i32 {
    let bits = usize::BITS - size.leading_zeros();
    bits.clamp(10, 22) as i32
}

fn gzip(content: &[u8], level: u32) -> Option<Vec<u8>> {
    // No name and no time in the header: the same content must give the same bytes on every node.
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(level));
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_variant_decodes_to_the_file() {
        let text = (0..20_000).map(|i| format!("line {i}\n")).collect::<String>();
        for size in [MIN_SIZE, 10_000, SMALL + 1] {
            let content = &text.as_bytes()[..size];
            let variants = compress(content);
            assert_eq!(variants.len(), 3, "{size}");
            for (encoding, encoded) in variants {
                assert_eq!(decode(encoding, &encoded), content, "{encoding:?}");
            }
        }
    }

    #[test]
    fn a_tiny_file_has_no_variants() {
        assert!(compress(&[b'a'; MIN_SIZE - 1]).is_empty());
    }

    #[test]
    fn what_hardly_shrinks_has_no_variants() {
        // A xorshift, whose bytes no encoder can shrink.
        let mut x = 1_u32;
        let noise = std::iter::repeat_with(|| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x as u8
        });
        assert!(compress(&noise.take(5000).collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let content = b"the same content ".repeat(50);
        assert_eq!(compress(&content), compress(&content));
    }

    fn decode(encoding: Encoding, mut encoded: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::new();
        match encoding {
            Encoding::Br => brotli::BrotliDecompress(&mut encoded, &mut decoded).unwrap(),
            Encoding::Zstd => decoded = zstd::bulk::decompress(encoded, 1 << 20).unwrap(),
            Encoding::Gzip => {
                flate2::read::GzDecoder::new(encoded).read_to_end(&mut decoded).unwrap();
            }
        }
        decoded
    }
}
