//! `Responder`: from a packet to the packet that answers it, without I/O.
//!
//! ```text
//! packet ─► Query ─► EDNS, cookie ─► class, type ─► zone ─► answer ─► rate limit ─► packet, or nothing
//! ```

use std::{net::IpAddr, sync::Arc};

use headgate_types::clock::Timestamp;

use crate::{
    answer::{Answered, answer},
    challenges::Challenges,
    cookies::{Cookies, Standing},
    defaults,
    message::{
        Rcode, flags,
        query::{CookieOption, Edns, Query, Question, Unreadable},
        writer::{ResponseOpt, Writer},
    },
    metrics::Metrics,
    query_log::QueryLog,
    rate_limit::{RateLimiter, Verdict},
    zone::record_set::kinds,
    zones::Zones,
};

/// Answers queries. All sockets share one.
#[derive(Debug)]
pub struct Responder {
    pub zones: Arc<Zones>,
    pub challenges: Challenges,
    pub cookies: Cookies,
    pub rate_limiter: RateLimiter,
    pub metrics: Arc<Metrics>,
    pub query_log: QueryLog,
}

/// Who asks, and how.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    pub address: IpAddr,
    pub transport: Transport,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The client's address may be forged and its answer is short.
    Udp,
    Tcp,
    Tls,
    Https,
}

/// A response that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    pub rcode: Rcode,
    /// For how long it may be kept, if it is about a zone.
    pub least_ttl: Option<u32>,
}

const CLASS_IN: u16 = 1;

impl Responder {
    /// Writes the response to `packet` into `out`, or says that there is none to send.
    pub fn respond(
        &self,
        packet: &[u8],
        client: Client,
        now: Timestamp,
        out: &mut Vec<u8>,
    ) -> Option<Response> {
        let (head, rcode) = match Query::read(packet) {
            Ok(query) => return self.respond_to(&query, packet.len(), client, now, out),
            Err(Unreadable::NotAQuery) => {
                self.metrics.malformed();
                return None;
            }
            Err(Unreadable::Malformed(head)) => {
                self.metrics.malformed();
                (head, Rcode::FormErr)
            }
            Err(Unreadable::Opcode(head)) => (head, Rcode::NotImp),
        };
        // A bare header: there is no question or EDNS that could be trusted to be repeated.
        self.metrics.off_zone().count(0, rcode);
        let verdict = self.judge(client, &[], Answered::Error, 0, now);
        if verdict != Verdict::Send {
            return None;
        }
        let mut writer = Writer::begin(out, head, None, client.transport.limit(None), None);
        writer.set_rcode(rcode);
        writer.finish(None);
        Some(Response { rcode, least_ttl: None })
    }

    fn respond_to(
        &self,
        query: &Query<'_>,
        received: usize,
        client: Client,
        now: Timestamp,
        out: &mut Vec<u8>,
    ) -> Option<Response> {
        let standing = self.judge_cookie(query.edns, client, now);
        let opt = query.edns.map(|edns| self.opt(edns, standing, client, now));
        let limit = client.transport.limit(query.edns);
        let zones = self.zones.current();
        let challenges = self.challenges.current();
        let served = match refusal(query) {
            Ok(question) => zones
                .find(&question.name, question.kind)
                .map(|served| (question, served))
                .ok_or(Rcode::Refused),
            Err(rcode) => Err(rcode),
        };

        let question = query.question.as_ref();
        let wire = question.map(|question| question.wire);
        let mut writer = Writer::begin(out, query.head, wire, limit, opt);
        let (origin, answered, counters) = match served {
            Ok((question, served)) => {
                let answered = answer(&served.zone, &challenges, question, &mut writer);
                (served.zone.origin().as_wire(), answered, &*served.counters)
            }
            Err(rcode) => {
                writer.set_rcode(rcode);
                (&[][..], Answered::Error, self.metrics.off_zone())
            }
        };
        let (mut rcode, least_ttl) = (writer.rcode(), writer.least_ttl());
        writer.finish(opt);

        if !matches!(standing, Some(Standing::Good | Standing::Ageing)) {
            let excess = out.len().saturating_sub(received);
            match self.judge(client, origin, answered, excess, now) {
                Verdict::Send => {}
                Verdict::Drop => return None,
                Verdict::Slip => rcode = slip(query, wire, limit, opt, rcode, out),
            }
        }
        counters.count(question.map_or(0, |question| question.kind), rcode);
        if let Some(question) = question {
            let (address, transport) = (client.address, client.transport);
            self.query_log.note(question, address, transport, rcode, out.len());
        }
        Some(Response { rcode, least_ttl })
    }

