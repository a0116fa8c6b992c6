//! `Lab`: a responder with zones from text, and questions to it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    sync::Arc,
};

use headgate_dns::{
    Challenges, Client, Cookies, InvalidZone, Metrics, Name, QueryLog, RData, RateLimiter,
    RateLimits, RecordType, Responder, Secret, Transport, Zone, ZoneBuilder, Zones,
};
use headgate_types::clock::Timestamp;
use hickory_proto::{
    op::{DnsResponse, Message},
    rr::rdata::opt::EdnsOption,
};
use prometheus_client::{encoding::text::encode, registry::Registry};

/// The zone most tests ask about.
pub(crate) const EXAMPLE: &str = "
    @               SOA    ns1.example.test. hostmaster.example.test. 2026112501 3600 600 86400 60
    @               NS     ns1.example.test.
    @               NS     ns2.example.test.
    @               MX     10 mail.example.test.
    @               A      192.0.2.80
    @               CAA    0 issue \"ca.test\"
    ns1             A      192.0.2.1
    ns1             AAAA   2001:db8::1
    ns2             A      192.0.2.2
    mail            A      192.0.2.25
    www             CNAME  example.test.
    alias           CNAME  www.example.test.
    away            CNAME  www.other.test.
    dangling        CNAME  nothing.example.test.
    loop1           CNAME  loop2.example.test.
    loop2           CNAME  loop1.example.test.
    deep.ent        TXT    \"below an empty non-terminal\"
    *.apps          A      192.0.2.90
    fixed.apps      TXT    \"an exception\"
    below.part.apps TXT    \"an encloser\"
    *.aliases       CNAME  www.example.test.
    sub             NS     ns.sub.example.test.
    sub             NS     ns1.example.test.
    sub             DS     60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
    ns.sub          A      192.0.2.53
    far             NS     ns.other.test.
    _sip._tcp       SRV    1 2 5060 mail.example.test.
    toelsewhere     CNAME  host.sub.example.test.
";

pub(crate) struct Lab {
    pub(crate) responder: Arc<Responder>,
    pub(crate) registry: Registry,
}

/// What a message looks like, one line for each record, sorted within its section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) head: String,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::serving([example()])
    }

    pub(crate) fn serving(zones: impl IntoIterator<Item = Zone>) -> Self {
        Self::limited(zones, RateLimits::default())
    }

    pub(crate) fn limited(zones: impl IntoIterator<Item = Zone>, limits: RateLimits) -> Self {
        let mut registry = Registry::with_prefix("headgate");
        let metrics = Metrics::register(&mut registry);
        let served = Zones::new(Arc::clone(&metrics));
        served.publish(zones.into_iter().map(Arc::new));
        let responder = Responder {
            zones: served,
            challenges: Challenges::default(),
            cookies: Cookies::new(Secret::random()),
            rate_limiter: RateLimiter::new(limits),
            metrics,
            query_log: QueryLog::off(),
        };
        Self { responder: Arc::new(responder), registry }
    }

    /// The answer to a question over UDP with EDNS.
    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> Message {
        let reply = self.send(&query(name, kind).with_edns(1232).bytes());
        parse(&reply.expect("an answer"))
    }

    /// What a packet is answered with over UDP.
    pub(crate) fn send(&self, packet: &[u8]) -> Option<Vec<u8>> {
        self.send_as(packet, Transport::Udp)
    }

    pub(crate) fn send_as(&self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        self.send_from(packet, Ipv4Addr::LOCALHOST.into(), transport, now())
    }

    pub(crate) fn send_from(
        &self,
        packet: &[u8],
        address: IpAddr,
        transport: Transport,
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let client = Client { address, transport };
        self.responder.respond(packet, client, now, &mut out).map(|_| out)
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

pub(crate) fn name(text: &str) -> Name {
    Name::from_str(text).unwrap()
}

pub(crate) fn example() -> Zone {
    zone("example.test.", EXAMPLE).unwrap()
}

/// A zone from lines of `owner type data`, all with a TTL of 300.
pub(crate) fn zone(origin: &str, text: &str) -> Result<Zone, InvalidZone> {
    let origin = name(origin);
    let mut builder = ZoneBuilder::new(&origin);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (owner, rest) = line.split_once(char::is_whitespace).unwrap();
        let (kind, data) = rest.trim().split_once(char::is_whitespace).unwrap();
        let owner = match owner {
            "@" => origin.clone(),
            relative if relative.ends_with('.') => name(relative),
            relative => name(relative).append_domain(&origin).unwrap(),
        };
        builder.add(&owner, 300, &rdata(kind, data.trim()));
    }
    builder.build()
}

