//! Contract: tries a TCP connection to 127.0.0.1, port 80 or the query's, by `wasi:sockets`, and
//! answers 200 `text/plain` "connected" or the name of the error, such as "access-denied".
//!
//! Apart from `hostile`, because an executor may as well refuse to link `wasi:sockets` at all.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

struct Sockets;

wasip2::http::proxy::export!(Sockets);

impl Guest for Sockets {
    fn handle(request: IncomingRequest, responder: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let port = target.split_once('?').and_then(|(_, query)| query.parse().ok());
        match connect(port.unwrap_or(80)) {
            Ok(()) => text(responder, "connected"),
            Err(error) => text(responder, error.name()),
        }
    }
}

fn connect(port: u16) -> Result<(), ErrorCode> {
    let network = instance_network();
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    let address = Ipv4SocketAddress { port, address: (127, 0, 0, 1) };
    socket.start_connect(&network, IpSocketAddress::Ipv4(address))?;
    loop {
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            Err(error) => return Err(error),
            Ok(_streams) => return Ok(()),
        }
    }
}

fn text(responder: ResponseOutparam, text: &str) {
    let fields = Fields::new();
    let _ = fields.append("content-type", b"text/plain");
    let response = OutgoingResponse::new(fields);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(responder, Ok(response));

    let Ok(sink) = body.write() else { return };
    let _ = sink.blocking_write_and_flush(text.as_bytes());
    drop(sink);
    let _ = OutgoingBody::finish(body, None);
}
