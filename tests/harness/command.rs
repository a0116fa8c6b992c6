//! Commands that need no node.

use std::{path::Path, process::Output, time::Duration};

use tokio::time::timeout;

use crate::{
    home::{self, Home},
    process::command,
};

/// How long a command may take: the slowest compiles a guest of nineteen megabytes in a debug build.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs `headgate` with these arguments in a folder, with a home of its own.
pub async fn headgate(folder: &Path, arguments: &[&str]) -> Output {
    let home = Home::new(&home::target());
    let run = command(&home).args(arguments).current_dir(folder).output();
    let output = timeout(LONGEST, run).await.expect("a command ends in time");
    output.expect("the binary can be run")
}