/// Record data as a master file has it. hickory reads no DS without its DNSSEC.
pub(crate) fn rdata(kind: &str, data: &str) -> RData {
    if kind == "DS" {
        let mut words = data.split(' ');
        let mut bytes = words.next().unwrap().parse::<u16>().unwrap().to_be_bytes().to_vec();
        bytes.extend([0; 2].map(|_| words.next().unwrap().parse::<u8>().unwrap()));
        let digest = words.next().unwrap().as_bytes();
        bytes.extend(
            digest
                .chunks(2)
                .map(|hex| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap()),
        );
        return unknown(43, &bytes);
    }
    RData::try_from_str(RecordType::from_str(kind).unwrap(), data).unwrap()
}

pub(crate) fn unknown(kind: u16, data: &[u8]) -> RData {
    RData::Unknown {
        code: RecordType::Unknown(kind),
        rdata: headgate_dns::rdata::NULL::with(data.to_vec()),
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Message {
    DnsResponse::from_buffer(bytes.to_vec()).expect("a message hickory can read").into_message()
}

/// A query, byte by byte, so that wrong ones can be made as well.
#[derive(Clone)]
pub(crate) struct QueryBytes {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    pub(crate) questions: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) additional: u16,
}

pub(crate) fn query(name: &str, kind: RecordType) -> QueryBytes {
    let mut body = Vec::new();
    for label in self::name(name).iter() {
        body.push(u8::try_from(label.len()).unwrap());
        body.extend(label);
    }
    body.push(0);
    body.extend(u16::from(kind).to_be_bytes());
    body.extend(1_u16.to_be_bytes());
    QueryBytes { id: 0x1234, flags: 0x0100, questions: 1, body, additional: 0 }
}

impl QueryBytes {
    pub(crate) fn with_edns(self, size: u16) -> Self {
        self.with_opt(size, 0, 0, &[])
    }

    pub(crate) fn with_opt(mut self, size: u16, version: u8, flags: u16, options: &[u8]) -> Self {
        self.body.extend([0, 0, 41]);
        self.body.extend(size.to_be_bytes());
        self.body.extend([0, version]);
        self.body.extend(flags.to_be_bytes());
        self.body.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
        self.body.extend(options);
        self.additional += 1;
        self
    }

    pub(crate) fn with_cookie(self, cookie: &[u8]) -> Self {
        let mut option = vec![0, 10, 0, u8::try_from(cookie.len()).unwrap()];
        option.extend(cookie);
        self.with_opt(1232, 0, 0, &option)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.id, self.flags, self.questions, 0, 0, self.additional] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(&self.body);
        bytes
    }
}

/// The COOKIE option of a response.
pub(crate) fn cookie_of(response: &[u8]) -> Option<Vec<u8>> {
    let message = parse(response);
    let edns = message.edns.as_ref()?;
    let option = edns.options().get(10.into())?;
    match option {
        EdnsOption::Unknown(10, cookie) => Some(cookie.clone()),
        other => panic!("option 10 is a cookie, not {other:?}"),
    }
}

pub(crate) fn shape(message: &Message) -> Shape {
    let meta = &message.metadata;
    let mut head = format!("{:?}", meta.response_code);
    for (set, flag) in [(meta.authoritative, " aa"), (meta.truncation, " tc")] {
        head.push_str(if set { flag } else { "" });
    }
    let lines = |records: &[hickory_proto::rr::Record]| {
        let mut lines: Vec<_> = records.iter().map(line).collect();
        lines.sort();
        lines
    };
    Shape {
        head,
        answer: lines(&message.answers),
        authority: lines(&message.authorities),
        additional: lines(&message.additionals),
    }
}

/// A record without its class, and its data as hickory reads it.
fn line(record: &hickory_proto::rr::Record) -> String {
    let data = match &record.data {
        RData::Unknown { rdata, .. } => format!("{:02x?}", rdata.anything),
        data => data.to_string(),
    };
    format!("{} {} {} {data}", record.name, record.ttl, record.record_type())
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head)?;
        let sections = [
            ("answer", &self.answer),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ];
        for (section, lines) in sections {
            for line in lines {
                writeln!(f, "{section}: {line}")?;
            }
        }
        Ok(())
    }
}
