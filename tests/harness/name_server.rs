//! `NameServer`: answers questions for TXT records, every one with the same text, or each by its name.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::net::UdpSocket;

/// Listens on loopback until the test ends.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Debug, Default)]
struct Zone {
    texts: HashMap<String, String>,
    silent: bool,
    questions: usize,
}

impl NameServer {
    pub async fn saying(text: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = socket.local_addr().expect("a bound socket has an address");
        tokio::spawn(async move {
            let mut question = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let answer = answer(&question[..length], Some(text));
                socket.send_to(&answer, from).await.expect("loopback takes what is sent");
            }
        });
        Self { address, zone: Arc::default() }
    }

    /// Without any record at first.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = socket.local_addr().expect("a bound socket has an address");
        let zone = Arc::new(Mutex::new(Zone::default()));
        let asked = zone.clone();
        tokio::spawn(async move {
            let mut question = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let answer = {
                    let mut zone = asked.lock().unwrap_or_else(PoisonError::into_inner);
                    zone.questions += 1;
                    let text = zone.texts.get(&name(&question[..length]));
                    (!zone.silent).then(|| answer(&question[..length], text.map(String::as_str)))
                };
                if let Some(answer) = answer {
                    socket.send_to(&answer, from).await.expect("loopback takes what is sent");
                }
            }
        });
        Self { address, zone }
    }

    /// Has one TXT record at `name`, or none.
    pub fn enter(&self, name: &str, text: Option<&str>) {
        let mut zone = self.zone.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => zone.texts.insert(name.to_owned(), text.to_owned()),
            None => zone.texts.remove(name),
        };
    }

    /// Whether it answers nothing from now on.
    pub fn be_silent(&self, silent: bool) {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).silent = silent;
    }

    /// How many questions came.
    pub fn questions(&self) -> usize {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).questions
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

const HEADER: usize = 12;

/// The name that is asked for, without its final dot.
fn name(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = question.get(HEADER..).unwrap_or_default();
    while let Some((&length, more)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, more) = more.split_at(usize::from(length).min(more.len()));
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = more;
    }
    labels.join(".")
}

/// RFC 1035 §4: a header, the question as it came, and one record that points back to the question's name, or
/// none.
fn answer(question: &[u8], text: Option<&str>) -> Vec<u8> {
    let name = question[HEADER..].iter().position(|byte| *byte == 0).expect("a name ends");
    let asked = &question[HEADER..HEADER + name + 5];
    let count = u8::from(text.is_some());
    let head = [&question[..2], &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0], asked].concat();
    let Some(text) = text else { return head };
    let length = u8::try_from(text.len()).expect("tests say short things");
    let record = [0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length];
    [&head[..], &record, text.as_bytes()].concat()
}
