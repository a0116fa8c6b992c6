//! Every format, and every way of lying about it.

use std::io::Write;

use weezl::encode::Encoder;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::*;

const WASM: &[u8] = b"\0asm\x01\0\0\0";
const LIMIT: u64 = 1 << 20;

fn zip(files: &[(&str, &[u8])]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner().into()
}

fn zwasm(content: &[u8]) -> Bytes {
    Encoder::new(BitOrder::Lsb, 8).encode(content).unwrap().into()
}

fn unpack(archive: Bytes, limits: SiteLimits) -> Result<Vec<SiteEntry>, UnpackError> {
    site(archive, limits)?.collect()
}

fn names(entries: &[SiteEntry]) -> Vec<&str> {
    entries.iter().map(|entry| &*entry.path).collect()
}

#[test]
fn all_three_formats_give_the_same_module() {
    for packed in [Bytes::from_static(WASM), zip(&[("main.wasm", WASM)]), zwasm(WASM)] {
        assert_eq!(wasm(packed, LIMIT).unwrap(), WASM);
    }
}

#[test]
fn streams_of_any_length_are_read_as_go_writes_them() {
    assert_eq!(go_lzw(WASM), [0x00, 0x01, 0x84, 0x99, 0xd3, 0x26, 0x00, 0x80, 0x83, 0x01, 0x01]);
    let mut state = 1u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 30) as u8
    });
    let module: Vec<u8> = WASM.iter().copied().chain(noise.take(200_000)).collect();
    assert_eq!(wasm(go_lzw(&module).into(), LIMIT).unwrap(), module);
}

/// What Go's `compress/lzw` writes: a clear code first, and another one as soon as code 4095 is given
/// out, where other encoders fill the table.
fn go_lzw(content: &[u8]) -> Vec<u8> {
    const CLEAR: u32 = 256;
    let (mut out, mut bits, mut count) = (Vec::new(), 0u32, 0);
    let mut write = |code: u32, width: u32| {
        bits |= code << count;
        count += width;
        while count >= 8 {
            out.push(bits as u8);
            (bits, count) = (bits >> 8, count - 8);
        }
    };
    let (mut table, mut last, mut width) = (std::collections::HashMap::new(), CLEAR + 1, 9);
    write(CLEAR, width);
    let mut code = u32::from(content[0]);
    for byte in &content[1..] {
        if let Some(longer) = table.get(&(code, *byte)) {
            code = *longer;
            continue;
        }
        write(code, width);
        last += 1;
        width += u32::from(last == 1 << width);
        if last == 4095 {
            write(CLEAR, width);
            table.clear();
            (last, width) = (CLEAR + 1, 9);
        } else {
            table.insert((code, *byte), last);
        }
        code = u32::from(*byte);
    }
    write(code, width);
    write(CLEAR + 1, width + u32::from(last + 1 == 1 << width));
    write(0, 7); // fills the last byte
    out
}

#[test]
fn bombs_stop_at_the_limit() {
    let zeros = [WASM, &vec![0; 4 << 20]].concat();
    for packed in [zip(&[("main.wasm", &zeros)]), zwasm(&zeros)] {
        assert!(packed.len() < 64 << 10, "{}", packed.len());
        let refused = wasm(packed, LIMIT).unwrap_err();
        assert!(matches!(refused, UnpackError::TooLarge { .. }), "{refused}");
    }
}

#[test]
fn a_raw_module_over_the_limit_is_refused() {
    let refused = wasm(Bytes::from_static(WASM), 7).unwrap_err();
    assert_eq!(refused.to_string(), "it unpacks to more than 7B");
}

#[test]
fn what_is_not_webassembly_says_what_it_is() {
    let error = |packed: Bytes| wasm(packed, LIMIT).unwrap_err().to_string();
    assert_eq!(error(Bytes::new()), UnpackError::UnknownFormat.to_string());
    assert_eq!(error("<html>".into()), UnpackError::UnknownFormat.to_string());
    assert_eq!(error(zip(&[("lib.wasm", WASM)])), UnpackError::NoMain.to_string());
    assert_eq!(error(zip(&[("main.wasm", b"ELF")])), UnpackError::NotWebAssembly.to_string());
    assert_eq!(error(zwasm(b"ELF")), UnpackError::NotWebAssembly.to_string());
    assert_eq!(error(zwasm(WASM).slice(..4)), UnpackError::Damaged.to_string());
}

#[test]
fn every_cut_of_an_archive_is_refused_without_a_panic() {
    let whole = zip(&[("main.wasm", WASM), ("b", b"c")]);
    for end in 0..whole.len() {
        assert!(wasm(whole.slice(..end), LIMIT).is_err());
        assert!(unpack(whole.slice(..end), SiteLimits::default()).is_err());
    }
}

#[test]
fn a_site_is_its_files_in_the_order_of_the_archive() {
    let archive = zip(&[("index.html", b"<p>"), ("css/", b""), ("css/a.css", b"a")]);
    let entries = unpack(archive, SiteLimits::default()).unwrap();
    assert_eq!(names(&entries), ["index.html", "css/a.css"]);
    assert_eq!(entries[0].content, "<p>");
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "a//b", "./a", "a\u{7}"] {
        let refused = unpack(zip(&[(name, b"x")]), SiteLimits::default()).unwrap_err();
        assert!(matches!(refused, UnpackError::UnsafeName { .. }), "{name}: {refused}");
    }
}

#[test]
fn a_link_in_an_archive_is_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("index.html", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let archive = writer.finish().unwrap().into_inner();
    let refused = unpack(archive.into(), SiteLimits::default()).unwrap_err();
    assert!(matches!(refused, UnpackError::UnsafeName { .. }), "{refused}");
}

#[test]
fn count_size_and_total_of_a_site_are_limits() {
    let archive = zip(&[("a", b"1234"), ("b", b"1234"), ("c", b"1")]);
    let check = |files, file, total| unpack(archive.clone(), SiteLimits { files, file, total });
    assert!(check(3, 4, 9).is_ok());
    assert!(matches!(check(2, 4, 9), Err(UnpackError::TooManyFiles { limit: 2 })));
    assert!(matches!(check(3, 3, 9), Err(UnpackError::TooLarge { .. })));
    assert!(matches!(check(3, 4, 8), Err(UnpackError::TooLarge { .. })));
}

#[test]
fn a_directory_without_end_is_not_read() {
    let directory = Bytes::from(DIRECTORY_ENTRY.repeat(7));
    let refused = |files| {
        let limits = SiteLimits { files, file: 1, total: 1 };
        unpack(directory.clone(), limits).unwrap_err()
    };
    assert!(matches!(refused(3), UnpackError::TooManyFiles { limit: 3 }));
    assert!(matches!(refused(4), UnpackError::Archive(_)), "few enough to look at them");
}

#[test]
fn entries_come_one_by_one_and_end_with_the_first_error() {
    let archive = zip(&[("a", b"1234"), ("b", b"12345"), ("c", b"1")]);
    let mut entries = site(archive, SiteLimits { files: 3, file: 4, total: 100 }).unwrap();
    assert_eq!(&*entries.next().unwrap().unwrap().path, "a", "what comes before is not held back");
    assert!(matches!(entries.next(), Some(Err(UnpackError::TooLarge { .. }))));
    assert!(entries.next().is_none());
}