    fn judge_cookie(&self, edns: Option<Edns>, client: Client, now: Timestamp) -> Option<Standing> {
        match edns?.cookie {
            CookieOption::Both(cookie, server) => {
                Some(self.cookies.judge(cookie, server, client.address, now))
            }
            CookieOption::Client(_) | CookieOption::Foreign(_) => Some(Standing::Bad),
            CookieOption::Absent | CookieOption::Malformed => None,
        }
    }

    fn opt(
        &self,
        edns: Edns,
        standing: Option<Standing>,
        client: Client,
        now: Timestamp,
    ) -> ResponseOpt {
        let cookie = edns.cookie.client().filter(|_| edns.version == 0).map(|cookie| {
            let server = match (edns.cookie, standing) {
                (CookieOption::Both(_, server), Some(Standing::Good)) => server,
                _ => self.cookies.make(cookie, client.address, now),
            };
            let mut both = [0; 24];
            both[..8].copy_from_slice(&cookie);
            both[8..].copy_from_slice(&server);
            both
        });
        ResponseOpt { dnssec_ok: edns.dnssec_ok, cookie }
    }

    fn judge(
        &self,
        client: Client,
        origin: &[u8],
        answered: Answered,
        excess: usize,
        now: Timestamp,
    ) -> Verdict {
        if client.transport != Transport::Udp {
            return Verdict::Send;
        }
        let verdict = self.rate_limiter.judge(client.address, origin, answered, excess, now);
        self.metrics.limited(verdict);
        verdict
    }
}

/// The question to look up, or why nobody looks.
fn refusal<'q>(query: &'q Query<'q>) -> Result<&'q Question<'q>, Rcode> {
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return Err(Rcode::BadVers);
    }
    if query.edns.is_some_and(|edns| edns.cookie == CookieOption::Malformed) {
        return Err(Rcode::FormErr);
    }
    match &query.question {
        None => Err(Rcode::NoError),
        // Zones are not given away whole, and there is no class but the Internet's.
        Some(Question { class, .. }) if *class != CLASS_IN => Err(Rcode::Refused),
        Some(Question { kind: kinds::AXFR | kinds::IXFR, .. }) => Err(Rcode::Refused),
        Some(question) => Ok(question),
    }
}

/// Tells a client that is limited how to be answered: with the cookie it gets here if it knows
/// cookies (RFC 7873 §5.2.3), else by TCP.
fn slip(
    query: &Query<'_>,
    wire: Option<&[u8]>,
    limit: usize,
    opt: Option<ResponseOpt>,
    rcode: Rcode,
    out: &mut Vec<u8>,
) -> Rcode {
    let mut writer = Writer::begin(out, query.head, wire, limit, opt);
    let rcode = match opt.is_some_and(|opt| opt.cookie.is_some()) {
        true => Rcode::BadCookie,
        false => {
            writer.set(flags::TRUNCATED);
            match rcode {
                Rcode::NxDomain => Rcode::NoError,
                other => other,
            }
        }
    };
    writer.set_rcode(rcode);
    writer.finish(opt);
    rcode
}

impl Transport {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
        }
    }

    /// How large a response may be.
    fn limit(self, edns: Option<Edns>) -> usize {
        let least = defaults::UDP_ANSWER_WITHOUT_EDNS;
        match self {
            Self::Udp => edns.map_or(least, |edns| {
                usize::from(edns.udp_size).clamp(least, defaults::UDP_ANSWER)
            }),
            Self::Tcp | Self::Tls | Self::Https => usize::from(u16::MAX),
        }
    }
}
