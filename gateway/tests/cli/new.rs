//! `headgate new`, with a terminal and without.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    process::Command,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::{Home, finish};

#[test]
fn new_says_what_it_made_and_what_to_type_next() {
    let home = Home::new();
    let made = home.run(&["new", "my shop", "--template", "zig"]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{made:?}");
    assert!(made.stdout.starts_with("✓ my-shop is made: "), "{}", made.stdout);
    assert!(made.stdout.contains("\n  functions/hello/main.wasm\n"), "{}", made.stdout);
    assert!(made.stdout.contains("Next:\n  cd 'my shop'\n  headgate dev\n"), "{}", made.stdout);
    assert!(home.path().join("my shop/functions/hello/build").is_file());
    assert!(!home.path().join("my shop/.git").exists());

    let named = home.run(&["new", "--name", "other", "--template", "static"]);
    assert_eq!(named.code, Some(0), "{named:?}");
    assert!(home.path().join("other/config.yaml").is_file(), "a folder called as the project");
}

#[test]
fn new_writes_over_nothing() {
    let home = Home::new();
    fs::create_dir(home.path().join("shop")).unwrap();
    fs::write(home.path().join("shop/config.yaml"), "mine").unwrap();
    let refused = home.run(&["new", "shop", "--template", "static"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let said = "error: the folder shop is not empty: it holds config.yaml\n  help: ";
    assert!(refused.stderr.starts_with(said), "{refused:?}");
    assert_eq!(fs::read_dir(home.path().join("shop")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(home.path().join("shop/config.yaml")).unwrap(), "mine");
}

#[test]
fn new_without_a_terminal_says_which_templates_there_are() {
    let home = Home::new();
    let unasked = home.run(&["new", "shop"]);
    assert_eq!((unasked.code, unasked.stdout.as_str()), (Some(1), ""));
    for named in ["static", "rust", "javascript", "go", "python", "assemblyscript", "zig"] {
        assert!(unasked.stderr.contains(named), "{named}: {unasked:?}");
        assert!(home.run(&["new", "--list"]).stdout.contains(&format!("\n{named} ")), "{named}");
    }
    let misspelt = home.run(&["new", "shop", "--template", "pyhton"]);
    assert_eq!(misspelt.code, Some(2));
    assert!(misspelt.stderr.contains("'python'"), "{misspelt:?}");
    let nowhere = home.run(&["new", "--template", "rust"]);
    assert!(nowhere.stderr.contains("headgate new DIR --template NAME"), "{nowhere:?}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn new_makes_a_repository_when_asked_and_commits_under_the_users_name_alone() {
    let home = Home::new();
    let path = std::env::var_os("PATH").unwrap();
    let make =
        |arguments: &[&str]| finish(home.command(arguments).env("PATH", &path).spawn().unwrap());
    let nameless = make(&["new", "a", "--template", "static", "--git"]);
    assert_eq!(nameless.code, Some(0), "{nameless:?}");
    assert!(nameless.stdout.contains("git config --global user.name"), "{nameless:?}");

    fs::write(home.path().join(".gitconfig"), "[user]\nname = Ada\nemail = ada@example.com\n")
        .unwrap();
    // As in a hook of another repository, which must not get the commit.
    let mut command =
        home.command(&["new", "b", "--template", "rust", "--git", "--output", "json"]);
    command.env("PATH", &path).env("GIT_DIR", home.path().join("a/.git"));
    let made = finish(command.spawn().unwrap()).json();
    let log = Command::new("git")
        .args(["log", "main", "--format=%H %an", "--name-only"])
        .current_dir(home.path().join("b"))
        .output()
        .unwrap();
    let log = String::from_utf8(log.stdout).unwrap();
    let commit = made["git"]["commit"].as_str().unwrap();
    assert!(log.starts_with(&format!("{commit} Ada\n")), "{log}");
    assert!(log.contains("\nfunctions/hello/main.wasm\n"), "what is served is committed: {log}");
}

#[test]
fn new_asks_on_a_terminal() {
    let home = Home::new();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = || OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let child =
        home.command(&["new"]).env("TERM", "xterm").stdin(side()).stderr(side()).spawn().unwrap();
    let mut screen = Screen { terminal: terminal.into(), seen: String::new() };
    screen.wait_for("assemblyscript");
    screen.type_in("\x1b[B"); // an arrow down: from static to rust
    screen.type_in("\r");
    screen.wait_for("hello-rust");
    screen.type_in("\r");
    let made = finish(child);
    assert_eq!(made.code, Some(0), "{made:?} {}", screen.seen);
    assert!(made.stdout.contains("hello-rust is made"), "{made:?}");
    assert!(home.path().join("hello-rust/functions/hello/Cargo.toml").is_file());
}

/// The other side of a terminal.
struct Screen {
    terminal: fs::File,
    seen: String,
}

impl Screen {
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let read = self.terminal.read(&mut buffer).unwrap();
            assert!(read > 0, "closed before `{text}`: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }
}
