//! `RequestHost`: the host a request names, in the form in which hosts are looked up.

use std::{borrow::Cow, fmt, net::Ipv6Addr};

/// The host of a `Host` field or an `:authority`: lower-case, without port, brackets and final dot.
///
/// The usual host, lower-case already, is borrowed and costs no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHost<'a>(Cow<'a, str>);

impl<'a> RequestHost<'a> {
    /// Reads `uri-host [ ":" port ]` (RFC 9110 §7.2). Non-ASCII names must come as `xn--…` (RFC 5890).
    ///
    /// # Errors
    /// What cannot be a host; the answer to that is 400.
    pub fn parse(text: &'a str) -> Result<Self, BadHost> {
        match text.strip_prefix('[') {
            Some(rest) => parse_ipv6(rest),
            None => parse_name(text),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse_name(text: &str) -> Result<RequestHost<'_>, BadHost> {
    let name = match text.split_once(':') {
        Some((name, port)) => {
            check_port(port)?;
            name
        }
        None => text,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err(BadHost::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(BadHost::TooLong);
    }
    let mut upper = false;
    let mut previous = b'.';
    for byte in name.bytes() {
        match byte {
            b'.' if previous == b'.' => return Err(BadHost::EmptyLabel),
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {}
            b'A'..=b'Z' => upper = true,
            _ => return Err(BadHost::Character),
        }
        previous = byte;
    }
    if previous == b'.' {
        return Err(BadHost::EmptyLabel);
    }
    Ok(RequestHost(lower_case(name, upper)))
}

fn parse_ipv6(rest: &str) -> Result<RequestHost<'_>, BadHost> {
    let (address, after) = rest.split_once(']').ok_or(BadHost::Address)?;
    if address.parse::<Ipv6Addr>().is_err() {
        return Err(BadHost::Address);
    }
    match after.strip_prefix(':') {
        Some(port) => check_port(port)?,
        None if after.is_empty() => {}
        None => return Err(BadHost::Address),
    }
    Ok(RequestHost(lower_case(address, address.bytes().any(|b| b.is_ascii_uppercase()))))
}

fn lower_case(text: &str, upper: bool) -> Cow<'_, str> {
    match upper {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// An empty port means the default one (RFC 3986 §3.2.3). Which port it is, the listener knows better.
fn check_port(port: &str) -> Result<(), BadHost> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.is_empty() || digits && port.parse::<u16>().is_ok() {
        true => Ok(()),
        false => Err(BadHost::Port),
    }
}

/// The longest name that DNS can carry (RFC 1035 §2.3.4), written without the final dot.
const MAX_NAME: usize = 253;

#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BadHost {
    #[error("the host is empty")]
    Empty,
    #[error("the host is longer than {MAX_NAME} characters")]
    TooLong,
    #[error("the host has an empty label")]
    EmptyLabel,
    #[error("the host has a character that no domain name has")]
    Character,
    #[error("what stands in brackets is no IPv6 address")]
    Address,
    #[error("the port is no number up to 65535")]
    Port,
}

impl AsRef<str> for RequestHost<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, BadHost> {
        RequestHost::parse(text).map(|host| host.to_string())
    }

    #[test]
    fn port_brackets_case_and_final_dot_do_not_matter() {
        for (text, host) in [
            ("shop.example.com", "shop.example.com"),
            ("Shop.Example.COM", "shop.example.com"),
            ("shop.example.com.", "shop.example.com"),
            ("shop.example.com.:8080", "shop.example.com"),
            ("localhost:", "localhost"),
            ("my_site.example", "my_site.example"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[2001:DB8::1]:8443", "2001:db8::1"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(host), "{text}");
        }
    }

    #[test]
    fn the_usual_host_is_borrowed() {
        for text in ["shop.example.com", "shop.example.com:8443", "[::1]:80"] {
            assert!(
                matches!(RequestHost::parse(text), Ok(RequestHost(Cow::Borrowed(_)))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_host_says_why() {
        for (text, error) in [
            ("", BadHost::Empty),
            (":80", BadHost::Empty),
            (".", BadHost::Empty),
            ("a..b", BadHost::EmptyLabel),
            (".example.com", BadHost::EmptyLabel),
            ("example.com..", BadHost::EmptyLabel),
            ("user@example.com", BadHost::Character),
            ("*.example.com", BadHost::Character),
            ("exa mple.com", BadHost::Character),
            ("bücher.example", BadHost::Character),
            ("example.com/", BadHost::Character),
            ("example.com:http", BadHost::Port),
            ("example.com:+80", BadHost::Port),
            ("example.com:65536", BadHost::Port),
            ("::1", BadHost::Port),
            ("[::1", BadHost::Address),
            ("[::1]x", BadHost::Address),
            ("[fe80::1%25eth0]", BadHost::Address),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(parse(&"a".repeat(254)), Err(BadHost::TooLong));
    }
}
