//! `zone:` and `dns:` of `node.yaml`: which names the node answers for, and where.

use std::{collections::HashMap, net::IpAddr, num::NonZeroU32};

use headgate_project::{
    Diagnostic,
    diagnostic::codes,
    schema::{At, Fields, Text, Written},
};
use headgate_types::DomainName;

use super::Reader;
use crate::{
    node_config::{DnsConfig, FollowedProject, Listen, ZoneConfig, defaults},
    snapshot::host_label,
};

impl Reader<'_> {
    /// `None` if there is none, or none that could be.
    pub(super) fn zone(
        &mut self,
        file: &Fields,
        projects: &[FollowedProject],
    ) -> Option<ZoneConfig> {
        if !file.says("zone") {
            return None;
        }
        let zone = file.table("zone");
        let name = self.zone_name(file, &zone);
        let addresses = self.addresses(file, &zone);
        let nameservers: Option<Vec<_>> = zone.texts("nameservers").value().map(|written| {
            let hint =
                "name a host such as `ns1.edge.example.org`; its address is not written here";
            written.value.iter().filter_map(|text| self.domain(text, hint)).collect()
        });
        let contact = zone.text("contact").value().and_then(|text| {
            let parsed = text.value.parse().ok();
            if parsed.is_none() {
                let message = format!("`{}` is not a mail address", text.value);
                self.mistake(&text, message, "write one such as `hostmaster@example.org`");
            }
            parsed
        });
        let name = name?;
        self.one_host_each(file, &name, projects);
        let mut config = ZoneConfig::with_defaults(name, addresses);
        config.nameservers = nameservers.unwrap_or(config.nameservers);
        config.contact = contact.unwrap_or(config.contact);
        Some(config)
    }

    fn zone_name(&mut self, file: &Fields, zone: &Fields) -> Option<DomainName> {
        let text = match zone.text("name") {
            Written::Value(text) => text,
            Written::Absent | Written::Blank(_) => {
                let hint = "add the name that is delegated to this node: `name: edge.example.org`";
                self.missing(file, "name", hint);
                return None;
            }
            Written::Broken => return None,
        };
        let name = self.domain(&text, "write a domain that you own, such as `edge.example.org`")?;
        if name.as_str().len() > defaults::LONGEST_ZONE {
            let message = format!("`{name}` leaves no room for the names of projects");
            let hint = format!("a zone has at most {} characters", defaults::LONGEST_ZONE);
            self.mistake(&text, message, hint);
        }
        Some(name)
    }

    fn addresses(&mut self, file: &Fields, zone: &Fields) -> Vec<IpAddr> {
        let written = match zone.texts("addresses") {
            Written::Value(written) => written.value,
            Written::Absent | Written::Blank(_) => {
                let hint = "add those at which clients reach this node: `addresses: [192.0.2.1]`";
                self.missing(file, "addresses", hint);
                return Vec::new();
            }
            Written::Broken => return Vec::new(),
        };
        written.iter().filter_map(|text| self.public_address(text)).collect()
    }

    fn public_address(&mut self, text: &At<Text>) -> Option<IpAddr> {
        let hint =
            "write one at which clients reach this node, such as `192.0.2.1` or `2001:db8::1`";
        match text.value.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() || ip.is_multicast() || ip.to_canonical() != ip => {
                self.mistake(text, format!("nobody is reached at `{ip}`"), hint);
                None
            }
            Ok(ip) => Some(ip),
            Err(_) => {
                self.mistake(text, format!("`{}` is not an IP address", text.value), hint);
                None
            }
        }
    }

    fn domain(&mut self, text: &At<Text>, hint: &str) -> Option<DomainName> {
        match text.value.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let message = format!("`{}` is not a domain name: {error}", text.value);
                self.mistake(text, message, hint);
                None
            }
        }
    }

    fn missing(&mut self, file: &Fields, key: &str, hint: &str) {
        let message = format!("`zone` has no `{key}`");
        self.problem(codes::MISSING_KEY, file.place_of("zone"), message, hint);
    }

    /// Two projects that come to the same host in the zone.
    fn one_host_each(&mut self, file: &Fields, zone: &DomainName, projects: &[FollowedProject]) {
        let items = file.items("projects").value().map_or_else(Vec::new, |items| items.value);
        let mut first = HashMap::new();
        for project in projects {
            let Some(label) = host_label(project.name.as_str()) else { continue };
            let name = items
                .iter()
                .filter_map(|item| item.text("name").value())
                .find(|name| *name.value == *project.name.as_str());
            let Some(name) = name else { continue };
            if let Some((other, place)) =
                first.insert(label.clone(), (project.name.clone(), name.place.clone()))
            {
                let message = format!(
                    "`{}` and `{other}` come to the same host `{label}.{zone}`",
                    project.name
                );
                self.report.push(
                    Diagnostic::error(codes::INVALID_VALUE, message)
                        .at(name.place)
                        .related(place, "the other one")
                        .hint("give one of them a name that differs in letters or digits"),
                );
            }
        }
    }

    /// On if it is there, or a zone that somebody has to answer for.
    pub(super) fn dns(
        &mut self,
        file: &Fields,
        zone: bool,
        web: [&Listen; 2],
    ) -> Option<DnsConfig> {
        if !zone && !file.says("dns") {
            return None;
        }
        let dns = file.table("dns");
        let places = || web.into_iter().flat_map(|listen| &listen.addresses);
        if !zone && !file.says("zone") && places().all(|address| address.ip().is_unspecified()) {
            self.problem(
                codes::MISSING_KEY,
                file.place_of("dns"),
                "`dns` has no address to answer with",
                "add `zone: {name: edge.example.org, addresses: [192.0.2.1]}`, or let `https` listen \
                 on addresses of this machine instead of on all",
            );
        }
        let sample = dns.table("log").number("sample").value();
        Some(DnsConfig {
            listen: self.listen(&dns, "listen", defaults::DNS_PORT),
            tls: self.listened(&dns, "tls", defaults::DNS_OVER_TLS_PORT).unwrap_or_default(),
            if_free: false,
            query_log: sample.and_then(|n| NonZeroU32::new(n.value.try_into().ok()?)),
        })
    }
}
