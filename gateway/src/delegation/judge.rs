//! What is wrong with what was seen. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use headgate_dns::Name;
use headgate_outbound::Authorization;
use serde::Serialize;

use super::{Answer, Own, Referral, Seen, ServerSeen, Silence, shown};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The worst first.
    pub findings: Vec<Finding>,
    /// What the registrar, or whoever keeps the parent zone, enters.
    pub enter: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// Stable, for scripts.
    pub code: &'static str,
    pub message: String,
    /// What to do.
    pub hint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Some or all resolvers do not find the zone.
    Error,
    /// It works until something fails.
    Warning,
}

/// A record of the parent zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: String,
}

impl Verdict {
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Judges what was seen; `issuer` is the authority that is to issue certificates, as CAA records name it.
pub fn judge(seen: &Seen, issuer: &str) -> Verdict {
    let mut judge = Judge { seen, findings: Vec::new() };
    if let Some(referral) = judge.parent() {
        judge.delegation(&referral);
    }
    judge.servers();
    judge.issuing(issuer);
    judge.findings.sort_by_key(|finding| finding.severity);
    Verdict {
        findings: judge.findings,
        enter: seen.own.as_ref().map(|own| enter(&seen.zone, own)).unwrap_or_default(),
    }
}

struct Judge<'s> {
    seen: &'s Seen,
    findings: Vec<Finding>,
}

