//! One question to one server: for people who look whether a name server answers as it should.
//!
//! Not a resolver: nothing is followed, cached or asked of anybody else.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use hickory_proto::{
    ProtoError,
    op::{Edns, Message, MessageType, OpCode, Query},
    rr::{Name, RData, Record, RecordType},
    serialize::binary::DecodeError,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// How long one try over UDP waits, and how often it is tried: a packet may be lost, three hardly.
const UDP_TRY: Duration = Duration::from_secs(2);
const UDP_TRIES: u32 = 3;

/// Connecting, asking and reading over TCP, all together.
const TCP_WAIT: Duration = Duration::from_secs(6);

/// What fits everywhere without being cut into fragments (DNS flag day 2020).
const UDP_SIZE: u16 = 1232;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Udp,
    Tcp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub name: Name,
    pub kind: RecordType,
    /// Asks a resolver to find the answer; servers of zones take no notice.
    pub recursion: bool,
}

/// What a server said.
#[derive(Debug, Clone)]
pub struct Reply {
    /// `NOERROR` or `NXDOMAIN`, as they are called.
    pub rcode: String,
    pub authoritative: bool,
    pub truncated: bool,
    pub recursion_available: bool,
    pub answers: Vec<Found>,
    pub authorities: Vec<Found>,
    /// Without EDNS's own record.
    pub additionals: Vec<Found>,
    pub bytes: usize,
    pub took: Duration,
    pub over: Over,
}

/// A record of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub name: Name,
    pub ttl: u32,
    pub kind: RecordType,
    pub data: RData,
}

#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("it cannot be reached")]
    Unreachable(#[source] std::io::Error),
    #[error("the question does not fit into a message")]
    Question(#[source] ProtoError),
    #[error("what it answered is no DNS message")]
    Malformed(#[source] DecodeError),
    #[error("it answered another question")]
    Mismatch,
}

/// Asks `server`. A reply over UDP that was cut is returned as it is.
///
/// # Errors
/// If there is no reply that belongs to the question.
pub async fn ask(server: SocketAddr, over: Over, question: &Question) -> Result<Reply, AskError> {
    let id = rand::random();
    let packet = packet(id, question)?;
    let begun = Instant::now();
    let bytes = match over {
        Over::Udp => over_udp(server, &packet, id).await?,
        Over::Tcp => match timeout(TCP_WAIT, over_tcp(server, &packet)).await {
            Ok(bytes) => bytes.map_err(AskError::Unreachable)?,
            Err(_) => return Err(AskError::Timeout(TCP_WAIT)),
        },
    };
    let message = Message::from_vec(&bytes).map_err(AskError::Malformed)?;
    let belongs = message.metadata.id == id
        && message.metadata.message_type == MessageType::Response
        && message.queries.first().is_none_or(|query| {
            query.name() == &question.name && query.query_type() == question.kind
        });
    if !belongs {
        return Err(AskError::Mismatch);
    }
    Ok(reply(message, bytes.len(), begun.elapsed(), over))
}

fn packet(id: u16, question: &Question) -> Result<Vec<u8>, AskError> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = question.recursion;
    message.add_query(Query::query(question.name.clone(), question.kind));
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_SIZE);
    message.set_edns(edns);
    message.to_vec().map_err(AskError::Question)
}

async fn over_udp(server: SocketAddr, packet: &[u8], id: u16) -> Result<Vec<u8>, AskError> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await.map_err(AskError::Unreachable)?;
    // Only what comes from this server is received, and a port that is closed is told.
    socket.connect(server).await.map_err(AskError::Unreachable)?;
    for _ in 0..UDP_TRIES {
        socket.send(packet).await.map_err(AskError::Unreachable)?;
        if let Ok(received) = timeout(UDP_TRY, receive(&socket, id)).await {
            return received.map_err(AskError::Unreachable);
        }
    }
    Err(AskError::Timeout(UDP_TRY * UDP_TRIES))
}

/// The first packet with this id; others are late answers, or somebody's guesses.
async fn receive(socket: &UdpSocket, id: u16) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if buffer[..length].starts_with(&id.to_be_bytes()) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn over_tcp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(packet.len()).map_err(std::io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), packet].concat()).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn reply(message: Message, bytes: usize, took: Duration, over: Over) -> Reply {
    let found = |records: Vec<Record>| {
        let records = records.into_iter();
        let records = records.filter(|record| record.record_type() != RecordType::OPT);
        records
            .map(|record| Found {
                kind: record.record_type(),
                name: record.name,
                ttl: record.ttl,
                data: record.data,
            })
            .collect()
    };
    let metadata = message.metadata;
    Reply {
        rcode: rcode(metadata.response_code.into()),
        authoritative: metadata.authoritative,
        truncated: metadata.truncation,
        recursion_available: metadata.recursion_available,
        answers: found(message.answers),
        authorities: found(message.authorities),
        additionals: found(message.additionals),
        bytes,
        took,
        over,
    }
}

/// By IANA's registry; hickory's own names are sentences.
fn rcode(code: u16) -> String {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
        "NXRRSET", "NOTAUTH", "NOTZONE",
    ];
    match (NAMES.get(usize::from(code)), code) {
        (Some(name), _) => (*name).to_owned(),
        (None, 16) => "BADVERS".to_owned(),
        (None, 23) => "BADCOOKIE".to_owned(),
        (None, code) => format!("RCODE{code}"),
    }
}

/// As in a zone file.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\tIN\t{}\t{}", self.name, self.ttl, self.kind, self.value())
    }
}

impl Found {
    /// The data alone, as in a zone file.
    pub fn value(&self) -> String {
        match &self.data {
            RData::TXT(txt) => {
                let strings = txt.txt_data.iter().map(|string| quoted(string));
                strings.collect::<Vec<_>>().join(" ")
            }
            data => data.to_string(),
        }
    }
}

/// In quotes, with what is not printable ASCII as numbers (RFC 1035 §5.1): it may be anybody's.
fn quoted(string: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in string {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            byte => text.push_str(&format!("\\{byte:03}")),
        }
    }
    text + "\""
}
