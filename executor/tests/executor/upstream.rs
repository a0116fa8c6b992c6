//! A way out for guests that leads to functions of a test.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use headgate_executor::{
    CallTimeouts, Found, Lookup, LookupFailed, LookupKind, Outbound, OutboundBody, OutboundError,
};
use headgate_types::Scope;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// Answers by the host of the URL:
///
/// | host           | answer                                                         |
/// |----------------|----------------------------------------------------------------|
/// | `hello`        | "hello", x-seen has the authorization it was sent              |
/// | `echo`         | the request's body, piece by piece                             |
/// | `hang`         | none                                                           |
/// | `stall`        | a head, and a body that never comes                            |
/// | `hop<n>`       | 302 to the root of `hop<n-1>`, at last "arrived"               |
/// | `to-self`      | 307 to `http://echo/`                                          |
/// | an error's name | that error                                                    |
#[derive(Default)]
pub(crate) struct Upstream {
    pub(crate) calls: AtomicUsize,
    /// Calls whose answers were not dropped or read to their end.
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) timeouts: Mutex<Vec<CallTimeouts>>,
    pub(crate) lookups: Mutex<Vec<Lookup>>,
}

/// Counts a call as open while it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Outbound for Upstream {
    async fn send(
        &self,
        scope: &Scope,
        request: Request<OutboundBody>,
        timeouts: CallTimeouts,
    ) -> Result<Response<OutboundBody>, OutboundError> {
        assert_eq!(scope.to_string(), "shop/front/test");
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.timeouts.lock().unwrap().push(timeouts);
        let open = Open::new(&self.open);
        let host = request.uri().host().unwrap().to_owned();
        match &*host {
            "hello" => {
                let mut response = Response::new(body("hello"));
                for value in request.headers().get_all(header::AUTHORIZATION) {
                    response.headers_mut().append("x-seen", value.clone());
                }
                Ok(response)
            }
            "echo" => Ok(Response::new(request.into_body())),
            "hang" => std::future::pending().await,
            "stall" => {
                let stalled = futures::stream::pending();
                let stalled = http_body_util::StreamBody::new(Holding(stalled, open));
                Ok(Response::new(stalled.boxed_unsync()))
            }
            "to-self" => Ok(redirect(StatusCode::TEMPORARY_REDIRECT, "http://echo/")),
            "hop0" => Ok(Response::new(body("arrived"))),
            "denied" => Err(OutboundError::AddressDenied { reason: "10.0.0.1 is far".to_owned() }),
            "refused" => Err(OutboundError::Refused),
            "nowhere" => Err(OutboundError::Name { rcode: "NXDOMAIN".to_owned() }),
            "slow-name" => Err(OutboundError::NameTimeout),
            "late" => Err(OutboundError::ConnectTimeout),
            "silent" => Err(OutboundError::Timeout),
            "forged" => Err(OutboundError::Certificate { reason: "x".to_owned() }),
            "alert" => Err(OutboundError::TlsAlert { number: 40 }),
            "tls" => Err(OutboundError::Tls { reason: "x".to_owned() }),
            "unreachable" => Err(OutboundError::Unreachable { reason: "x".to_owned() }),
            "large" => Err(OutboundError::HeadTooLarge),
            "closed" => Err(OutboundError::Closed),
            "garbage" => Err(OutboundError::Protocol { reason: "x".to_owned() }),
            "port" => Err(OutboundError::Denied { reason: "x".to_owned() }),
            hop => {
                let left: u32 = hop.strip_prefix("hop").unwrap().parse().unwrap();
                Ok(redirect(StatusCode::FOUND, &format!("//hop{}/", left - 1)))
            }
        }
    }

    async fn look_up(&self, _: &Scope, lookup: &Lookup) -> Result<Found, LookupFailed> {
        self.lookups.lock().unwrap().push(lookup.clone());
        if lookup.name != "x.test" {
            return Err(LookupFailed { reason: "it does not exist".to_owned() });
        }
        Ok(match lookup.kind {
            LookupKind::Texts => Found::Texts(vec![b"one".to_vec(), b"two".to_vec()]),
            LookupKind::Names => Found::Names(vec!["a.test.".to_owned(), "b.test.".to_owned()]),
            LookupKind::CanonicalName => Found::Names(vec!["c.test.".to_owned()]),
            LookupKind::MailExchanges => Found::MailExchanges(vec![
                (5, "mail.x.test.".to_owned()),
                (10, "other.x.test.".to_owned()),
            ]),
        })
    }
}

pub(crate) fn body(text: &'static str) -> OutboundBody {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

fn redirect(status: StatusCode, location: &str) -> Response<OutboundBody> {
    let mut response = Response::new(body("elsewhere"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, location.parse().unwrap());
    response
}

type Frames = futures::stream::Pending<Result<http_body::Frame<Bytes>, OutboundError>>;

/// A stream that keeps something alive.
struct Holding(Frames, #[expect(dead_code, reason = "kept alive")] Open);

impl futures::Stream for Holding {
    type Item = Result<http_body::Frame<Bytes>, OutboundError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.0).poll_next(cx)
    }
}