impl Judge<'_> {
    /// What the parent says, if it says something.
    fn parent(&mut self) -> Option<Referral> {
        let zone = shown(&self.seen.zone);
        let mut all: Option<Referral> = None;
        let mut differing = false;
        for parent in &self.seen.parent {
            match &parent.referral {
                Err(why) => self.warning(
                    "parent-unreachable",
                    format!(
                        "the parent's server {} said nothing about {zone}: {why}",
                        parent.address
                    ),
                    "ask again; if it stays so, it is for the parent's operator to mend".to_owned(),
                ),
                Ok(referral) => {
                    differing |= all
                        .as_ref()
                        .is_some_and(|first| first.name_servers != referral.name_servers);
                    let all = all.get_or_insert_default();
                    all.name_servers.extend(referral.name_servers.iter().cloned());
                    for (host, glue) in &referral.glue {
                        all.glue.entry(host.clone()).or_default().extend(glue);
                    }
                }
            }
        }
        if differing {
            self.warning(
                "parent-differs",
                format!("the parent's servers name different servers for {zone}"),
                "a change may be on its way: ask again in an hour".to_owned(),
            );
        }
        match &all {
            None => self.error(
                "no-parent",
                format!("no server of the parent said anything about {zone}"),
                "name one with --parent ADDR".to_owned(),
            ),
            Some(referral) if referral.name_servers.is_empty() => self.error(
                "not-delegated",
                format!("the parent has no NS records for {zone}"),
                "enter the records below where the parent zone is kept".to_owned(),
            ),
            Some(_) => {}
        }
        all.filter(|referral| !referral.name_servers.is_empty())
    }

    /// The parent's word beside the zone's own.
    fn delegation(&mut self, referral: &Referral) {
        let zone = &self.seen.zone;
        let Some(own) = &self.seen.own else { return self.glue(referral, None) };
        for server in referral.name_servers.difference(&own.name_servers) {
            self.error(
                "ns-not-in-zone",
                format!("the parent names {}, which the zone does not", shown(server)),
                "remove it at the parent, or add it to the zone's name servers".to_owned(),
            );
        }
        for server in own.name_servers.difference(&referral.name_servers) {
            self.warning(
                "ns-not-at-parent",
                format!("the zone names {}, which the parent does not", shown(server)),
                format!("enter `{} NS {}` at the parent", zone.to_ascii(), server.to_ascii()),
            );
        }
        self.glue(referral, Some(own));
    }

    fn glue(&mut self, referral: &Referral, own: Option<&Own>) {
        let within = referral.name_servers.iter().filter(|server| self.seen.zone.zone_of(server));
        for server in within {
            let none = BTreeSet::new();
            let glue = referral.glue.get(server).unwrap_or(&none);
            let known = own.and_then(|own| own.addresses.get(server));
            if glue.is_empty() {
                self.error(
                    "glue-missing",
                    format!("the parent has no address for {}", shown(server)),
                    "it lies within the zone, so that nobody finds it without: enter its addresses at the \
                     parent, too"
                        .to_owned(),
                );
                continue;
            }
            let Some(known) = known else { continue };
            for address in glue.difference(known) {
                self.error(
                    "glue-wrong",
                    format!(
                        "the parent has {address} for {}, which the zone does not",
                        shown(server)
                    ),
                    format!("the zone has {}: correct it at the parent", listed(known)),
                );
            }
            for address in known.difference(glue) {
                self.warning(
                    "glue-incomplete",
                    format!("the parent lacks the address {address} of {}", shown(server)),
                    format!(
                        "enter `{} {} {address}` at the parent",
                        server.to_ascii(),
                        kind(*address)
                    ),
                );
            }
        }
    }

    fn servers(&mut self) {
        if let Some(server) = self.seen.silent {
            self.error(
                "silent",
                format!("{server} does not speak for {}", shown(&self.seen.zone)),
                "name a server that has the zone with --server ADDR".to_owned(),
            );
        }
        for (host, why) in &self.seen.unresolved {
            self.error(
                "no-address",
                format!("the name server {} has no address: {why}", shown(host)),
                "add A and AAAA records for it".to_owned(),
            );
        }
        for server in &self.seen.servers {
            self.server(server);
        }
        let answers = || self.seen.servers.iter().filter_map(|server| server.udp.as_ref().ok());
        let serials: BTreeMap<u32, Vec<String>> =
            self.seen.servers.iter().fold(BTreeMap::new(), |mut serials, server| {
                if let Some(serial) = server.udp.as_ref().ok().and_then(|answer| answer.serial) {
                    serials.entry(serial).or_default().push(at(server));
                }
                serials
            });
        let sets: BTreeSet<_> = answers()
            .filter(|answer| answer.speaks_for_it())
            .map(|answer| &answer.name_servers)
            .collect();
        if sets.len() > 1 {
            self.error(
                "ns-differs",
                "the zone's servers have different NS records for it".to_owned(),
                "each has to have the same zone: look at their configuration".to_owned(),
            );
        }
        if serials.len() > 1 {
            let each = serials.iter().map(|(serial, at)| format!("{serial} at {}", at.join(", ")));
            self.warning(
                "serials-differ",
                format!(
                    "the servers have different versions: {}",
                    each.collect::<Vec<_>>().join("; ")
                ),
                "nothing to do if each is a gateway, which counts its versions by itself; else one of them \
                 no longer gets changes"
                    .to_owned(),
            );
        }
        self.reach();
    }

    fn server(&mut self, server: &ServerSeen) {
        let zone = shown(&self.seen.zone);
        match &server.udp {
            Err(Silence::NoRoute) => return,
            Err(Silence::Failed(why)) => self.error(
                "no-answer",
                format!("{} does not answer over UDP: {why}", at(server)),
                "start it, and let UDP port 53 through the firewall".to_owned(),
            ),
            Ok(answer) if !answer.speaks_for_it() => self.error(
                "lame",
                format!("{} does not speak for {zone}: {}", at(server), without_authority(answer)),
                "serve the zone there, or remove the server from parent and zone".to_owned(),
            ),
            Ok(_) => {}
        }
        match (&server.udp, &server.tcp) {
            (Ok(_), Err(Silence::Failed(why))) => self.error(
                "no-tcp",
                format!("{} does not answer over TCP: {why}", at(server)),
                "let TCP port 53 through the firewall: answers that do not fit into a packet need it"
                    .to_owned(),
            ),
            (Ok(udp), Ok(tcp)) if udp.speaks_for_it() && !tcp.speaks_for_it() => self.error(
                "lame-over-tcp",
                format!("{} does not speak for {zone} over TCP: {}", at(server), without_authority(tcp)),
                "something else answers there over TCP: look who listens".to_owned(),
            ),
            _ => {}
        }
    }

    /// Whether everybody reaches a server, even if one is down.
    fn reach(&mut self) {
        let hosts: BTreeSet<_> = self.seen.servers.iter().map(|server| &server.host).collect();
        let addresses: BTreeSet<_> =
            self.seen.servers.iter().map(|server| server.address.ip()).collect();
        if hosts.is_empty() {
            return;
        }
        if hosts.len() == 1 || addresses.len() == 1 {
            self.warning(
                "one-server",
                "there is only one name server, or all are at one address".to_owned(),
                "add a second gateway: while the only one is down nobody finds the zone".to_owned(),
            );
        }
        for (has, family, code) in [
            (addresses.iter().any(IpAddr::is_ipv4), "IPv4", "no-ipv4"),
            (addresses.iter().any(IpAddr::is_ipv6), "IPv6", "no-ipv6"),
        ] {
            if !has {
                self.warning(
                    code,
                    format!("no name server has an {family} address"),
                    format!(
                        "resolvers that only have {family} do not find the zone: add one if you can"
                    ),
                );
            }
        }
        let unasked = self.seen.servers.iter().filter(|server| server.udp == Err(Silence::NoRoute));
        let unasked: BTreeSet<_> = unasked.map(|server| server.address.ip()).collect();
        if !unasked.is_empty() {
            self.warning(
                "not-asked",
                format!(
                    "this machine has no way to {}, so nothing was asked there",
                    listed(&unasked)
                ),
                "run this once more from a machine that has both IPv4 and IPv6".to_owned(),
            );
        }
    }

    /// Whether the authority may issue for the zone and for all names below it (RFC 8659).
    fn issuing(&mut self, issuer: &str) {
        let Some((name, records)) = &self.seen.caa else { return };
        let of = |tag: &str| {
            records.iter().filter(|caa| caa.tag.eq_ignore_ascii_case(tag)).collect::<Vec<_>>()
        };
        let hint = format!("add `{} CAA 0 issue \"{issuer}\"`", name.to_ascii());
        let (issue, wild) = (of("issue"), of("issuewild"));
        let may = |records: &[&Authorization]| {
            records.is_empty() || records.iter().any(|caa| names(caa, issuer))
        };
        if !may(&issue) {
            self.error(
                "caa-forbids",
                format!("CAA records at {} forbid {issuer} to issue certificates", shown(name)),
                hint.clone(),
            );
        }
        let for_wildcards = if wild.is_empty() { &issue } else { &wild };
        if may(&issue) && !may(for_wildcards) {
            self.error(
                "caa-forbids-wildcards",
                format!(
                    "CAA records at {} forbid {issuer} to issue wildcard certificates",
                    shown(name)
                ),
                hint.replace(" issue ", " issuewild "),
            );
        }
        let known = [
            "issue",
            "issuewild",
            "iodef",
            "issuemail",
            "issuevmc",
            "contactemail",
            "contactphone",
        ];
        let unknown = records
            .iter()
            .find(|caa| caa.critical && !known.contains(&&*caa.tag.to_ascii_lowercase()));
        if let Some(unknown) = unknown {
            self.warning(
                "caa-critical",
                format!("a CAA record at {} has the critical tag `{}`", shown(name), unknown.tag),
                "authorities that do not know it must not issue: make its flags 0".to_owned(),
            );
        }
    }

    fn error(&mut self, code: &'static str, message: String, hint: String) {
        self.findings.push(Finding { severity: Severity::Error, code, message, hint });
    }

    fn warning(&mut self, code: &'static str, message: String, hint: String) {
        self.findings.push(Finding { severity: Severity::Warning, code, message, hint });
    }
}

