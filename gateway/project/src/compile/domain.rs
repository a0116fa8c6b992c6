//! Domains, and how functions and websites refer to them.

use std::{
    collections::{HashMap, hash_map},
    net::IpAddr,
};

use headgate_types::HostPattern;

use super::{Compiler, scope::file_to_add};
use crate::{
    diagnostic::{Diagnostic, Place, Severity, codes, quoted},
    model::{Certificate, ClientCa, Domain, Group, Https},
    raw,
    schema::{At, Text, Written},
};

/// What a list of domain names leads to.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) names: Vec<Text>,
    pub(super) hosts: Vec<HostPattern>,
    /// Something in the list was reported as wrong, here or at the domain.
    pub(super) incomplete: bool,
}

impl Compiler<'_> {
    pub(super) fn domains(&mut self, raw: Vec<raw::Resource<raw::Domain>>) -> Vec<Domain> {
        let mut domains = Vec::new();
        for resource in raw {
            let (application, name) = (resource.application.clone(), resource.name.clone());
            let domain = self.domain(resource);
            let host = domain.as_ref().map(|domain| domain.host.clone());
            self.domains.insert(application, name, host);
            domains.extend(domain);
        }
        self.check_records_of_each_other(&domains);
        self.check_clients_of_each_other(&domains);
        domains
    }

    fn domain(&mut self, resource: raw::Resource<raw::Domain>) -> Option<Domain> {
        let (id, about) = self.identify(Group::Domains, &resource);
        let raw::Resource { application, name, place, body, .. } = resource;
        let (certificate, client_ca) = (self.certificate(&body), self.client_ca(&body));
        let on = |flag: &Written<bool>| flag.clone().value().is_none_or(|flag| flag.value);
        let https = Https { redirect: on(&body.redirect), hsts: on(&body.hsts) };
        let hint = "add the host name, such as `fqdn: shop.example.com`";
        let fqdn = self.require(body.fqdn, "fqdn", "a domain", &place, hint)?;
        let host = self.host(&fqdn)?;
        let records = self.records(body.records, &host);
        let (certificate, client_ca, place) = (certificate?, client_ca?, fqdn.place);
        Some(Domain {
            application,
            name,
            id,
            about,
            host,
            certificate,
            client_ca,
            https,
            records,
            place,
        })
    }

    fn host(&mut self, fqdn: &At<Text>) -> Option<HostPattern> {
        let text = fqdn.value.trim();
        let (message, hint) = match text.parse::<HostPattern>() {
            Ok(host) if text.parse::<IpAddr>().is_err() => return Some(host),
            Ok(_) => (
                format!("{} is an address, not a name", quoted(text)),
                "write a host name such as `shop.example.com`: certificates and routes go by name"
                    .to_owned(),
            ),
            Err(error) => {
                let message = format!("{} is not a host name: {error}", quoted(text));
                (message, host_hint(text))
            }
        };
        self.report.push(
            Diagnostic::error(codes::INVALID_DOMAIN, message).at(fqdn.place.clone()).hint(hint),
        );
        None
    }

    fn certificate(&mut self, body: &raw::Domain) -> Option<Certificate> {
        match &body.certificate_type {
            Written::Broken => return None,
            Written::Value(kind) if &*kind.value == "inline" => {}
            _ => return Some(Certificate::Auto),
        }
        let what = "a certificate of type `inline`";
        let hint = "replace the lines below `certificate:` by `type: auto`, and the node obtains one \
                    of its own";
        let place = &body.certificate;
        let chain =
            self.require(body.certificate_chain.clone(), "certificate.cert", what, place, hint);
        let key = self.require(body.certificate_key.clone(), "certificate.key", what, place, hint);
        let (chain, key) = (chain?.value, key?.value);
        // Where the key is written is no place to show a line of.
        let place = body.certificate_type.place().unwrap_or(place).clone();
        Some(Certificate::Inline { chain, key, place })
    }

    /// `None` after a mistake: a host that was to be closed is not left open.
    fn client_ca(&mut self, body: &raw::Domain) -> Option<Option<ClientCa>> {
        match &body.client_ca {
            Written::Absent => Some(None),
            Written::Value(At { value, place }) => {
                Some(Some(ClientCa { source: value.clone(), place: place.clone() }))
            }
            Written::Broken => None,
            Written::Blank(place) => {
                self.report.push(
                    Diagnostic::error(codes::UNUSABLE_CLIENT_CA, "`client_ca` is empty")
                        .at(place.clone())
                        .hint(
                            "write the path of a PEM file, such as `client_ca: certs/clients.pem`, or \
                             remove the key to let everybody in",
                        ),
                );
                None
            }
        }
    }

    /// Files of several applications may be about one host, which lets the same clients in for all of them.
    fn check_clients_of_each_other(&mut self, domains: &[Domain]) {
        let mut by_host = HashMap::new();
        for domain in domains {
            let first: &Domain = match by_host.entry(&domain.host) {
                hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(domain);
                    continue;
                }
                hash_map::Entry::Occupied(first) => first.into_mut(),
            };
            let source = |domain: &Domain| domain.client_ca.as_ref().map(|it| it.source.clone());
            if source(first) == source(domain) {
                continue;
            }
            let place = |domain: &Domain| {
                domain.client_ca.as_ref().map_or(&domain.place, |it| &it.place).clone()
            };
            let host = quoted(&domain.host.to_string());
            let message = format!("two files let different clients in at {host}");
            self.report.push(
                Diagnostic::error(codes::UNUSABLE_CLIENT_CA, message)
                    .at(place(domain))
                    .related(place(first), "differs from this one")
                    .hint("write the same `client_ca` in both, or in neither"),
            );
        }
    }

    /// Resolves the `domains` of a function or website.
    pub(super) fn resolve(
        &mut self,
        application: Option<&Text>,
        names: Written<Vec<At<Text>>>,
        what: &str,
        place: &Place,
    ) -> Resolved {
        let mut resolved = Resolved::default();
        let hint = match self.domains.visible(application).as_slice() {
            [] => "add a file such as `domains/main.yaml` with `fqdn: shop.example.com`, then `domains: [main]`"
                .to_owned(),
            [first, ..] => format!("name the domains it answers under: `domains: [{first}]`"),
        };
        let Some(names) = self.require(names, "domains", what, place, &hint) else {
            return Resolved { incomplete: true, ..resolved };
        };
        for At { value: name, place } in names.value {
            match self.domains.find(application, &name) {
                Some((_, Some(host))) => {
                    if !resolved.hosts.contains(host) {
                        resolved.hosts.push(host.clone());
                    }
                    resolved.names.push(name);
                }
                Some((_, None)) => resolved.incomplete = true,
                None => {
                    resolved.incomplete = true;
                    self.unknown_domain(application, &name, place);
                }
            }
        }
        resolved
    }

    fn unknown_domain(&mut self, application: Option<&Text>, name: &str, place: Place) {
        self.report.push_with(Severity::Error, || {
            let message = format!("the domain {} is not defined", quoted(name));
            let error = Diagnostic::error(codes::UNKNOWN_DOMAIN, message).at(place);
            let Some(host) = host_within(name).filter(|_| name.contains('.')) else {
                let remedy = format!(
                    "{}, with its host name: `fqdn: shop.example.com`",
                    file_to_add(Group::Domains, name)
                );
                return self.domains.explain(error, application, name, &remedy);
            };
            let note = "`domains` lists the names of files in `domains/`, not host names";
            let visible = self.domains.visible(application);
            let by_host = visible.iter().find_map(|name| {
                let (found, other) = self.domains.find(application, name)?;
                (other.as_ref() == Some(&host)).then_some(found)
            });
            if let Some(found) = by_host {
                let name = quoted(&found.name);
                let own = found.application.map(|it| format!("applications/{it}/"));
                let file = format!("{}domains/{}.yaml", own.unwrap_or_default(), found.name);
                let hint = format!("write {name}: {} has this host", quoted(&file));
                return error.label(format!("did you mean {name}?")).note(note).hint(hint);
            }
            let taken = |name: &&str| visible.iter().any(|known| **known == **name);
            let label = host.to_string();
            let label = label.split('.').find(|label| *label != "*").unwrap_or_default();
            let file = ["main", label].into_iter().find(|name| !taken(name)).unwrap_or("NAME");
            let remedy = format!(
                "add the file `domains/{file}.yaml` with `fqdn: {}`, and write `domains: [{file}]`",
                fqdn(&host)
            );
            self.domains.explain(error, application, name, &remedy).note(note)
        });
    }
}

