//! Git over HTTP as servers speak it: `git http-backend` behind the smallest server that can run it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use headgate_types::Branch;

use super::{Fixture, GitLimits, RemoteConfig, Repository};

/// Serves the repositories below a folder; `secret.git` wants a password. Ends with the process.
pub(super) struct HttpServer {
    address: SocketAddr,
}

impl HttpServer {
    pub(super) fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, root) = (listener.local_addr().unwrap(), root.to_owned());
        thread::spawn(move || {
            for connection in listener.incoming() {
                let root = root.clone();
                thread::spawn(move || answer(connection.unwrap(), &root));
            }
        });
        Self { address }
    }

    pub(super) fn follow(&self, fixture: &Fixture, path: &str) -> Repository {
        let url = format!("http://{}/{path}", self.address);
        let remote = RemoteConfig::new(&url, Branch::new("main")).unwrap();
        Repository::open(&fixture.dir.path().join("state"), remote, GitLimits::default()).unwrap()
    }
}

fn answer(connection: TcpStream, root: &Path) {
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
    let output = if path.starts_with("/secret.git") {
        b"Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n".to_vec()
    } else {
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
    let mut connection = connection.into_inner();
    write!(connection, "HTTP/1.1 {status}\r\nConnection: close\r\n").unwrap();
    connection.write_all(&output).unwrap();
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
