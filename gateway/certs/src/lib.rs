//! Certificates: where they come from, and which one a client is shown.
//!
//! ```text
//! LocalAuthority ──issue──────────┐
//!     (dev)                       ▼
//! Supplied ─────────────► CertificateTable ──store──► CertificateResolver ──► rustls handshake
//!     (by the operator)    names → keys                  one ArcSwap              ▲
//!                                 ▲                      Tickets ────────────────┘
//! acme::Renewals ──certificates───┘   orders and renews, keeps them in a CertificateStore
//! ```
//!
//! The resolver answers from memory only: an unknown name costs a lookup and an alert, never a disk
//! access, a signature or an order. Tables are built by whoever builds the snapshot and published
//! whole.
//!
//! It deliberately does not listen, serve DNS or know what a project is: where challenges are
//! published and who may order is asked through small traits.
//!
//! Invariant: private keys appear in no log, no error and no `Debug` output, and on disk only in
//! files of mode 0600.

pub mod acme;
pub mod clients;
pub mod defaults;
pub mod held;
pub mod local_authority;
pub mod resolver;
pub mod server_config;
pub mod store;
pub mod supplied;
pub mod tickets;
pub mod trust;

pub use clients::{ClientAuthorities, ClientAuthoritiesError};
pub use held::{HeldCertificate, InvalidCertificate};
pub use local_authority::{LocalAuthority, Subject};
pub use resolver::{CertificateResolver, CertificateTable};
pub use server_config::{provider, server_config, server_config_for_clients};
pub use supplied::{Supplied, SuppliedError};
pub use tickets::Tickets;
pub use trust::{TrustError, TrustStores, Trusted};
