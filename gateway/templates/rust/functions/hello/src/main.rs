//! GET /api/hello?name=Ada and GET /api/hello/Ada answer {"message": "Hello, Ada"}.

use serde_json::json;
use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let name = parameter(&request, "name").unwrap_or_else(|| "world".to_owned());
    let answer = json!({ "message": format!("Hello, {name}") });
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(answer.to_string().into())?)
}

/// A parameter of the path, which the gateway tells in a header, else the first of that name in the query.
fn parameter(request: &Request<Body>, name: &str) -> Option<String> {
    if let Some(value) = request.headers().get(format!("x-headgate-param-{name}")) {
        return Some(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
