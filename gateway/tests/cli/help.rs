//! What the binary says about itself.

use std::io;

use crate::harness::{Home, finish};

const COMMANDS: [&str; 18] = [
    "new",
    "dev",
    "run",
    "check",
    "run-function",
    "status",
    "routes",
    "functions",
    "domains",
    "dns",
    "logs",
    "revisions",
    "rollback",
    "pin",
    "follow",
    "explain",
    "schema",
    "completions",
];

#[test]
fn help_lists_every_command_with_its_purpose() {
    let help = Home::new().run(&["--help"]);
    assert_eq!(help.code, Some(0));
    let places: Vec<_> = COMMANDS
        .iter()
        .map(|command| {
            let line = help.stdout.lines().position(|line| {
                line.strip_prefix("  ").is_some_and(|l| l.split(' ').next() == Some(command))
            });
            line.unwrap_or_else(|| panic!("{command} is missing: {}", help.stdout))
        })
        .collect();
    assert!(places.is_sorted(), "in the order of use");
    assert!(help.stdout.contains("Exit codes:"));
}

#[test]
fn every_command_teaches_by_example() {
    let home = Home::new();
    for command in COMMANDS {
        let help = home.run(&[command, "--help"]);
        assert_eq!(help.code, Some(0), "{command}");
        assert!(
            help.stdout.contains(&format!("  headgate {command}")),
            "{command}: {}",
            help.stdout
        );
        let longest = help.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{command} has lines of {longest:?} characters");
    }
}

#[test]
fn version_is_the_packages() {
    let version = Home::new().run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(version.stdout, format!("headgate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_what_was_meant() {
    let home = Home::new();
    let typo = home.run(&["chekc"]);
    assert_eq!(typo.code, Some(2));
    assert!(typo.stderr.contains("check"), "{}", typo.stderr);
    assert_eq!(typo.stdout, "");
    assert_eq!(home.run(&[]).code, Some(2));
    let address = home.run(&["dev", "--http", "localhost"]);
    assert_eq!(address.code, Some(2));
    assert!(address.stderr.contains("such as 127.0.0.1:8080"), "{}", address.stderr);
    let variable = home.command(&["dev"]).env("HEADGATE_HTTPS", "nonsense").spawn().unwrap();
    let variable = finish(variable);
    assert_eq!(variable.code, Some(2));
    assert!(variable.stderr.contains("nonsense"), "{}", variable.stderr);
}

#[test]
fn explain_knows_its_codes_and_guesses_at_others() {
    let home = Home::new();
    let known = home.run(&["explain", "unknown-key"]);
    assert_eq!(known.code, Some(0));
    assert!(known.stdout.starts_with("unknown-key\n\n"), "{known:?}");
    let unknown = home.run(&["explain", "unkown-key"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(unknown.stderr.contains("did you mean `unknown-key`?"), "{unknown:?}");
    let json = home.run(&["explain", "unknown-key", "--output", "json"]).json();
    assert_eq!(json["code"], "unknown-key");
    for code in home.run(&["explain"]).stdout.lines() {
        assert_eq!(home.run(&["explain", code]).code, Some(0), "{code}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.stdout.contains("routes"), "{shell}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let home = Home::new();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let ended = finish(home.command(&["completions", "bash"]).stdout(writer).spawn().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
