//! The rows: each answers one question and yields some lines of the table.

pub mod burst;
pub mod deploy;
pub mod distinct;
pub mod dns;
pub mod function;
pub mod handshake;
pub mod hog;
pub mod reply;
pub mod revisions;
pub mod route;
pub mod site;

use crate::{bench::Bench, report::Line};

/// A question, and how it is answered.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub question: &'static str,
    pub run: fn(&Bench) -> anyhow::Result<Vec<Line>>,
}

pub const ROWS: [Row; 13] = [
    Row {
        name: "reply-h1",
        question: "What does an in-process reply cost beside bare servers, HTTP/1.1 keep-alive?",
        run: reply::h1,
    },
    Row {
        name: "reply-h2-tls",
        question: "What does it cost over TLS and HTTP/2?",
        run: reply::h2,
    },
    Row {
        name: "handshake",
        question: "What does a TLS 1.3 handshake cost beside nginx, in full and resumed?",
        run: handshake::run,
    },
    Row {
        name: "access-log",
        question: "What does a line of access log cost?",
        run: reply::access_log,
    },
    Row {
        name: "function",
        question: "What does a function cost per guest language, over HTTP and alone, beside wasmtime itself?",
        run: function::run,
    },
    Row {
        name: "distinct",
        question: "What do the first request to a function and its idling afterwards cost?",
        run: distinct::run,
    },
    Row {
        name: "burst",
        question: "How long do a thousand requests take that hit a cold function at once?",
        run: burst::run,
    },
    Row {
        name: "route-lookup",
        question: "What does it cost to find a route among 100,000 hosts?",
        run: route::run,
    },
    Row {
        name: "dns",
        question: "What does an answer over UDP cost beside Knot DNS and NSD, in zones of 1 to 100,000 records?",
        run: dns::run,
    },
    Row {
        name: "site-file",
        question: "What do files of 1 KiB and 1 MiB cost beside nginx?",
        run: site::run,
    },
    Row {
        name: "hog",
        question: "How long does a function wait while a project beside it does its worst?",
        run: hog::run,
    },
    Row {
        name: "deploy",
        question: "How long until 1,000 functions and 10,000 files are live, and until a change is?",
        run: deploy::run,
    },
    Row {
        name: "revisions",
        question: "Does a node grow with the revisions it served?",
        run: revisions::run,
    },
];
