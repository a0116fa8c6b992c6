//! Asks the servers of parent and zone. What their answers mean is judged elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use futures::{StreamExt as _, stream};
use headgate_dns::{
    Name, RData, RecordType,
    client::{AskError, Found, Over, Question, Reply, ask},
};
use headgate_outbound::{Authorization, LookupError, Resolver};
use headgate_types::Chain;

use super::{Addresses, Answer, Own, ParentSeen, Referral, Seen, ServerSeen, Silence};

/// Servers of one zone that are asked. Nobody has more; thirteen names fit into a packet without EDNS.
const MAX_SERVERS: usize = 32;

/// Servers that are asked at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Clone)]
pub struct Options {
    pub zone: Name,
    /// A server of the parent, instead of those that are found by looking the parent up.
    pub parent: Option<SocketAddr>,
    /// A server that has the zone, be it delegated to it or not.
    pub server: Option<SocketAddr>,
    /// At which name servers are asked.
    pub port: u16,
}

#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("the root has no parent")]
    Root,
    #[error("the name servers of the parent of {} were not found", .0.to_ascii())]
    Parent(Name, #[source] LookupError),
}

/// Looks at a zone from outside.
///
/// # Errors
/// If nobody was found to ask. What servers fail to say is part of what was seen.
pub async fn look(options: &Options, resolver: &Resolver) -> Result<Seen, LookError> {
    let zone = &options.zone;
    if zone.is_root() {
        return Err(LookError::Root);
    }
    let parents = match options.parent {
        Some(parent) => vec![parent],
        None => parents(zone, options.port, resolver).await?,
    };
    let ask_parent =
        |address| async move { ParentSeen { address, referral: referral(address, zone).await } };
    let parent = each(parents, ask_parent).await;
    let mut look = Look { options, resolver, servers: Vec::new(), unresolved: BTreeMap::new() };
    for (host, addresses) in look.named_by(&parent).await {
        look.ask_server(&host, addresses).await;
    }
    let speaker = options.server.or_else(|| {
        let speaks = |server: &&ServerSeen| server.udp.as_ref().is_ok_and(Answer::speaks_for_it);
        look.servers.iter().find(speaks).map(|server| server.address)
    });
    // Whoever asks before anything is delegated mostly does so on the gateway itself.
    let here = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), options.port);
    let own = own(speaker.unwrap_or(here), zone).await;
    let silent = options.server.filter(|_| own.is_none());
    if let Some(own) = &own {
        let unasked = own.name_servers.iter().filter(|host| !look.has_asked(host));
        for host in unasked.take(MAX_SERVERS).collect::<Vec<_>>() {
            let known = own.addresses.get(host).cloned().unwrap_or_default();
            if known.is_empty() && zone.zone_of(host) {
                look.unresolved.insert(host.clone(), "the zone has none".to_owned());
            }
            let addresses = look.addresses(host, known).await;
            look.ask_server(host, addresses).await;
        }
    }
    let speaker = speaker.or_else(|| own.is_some().then_some(here));
    let caa = caa(speaker, zone, resolver).await;
    let Look { servers, unresolved, .. } = look;
    Ok(Seen { zone: zone.clone(), parent, servers, own, silent, unresolved, caa })
}

struct Look<'o> {
    options: &'o Options,
    resolver: &'o Resolver,
    servers: Vec<ServerSeen>,
    unresolved: BTreeMap<Name, String>,
}

