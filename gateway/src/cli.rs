//! The command line: `headgate new | dev | run | check | status | revisions | rollback | schema | …`.
//!
//! Each command is a file which calls one library function. Events and data go to standard output, logs and
//! progress to standard error; `output` is the only place that writes to either. Exit codes: 0 all is well,
//! 1 a problem was found or something failed, 2 the command line is wrong.

mod ask;
mod certs;
mod check;
mod dns;
mod domains;
mod explain;
mod failure;
mod flags;
mod functions;
mod json_lines;
mod new;
mod output;
mod progress;
mod revisions;
mod rollback;
mod run_function;
mod schema;
mod scratch;
mod serve;
mod signals;
mod table;
mod terminal;
mod trust;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;

use self::{
    ask::{LogsArguments, NodeArguments},
    flags::NodeFlags,
    new::NewArguments,
    output::{Output, OutputFormat},
    schema::SchemaArguments,
};
use crate::node_config::AcmeSettings;

/// Reads the command line, does what it says and returns what the process ends with.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse().and_then(Arguments::consistent) {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Help and version arrive here too. A closed pipe is no reason to complain.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    let output = Output::detect(arguments.output);
    match arguments.command.run(&output) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Problem) => ExitCode::FAILURE,
        Err(error) => failure::report(&error, &output),
    }
}

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    /// It found what it looked for: a project with errors, an unknown code.
    Problem,
}

/// Headgate serves what stands in a Git repository: functions (WebAssembly), websites and their domains.
#[derive(Debug, Parser)]
#[command(
    name = "headgate",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = TOUR,
    max_term_width = 100
)]
struct Arguments {
    /// How events and data are written to standard output; json is for scripts, sarif (of `check`) for
    /// code hosts
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        display_order = 100
    )]
    output: OutputFormat,

    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// What clap cannot tell: SARIF is a format of findings, and only `check` has some.
    fn consistent(self) -> Result<Self, clap::Error> {
        match (self.output, &self.command) {
            (OutputFormat::Sarif, Command::Check(_)) => Ok(self),
            (OutputFormat::Sarif, _) => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "only `headgate check` writes SARIF; use `--output json` for other commands",
            )),
            _ => Ok(self),
        }
    }
}

const TOUR: &str = "\
Examples:
  headgate new shop            make a project in ./shop, from a template you choose
  headgate dev shop            serve the project in ./shop; a saved change is live at once
  headgate check shop          every problem of it, with line and hint
  headgate run-function hello shop
                               one of its functions, once, and what its time went into
  headgate run                 the appliance, from /etc/headgate/node.yaml
  headgate logs -f             what its functions print
  headgate rollback shop       what was served before, again and at once

Exit codes: 0 all is well, 1 a problem was found, 2 the command line is wrong.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a project that serves at once
    #[command(after_help = NEW_HELP)]
    New(NewArguments),
    /// Serve a project on this machine: saved changes are live at once, HTTPS included
    #[command(after_help = DEV_HELP, args_conflicts_with_subcommands = true)]
    Dev(DevArguments),
    /// Run the appliance: follow repositories and serve them
    #[command(after_help = RUN_HELP)]
    Run(RunArguments),
    /// Show every problem of a project without serving it
    #[command(after_help = CHECK_HELP)]
    Check(CheckArguments),
    /// Run one function of a project, without a server, and show its answer
    #[command(after_help = run_function::HELP)]
    RunFunction(run_function::Arguments),
    /// Show what a running node serves, and how each project stands
    #[command(after_help = STATUS_HELP)]
    Status(NodeArguments),
    /// List the routes of a running node: host, path, methods, target
    #[command(after_help = ROUTES_HELP)]
    Routes(NodeArguments),
    /// List the functions of a running node: what they run, how they start, what they may have
    #[command(after_help = functions::HELP)]
    Functions(functions::Arguments),
    /// List the hosts of a running node, whose they are, and what their owners enter in DNS
    #[command(after_help = domains::HELP, args_conflicts_with_subcommands = true)]
    Domains(domains::Arguments),
    /// List the certificates of a running node, what comes next for each, and what is wrong
    #[command(after_help = certs::HELP, args_conflicts_with_subcommands = true)]
    Certs(certs::Arguments),
    /// List the zones a running node answers for, ask name servers, check a delegation
    #[command(after_help = dns::HELP)]
    Dns(dns::Arguments),
    /// Show what functions printed and what became of deploys
    #[command(after_help = LOGS_HELP)]
    Logs(LogsArguments),
    /// Show the kept revisions of a running node's projects, and what changed with each
    #[command(after_help = revisions::HELP)]
    Revisions(revisions::Arguments),
    /// Serve an earlier revision again, at once, and stay there
    #[command(after_help = rollback::ROLLBACK_HELP)]
    Rollback(rollback::Arguments),
    /// Stay at what is served, whatever the branch brings
    #[command(after_help = rollback::PIN_HELP)]
    Pin(rollback::Arguments),
    /// Follow the branch again, after a rollback or a pin
    #[command(after_help = rollback::FOLLOW_HELP, visible_alias = "unpin")]
    Follow(rollback::FollowArguments),
    /// Explain the code of a diagnostic
    #[command(after_help = EXPLAIN_HELP)]
    Explain {
        /// The code, as `headgate check` prints it; without one, every code is listed
        code: Option<String>,
    },
    /// Print the JSON Schema of a project's files or of node.yaml, for editors
    #[command(after_help = SCHEMA_HELP)]
    Schema(SchemaArguments),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
