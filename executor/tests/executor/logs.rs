//! What guests print: lines, bounded.

use headgate_executor::GuestStream;

use crate::lab::{Lab, answer, call, core_wat, get, guest};

const LOG: &str = r#"(import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))"#;

/// Prints `text` in one write.
fn printing(text: &str) -> Vec<u8> {
    let length = text.len();
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    core_wat(
        LOG,
        &format!(r#"(data (i32.const 1024) "{escaped}")"#),
        &format!(
            "(i32.store (i32.const 8) (i32.const 1024))
             (i32.store (i32.const 12) (i32.const {length}))
             (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))"
        ),
    )
}

async fn printed(lab: &Lab, text: &str) -> Vec<String> {
    let function = lab.core(&printing(text), "main").await;
    assert_eq!(answer(&function, get("/")).await.0, 200);
    lab.lines.of(GuestStream::Stdout)
}

#[tokio::test]
async fn output_is_cut_into_lines() {
    let lab = Lab::new();
    let lines = printed(&lab, "one\ntwo\r\n\nwithout an end").await;
    assert_eq!(lines, ["one", "two", "", "without an end"]);
}

#[tokio::test]
async fn long_lines_come_in_pieces_between_characters() {
    let lab = Lab::with(|config| config.log_line = 8);
    let lines = printed(&lab, "aaaaaaaabbbbbbbb\nööööö\nend").await;
    assert_eq!(lines, ["aaaaaaaa", "bbbbbbbb", "öööö", "ö", "end"]);
}

#[tokio::test]
async fn a_flood_of_output_is_capped_and_said_so() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile")).await;
    assert_eq!(call(&function, get("/log")).await.unwrap().status(), 200);
    let printed: usize = lab.lines.of(GuestStream::Stdout).iter().map(|line| line.len() + 1).sum();
    // Line ends count, also the one the cap cut off.
    assert!((65_000..=65_537).contains(&printed), "{printed}");
    let host = lab.lines.of(GuestStream::Host);
    assert_eq!(host, ["… truncated: this request printed all it may"]);
}
