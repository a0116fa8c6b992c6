//! How a failed command ends: `error: …` with its causes, and what to do if that is known.

use std::{io, process::ExitCode};

use headgate_edge::BindError;

use crate::{
    admin::client::ClientError,
    cli::{
        new::NewError,
        output::{Output, Paint},
    },
    node_config::ConfigError,
    template::CreateError,
};

/// Prints the error to standard error.
pub(super) fn report(error: &anyhow::Error, output: &Output) -> ExitCode {
    output.error_text(&render(error, output));
    ExitCode::FAILURE
}

fn render(error: &anyhow::Error, output: &Output) -> String {
    if let Some(ConfigError::Invalid(problems)) = error.downcast_ref() {
        return problems.render_human(output.error_color);
    }
    let mut text = format!("{}: {error}\n", output.paint_error(Paint::Bad, "error"));
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if let Some(hint) = hint(error) {
        text.push_str(&format!("  {}: {hint}\n", output.paint_error(Paint::Strong, "help")));
    }
    text
}

fn hint(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return client_hint(error);
        }
        if let Some(ConfigError::Read { error, .. }) = cause.downcast_ref() {
            return (error.kind() == io::ErrorKind::NotFound).then_some(
                "write one (`headgate run --help` shows a whole file), or name another with --config",
            );
        }
        if let Some(ConfigError::ProjectFolder { error, .. }) = cause.downcast_ref() {
            return (error.kind() == io::ErrorKind::NotFound)
                .then_some("name a project's folder, or make one with `headgate new`");
        }
        if let Some(error) = cause.downcast_ref::<NewError>() {
            return Some(new_hint(error));
        }
        if let Some(CreateError::NotEmpty { .. } | CreateError::NotAFolder { .. }) =
            cause.downcast_ref()
        {
            return Some("nothing is ever written over: name a folder that is new or empty");
        }
        if let Some(BindError::InUse(_)) = cause.downcast_ref() {
            return Some(
                "--http ADDR:PORT and --https ADDR:PORT choose others; port 0 picks a free one",
            );
        }
        io_hint(cause.downcast_ref()?)
    })
}

fn client_hint(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::NotRunning(_) => Some(
            "start one with `headgate dev` in a project's folder or with `headgate run`; \
             --socket PATH asks a node elsewhere",
        ),
        ClientError::Open { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
            Some("the socket belongs to the user the node runs as: try sudo")
        }
        _ => None,
    }
}

fn new_hint(error: &NewError) -> &'static str {
    match error {
        NewError::NoTemplate => {
            "choose one with --template NAME; `headgate new --list` says what each makes"
        }
        NewError::NoName => "say where: headgate new DIR --template NAME",
        NewError::Unnameable { .. } => "give it one with --name NAME",
    }
}

fn io_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::AddrInUse => Some("another program listens there; stop it first"),
        io::ErrorKind::AddrNotAvailable => Some("this machine has no such address"),
        io::ErrorKind::PermissionDenied => {
            Some("files and folders must belong to the user headgate runs as")
        }
        io::ErrorKind::StorageFull => Some("the disk is full: make room and start again"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::OutputFormat;

    #[test]
    fn an_error_shows_its_causes_and_what_to_do() {
        let address = "127.0.0.1:8080".parse().unwrap();
        let error = anyhow::Error::from(BindError::InUse(address)).context("opening the doors");
        let text = render(&error, &Output::detect(OutputFormat::Json));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].ends_with(": opening the doors"), "{text}");
        assert!(lines[1].starts_with("  because: "), "{text}");
        assert!(lines[2].contains("--http ADDR:PORT"), "{text}");
    }
}
