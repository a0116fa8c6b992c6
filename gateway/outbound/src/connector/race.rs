//! Several addresses of one host, the first that answers wins (RFC 8305).

use std::{io, net::SocketAddr};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::timeout};

use crate::defaults;

/// Tries the addresses in turn, both families alternating: the next as soon as one fails, or is silent for a while.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut next = alternating(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = None;
    loop {
        let more = match next.next() {
            Some(address) => {
                attempts.push(TcpStream::connect(address));
                true
            }
            None => false,
        };
        let attempt = if more && next.len() > 0 {
            match timeout(defaults::ATTEMPT_DELAY, attempts.next()).await {
                Ok(attempt) => attempt,
                Err(_) => continue,
            }
        } else {
            attempts.next().await
        };
        match attempt {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => failure = failure.or(Some(error)),
            None => {
                let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
                return Err(failure.unwrap_or_else(none));
            }
        }
    }
}

/// As they came, but with the families taking turns.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut second = second.into_iter();
    let mut turns = Vec::new();
    for address in first {
        turns.push(address);
        turns.extend(second.next());
    }
    turns.extend(second);
    turns
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |text: &[&str]| -> Vec<SocketAddr> {
            text.iter().map(|address| address.parse().unwrap()).collect()
        };
        let given = parse(&["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1", "[::1]:1"]);
        let expected = parse(&["1.1.1.1:1", "[::1]:1", "2.2.2.2:1", "3.3.3.3:1"]);
        assert_eq!(alternating(given), expected);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_followed_by_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(connect(vec![closed, open]).await.unwrap().peer_addr().unwrap(), open);
        let refused = connect(vec![closed]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect(Vec::new()).await.is_err());
    }
}
