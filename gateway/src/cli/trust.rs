//! `headgate dev trust`: this machine and its browsers accept what the local authority signs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use headgate_certs::{LocalAuthority, TrustStores};
use headgate_types::SystemClock;
use serde_json::json;

use crate::{
    cli::{
        Verdict,
        output::{Output, Paint},
        serve,
    },
    node_config::Homes,
};

pub(super) fn run(output: &Output) -> anyhow::Result<Verdict> {
    let user = match sudo_home()? {
        Some(home) => User { homes: Homes::under(&home), home: Some(home), sudo: true },
        None => User {
            homes: serve::homes()?,
            home: env::var_os("HOME").map(PathBuf::from),
            sudo: false,
        },
    };
    let folder = user.homes.authority();
    if user.sudo && !folder.is_dir() {
        // Made now it would belong to root, and `headgate dev` could not use it.
        bail!(
            "there is no authority in {} yet: run `headgate dev` once, then this",
            folder.display()
        );
    }
    let authority = LocalAuthority::open(&folder, Arc::new(SystemClock))
        .with_context(|| format!("opening the authority in {}", folder.display()))?;
    let trusted = TrustStores::of_this_machine(user.home).trust(&authority)?;
    if output.is_json() {
        output.json(&json!({
            "authority": authority.root_path(),
            "system": trusted.system,
            "browsers": trusted.browsers,
            "left": trusted.left,
        }))?;
        return Ok(Verdict::Well);
    }
    let done = output.paint(Paint::Good, "✓");
    let mut text = String::new();
    if let Some(file) = &trusted.system {
        text.push_str(&format!(
            "{done} {} is trusted by this system: {}\n",
            authority.name(),
            file.display()
        ));
    }
    for browser in &trusted.browsers {
        text.push_str(&format!(
            "{done} and by the browser with the database {}\n",
            browser.display()
        ));
    }
    for left in &trusted.left {
        text.push_str(&format!("{} {left}\n", output.paint(Paint::Attention, "!")));
    }
    output.text(&text)?;
    Ok(Verdict::Well)
}

/// Whose authority is meant.
struct User {
    homes: Homes,
    home: Option<PathBuf>,
    sudo: bool,
}

/// Under sudo: the home of the user who called it. The authority is theirs, not root's.
fn sudo_home() -> anyhow::Result<Option<PathBuf>> {
    let Some(uid) = env::var("SUDO_UID").ok().filter(|_| rustix::process::geteuid().is_root())
    else {
        return Ok(None);
    };
    let passwd = fs::read_to_string("/etc/passwd").context("looking for the user behind sudo")?;
    Ok(home_of(&uid, &passwd).map(Path::to_owned))
}

/// The sixth field of the user's line (passwd(5)).
fn home_of<'a>(uid: &str, passwd: &'a str) -> Option<&'a Path> {
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.get(2) == Some(&uid))?;
    line.get(5).map(|home| Path::new(*home)).filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_behind_sudo_is_found() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada,,,:/home/ada:/bin/zsh\n";
        assert_eq!(home_of("1000", passwd), Some(Path::new("/home/ada")));
        assert_eq!(home_of("1001", passwd), None);
        assert_eq!(home_of("0", "root:x:0\n"), None);
    }
}
