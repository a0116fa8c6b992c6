//! What guests print, on its way into the node's log hub.

use std::sync::Arc;

use headgate_executor::{GuestLine, GuestLog, GuestStream};
use headgate_types::Clock;

use crate::log_hub::{LogHub, LogLine, LogStream};

/// The executor's `GuestLog` over a [`LogHub`].
#[derive(Debug)]
pub(crate) struct HubLog {
    pub(crate) hub: Arc<LogHub>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl GuestLog for HubLog {
    fn line(&self, line: GuestLine<'_>) {
        self.hub.publish(LogLine {
            time: self.clock.now(),
            project: line.scope.project.clone(),
            application: line.scope.application.as_deref().map(str::to_owned),
            function: Some(line.scope.function.to_string()),
            request_id: Some(line.request_id),
            stream: match line.stream {
                GuestStream::Stdout => LogStream::Stdout,
                GuestStream::Stderr => LogStream::Stderr,
                GuestStream::Host => LogStream::Host,
            },
            text: line.text.to_owned(),
        });
    }
}
