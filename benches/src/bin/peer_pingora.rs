//! Bare pingora: `ServeHttp` behind its own listeners, one thread. What a gateway adds is added to this.
//!
//! Arguments: HTTP address, HTTPS address, certificate file, key file.

use async_trait::async_trait;
use headgate_benches::peer::BODY;
use pingora_core::{
    apps::http_app::ServeHttp,
    listeners::tls::TlsSettings,
    protocols::http::ServerSession,
    server::{Server, configuration::ServerConf},
    services::listening::Service,
};

struct Hello;

#[async_trait]
impl ServeHttp for Hello {
    async fn response(&self, _: &mut ServerSession) -> http::Response<Vec<u8>> {
        http::Response::builder()
            .header(http::header::CONTENT_TYPE, "text/plain")
            .header(http::header::CONTENT_LENGTH, BODY.len())
            .body(BODY.into())
            .expect("these headers are valid")
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http, https, certificate, key] = &arguments[..] else {
        anyhow::bail!("usage: peer_pingora HTTP HTTPS CERTIFICATE KEY");
    };
    let provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    provider.map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let conf = ServerConf { threads: 1, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut tls = TlsSettings::intermediate(certificate, key)?;
    tls.enable_h2();
    let mut hello = Service::new("hello".to_owned(), Hello);
    hello.add_tcp(http);
    hello.add_tls_with_settings(https, None, tls);
    server.add_service(hello);
    server.run_forever();
}