/// What to write instead of something that is no host name.
fn host_hint(text: &str) -> String {
    match host_within(text) {
        Some(host) if text.contains('/') => {
            format!(
                "write the host alone, without `https://` and without a path: `fqdn: {}`",
                fqdn(&host)
            )
        }
        Some(host) => format!("write the host without a port: `fqdn: {}`", fqdn(&host)),
        None if text.contains("://") || text.contains('/') => {
            "write the host alone, without `https://` and without a path".to_owned()
        }
        None if !text.is_ascii() => {
            let ascii = idna::domain_to_ascii(text).ok();
            match ascii.and_then(|ascii| ascii.parse::<HostPattern>().ok()) {
                Some(host) => format!("write it in its ASCII form: `fqdn: {}`", fqdn(&host)),
                None => "write it in its ASCII form, as registrars show it: `xn--…`".to_owned(),
            }
        }
        None if text.contains('*') => {
            "write only one `*`, as the first label: `*.example.com`".to_owned()
        }
        None => "write a host name such as `shop.example.com`, or `*.example.com` for all names \
                 directly below one"
            .to_owned(),
    }
}

/// The host in a URL, or beside a port.
fn host_within(text: &str) -> Option<HostPattern> {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host.parse().ok().filter(|_| host.parse::<IpAddr>().is_err())
}

/// As it may stand in YAML: text that begins with `*` needs quotes.
fn fqdn(host: &HostPattern) -> String {
    let host = host.to_string();
    if host.starts_with('*') { format!("\"{host}\"") } else { host }
}