impl Look<'_> {
    /// The servers that the parent names, with their addresses.
    async fn named_by(&mut self, parent: &[ParentSeen]) -> Addresses {
        let mut hosts = Addresses::new();
        for referral in parent.iter().filter_map(|seen| seen.referral.as_ref().ok()) {
            for host in &referral.name_servers {
                let glue = referral.glue.get(host).into_iter().flatten();
                hosts.entry(host.clone()).or_default().extend(glue);
            }
        }
        while hosts.len() > MAX_SERVERS {
            hosts.pop_last();
        }
        for (host, addresses) in &mut hosts {
            *addresses = self.addresses(host, std::mem::take(addresses)).await;
        }
        hosts
    }

    /// The addresses of a server: those that are known, else those that it has for everybody.
    async fn addresses(&mut self, host: &Name, known: BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
        // Of those within the zone, only the zone and its parent know them.
        if !known.is_empty() || self.options.zone.zone_of(host) {
            return known;
        }
        match self.resolver.addresses(&host.to_ascii()).await {
            Ok(addresses) => addresses.into_iter().collect(),
            Err(error) => {
                self.unresolved.insert(host.clone(), error.to_string());
                BTreeSet::new()
            }
        }
    }

    async fn ask_server(&mut self, host: &Name, addresses: BTreeSet<IpAddr>) {
        let (zone, port) = (&self.options.zone, self.options.port);
        let room = MAX_SERVERS.saturating_sub(self.servers.len());
        let addresses = addresses.into_iter().take(room).map(|ip| SocketAddr::new(ip, port));
        let seen = each(addresses.collect(), |address| async move {
            let (udp, tcp) = tokio::join!(over_udp(address, zone), soa(address, Over::Tcp, zone));
            ServerSeen { host: host.clone(), address, udp, tcp }
        });
        self.servers.extend(seen.await);
    }

    fn has_asked(&self, host: &Name) -> bool {
        self.unresolved.contains_key(host) || self.servers.iter().any(|server| server.host == *host)
    }
}

/// Does something for each, in the same order.
async fn each<T, F: Future>(all: Vec<T>, work: impl Fn(T) -> F) -> Vec<F::Output> {
    stream::iter(all).map(work).buffered(AT_ONCE).collect().await
}

/// The servers of the closest zone above.
async fn parents(
    zone: &Name,
    port: u16,
    resolver: &Resolver,
) -> Result<Vec<SocketAddr>, LookError> {
    let mut parent = zone.base_name();
    let hosts = loop {
        match resolver.name_servers(&parent.to_ascii()).await {
            Ok(hosts) => break hosts,
            // The name may have been made for the zone alone: who delegates it is further up.
            Err(LookupError::NoRecords | LookupError::NotFound) if !parent.is_root() => {
                parent = parent.base_name();
            }
            Err(error) => return Err(LookError::Parent(zone.clone(), error)),
        }
    };
    let mut addresses = Vec::new();
    let mut failure = LookupError::NoRecords;
    for host in hosts.iter().take(MAX_SERVERS) {
        match resolver.addresses(host).await {
            // One of each family tells what there is to know, and spares those who have many.
            Ok(found) => {
                let v4 = found.iter().find(|ip| ip.is_ipv4());
                addresses.extend(v4.or_else(|| found.first()).map(|ip| SocketAddr::new(*ip, port)));
            }
            Err(error) => failure = error,
        }
    }
    match addresses.is_empty() {
        true => Err(LookError::Parent(zone.clone(), failure)),
        false => Ok(addresses),
    }
}

/// What a server of the parent says about the zone.
async fn referral(address: SocketAddr, zone: &Name) -> Result<Referral, String> {
    let reply = whole(address, zone, RecordType::NS).await.map_err(|silence| match silence {
        Silence::NoRoute => "this machine has no way there".to_owned(),
        Silence::Failed(why) => why,
    })?;
    match &*reply.rcode {
        "NXDOMAIN" => return Ok(Referral::default()),
        "NOERROR" => {}
        rcode => return Err(format!("it answers {rcode}")),
    }
    // A server that has both zones answers instead of referring.
    let name_servers: BTreeSet<_> =
        name_servers(reply.answers.iter().chain(&reply.authorities), zone);
    let mut glue = Addresses::new();
    for found in &reply.additionals {
        if let Some(ip) = ip(found).filter(|_| name_servers.contains(&found.name)) {
            glue.entry(found.name.to_lowercase()).or_default().insert(ip);
        }
    }
    Ok(Referral { name_servers, glue })
}

