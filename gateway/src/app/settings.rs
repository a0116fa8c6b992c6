//! What each subsystem is told of the node's configuration.

use std::{sync::Arc, time::Duration};

use headgate_edge::{Admission, AdmissionLimits, Edge};
use headgate_executor::FunctionLimits;
use pingora_core::apps::HttpServerOptions;

use crate::{
    node_config::NodeConfig,
    snapshot::{Aliases, ServeOptions},
};

/// Further names of projects. On a developer's machine those are below `localhost`, whatever zone there is.
pub(super) fn aliases(config: &NodeConfig) -> Aliases {
    match &config.zone {
        _ if config.aids.localhost_hosts => Aliases::Localhost,
        Some(zone) => Aliases::Zone(Arc::new(zone.name.clone())),
        None => Aliases::None,
    }
}

pub(super) fn serve_options(config: &NodeConfig, aliases: Aliases) -> ServeOptions {
    ServeOptions {
        aliases,
        limits: function_limits(config),
        project_instances: config.executor.project_instances,
        max_body: config.limits.request_body,
    }
}

/// The most a function may have on this node.
pub(crate) fn function_limits(config: &NodeConfig) -> FunctionLimits {
    let executor = &config.executor;
    FunctionLimits {
        memory: executor.memory_limit,
        deadline: executor.deadline_limit,
        concurrency: executor.concurrency,
        queue: executor.queue,
    }
}

pub(crate) fn executor_config(config: &NodeConfig) -> headgate_executor::Config {
    let mut executor = headgate_executor::Config::new(config.state.join("native"));
    executor.instances = config.executor.instances;
    executor.workers = config.workers.get();
    executor
}

pub(super) fn edge(config: &NodeConfig, metrics: Arc<headgate_edge::Metrics>) -> Edge {
    let limits = &config.limits;
    let mut admission = AdmissionLimits::default();
    if let Some(connections) = limits.max_connections {
        admission.connections = connections.get();
    }
    admission.per_client = limits.per_address_connections as usize;
    admission.new_per_client.refill = limits.per_address_rate;
    admission.new_per_client.per = Duration::from_secs(1);
    let mut edge = Edge::new(metrics);
    edge.admission = Admission::new(admission);
    edge.drain = config.drain;
    edge
}

/// How pingora is to run the proxy's connections.
pub(super) fn server_options(edge: &Edge) -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    // Also ends HTTP/2 connections that stall inside a header block.
    options.h2_idle_timeout = Some(edge.limits.idle);
    options
}
