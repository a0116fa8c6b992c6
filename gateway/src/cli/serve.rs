//! `headgate dev` and `headgate run`: the same node, told different things about its machine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use headgate_types::{Branch, Chain, SystemClock};
use tokio::signal::unix::Signal;
use tracing::{error, info};

use crate::{
    app::{Gateway, Reloader},
    cli::{
        Verdict,
        json_lines::JsonLines,
        output::Output,
        signals::{self, EndSignals},
        terminal::{Greeting, Terminal},
    },
    event::Reporter,
    logging,
    node_config::{AcmeSettings, ConfigError, DevOptions, Homes, NodeConfig, Overrides},
};

/// For work on blocking threads to end by itself, once everything else has.
const LAST_WORK: Duration = Duration::from_millis(200);

pub(super) fn dev(
    dir: &Path,
    branch: Option<&str>,
    acme: Option<AcmeSettings>,
    overrides: Overrides,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let branch_name = branch.map(Branch::new);
    let options = DevOptions { dir: dir.to_owned(), branch: branch_name, acme, overrides };
    let config = NodeConfig::for_dev(&options, &homes()?)?;
    let greeting = Greeting::Dev {
        dir: dir.canonicalize().unwrap_or_else(|_| dir.to_owned()),
        authority: config.tls.local.clone(),
        branch: branch.map(str::to_owned),
    };
    serve(config, greeting, None, output)
}

pub(super) fn run(file: PathBuf, overrides: Overrides, output: &Output) -> anyhow::Result<Verdict> {
    let config = NodeConfig::load(&file, &overrides)?;
    serve(config, Greeting::Run, Some(ConfigFile { file, overrides }), output)
}

/// The user's folders, as this process sees them.
pub(super) fn homes() -> Result<Homes, ConfigError> {
    Homes::from_env(|name| std::env::var_os(name).map(PathBuf::from)).ok_or(ConfigError::NoHome)
}

/// What SIGHUP reads again.
struct ConfigFile {
    file: PathBuf,
    overrides: Overrides,
}

fn serve(
    config: NodeConfig,
    greeting: Greeting,
    file: Option<ConfigFile>,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let _logging = logging::init(&config.log, output.log_sink())?;
    let reporter: Arc<dyn Reporter> = if output.is_json() {
        Arc::new(JsonLines { output: output.clone(), clock: Arc::new(SystemClock) })
    } else {
        Arc::new(Terminal::new(output.clone(), greeting))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers.get())
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(async {
        // Taken over before anything is made, so that a signal during start-up ends it in order, too.
        let end = EndSignals::listen(file.is_some()).context("listening for signals")?;
        let hangups = signals::hangup().context("listening for signals")?;
        let gateway = Gateway::build(config, reporter)?;
        let reloading = file.map(|file| tokio::spawn(reload(gateway.reloader(), file, hangups)));
        let ended = gateway.run_until(end.first()).await;
        if let Some(reloading) = reloading {
            reloading.abort();
        }
        ended
    })?;
    // What still runs on blocking threads (a compilation) is of no use any more, and harms nothing if cut.
    runtime.shutdown_timeout(LAST_WORK);
    Ok(Verdict::Well)
}

/// Reads the file again at every hangup. A file with mistakes changes nothing.
async fn reload(reloader: Reloader, source: ConfigFile, mut hangups: Signal) {
    let ConfigFile { file, overrides } = source;
    while hangups.recv().await.is_some() {
        match NodeConfig::load(&file, &overrides) {
            Ok(config) => {
                reloader.reload(config).await;
                info!(file = %file.display(), "configuration read again");
            }
            Err(error) => {
                let error = Chain(&error).to_string();
                error!(file = %file.display(), error, "configuration kept as it was");
            }
        }
    }
}
