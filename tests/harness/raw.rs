//! A plain TCP connection, for what no well-behaved client would send.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::PATIENCE;

#[derive(Debug)]
pub struct Raw(TcpStream);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("the node accepts connections"))
    }

    /// Sends what the other side may or may not still take; says whether it did.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = timeout(PATIENCE, self.0.write_all(bytes.as_ref())).await;
        sent.expect("the other side takes or closes in time").is_ok()
    }

    /// Reads until `end` has come.
    pub async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let read = async {
            while !bytes.ends_with(end.as_bytes()) {
                match self.0.read_u8().await {
                    Ok(byte) => bytes.push(byte),
                    Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
                }
            }
        };
        let in_time = timeout(PATIENCE, read).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(in_time.is_ok(), "{end:?} is not in {text:?}");
        text
    }

    /// All that comes until the other side closes; a reset is a close as well.
    pub async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        assert!(read.is_ok(), "still open after {:?}", String::from_utf8_lossy(&bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends, and gives all that comes until the other side closes.
    pub async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.send(bytes).await;
        self.rest().await
    }
}
