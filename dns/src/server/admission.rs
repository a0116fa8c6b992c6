//! `Admission`: how many connections there may be, in all and of one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::defaults;

/// Who is connected by TCP or TLS.
#[derive(Debug)]
pub(super) struct Admission {
    open: Mutex<HashMap<IpAddr, usize>>,
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
    fn there_is_a_limit_for_all() {
        let admission = Admission::new();
        let client = |number: u32| Ipv4Addr::from_bits(number).into();
        let held: Vec<_> = (0..1000).map_while(|n| admission.admit(client(n))).collect();
        assert_eq!(held.len(), defaults::TCP_CONNECTIONS);
    }
}
