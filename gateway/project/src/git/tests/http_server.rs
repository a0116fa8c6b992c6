//! Git over HTTP as servers speak it: `git http-backend` behind the smallest server that can run it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use headgate_types::Branch;

use super::{Fixture, RemoteConfig, Repository};

/// Serves the repositories below a folder, and once more below `/secret` to those who say the password, and
/// below `/endless` with a list of refs that never ends. Ends with the process.
pub(super) struct HttpServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// `handshake`, `ls-refs` or `fetch`.
    pub(super) what: String,
    pub(super) status: String,
    pub(super) bytes: usize,
}

/// `Authorization` of the user `ada`, and of a token without a user; the password is `s3cret`.
const WELCOME: [&str; 2] = ["Basic YWRhOnMzY3JldA==", "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0"];

impl HttpServer {
    pub(super) fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, root) = (listener.local_addr().unwrap(), root.to_owned());
        let seen = Arc::<Mutex<Vec<Exchange>>>::default();
        let told = seen.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (root, seen) = (root.clone(), told.clone());
                thread::spawn(move || answer(connection.unwrap(), &root, &seen));
            }
        });
        Self { address, seen }
    }

    /// What was asked since the last time this was called.
    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub(super) fn remote(&self, path: &str) -> RemoteConfig {
        let url = format!("http://{}/{path}", self.address);
        RemoteConfig::new(&url, Branch::new("main")).unwrap()
    }

    pub(super) fn follow(&self, fixture: &Fixture, path: &str) -> Repository {
        fixture.follow_remote(self.remote(path))
    }
}

fn answer(connection: TcpStream, root: &Path, seen: &Mutex<Vec<Exchange>>) {
    let mut connection = BufReader::new(connection);
    let head = read_head(&mut connection);
    let field = |name: &str| {
        let mut fields = head.iter().skip(1).filter_map(|line| line.split_once(": "));
        fields
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let [method, target, _version] = head[0].split(' ').collect::<Vec<_>>()[..] else {
        panic!("{head:?}")
    };
    let body = match (field("content-length"), field("transfer-encoding")) {
        (Some(length), _) => {
            let mut body = vec![0; length.parse().unwrap()];
            connection.read_exact(&mut body).unwrap();
            body
        }
        (None, Some(_)) => read_chunks(&mut connection),
        (None, None) => Vec::new(),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let welcome = field("authorization").is_some_and(|said| WELCOME.contains(&said.as_str()));
    let output = if path.starts_with("/endless") {
        return send_refs_for_ever(connection.into_inner());
    } else if path.starts_with("/secret") && !welcome {
        b"Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n".to_vec()
    } else {
        let path = path.strip_prefix("/secret").unwrap_or(path);
        let encoding = field("content-encoding").unwrap_or_default();
        let mut backend = Command::new("git")
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", PathBuf::from(root))
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_PROTOCOL", field("git-protocol").unwrap_or_default())
            .env("REQUEST_METHOD", method)
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", field("content-type").unwrap_or_default())
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", encoding)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        backend.stdin.take().unwrap().write_all(&body).unwrap();
        backend.wait_with_output().unwrap().stdout
    };
    let text = String::from_utf8_lossy(&output);
    let status = text.strip_prefix("Status: ").and_then(|rest| rest.lines().next());
    let status = status.unwrap_or("200 OK");
    let asked = String::from_utf8_lossy(&body);
    let command = asked.split_once("command=").map(|(_, rest)| rest);
    let command = command.and_then(|rest| rest.split(['\n', '0']).next());
    seen.lock().unwrap().push(Exchange {
        what: command.unwrap_or("handshake").to_owned(),
        status: status.to_owned(),
        bytes: output.len(),
    });
    let mut connection = connection.into_inner();
    write!(connection, "HTTP/1.1 {status}\r\nConnection: close\r\n").unwrap();
    connection.write_all(&output).unwrap();
}

/// The old protocol's list, until nobody listens any more.
fn send_refs_for_ever(mut connection: TcpStream) {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\
                Content-Type: application/x-git-upload-pack-advertisement\r\n\r\n\
                001e# service=git-upload-pack\n0000";
    let id = "0123456789012345678901234567890123456789";
    let packet = |line: String| format!("{:04x}{line}", line.len() + 4);
    let first = packet(format!("{id} HEAD\0multi_ack thin-pack side-band-64k\n"));
    let more: String = (0..10_000).map(|n| packet(format!("{id} refs/heads/{n:08}\n"))).collect();
    let mut listening = connection.write_all(format!("{head}{first}").as_bytes());
    while listening.is_ok() {
        listening = connection.write_all(more.as_bytes());
    }
}

fn read_head(connection: &mut impl BufRead) -> Vec<String> {
    let lines = connection.lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect()
}

fn read_chunks(connection: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        connection.read_exact(&mut chunk).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
