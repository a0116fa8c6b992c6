//! The TLS handshake: the whole configuration is chosen from the ClientHello.

use std::{io, sync::Arc};

use pingora_core::protocols::{
    ALPN,
    tls::{CustomALPN, SslDigest},
};
use rustls::{
    ServerConfig,
    server::{Acceptor, ClientHello},
};
use tokio::{io::AsyncWriteExt, time::timeout};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tracing::debug;

use crate::{
    defaults,
    info::{ClientPolicy, ClientProof, TlsInfo},
    limits::Limits,
    linger::Remains,
    metrics::{Ending, Handshake, Metrics},
    stream::Secured,
    wire::Wire,
};

/// ALPN of the TLS-ALPN-01 challenge (RFC 8737): the handshake is all there is to it.
const ACME_TLS: &[u8] = b"acme-tls/1";

/// A fatal `unrecognized_name` alert (RFC 6066 §3) in a record of its own.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Chooses the whole configuration (certificate, client authentication, ALPN list, tickets) from
/// the ClientHello.
///
/// The ALPN list of what it gives should hold of `h2`, `http/1.1` what the listener is to speak, or
/// `acme-tls/1` alone for a challenge. `None` refuses the client with an `unrecognized_name` alert.
pub trait PickConfig: Send + Sync + 'static {
    fn pick(&self, hello: &ClientHello<'_>) -> Option<Picked>;
}

/// The configuration for one handshake.
#[derive(Debug, Clone)]
pub struct Picked {
    pub config: Arc<ServerConfig>,
    /// What the configuration demands of clients, by name; such a configuration lets nobody in without a
    /// certificate.
    pub clients: Option<ClientPolicy>,
}

/// One that demands nothing.
impl From<Arc<ServerConfig>> for Picked {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self { config, clients: None }
    }
}

/// Shakes hands within the time limit. An error says how a connection ended that cannot be served.
pub(crate) async fn shake_hands(
    wire: Wire,
    pick: &dyn PickConfig,
    limits: &Limits,
    metrics: &Metrics,
) -> Result<(TlsStream<Wire>, Secured), Ending> {
    let client = wire.info.client;
    let (result, error, tls) = match timeout(limits.handshake, handshake(wire, pick)).await {
        Ok(Ok((tls, _))) if tls.get_ref().1.alpn_protocol() == Some(ACME_TLS) => {
            (Handshake::Challenge, None, Some((tls, None)))
        }
        Ok(Ok(shaken)) => (Handshake::Completed, None, Some(shaken)),
        Ok(Err(Failure::UnknownName)) => (Handshake::UnknownName, None, None),
        Ok(Err(Failure::Io(error))) => (Handshake::Failed, Some(error), None),
        Err(_) => (Handshake::Timeout, None, None),
    };
    metrics.handshake(result);
    let Some((mut tls, policy)) = tls else {
        debug!(client.addr = %client, ?result, ?error, "handshake failed");
        return Err(Ending::Handshake);
    };
    if result == Handshake::Challenge {
        let _ = timeout(defaults::GOODBYE, tls.shutdown()).await;
        return Err(Ending::Closed);
    }
    let secured = describe(&mut tls, policy);
    Ok((tls, secured))
}

enum Failure {
    UnknownName,
    Io(io::Error),
}

async fn handshake(
    wire: Wire,
    pick: &dyn PickConfig,
) -> Result<(TlsStream<Wire>, Option<ClientPolicy>), Failure> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), wire).await.map_err(Failure::Io)?;
    let picked = pick.pick(&start.client_hello());
    match picked {
        Some(Picked { config, clients }) => {
            match start.into_stream(config).into_fallible().await {
                Ok(stream) => Ok((stream, clients)),
                Err((error, wire)) => {
                    // It may have sent a request before it hears that its certificate will not do: to
                    // close with that unread would take back the alert.
                    if clients.is_some() {
                        let remains = Remains::default();
                        remains.leave(wire);
                        remains.linger().await;
                    }
                    Err(Failure::Io(error))
                }
            }
        }
        None => {
            let mut wire = start.io;
            // A client that does not take the alert learns the same from the close.
            let _ = wire.write_all(&UNRECOGNIZED_NAME).await;
            let _ = wire.shutdown().await;
            Err(Failure::UnknownName)
        }
    }
}

/// Gives the wire what the handshake settled, and pingora its digest of it.
fn describe(tls: &mut TlsStream<Wire>, policy: Option<ClientPolicy>) -> Secured {
    let (wire, connection) = tls.get_mut();
    let version = connection.protocol_version().and_then(|v| v.as_str()).unwrap_or("");
    let cipher =
        connection.negotiated_cipher_suite().and_then(|s| s.suite().as_str()).unwrap_or("");
    // Without a certificate nothing is proved, whatever was to be.
    let proof = policy.zip(connection.peer_certificates()).map(|(policy, certificates)| {
        let certificates = certificates.iter().map(|it| it.clone().into_owned()).collect();
        ClientProof { policy, certificates }
    });
    let tls = TlsInfo { version, cipher };
    wire.info = Arc::new(wire.info.secured(connection.server_name(), tls, proof));
    let alpn = connection.alpn_protocol().map(|protocol| match protocol {
        b"h2" => ALPN::H2,
        b"http/1.1" => ALPN::H1,
        other => ALPN::Custom(CustomALPN::new(other.to_vec())),
    });
    Secured { alpn, ssl: Arc::new(SslDigest::new(cipher, version, None, None, Vec::new())) }
}
