//! Domains, and how resources refer to them: the application's own first, then the project's.

use std::{collections::BTreeMap, net::IpAddr};

use headgate_types::HostPattern;

use super::Compiler;
use crate::{
    diagnostic::{Diagnostic, Place, closest, codes, quoted},
    model::{Certificate, Domain, Group},
    raw,
    schema::{At, Text, Written},
};

/// Every domain of the project by application and name; `None` for one that was reported as wrong.
pub(super) type DomainIndex = BTreeMap<(Option<Text>, Text), Option<HostPattern>>;

/// What a list of domain names leads to.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) names: Vec<Text>,
    pub(super) hosts: Vec<HostPattern>,
    /// Something in the list was reported as wrong, here or at the domain.
    pub(super) incomplete: bool,
}

impl Compiler<'_> {
    pub(super) fn domains(
        &mut self,
        raw: Vec<raw::Resource<raw::Domain>>,
        unread: Vec<(Option<Text>, Text)>,
    ) -> Vec<Domain> {
        self.domains.extend(unread.into_iter().map(|key| (key, None)));
        let mut domains = Vec::new();
        for resource in raw {
            let key = (resource.application.clone(), resource.name.clone());
            let domain = self.domain(resource);
            self.domains.insert(key, domain.as_ref().map(|domain| domain.host.clone()));
            domains.extend(domain);
        }
        domains
    }

    fn domain(&mut self, resource: raw::Resource<raw::Domain>) -> Option<Domain> {
        let id = self.identify(Group::Domains, &resource);
        let raw::Resource { application, name, place, body, .. } = resource;
        let certificate = self.certificate(&body);
        let hint = "add the host name, such as `fqdn: shop.example.com`";
        let fqdn = self.require(body.fqdn, "fqdn", "a domain", &place, hint)?;
        let (host, certificate) = (self.host(&fqdn)?, certificate?);
        Some(Domain { application, name, id, host, certificate, place: fqdn.place })
    }

    fn host(&mut self, fqdn: &At<Text>) -> Option<HostPattern> {
        let text = fqdn.value.trim();
        let (message, hint) = match text.parse::<HostPattern>() {
            Ok(host) if text.parse::<IpAddr>().is_err() => return Some(host),
            Ok(_) => (
                format!("{} is an address, not a name", quoted(text)),
                "certificates and routes go by name; the address is the node's own business",
            ),
            Err(error) => {
                let hint = if text.contains("://") || text.contains('/') {
                    "write the host alone, without `https://` and without a path"
                } else if text.contains(':') {
                    "write the host without a port"
                } else if !text.is_ascii() {
                    "write it in its ASCII form, as registrars show it: `xn--…`"
                } else {
                    "write a host name such as `shop.example.com`, or `*.example.com` for all \
                     names directly below one"
                };
                (format!("{} is not a host name: {error}", quoted(text)), hint)
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
        let hint = "add the PEM text, or write `type: auto` to have certificates obtained";
        let place = &body.certificate;
        let chain =
            self.require(body.certificate_chain.clone(), "certificate.cert", what, place, hint);
        let key = self.require(body.certificate_key.clone(), "certificate.key", what, place, hint);
        let (chain, key) = (chain?.value, key?.value);
        self.report.push(
            Diagnostic::warning(codes::NOT_SERVED_YET, "this certificate is not used yet")
                .at(body.certificate_type.place().unwrap_or(place).clone())
                .note("the node obtains its own; nothing else about the domain changes")
                .hint("write `type: auto`, and keep private keys out of the repository"),
        );
        Some(Certificate::Inline { chain, key })
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
        let hint = match self.visible(application).as_slice() {
            [] => "add a file such as `domains/main.yaml` with an `fqdn`, then `domains: [main]`"
                .to_owned(),
            [first, ..] => format!("name the domains it answers under: `domains: [{first}]`"),
        };
        let Some(names) = self.require(names, "domains", what, place, &hint) else {
            return Resolved { incomplete: true, ..resolved };
        };
        for At { value: name, place } in names.value {
            match self.find(application, &name) {
                Some(Some(host)) => {
                    if !resolved.hosts.contains(host) {
                        resolved.hosts.push(host.clone());
                    }
                    resolved.names.push(name);
                }
                Some(None) => resolved.incomplete = true,
                None => {
                    resolved.incomplete = true;
                    self.unknown_domain(application, &name, place);
                }
            }
        }
        resolved
    }

    /// The application's own domain of this name, or the project's.
    fn find(&self, application: Option<&Text>, name: &Text) -> Option<&Option<HostPattern>> {
        let own = application.map(|application| (Some(application.clone()), name.clone()));
        own.and_then(|key| self.domains.get(&key))
            .or_else(|| self.domains.get(&(None, name.clone())))
    }

    fn unknown_domain(&mut self, application: Option<&Text>, name: &str, place: Place) {
        let visible = self.visible(application);
        let names: Vec<_> = visible.iter().map(|name| &**name).collect();
        let known = Self::known(&names, "this project has none yet");
        let mut error = Diagnostic::error(
            codes::UNKNOWN_DOMAIN,
            format!("the domain {} is not defined", quoted(name)),
        )
        .at(place)
        .hint(format!("domains are files in `domains/`; {known}"));
        let host = name.parse::<HostPattern>().ok().filter(|_| name.contains('.'));
        let by_host = visible
            .iter()
            .find(|name| host.is_some() && self.find(application, name) == Some(&host));
        if let Some(meant) =
            by_host.map(|name| &**name).or_else(|| closest(name, names.iter().copied()))
        {
            error = error.label(format!("did you mean `{meant}`?"));
        }
        if host.is_some() {
            error = error.note("`domains` lists the names of files in `domains/`, not host names");
        }
        self.report.push(error);
    }

    /// Names that a resource of this application can refer to, as many as a hint can use.
    fn visible(&self, application: Option<&Text>) -> Vec<Text> {
        let scope = |scope: Option<Text>| {
            self.domains
                .range((scope.clone(), Text::from(""))..)
                .take_while(move |((application, _), _)| *application == scope)
                .map(|((_, name), _)| name.clone())
                .take(MAX_VISIBLE)
        };
        let own = application.cloned().map(|application| scope(Some(application)));
        own.into_iter().flatten().chain(scope(None)).collect()
    }
}

/// More names help nobody, and finding the closest of thousands takes time.
const MAX_VISIBLE: usize = 100;
