//! The gateway's own pages: plain HTML that needs nothing else, readable in the light and in the dark.

use std::{fmt::Write, sync::Arc};

use headgate_project::Diagnostics;
use http::{StatusCode, header};
use pingora_core::protocols::http::ServerSession;

use super::{RequestContext, Written, write};
use crate::status::{Latest, StatusBoard};

/// The newest revision of a project, which has errors.
pub(super) struct RefusedRevision {
    title: String,
    diagnostics: Arc<Diagnostics>,
}

/// Browsers name `text/html` in `Accept`; programs rarely do.
pub(super) fn wanted(session: &ServerSession) -> bool {
    let accept = session.req_header().headers.get(header::ACCEPT);
    accept.is_some_and(|value| value.as_bytes().windows(9).any(|part| part == b"text/html"))
}

pub(super) fn sentence(ctx: &RequestContext<'_>, status: StatusCode, text: &str) -> String {
    let title = status.canonical_reason().unwrap_or("Error");
    let main = format!(
        "<h1>{title}</h1><p>{}</p><p class=\"id\">{} · request {}</p>",
        Escaped(text),
        status.as_u16(),
        ctx.id
    );
    document(title, &main)
}

/// The first refused revision on the board.
pub(super) fn refused_revision(board: &StatusBoard) -> Option<RefusedRevision> {
    board.all().into_iter().find_map(|status| match status.latest {
        Latest::Refused { commit, diagnostics } => Some(RefusedRevision {
            title: format!("{} {}: {}", status.project, commit.fmt_short(), diagnostics.summary()),
            diagnostics,
        }),
        _ => None,
    })
}

/// For a developer: what is wrong with the newest revision, as the terminal shows it.
pub(super) async fn diagnostics(
    session: &mut ServerSession,
    ctx: &RequestContext<'_>,
    status: StatusCode,
    refused: &RefusedRevision,
) -> Written {
    let html = wanted(session);
    let rendered = refused.diagnostics.render_human(false);
    let body = match html {
        true => {
            let mut main = String::new();
            let title = Escaped(&refused.title);
            write!(main, "<h1>This revision has errors</h1><p>{title}</p>")
                .expect("a string grows");
            write!(main, "<pre>{}</pre>", Escaped(&rendered)).expect("a string grows");
            document("This revision has errors", &main)
        }
        false => format!("{}\n\n{rendered}", refused.title),
    };
    write(session, ctx, status, html, body.into(), &[]).await
}

fn document(title: &str, main: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>\
         <style>{STYLE}</style><main>{main}</main></html>\n",
        Escaped(title)
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:16px/1.5 system-ui,sans-serif}\
main{max-width:60rem;margin:12vh auto 2rem;padding:0 1.5rem}\
h1{font-size:1.6rem;margin:0 0 .5rem}\
pre{overflow-x:auto;padding:1rem;border:1px solid #8884;border-radius:.5rem;font:14px/1.45 ui-monospace,monospace}\
.id{opacity:.6;font-size:.85rem}";

/// Text as HTML content.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            c => f.write_char(c),
        })
    }
}
