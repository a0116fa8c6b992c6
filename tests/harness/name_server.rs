//! `NameServer`: answers every question for a TXT record with the same text.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

/// Listens on loopback until the test ends.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
}

impl NameServer {
    pub async fn saying(text: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = socket.local_addr().expect("a bound socket has an address");
        tokio::spawn(async move {
            let mut question = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let answer = answer(&question[..length], text);
                socket.send_to(&answer, from).await.expect("loopback takes what is sent");
            }
        });
        Self { address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// RFC 1035 §4: a header, the question as it came, and one record that points back to the question's name.
fn answer(question: &[u8], text: &str) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = question[HEADER..].iter().position(|byte| *byte == 0).expect("a name ends");
    let asked = &question[HEADER..HEADER + name + 5];
    let text_length = u8::try_from(text.len()).expect("tests say short things");
    [
        &question[..2],
        &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0],
        asked,
        &[0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60, 0, text_length + 1, text_length],
        text.as_bytes(),
    ]
    .concat()
}
