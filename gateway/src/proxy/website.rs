//! A website's answer: the site's table says what, the blob cache has it.

use std::ops::Range;

use bytes::Bytes;
use headgate_routing::RequestPath;
use headgate_website::{Body, Site, SiteAnswer, SiteRequest};
use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorType};

use super::{RequestContext, respond};
use crate::blob_cache::{BlobCache, BlobReader, Content};

type Written = pingora_error::Result<()>;

/// `below` is how much of the request's path, from its end, the site is asked for.
pub(super) async fn serve(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    site: &Site,
    below: usize,
    blobs: &BlobCache,
) -> Written {
    let SiteAnswer { status, headers, body } = ask(session, site, below);
    let head = respond::head(session, ctx, status, headers);
    match body {
        Body::Empty => respond::head_alone(session, head).await,
        Body::Text(text) => {
            session.write_response_header(head).await?;
            session.write_response_body(text, true).await
        }
        Body::Blob { digest, size, range } => {
            let content = blobs.content(digest, size).await.map_err(lost)?;
            session.write_response_header(head).await?;
            match content {
                Content::Whole(bytes) => {
                    respond::write_last(session, bytes.slice(in_memory(&range))).await
                }
                Content::Stream(blob) => stream(session, blob, range).await,
            }
        }
    }
}

fn ask(session: &ServerSession, site: &Site, below: usize) -> SiteAnswer {
    let request = session.req_header();
    let full_path = RequestPath::parse(request.uri.path()).expect("it led here");
    let full_path = full_path.as_str();
    site.answer(SiteRequest {
        method: &request.method,
        path: &full_path[full_path.len() - below..],
        full_path,
        query: request.uri.query(),
        headers: &request.headers,
    })
}

/// Of a blob that is held whole.
fn in_memory(range: &Range<u64>) -> Range<usize> {
    let end = |at| usize::try_from(at).unwrap_or(usize::MAX);
    end(range.start)..end(range.end)
}

async fn stream(session: &mut ServerSession, mut blob: BlobReader, range: Range<u64>) -> Written {
    let mut at = range.start;
    while at < range.end {
        let chunk = blob.read_at(at, range.end - at).await.map_err(lost)?;
        if chunk.is_empty() {
            return Err(Error::explain(ErrorType::InternalError, "a site's file shrank"));
        }
        at += chunk.len() as u64;
        respond::write_pieces(session, chunk).await?;
    }
    session.write_response_body(Bytes::new(), true).await
}

/// A blob that a served manifest names must be there: the store is damaged, and somebody must act.
fn lost(error: impl std::error::Error + Send + Sync + 'static) -> Box<Error> {
    Error::because(ErrorType::InternalError, "reading a site's file", error)
}
