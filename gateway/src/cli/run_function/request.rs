//! The request a function is run with: what the command line says of it, and what a node would add.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use headgate_executor::{HttpInvocation, Invocation, RequestBody};
use headgate_routing::{Found, RequestPath, Route, RouteKind, RoutePath, RouteTableBuilder};
use headgate_types::{HostPattern, RequestId};
use http::{HeaderMap, HeaderValue, Method, Uri, header};

use super::Arguments;
use crate::{
    manifest::FunctionEntry,
    proxy::{Hop, pass_on},
};

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: Uri,
    fields: HeaderMap,
    params: Vec<(Box<str>, String)>,
}

/// A request that a node would not hand to the function.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unfit {
    #[error("`{0}` is not the path of a request")]
    NoPath(String),
    /// There is no path without one to begin with.
    #[error("the path `{0}` has parameters")]
    Parameters(String),
    #[error("the function does not answer `{path}`")]
    Path { path: String, known: Vec<String> },
    #[error("the function does not answer {method} at `{path}`")]
    Method { method: Method, path: String, allow: String },
}

impl Request {
    /// What the arguments say, else the function's first method, path and host.
    pub(super) fn new(arguments: &Arguments, function: &FunctionEntry) -> Result<Self, Unfit> {
        let target = match &arguments.path {
            Some(path) => target(path)?,
            None => first_path(function)?,
        };
        let first = function.methods.iter().next().and_then(|method| method.parse().ok());
        let method = arguments.method.clone().or(first).unwrap_or(Method::GET);
        let params = params(function, &method, target.path())?;
        let mut fields: HeaderMap = HeaderMap::new();
        for (name, value) in &arguments.headers {
            fields.append(name, value.clone());
        }
        if !fields.contains_key(header::HOST) {
            fields.insert(header::HOST, host(&function.hosts));
        }
        Ok(Self { method, target, fields, params })
    }

    /// As a node would hand it on, with an id of its own each time.
    pub(super) fn invocation(&self, body: Bytes) -> Invocation {
        let mut rng = rand::rng();
        let id = RequestId::random(&mut rng);
        let mut request = http::Request::new(RequestBody::empty());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.fields.clone();
        let hop = Hop {
            id,
            span: rand::Rng::random::<[u8; 8]>(&mut rng).map(|byte| byte | 1),
            secure: false,
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            certificate: None,
        };
        let fields = request.headers_mut();
        pass_on(fields, &hop);
        if !body.is_empty() {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            *request.body_mut() = RequestBody::full(body);
        }
        let params = self.params.clone();
        Invocation::Http(HttpInvocation { request, secure: false, request_id: id, params })
    }
}

fn target(text: &str) -> Result<Uri, Unfit> {
    let unfit = || Unfit::NoPath(text.to_owned());
    if !text.starts_with('/') {
        return Err(unfit());
    }
    text.parse().map_err(|_| unfit())
}

fn first_path(function: &FunctionEntry) -> Result<Uri, Unfit> {
    let Some(exact) = function.paths.iter().find(|path| path.is_exact()) else {
        let first = function.paths.first().map_or("/", |path| path.as_str());
        return Err(Unfit::Parameters(first.to_owned()));
    };
    target(exact.as_str())
}

/// What the function's own patterns find in the path; the routes of others play no part.
fn params(
    function: &FunctionEntry,
    method: &Method,
    path: &str,
) -> Result<Vec<(Box<str>, String)>, Unfit> {
    let parsed = RequestPath::parse(path).map_err(|_| Unfit::NoPath(path.to_owned()))?;
    let mut routes = RouteTableBuilder::new();
    for pattern in &function.paths {
        let claim = Route {
            host: ANY_HOST.parse().expect("this is a host name"),
            kind: RouteKind::Function,
            path: RoutePath::Pattern(pattern.clone()),
            methods: function.methods,
            name: function.name.as_str().into(),
        };
        routes.add(claim, ());
    }
    match routes.build().find(ANY_HOST, method.as_str(), &parsed) {
        Found::Route { params, .. } => {
            Ok(params.iter().map(|param| (param.name.into(), param.value().into_owned())).collect())
        }
        Found::MethodNotAllowed { allow } => {
            let (method, path) = (method.clone(), path.to_owned());
            Err(Unfit::Method { method, path, allow: allow.to_string() })
        }
        Found::NotFound | Found::UnknownHost => {
            let known = function.paths.iter().map(|path| path.as_str().to_owned()).collect();
            Err(Unfit::Path { path: path.to_owned(), known })
        }
    }
}

const ANY_HOST: &str = "localhost";

/// The first host that is a whole name.
fn host(hosts: &[HostPattern]) -> HeaderValue {
    let whole = hosts.iter().find(|host| matches!(host, HostPattern::Exact(_)));
    let name = whole.map_or_else(|| ANY_HOST.to_owned(), ToString::to_string);
    HeaderValue::try_from(name).expect("host names are a valid value")
}
