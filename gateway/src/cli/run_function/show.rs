//! What the command says: for a person around the answer, for a script as one object.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use headgate_executor::{Function, StartUp};
use headgate_project::Diagnostics;
use http::{HeaderMap, response::Parts};
use serde_json::{Value, json};

use super::{
    Failure, Ran,
    lines::Line,
    measure::Measured,
    request::{Request, Unfit},
};
use crate::{
    cli::{
        Verdict,
        output::{Output, Paint, count, plain},
    },
    deploy::single::UnknownFunction,
};

/// Whom it says it to, and about what.
pub(super) struct Shown<'a> {
    pub(super) output: &'a Output,
    /// What concerns the function and did not keep it from being run.
    pub(super) diagnostics: &'a Diagnostics,
    /// Errors that do not.
    pub(super) elsewhere: usize,
    pub(super) name: String,
}

impl Shown<'_> {
    /// What is to be said before it runs.
    pub(super) fn preparations(&self) {
        if self.output.is_json() {
            return;
        }
        if !self.diagnostics.is_empty() {
            let text = self.diagnostics.render_human(self.output.error_color);
            self.output.error_text(&format!("{text}\n"));
        }
        if self.elsewhere > 0 {
            let errors = count(self.elsewhere, "error");
            let text = format!("the rest of the project has {errors}: `headgate check` shows them");
            self.output.error_text(&(self.output.paint_error(Paint::Attention, &text) + "\n"));
        }
    }

    pub(super) fn head(&self, parts: &Parts) {
        if self.output.is_json() {
            return;
        }
        let paint = if parts.status.is_server_error() { Paint::Bad } else { Paint::Good };
        let mut text = self.output.paint_error(paint, &format!("HTTP {}", parts.status)) + "\n";
        for (name, value) in &parts.headers {
            let value = plain(&String::from_utf8_lossy(value.as_bytes()));
            text.push_str(&format!(
                "{}: {value}\n",
                self.output.paint_error(Paint::Faint, name.as_str())
            ));
        }
        self.output.error_text(&text);
    }

    /// What became of it.
    pub(super) fn end(
        &self,
        request: &Request,
        ran: &Ran,
        function: &Function,
        measured: &Measured,
        lines: Vec<Line>,
    ) -> anyhow::Result<Verdict> {
        if self.output.is_json() {
            self.output.json(&self.object(request, ran, function, measured, &lines))?;
        } else {
            self.end_text(ran, measured);
        }
        let answered = ran.head.as_ref().is_some_and(|(status, _)| !status.is_server_error());
        let well = answered && ran.failure.is_none() && measured.failed() == 0;
        Ok(if well { Verdict::Well } else { Verdict::Problem })
    }

    fn end_text(&self, ran: &Ran, measured: &Measured) {
        let mut text = String::new();
        // The body need not end with its line.
        if ran.head.is_some() {
            text.push('\n');
        }
        if let Some(Failure { text: why, .. }) = &ran.failure {
            // Its backtrace was among the lines.
            let cut = if ran.head.is_some() { "the answer was cut: " } else { "" };
            let error = self.output.paint_error(Paint::Bad, "error");
            text.push_str(&format!("{error}: {cut}{}\n", plain(why)));
        }
        if measured.failed() > 0 {
            let error = self.output.paint_error(Paint::Bad, "error");
            text.push_str(&format!(
                "{error}: {} failed\n",
                count(measured.failed(), "further run")
            ));
        }
        text.push_str(&self.output.paint_error(Paint::Faint, measured.text().trim_end()));
        text.push('\n');
        self.output.error_text(&text);
    }

    fn object(
        &self,
        request: &Request,
        ran: &Ran,
        function: &Function,
        measured: &Measured,
        lines: &[Line],
    ) -> Value {
        let (body, base64) = match std::str::from_utf8(&ran.body) {
            Ok(text) => (Some(text), None),
            Err(_) => (None, Some(STANDARD.encode(&ran.body))),
        };
        json!({
            "function": self.name,
            "method": request.method.as_str(),
            "path": request.target.to_string(),
            "status": ran.head.as_ref().map(|(status, _)| status.as_u16()),
            "headers": ran.head.as_ref().map(|(_, fields)| fields_json(fields)),
            "body": body,
            "body_base64": base64,
            "error": ran.failure.as_ref().map(|failure| json!({
                "message": failure.text,
                "backtrace": failure.backtrace,
            })),
            "log": lines,
            "start_up": start_up(function.start_up()),
            "timing": measured.json(),
            "diagnostics": self.diagnostics.to_json(),
            "errors_elsewhere": self.elsewhere,
        })
    }
}

/// Each name with all its values.
fn fields_json(fields: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(name.as_str()).or_default().push(value);
    }
    all
}

fn start_up(known: Option<StartUp>) -> Value {
    match known {
        None => json!({"kind": "unknown", "because": null}),
        Some(StartUp::None) => json!({"kind": "none", "because": null}),
        Some(StartUp::Snapshot) => json!({"kind": "snapshot", "because": null}),
        Some(StartUp::Each { because }) => json!({"kind": "each", "because": because}),
    }
}

/// The function has errors.
pub(super) fn refused(diagnostics: &Diagnostics, output: &Output) -> anyhow::Result<Verdict> {
    if output.is_json() {
        output.json(&json!({"status": null, "diagnostics": diagnostics.to_json()}))?;
    } else {
        output.error_text(&diagnostics.render_human(output.error_color));
    }
    Ok(Verdict::Problem)
}

pub(super) fn unknown(unknown: &UnknownFunction, output: &Output) -> anyhow::Result<Verdict> {
    let help = match unknown {
        UnknownFunction::Absent { meant: Some(meant), known, .. } => {
            format!("did you mean `{}`? there is {}", plain(meant), listed(known))
        }
        UnknownFunction::Absent { known, .. } if known.is_empty() => {
            "the project has no function; `headgate new` makes one that does".to_owned()
        }
        UnknownFunction::Absent { known, .. } => format!("there is {}", listed(known)),
        UnknownFunction::Ambiguous { known, .. } => format!("say which: {}", listed(known)),
        UnknownFunction::NotHttp { .. } => {
            "only functions with a trigger of type http or https are run".to_owned()
        }
    };
    failed(&unknown.to_string(), &help, output)
}

pub(super) fn unfit(unfit: &Unfit, output: &Output) -> anyhow::Result<Verdict> {
    let help = match unfit {
        Unfit::NoPath(_) => "a path begins with `/`: --path '/users/7?full=1'".to_owned(),
        Unfit::Parameters(path) => {
            format!("say what they are: --path '{}'", plain(path).replace(['{', '}', '*'], ""))
        }
        Unfit::Path { known, .. } => format!("it answers {}", listed(known)),
        Unfit::Method { allow, .. } => format!("it answers {allow}: --method METHOD"),
    };
    failed(&unfit.to_string(), &help, output)
}

fn listed(names: &[String]) -> String {
    headgate_project::diagnostic::listed(names.iter().map(String::as_str))
}

fn failed(message: &str, help: &str, output: &Output) -> anyhow::Result<Verdict> {
    if output.is_json() {
        output.json(&json!({"status": null, "error": {"message": message, "help": help}}))?;
    } else {
        let error = output.paint_error(Paint::Bad, "error");
        let strong = output.paint_error(Paint::Strong, "help");
        output.error_text(&format!("{error}: {}\n  {strong}: {help}\n", plain(message)));
    }
    Ok(Verdict::Problem)
}