/// The issuer is what stands before the parameters.
fn names(caa: &Authorization, issuer: &str) -> bool {
    let named = caa.value.split(';').next().unwrap_or_default().trim();
    named.eq_ignore_ascii_case(issuer)
}

fn without_authority(answer: &Answer) -> String {
    match (&*answer.rcode, answer.authoritative) {
        ("NOERROR", false) => "it answers without authority".to_owned(),
        ("NOERROR", true) => "it has no SOA record for it".to_owned(),
        (rcode, _) => format!("it answers {rcode}"),
    }
}

fn at(server: &ServerSeen) -> String {
    format!("{} ({})", shown(&server.host), server.address)
}

fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

const fn kind(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "A",
        IpAddr::V6(_) => "AAAA",
    }
}

fn enter(zone: &Name, own: &Own) -> Vec<Entry> {
    let ns = own.name_servers.iter().map(|server| Entry {
        name: zone.to_ascii(),
        kind: "NS",
        value: server.to_ascii(),
    });
    let within = own.name_servers.iter().filter(|server| zone.zone_of(server));
    let glue = within.filter_map(|server| Some((server, own.addresses.get(server)?)));
    let glue = glue.flat_map(|(server, addresses)| {
        addresses.iter().map(|address| Entry {
            name: server.to_ascii(),
            kind: kind(*address),
            value: address.to_string(),
        })
    });
    ns.chain(glue).collect()
}

#[cfg(test)]
mod tests;
