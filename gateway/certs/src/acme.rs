//! Certificates from an authority that speaks ACME (RFC 8555).
//!
//! ```text
//!  wanted names ──► Renewals ──plan──► Order (no I/O) ◄──► driver ──► the authority
//!                      │                                     │
//!                      │ ◄── CertificateStore (files) ◄──────┤
//!                      ▼                                     ▼
//!               certificates by name            ChallengeZone, HttpTokens, AlpnChallenges
//! ```
//!
//! [`Renewals`] is the reconciler: it compares the names that are wanted with the certificates that
//! are held, and orders what is missing or due. It knows no listener and no name server: whoever
//! composes it hands in a [`ChallengeZone`], serves [`HttpTokens`] and asks [`AlpnChallenges`].
//!
//! Invariants:
//! 1. The key and its request are on disk before anything is ordered with them, the order's URL before
//!    anything is proved for it. Killed anywhere, the next start goes on with the same order; at
//!    most one order is lost, and no second certificate is made.
//! 2. A certificate that is held is served until a better one is stored.
//! 3. The authority is asked no faster than it allows: its limits are counted here, its `Retry-After`
//!    is kept, and each failure doubles the pause before the next try.

pub mod account;
pub mod challenge;
mod client;
pub mod defaults;
mod driver;
pub mod lease;
pub mod limits;
pub mod metrics;
pub mod order;
mod plan;
pub mod problem;
mod registered_domain;
pub mod renewals;
pub mod status;
pub mod wanted;

pub use account::{AccountError, ExternalAccount, NotAKey};
pub use challenge::{AlpnChallenges, ChallengeZone, HttpTokens, PublishError, Standing};
pub use client::RootsError;
pub use lease::{Lease, SoleNode};
pub use limits::{LimitUse, Limits, issuer_domain};
pub use metrics::Metrics;
pub use problem::OrderError;
pub use renewals::{
    AcmeConfig, AcmeServices, CertificatesByName, CommandError, OpenRenewalsError, Renewals,
    RenewalsHandle,
};
pub use status::{CertificateState, CertificateStatus, NextStep, Origin};
pub use wanted::{Method, Prove, Wanted};
