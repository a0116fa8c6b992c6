//! What is written as a record's name and value.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use headgate_types::{DomainName, HostPattern, RecordData, RecordType, record::ParseRecordError};

use super::is_within;
use crate::diagnostic::{codes, quoted};

/// A code, a message and a hint.
type Refused = (&'static str, String, String);

/// The whole name for one that is relative to the domain, or that ends with a dot.
pub(super) fn owner(text: &str, domain: &DomainName) -> Result<HostPattern, Refused> {
    if text == "@" {
        return Ok(HostPattern::Exact(domain.clone()));
    }
    let invalid = |message: String, hint: String| (codes::INVALID_RECORD, message, hint);
    let whole = match text.strip_suffix('.') {
        Some(whole) => whole.to_owned(),
        None => format!("{text}.{domain}"),
    };
    let owner: HostPattern = whole.parse().map_err(|error| {
        let message =
            format!("{} is no name within {}: {error}", quoted(text), quoted(domain.as_str()));
        invalid(message, name_hint(text))
    })?;
    let within = is_within(owner.base(), domain);
    // Nobody has `www.example.com.example.com`.
    let repeated = text.parse::<HostPattern>().ok().filter(|name| is_within(name.base(), domain));
    match (text.ends_with('.'), repeated) {
        (true, _) if within => Ok(owner),
        (true, _) => {
            let message = format!("{} is not within {}", quoted(text), quoted(domain.as_str()));
            let hint =
                "write a name relative to the domain, such as `www`, without a dot at its end";
            Err((codes::RECORD_OUTSIDE, message, hint.to_owned()))
        }
        (false, Some(name)) => {
            let message = format!("{} would be {}", quoted(text), quoted(&whole));
            Err(invalid(message, format!("write `name: \"{}\"`", relative(&name, domain))))
        }
        (false, None) => Ok(owner),
    }
}

fn name_hint(text: &str) -> String {
    if !text.is_ascii() {
        return match idna::domain_to_ascii(text) {
            Ok(ascii) => format!("write it in its ASCII form: `name: {ascii}`"),
            Err(_) => "write it in its ASCII form: `xn--…`".to_owned(),
        };
    }
    match text.contains('*') {
        true => "write only one `*`, as the first label: `name: \"*.dev\"`".to_owned(),
        false => "write `www`, or `\"@\"` for the domain itself".to_owned(),
    }
}

/// A name as it is written in the domain's file.
pub(super) fn relative(name: &HostPattern, domain: &DomainName) -> String {
    let name = name.to_string();
    match name.strip_suffix(domain.as_str()) {
        Some("") => "@".to_owned(),
        Some(above) => above.trim_end_matches('.').to_owned(),
        None => name,
    }
}

/// A message and a hint, if it cannot be read.
pub(super) fn data(
    kind: RecordType,
    text: &str,
    apex: bool,
    domain: &DomainName,
) -> Result<RecordData, (String, String)> {
    let text = text.trim();
    let (before, last) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    let whole = match (last, leads_to_host(kind)) {
        ("@", true) => format!("{before} {domain}"),
        _ => text.to_owned(),
    };
    let refused =
        |why: String| format!("{} cannot be the value of type {kind}: {why}", quoted(text));
    let data = RecordData::parse(kind, &whole)
        .map_err(|error| (refused(error.to_string()), hint(kind, text, apex, &error)))?;
    if let Some(host) = data.host()
        && !last.contains('.')
        && last != "@"
    {
        let why =
            format!("`{host}` is the name of a whole domain, and names here are not relative");
        let value = format!("{before} {host}.{domain}");
        return Err((
            refused(why),
            format!("write the whole name: `value: {}`", value.trim_start()),
        ));
    }
    Ok(data)
}

const fn leads_to_host(kind: RecordType) -> bool {
    use RecordType::{Alias, Cname, Mx, Ns, Srv};
    matches!(kind, Alias | Cname | Mx | Ns | Srv)
}

fn hint(kind: RecordType, text: &str, apex: bool, error: &ParseRecordError) -> String {
    use ParseRecordError as E;
    let (host, address) = (text.parse::<DomainName>(), text.parse::<IpAddr>());
    let for_names = if apex { "ALIAS" } else { "CNAME" };
    match (error, address, host) {
        (E::Ipv4, Ok(IpAddr::V6(_)), _) | (E::AddressForName, Ok(IpAddr::V6(_)), _) => {
            "write `type: AAAA`, which holds IPv6 addresses".to_owned()
        }
        (E::Ipv6, Ok(IpAddr::V4(_)), _) | (E::AddressForName, Ok(IpAddr::V4(_)), _) => {
            "write `type: A`, which holds IPv4 addresses".to_owned()
        }
        (E::Ipv4 | E::Ipv6, _, Ok(host)) if host.as_str().contains(char::is_alphabetic) => {
            format!("write `type: {for_names}`, which leads to another name")
        }
        (E::Ipv4, ..) => format!("write an address: `value: {}`", Ipv4Addr::new(192, 0, 2, 1)),
        (E::Ipv6, ..) => {
            let example = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            format!("write an address: `value: \"{example}\"`")
        }
        (E::IssuerWithDot, ..) => "remove the dot: authorities compare it as text".to_owned(),
        (E::Control('\n' | '\r'), ..) => "write it on one line".to_owned(),
        (E::Quotes | E::Escape, ..) if kind == RecordType::Txt => {
            "write the text alone, in a pair of YAML's own single quotes if it needs some"
                .to_owned()
        }
        _ => format!("write {}", form(kind)),
    }
}

/// What a value looks like.
const fn form(kind: RecordType) -> &'static str {
    match kind {
        RecordType::A => "an IPv4 address",
        RecordType::Aaaa => "an IPv6 address",
        RecordType::Alias | RecordType::Cname => "the name it leads to: `value: pages.example.net`",
        RecordType::Ns => "the server's name: `value: ns1.example.net`",
        RecordType::Caa => "flags, tag and value: `value: 0 issue letsencrypt.org`",
        RecordType::Mx => "preference and host: `value: 10 mail.example.net`",
        RecordType::Srv => "priority, weight, port and host: `value: 10 5 5060 sip.example.net`",
        RecordType::Txt => "a text: `value: v=spf1 -all`",
    }
}
