//! A website's answer: the site's table says what, the blob cache has it.

use bytes::Bytes;
use headgate_routing::RequestPath;
use headgate_website::{Body, Site, SiteAnswer, SiteRequest};
use pingora_error::{Error, ErrorType};
use pingora_proxy::Session;

use super::{RequestContext, respond};
use crate::blob_cache::{BlobCache, Content};

type Written = pingora_error::Result<()>;

pub(super) async fn serve(
    session: &mut Session,
    ctx: &mut RequestContext,
    site: &Site,
    path: &str,
    blobs: &BlobCache,
) -> Written {
    let request = session.req_header();
    let full_path = RequestPath::parse(request.uri.path()).expect("it led here");
    let answer = site.answer(SiteRequest {
        method: &request.method,
        path,
        full_path: full_path.as_str(),
        query: request.uri.query(),
        headers: &request.headers,
    });
    let SiteAnswer { status, headers, body } = answer;
    let mut head = respond::head(session, ctx, status, headers.len());
    for (name, value) in &headers {
        head.append_header(name, value)?;
    }
    match body {
        Body::Empty => {
            session.write_response_header(head, true).await?;
            session.write_response_body(None, true).await
        }
        Body::Text(text) => {
            session.write_response_header(head, false).await?;
            session.write_response_body(Some(text), true).await
        }
        Body::Blob { digest, size, range } => {
            let content = blobs.content(digest, size).await.map_err(lost)?;
            session.write_response_header(head, false).await?;
            match content {
                Content::Whole(bytes) => {
                    let range = usize::try_from(range.start).unwrap_or(usize::MAX)
                        ..usize::try_from(range.end).unwrap_or(usize::MAX);
                    write_all(session, bytes.slice(range)).await
                }
                Content::Stream(mut blob) => {
                    let mut at = range.start;
                    while at < range.end {
                        let chunk = blob.read_at(at, range.end - at).await.map_err(lost)?;
                        if chunk.is_empty() {
                            return Err(Error::explain(
                                ErrorType::InternalError,
                                "a site's file shrank",
                            ));
                        }
                        at += chunk.len() as u64;
                        write_pieces(session, chunk).await?;
                    }
                    session.write_response_body(None, true).await
                }
            }
        }
    }
}

/// The end of a body, as one write where it fits into one.
async fn write_all(session: &mut Session, mut bytes: Bytes) -> Written {
    if !session.is_http2() {
        return session.write_response_body(Some(bytes), true).await;
    }
    let tail = bytes.split_off(bytes.len().saturating_sub(PIECE));
    write_pieces(session, bytes).await?;
    session.write_response_body(Some(tail), true).await
}

/// In pieces on HTTP/2, where a write has a time limit: a slow line must get each through in time.
async fn write_pieces(session: &mut Session, mut bytes: Bytes) -> Written {
    if !session.is_http2() {
        return session.write_response_body(Some(bytes), false).await;
    }
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        session.write_response_body(Some(piece), false).await?;
    }
    Ok(())
}

/// At the minute a write may take, one kilobyte a second is enough.
const PIECE: usize = 64 << 10;

/// A blob that a served manifest names must be there: the store is damaged, and somebody must act.
fn lost(error: impl std::error::Error + Send + Sync + 'static) -> Box<Error> {
    Error::because(ErrorType::InternalError, "reading a site's file", error)
}