struct DevArguments {
    #[command(subcommand)]
    command: Option<DevCommand>,

    /// The project's folder; a plain folder of HTML works too
    #[arg(default_value = ".", hide_default_value = true, value_name = "DIR")]
    dir: PathBuf,

    /// Follow this branch of the folder's repository instead of the files as they lie there
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,

    /// Order certificates from the authority whose ACME directory this is: a Pebble on this machine, say
    #[arg(long, value_name = "URL")]
    acme: Option<String>,

    /// The root that authority is reached by, as PEM; the system's if not given
    #[arg(long, value_name = "FILE", requires = "acme")]
    acme_root: Option<PathBuf>,

    #[command(flatten)]
    flags: NodeFlags,
}

#[derive(Debug, Subcommand)]
enum DevCommand {
    /// Make this machine and its browsers trust the local authority
    #[command(after_help = TRUST_HELP)]
    Trust,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// The node's configuration
    #[arg(
        long,
        value_name = "FILE",
        env = "HEADGATE_CONFIG",
        hide_env_values = true,
        default_value = crate::node_config::DEFAULT_FILE
    )]
    config: PathBuf,

    #[command(flatten)]
    flags: NodeFlags,
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// The project's folder
    #[arg(default_value = ".", hide_default_value = true, value_name = "DIR")]
    dir: PathBuf,
}

const NEW_HELP: &str = "\
Makes a page and a function that it calls, in the language you choose. The function is built, so
`headgate dev` serves it as it is; README.md says how to rebuild it. Asks for what is not given;
without a terminal the flags say everything. Nothing that is there is ever written over.

Examples:
  headgate new                            asks what, and what it is called
  headgate new shop --template rust       no questions
  headgate new shop --template go --git   as a repository with a first commit
  headgate new --list                     every template";

const DEV_HELP: &str = "\
Serves http://localhost:8080 and https://localhost:8443, the hosts of the project as
<name>.localhost, and any `Host:` it names. A saved change is live at the next request; a broken
one is shown here while the last good state goes on being served, and on an error page where there
is none. DNS for these names is answered at 127.0.0.1:5353, if nobody else listens there.
Certificates come from an authority made once for this user, in $XDG_DATA_HOME/headgate/ca (else
~/.local/share), or from one that --acme names, once the hosts can be proved to it; state is kept in $XDG_STATE_HOME/headgate/dev (else ~/.local/state).

Examples:
  headgate dev                            the project in this folder
  headgate dev shop --branch main         a branch of its repository, as a node serves it
  headgate dev --http 127.0.0.1:0 --output json
                                          pick a free port and say which, for scripts
  headgate dev trust                      no more certificate warnings in browsers";

const TRUST_HELP: &str = "\
Adds the local authority's certificate to this system's trust store and to the browsers of this user.
The system's store belongs to root, so this asks to be run with sudo where it must.

Example:
  sudo headgate dev trust";

const RUN_HELP: &str = "\
Reads node.yaml, serves what was accepted last, then follows each project's repository.
SIGTERM and SIGINT drain (a second one ends at once), SIGHUP reads the list of projects and
`tls.certificates` again.
A flag wins over its environment variable, that over the file, that over the default.
The credentials of a project are also those of its other repositories, a token only on the same host.

A whole node.yaml; its first line names what `headgate schema node` prints, for editors:
  # yaml-language-server: $schema=node.schema.json
  version: 1
  state: /var/lib/headgate
  http: ['0.0.0.0:80', '[::]:80']
  https: ['0.0.0.0:443', '[::]:443']
  zone:                               # every project gets <project>.<zone>; see `headgate dns`
    name: edge.example.org            # delegate it to ns1 and ns2 of it, at these addresses
    addresses: [192.0.2.1, '2001:db8::1']
  dns: {listen: ['0.0.0.0:53', '[::]:53'], log: {sample: 100}}
  admin: {listen: '127.0.0.1:9901'}   # /livez /readyz /metrics /snapshot, beside the socket
  projects:
    - name: shop
      config: https://git.example.com/shop.git
      branch: main
      poll: 5s
      token_file: /etc/headgate/shop.token   # or `user:password`; `username` may stand beside it
      code: https://git.example.com/code.git # what follows is for projects in several repositories
      repositories:                          # of websites and libraries, by source.github.fullname
        acme/site: https://git.example.com/site.git
        acme/docs: {url: 'git@git.example.com:docs.git', ssh_key: docs.key, known_hosts: hosts}
  ownership: trust                         # or verify: hosts wait for their owners, see `domains`
  tls:
    authority: acme                        # Let's Encrypt, whose terms you agree to; see `certs`
    acme: {contact: [hostmaster@example.org]}
    certificates: [{cert: shop.pem, key: shop.key}]   # your own, each for the hosts it names
  drain: 30s
  log: {format: json, level: info, access: true}
  store: {keep_revisions: 10}
  limits: {per_address_connections: 256, request_body: 100MiB}
  executor: {instances: 200, concurrency: 100, queue: 100, memory_limit: 512MiB}

