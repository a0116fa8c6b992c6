//! WASI preview 1's files: in memory, for one request.

use headgate_executor::GuestStream;
use headgate_types::ByteSize;

use crate::lab::{Lab, answer, get, guest};

#[tokio::test]
async fn programs_in_c_find_a_file_system() {
    let lab = Lab::new();
    let function = lab.core(&guest("files"), "files").await;
    // Each request begins with none.
    for _ in 0..2 {
        assert_eq!(answer(&function, get("/")).await, (200, "all is well".to_owned()));
    }
    // C writes a line at once to what it takes for a terminal.
    assert_eq!(lab.lines.of(GuestStream::Stdout), ["a line without a flush"; 2]);
}

#[tokio::test]
async fn programs_in_go_find_it_too() {
    let lab = Lab::new();
    let function = lab.core(&guest("files-go"), "files").await;
    assert_eq!(answer(&function, get("/")).await, (200, "all is well".to_owned()));
}

#[tokio::test]
async fn files_count_as_the_functions_memory() {
    let lab = Lab::new();
    let limit = ByteSize::from_mib(1);
    let function = lab.core_with(&guest("files"), "fill", |s| s.limits.memory = limit).await;
    let (status, text) = answer(&function, get("/")).await;
    let (error, blocks) = text.split_once(' ').unwrap();
    assert_eq!((status, error), (200, "ENOSPC"));
    // Its memory began with some pages of 64 KiB; the rest of the 1,024 KiB is files.
    let blocks: u32 = blocks.parse().unwrap();
    assert!((700..1_000).contains(&blocks), "{blocks}");
}
