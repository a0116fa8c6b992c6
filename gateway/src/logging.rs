//! Logging: `tracing` to one sink, text on a terminal and JSON anywhere else.
//!
//! Libraries that use `log` (pingora, rustls) arrive through the bridge. Lines are written by a thread of
//! their own (`writer`), so a slow terminal or a full pipe never holds up a request. The access log is the
//! target [`ACCESS`]; it is switched with `log: {access: …}` like any other target.
//!
//! `HEADGATE_LOG`, else `RUST_LOG`, adds directives of `tracing_subscriber::EnvFilter` to the configured level,
//! for example `HEADGATE_LOG=headgate_project=debug`. Release builds hold nothing below `info`.

mod writer;

use std::{fmt, io::Write};

use headgate_types::{Clock, SystemClock};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::ParseError,
    fmt::{format::Writer, time::FormatTime},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use self::writer::LineWriter;
pub use self::writer::LogGuard;
use crate::node_config::{LogConfig, LogFormat};

/// The target of the access log: one event per request, at `info`.
pub const ACCESS: &str = "headgate::access";

/// Libraries that say much and mean little. A directive of the user's for the same target wins.
const QUIET: [&str; 8] = [
    // It reports every HTTP/2 client that leaves as an error.
    "pingora_core::apps=off",
    "pingora_core=warn",
    "h2=warn",
    "hyper=warn",
    "rustls=warn",
    "wasmtime=warn",
    "cranelift=warn",
    "gix=warn",
];

/// Where lines go.
pub struct LogSink {
    pub writer: Box<dyn Write + Send>,
    /// Decides what `format: auto` means.
    pub terminal: bool,
    pub color: bool,
    /// Further directives, from the environment.
    pub directives: Option<String>,
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSink").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{directives}` are not log directives, such as `info,headgate_project=debug`")]
    Directives {
        directives: String,
        #[source]
        error: ParseError,
    },
    #[error("cannot start the log's thread")]
    Thread(#[source] std::io::Error),
}

/// Starts logging for the whole process. Lines still in memory are written when the guard is dropped.
///
/// A process logs to its first sink: where something is installed already (another test in the same process),
/// that stays and the new sink is never written to.
///
/// # Errors
/// When the directives do not parse or no thread can be started.
pub fn init(config: &LogConfig, sink: LogSink) -> Result<LogGuard, LogError> {
    let filter = filter(config, sink.directives.as_deref())?;
    let text = match config.format {
        LogFormat::Auto => sink.terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let (writer, guard) = writer::start(sink.writer).map_err(LogError::Thread)?;
    let layer = if text { text_layer(writer, sink.color) } else { json_layer(writer) };
    let _already_installed =
        tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Ok(guard)
}

fn filter(config: &LogConfig, directives: Option<&str>) -> Result<EnvFilter, LogError> {
    let access = if config.access { "info" } else { "off" };
    let ours = format!("{},{},{ACCESS}={access}", config.level.as_str(), QUIET.join(","));
    let parse = |text: &str| EnvFilter::builder().parse(text);
    match directives.filter(|text| !text.trim().is_empty()) {
        // Later directives replace earlier ones for the same target.
        Some(theirs) => parse(&format!("{ours},{theirs}"))
            .map_err(|error| LogError::Directives { directives: theirs.to_owned(), error }),
        None => Ok(parse(&ours).expect("these directives are constants")),
    }
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn text_layer(writer: LineWriter, color: bool) -> BoxedLayer {
    tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(color)
        .with_timer(TimeOfDay)
        .log_internal_errors(false)
        .boxed()
}

fn json_layer(writer: LineWriter) -> BoxedLayer {
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(writer)
        .log_internal_errors(false)
        .boxed()
}

/// `13:00:00.000Z`: a person at a terminal knows the date.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let now = SystemClock.now().to_string();
        w.write_str(now.split_once('T').map_or(now.as_str(), |(_, time)| time))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::node_config::LogLevel;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn config(access: bool) -> LogConfig {
        LogConfig { format: LogFormat::Auto, level: LogLevel::Info, access }
    }

    /// What `emit` logs, through the layers `init` would install.
    fn logged(config: LogConfig, directives: Option<&str>, text: bool, emit: fn()) -> String {
        let sink = Sink::default();
        let (writer, guard) = writer::start(Box::new(sink.clone())).unwrap();
        let layer = if text { text_layer(writer, false) } else { json_layer(writer) };
        let filter = filter(&config, directives).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::with_default(subscriber, emit);
        drop(guard);
        sink.text()
    }

    fn emit() {
        tracing::info!(target: ACCESS, host = "shop", "request");
        tracing::error!(target: "pingora_core::apps", "client left");
        tracing::info!(target: "h2::codec", "frame");
        tracing::warn!(target: "h2::codec", "flood");
    }

    #[test]
    fn noisy_libraries_are_quiet() {
        let text = logged(config(true), None, true, emit);
        assert!(text.contains("request host=\"shop\"") && text.contains("flood"), "{text}");
        assert!(!text.contains("client left") && !text.contains("frame"), "{text}");
    }

    #[test]
    fn the_access_log_can_be_switched_off() {
        assert!(!logged(config(false), None, true, emit).contains("request"));
    }

    #[test]
    fn directives_of_the_environment_win() {
        let text = logged(config(false), Some("headgate::access=info,h2=info"), true, emit);
        assert!(text.contains("request") && text.contains("frame"), "{text}");
        assert!(matches!(filter(&config(true), Some("a=b=c")), Err(LogError::Directives { .. })));
    }

    #[test]
    fn json_is_one_flat_object_a_line() {
        let text = logged(config(true), None, false, emit);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["message"], "request");
        assert_eq!(first["host"], "shop");
        assert_eq!(first["target"], ACCESS);
    }

    #[test]
    fn starting_twice_is_harmless() {
        for _ in 0..2 {
            let sink = LogSink {
                writer: Box::new(std::io::sink()),
                terminal: false,
                color: false,
                directives: None,
            };
            drop(init(&config(true), sink).unwrap());
        }
    }
}
