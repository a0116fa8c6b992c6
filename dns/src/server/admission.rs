//! `Admission`: how many connections there may be, in all and of one client.
//!
//! A client is an IPv4 address, or what a site has of IPv6: whoever has one address of that has all of them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use crate::defaults;

/// Who is connected by TCP or TLS.
#[derive(Debug)]
pub(super) struct Admission {
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Whom an address is counted as.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (128 - defaults::IPV6_NETWORK_PREFIX);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// A connection's place. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    client: IpAddr,
}

impl Admission {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { open: Mutex::default() })
    }

    /// A place for a client, if there is one.
    pub(super) fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Admitted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let client = site(client);
        // The table has at most as many entries as there are connections.
        if open.values().sum::<usize>() >= defaults::TCP_CONNECTIONS {
            return None;
        }
        let own = open.entry(client).or_default();
        if *own >= defaults::TCP_CONNECTIONS_PER_CLIENT {
            return None;
        }
        *own += 1;
        Some(Admitted { admission: Arc::clone(self), client })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get_mut(&self.client).expect("a connection that is open is counted");
        *own -= 1;
        if *own == 0 {
            open.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn one_address_does_not_take_every_place() {
        let admission = Admission::new();
        let greedy: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let held: Vec<_> = (0..1000).map_while(|_| admission.admit(greedy)).collect();
        assert_eq!(held.len(), defaults::TCP_CONNECTIONS_PER_CLIENT);
        let other = Ipv4Addr::new(192, 0, 2, 2).into();
        assert!(admission.admit(other).is_some());
        drop(held);
        assert!(admission.admit(greedy).is_some());
        assert!(admission.open.lock().unwrap().is_empty());
    }

    #[test]
    fn one_site_does_not_take_every_place_with_many_addresses() {
        let admission = Admission::new();
        let of_site = |number: u128| Ipv6Addr::from_bits((0x2001_0db8 << 96) | number).into();
        let held: Vec<_> = (0..1000).map_while(|n| admission.admit(of_site(n << 60))).collect();
        assert_eq!(held.len(), defaults::TCP_CONNECTIONS_PER_CLIENT);
        assert!(admission.admit(of_site(1 << 80)).is_some(), "another site");
        drop(held);
        assert!(admission.admit(of_site(0)).is_some());
    }

    #[test]
    fn there_is_a_limit_for_all() {
        let admission = Admission::new();
        let client = |number: u32| Ipv4Addr::from_bits(number).into();
        let held: Vec<_> = (0..1000).map_while(|n| admission.admit(client(n))).collect();
        assert_eq!(held.len(), defaults::TCP_CONNECTIONS);
    }
}