/// The zone's own word about its servers.
async fn own(speaker: SocketAddr, zone: &Name) -> Option<Own> {
    let reply = whole(speaker, zone, RecordType::NS).await.ok()?;
    let name_servers = name_servers(&reply.answers, zone);
    if !reply.authoritative || name_servers.is_empty() {
        return None;
    }
    let mut addresses = Addresses::new();
    for host in name_servers.iter().filter(|host| zone.zone_of(host)) {
        for kind in [RecordType::A, RecordType::AAAA] {
            let Ok(reply) = whole(speaker, host, kind).await else { continue };
            let found = reply.answers.iter().filter_map(ip);
            addresses.entry(host.clone()).or_default().extend(found);
        }
    }
    addresses.retain(|_, addresses| !addresses.is_empty());
    Some(Own { name_servers, addresses })
}

/// The CAA records that hold for the zone: its own, else those of the closest name above that has some
/// (RFC 8659 §3). What cannot be looked up there forbids nothing that is known.
async fn caa(
    speaker: Option<SocketAddr>,
    zone: &Name,
    resolver: &Resolver,
) -> Option<(Name, Vec<Authorization>)> {
    if let Some(speaker) = speaker {
        let own = whole(speaker, zone, RecordType::CAA).await.ok();
        let own: Vec<_> = own.iter().flat_map(|reply| &reply.answers).filter_map(caa_of).collect();
        if !own.is_empty() {
            return Some((zone.clone(), own));
        }
    }
    let mut above = if speaker.is_some() { zone.base_name() } else { zone.clone() };
    while !above.is_root() {
        match resolver.authorizations(&above.to_ascii()).await {
            Ok(found) => {
                return Some((above, found));
            }
            Err(LookupError::NoRecords | LookupError::NotFound) => above = above.base_name(),
            Err(_) => return None,
        }
    }
    None
}

fn caa_of(found: &Found) -> Option<Authorization> {
    let RData::CAA(caa) = &found.data else { return None };
    let value = String::from_utf8_lossy(&caa.value).into_owned();
    Some(Authorization { critical: caa.issuer_critical, tag: caa.tag.clone(), value })
}

async fn over_udp(address: SocketAddr, zone: &Name) -> Result<Answer, Silence> {
    let answer = soa(address, Over::Udp, zone).await?;
    let reply = whole(address, zone, RecordType::NS).await?;
    Ok(Answer { name_servers: name_servers(&reply.answers, zone), ..answer })
}

async fn soa(address: SocketAddr, over: Over, zone: &Name) -> Result<Answer, Silence> {
    let reply = said(address, over, zone, RecordType::SOA).await?;
    let serial = reply.answers.iter().find_map(|found| match &found.data {
        RData::SOA(soa) if found.name == *zone => Some(soa.serial),
        _ => None,
    });
    let Reply { rcode, authoritative, .. } = reply;
    Ok(Answer { rcode, authoritative, serial, name_servers: BTreeSet::new() })
}

/// An answer over UDP or, if it did not fit, over TCP.
async fn whole(address: SocketAddr, name: &Name, kind: RecordType) -> Result<Reply, Silence> {
    let reply = said(address, Over::Udp, name, kind).await?;
    if reply.truncated { said(address, Over::Tcp, name, kind).await } else { Ok(reply) }
}

async fn said(
    address: SocketAddr,
    over: Over,
    name: &Name,
    kind: RecordType,
) -> Result<Reply, Silence> {
    let question = Question { name: name.clone(), kind, recursion: false };
    ask(address, over, &question).await.map_err(|error| match &error {
        AskError::Unreachable(io) if is_without_route(io) => Silence::NoRoute,
        _ => Silence::Failed(Chain(&error).to_string()),
    })
}

fn is_without_route(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | HostUnreachable | NetworkUnreachable | Unsupported)
}

fn name_servers<'f>(records: impl IntoIterator<Item = &'f Found>, zone: &Name) -> BTreeSet<Name> {
    let of_zone = records.into_iter().filter(|found| found.name == *zone);
    of_zone
        .filter_map(|found| match &found.data {
            RData::NS(ns) => Some(ns.0.to_lowercase()),
            _ => None,
        })
        .collect()
}

fn ip(found: &Found) -> Option<IpAddr> {
    match &found.data {
        RData::A(a) => Some(a.0.into()),
        RData::AAAA(aaaa) => Some(aaaa.0.into()),
        _ => None,
    }
}