Examples:
  headgate run --config node.yaml
  HEADGATE_HTTP=127.0.0.1:8080 headgate run --config node.yaml";

const CHECK_HELP: &str = "\
Reads the project as a node would, compiles its functions and prints every problem with file, line,
column and a hint. Exits with 1 if there is an error, so it can guard a merge. Taubyte's
configuration repositories, which hold no code, are checked as far as they go.

Examples:
  headgate check
  headgate check shop --output json
  headgate check --output sarif > headgate.sarif
                                          for code hosts, which show problems at their lines";

const STATUS_HELP: &str = "\
Example:
  headgate status --output json";

const ROUTES_HELP: &str = "\
In the order in which they are tried: exact paths, patterns, then the longest website prefix.

Example:
  headgate routes --socket /run/headgate/admin.sock";

const LOGS_HELP: &str = "\
A node keeps the last 1,000 lines in memory.

Examples:
  headgate logs -f
  headgate logs --project shop --output json";

const EXPLAIN_HELP: &str = "\
Example:
  headgate explain artefact-not-found";

const SCHEMA_HELP: &str = "\
Editors that know JSON Schema complete and explain the keys of a project's files. A file names
its schema in its first line, as a path from the file itself:
  # yaml-language-server: $schema=../headgate.schema.json#/definitions/function

Examples:
  headgate schema > headgate.schema.json  all kinds of files, for the top of a project
  headgate schema function                the schema of functions/<name>.yaml
  headgate schema node > node.schema.json the schema of node.yaml, for beside it
  headgate schema --all schemas           one file for each kind";

const COMPLETIONS_HELP: &str = "\
Examples:
  headgate completions bash > ~/.local/share/bash-completion/completions/headgate
  headgate completions fish > ~/.config/fish/completions/headgate.fish";

impl Command {
    fn run(self, output: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::New(arguments) => new::run(arguments, output),
            Self::Dev(DevArguments { command: Some(DevCommand::Trust), .. }) => trust::run(output),
            Self::Dev(arguments) => {
                let branch = arguments.branch.as_deref();
                let acme = arguments.acme.map(|directory| AcmeSettings {
                    directory,
                    contact: Vec::new(),
                    roots: arguments.acme_root,
                    external_account: None,
                    profile: None,
                });
                serve::dev(&arguments.dir, branch, acme, arguments.flags.into(), output)
            }
            Self::Run(arguments) => serve::run(arguments.config, arguments.flags.into(), output),
            Self::Check(arguments) => check::run(&arguments.dir, output),
            Self::RunFunction(arguments) => run_function::run(arguments, output),
            Self::Status(arguments) => ask::status(arguments, output),
            Self::Routes(arguments) => ask::routes(arguments, output),
            Self::Functions(arguments) => functions::run(arguments, output),
            Self::Domains(arguments) => domains::run(arguments, output),
            Self::Certs(arguments) => certs::run(arguments, output),
            Self::Dns(arguments) => dns::run(arguments, output),
            Self::Logs(arguments) => ask::logs(arguments, output),
            Self::Revisions(arguments) => revisions::run(arguments, output),
            Self::Rollback(arguments) => rollback::rollback(arguments, output),
            Self::Pin(arguments) => rollback::pin(arguments, output),
            Self::Follow(arguments) => rollback::follow(arguments, output),
            Self::Explain { code } => explain::run(code.as_deref(), output),
            Self::Schema(arguments) => schema::run(arguments, output),
            Self::Completions { shell } => completions(shell, output),
        }
    }
}

fn completions(shell: Shell, output: &Output) -> anyhow::Result<Verdict> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "headgate", &mut script);
    output.text(&String::from_utf8_lossy(&script))?;
    Ok(Verdict::Well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn trust_is_a_command_and_a_folder_called_so_can_still_be_served() {
        let parse = |arguments: &[&str]| Arguments::try_parse_from(arguments).unwrap().command;
        let trust = parse(&["headgate", "dev", "trust"]);
        assert!(matches!(trust, Command::Dev(DevArguments { command: Some(_), .. })));
        let folder = parse(&["headgate", "dev", "./trust"]);
        assert!(matches!(folder, Command::Dev(DevArguments { command: None, dir, .. })
            if dir.as_os_str() == "./trust"));
    }
}
