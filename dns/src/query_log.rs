//! `QueryLog`: one of so many queries as a log event.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use tracing::info;

use crate::{
    message::{Rcode, query::Question},
    responder::Transport,
};

/// Target of the events, for filters.
const TARGET: &str = "headgate_dns::queries";

/// Logs every n-th query, or none. Query names tell what people do, so this is for looking into
/// something, not for always.
#[derive(Debug, Default)]
pub struct QueryLog {
    every: Option<NonZeroU32>,
    passed: AtomicU32,
}

impl QueryLog {
    pub fn off() -> Self {
        Self::default()
    }

    pub fn every(queries: NonZeroU32) -> Self {
        Self { every: Some(queries), passed: AtomicU32::new(0) }
    }

    pub(crate) fn note(
        &self,
        question: &Question<'_>,
        client: IpAddr,
        transport: Transport,
        rcode: Rcode,
        bytes: usize,
    ) {
        let Some(every) = self.every else { return };
        if !self.passed.fetch_add(1, Relaxed).is_multiple_of(every.get()) {
            return;
        }
        let kind = hickory_proto::rr::RecordType::from(question.kind);
        info!(
            target: TARGET,
            qname = %question.name,
            qtype = %kind,
            client.addr = %client,
            transport = transport.label(),
            rcode = rcode.label(),
            bytes,
            "query"
        );
    }
}
