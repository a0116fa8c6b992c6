//! What an address is for, as IANA's registries of special-purpose addresses have it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not simply a host on the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// Where a cloud tells its machines their secrets.
    Metadata,
    Loopback,
    Unspecified,
    /// RFC 1918 and unique local.
    Private,
    /// Between a provider and its customers, RFC 6598.
    Shared,
    LinkLocal,
    Multicast,
    Documentation,
    /// Assigned to nobody, or to what no guest has to do with.
    Reserved,
}

/// An IPv4 address that was written as one of IPv6 is what the kernel would connect to.
pub(crate) fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// What `ip` is for; nothing if it is public.
pub fn special(ip: IpAddr) -> Option<Special> {
    if METADATA.contains(&ip) {
        return Some(Special::Metadata);
    }
    match canonical(ip) {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

/// Amazon, Azure, Google, Alibaba, Oracle and those who do as Amazon does.
const METADATA: [IpAddr; 7] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

fn special_v4(ip: Ipv4Addr) -> Option<Special> {
    if METADATA.contains(&IpAddr::V4(ip)) {
        return Some(Special::Metadata);
    }
    Some(match ip.octets() {
        [0, 0, 0, 0] => Special::Unspecified,
        [127, ..] => Special::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Special::Private,
        [100, 64..=127, ..] => Special::Shared,
        [169, 254, ..] => Special::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Special::Documentation,
        [224..=239, ..] => Special::Multicast,
        // "This network", protocol assignments, relays of 6to4, benchmarks, the former class E and broadcast.
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => {
            Special::Reserved
        }
        _ => return None,
    })
}

fn special_v6(ip: Ipv6Addr) -> Option<Special> {
    if let Some(embedded) = embedded_v4(ip) {
        return special_v4(embedded);
    }
    Some(match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Special::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Special::Loopback,
        [0xfc00..=0xfdff, ..] => Special::Private,
        [0xfe80..=0xfebf, ..] => Special::LinkLocal,
        [0xff00..=0xffff, ..] => Special::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Special::Documentation,
        // Tunnels, benchmarks, identifiers that are no addresses: all of 2001::/23 but a few anycast services.
        [0x2001, 0..=0x1ff, ..] => Special::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        // Outside of what is assigned to hosts: NAT64 of one's own, discard-only, site-local, the rest.
        _ => Special::Reserved,
    })
}

/// The IPv4 address a packet to `ip` ends at: translated (NAT64), tunnelled (6to4), or written in the old form.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(join(high, low)),
        _ => None,
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the metadata service of a cloud",
            Self::Loopback => "this machine's own address",
            Self::Unspecified => "no address of a machine",
            Self::Private => "a private address",
            Self::Shared => "an address of a provider's network",
            Self::LinkLocal => "an address of the local link",
            Self::Multicast => "a multicast address",
            Self::Documentation => "an address for documentation",
            Self::Reserved => "a reserved address",
        })
    }
}
