//! `headgate dev` and `headgate run`: what keeps a node from starting, and what it announces.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Home, finish, fixture};

#[test]
fn a_bad_node_yaml_is_refused_with_places_and_help() {
    let home = Home::new();
    let file = home.path().join("node.yaml");
    fs::write(&file, "version: 1\nhttp: ['localhost:80']\nadmin:\n  listen: 0.0.0.0:1\n").unwrap();
    let run = home.run(&["run", "--config", "node.yaml"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("`localhost:80` is not an address"), "{run:?}");
    assert!(run.stderr.contains(" --> node.yaml:2:8\n"), "{run:?}");
    assert!(run.stderr.contains("`0.0.0.0:1` is not a loopback address\n"), "{run:?}");
    assert!(run.stderr.ends_with("\n2 errors\n"), "{run:?}");
    fs::write(&file, "projets: []\n").unwrap();
    let run = finish(home.command(&["run"]).env("HEADGATE_CONFIG", &file).spawn().unwrap());
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("did you mean `projects`?"), "{run:?}");
}

#[test]
fn a_missing_node_yaml_says_how_to_get_one() {
    let run = Home::new().run(&["run", "--config", "nowhere.yaml"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.starts_with("error: cannot read nowhere.yaml\n"), "{run:?}");
    assert!(run.stderr.contains("headgate run --help"), "{run:?}");
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = fixture("site");
    let dev = Home::new().run(&["dev", &site, "--http", &address, "--https", "127.0.0.1:0"]);
    assert_eq!((dev.code, dev.stdout.as_str()), (Some(1), ""));
    assert!(dev.stderr.contains(&address), "{dev:?}");
    assert!(dev.stderr.contains("port 0 picks a free one"), "{dev:?}");
}

#[test]
fn dev_announces_its_addresses_answers_status_and_stops_on_sigterm() {
    let home = Home::new();
    let site = fixture("site");
    let flags = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--output", "json"];
    let mut child = home.command(&[&["dev", &site], &flags[..]].concat()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let ready = event(&mut stdout, "ready");
    for key in ["http", "https"] {
        let address: std::net::SocketAddr = ready[key][0].as_str().unwrap().parse().unwrap();
        assert_ne!(address.port(), 0);
    }
    // The dev node of a folder is found from inside it.
    let status = home.command(&["status", "--output", "json"]).current_dir(&site).spawn().unwrap();
    assert_eq!(finish(status).json()["phase"], "ready");
    let second = home.run(&[&["dev", &site], &flags[..]].concat());
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("another headgate"), "{second:?}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    event(&mut stdout, "stopped");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(finish(child).code, Some(0), "{rest}");
}

/// Reads events up to the one called `name`.
fn event(stdout: &mut impl BufRead, name: &str) -> Value {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "ended before `{name}`: {seen}");
        let value: Value = serde_json::from_str(&line).unwrap();
        if value["event"] == name {
            return value;
        }
        seen.push_str(&line);
    }
}
