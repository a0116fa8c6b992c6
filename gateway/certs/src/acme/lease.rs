//! `Lease`: which node may order a certificate.
//!
//! Two nodes that order the same one waste an authority's limits, and answer each other's challenges.
//! A node alone is always the one; a cluster answers from whatever its nodes agreed on.

use std::fmt;

use async_trait::async_trait;

use super::challenge::Standing;

/// Asked before each order, held until it is done.
#[async_trait]
pub trait Lease: Send + Sync + fmt::Debug {
    /// Whether this node may order `names` now, as they stand in the certificate's title. Dropping
    /// what is returned gives the right back; `None` says that another node has it.
    async fn acquire(&self, title: &str) -> Option<Standing>;
}

/// There is no other node.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoleNode;

#[async_trait]
impl Lease for SoleNode {
    async fn acquire(&self, _title: &str) -> Option<Standing> {
        Some(Standing::new(()))
    }
}
