//! The access log: one line a request, a target of its own, JSON or readable as the whole log is.

use std::time::Duration;

use headgate_edge::ConnectionInfo;
use headgate_executor::Start;
use pingora_core::protocols::http::ServerSession;
use tracing::info;

use super::{RequestContext, respond};
use crate::{logging::ACCESS, snapshot::Target};

#[derive(Debug, Clone, Copy)]
pub struct AccessLog {
    enabled: bool,
}

impl AccessLog {
    pub fn new(enabled: bool) -> Self {
        Self { enabled }
    }

    pub(super) fn write(
        self,
        session: &ServerSession,
        ctx: &RequestContext<'_>,
        connection: Option<&ConnectionInfo>,
        elapsed: Duration,
    ) {
        if !self.enabled {
            return;
        }
        let request = session.req_header();
        let status = respond::answered(session).map_or(0, |status| status.as_u16());
        let route = ctx.route.as_deref();
        let function = route.filter(|route| matches!(route.target, Target::Function(_)));
        let started = ctx.phases.start;
        info!(
            target: ACCESS,
            request = %ctx.id,
            client.addr = connection.map(|c| tracing::field::display(c.client)),
            http.request.method = request.method.as_str(),
            host = super::context::host(request),
            path = request.uri.path(),
            http.response.status_code = status,
            bytes = session.body_bytes_sent(),
            elapsed_us = micros(elapsed),
            http.version = ?request.version,
            project = route.map(|r| tracing::field::display(&r.revision.project)),
            http.route = route.map(|r| &*r.pattern),
            function = function.map(|route| &*route.name),
            start = ctx.phases.start.map(Start::label),
            queue_us = function.map(|_| micros(ctx.phases.queue)),
            opening_us = function.map(|_| micros(ctx.phases.opening)),
            starting_us = started.map(|_| micros(ctx.phases.starting)),
            computed_us = started.map(|_| micros(ctx.phases.computed)),
            cut = ctx.cut,
            error = ctx.failure.as_deref(),
            "request"
        );
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
