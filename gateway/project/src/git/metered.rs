//! `Metered`: HTTP for Git that reads no more, and no longer, than it may.
//!
//! gix looks at the flag to stop while it receives a pack, but not while it reads what comes before: the
//! capabilities and refs of a remote are collected in memory for as long as it sends some.

use std::{
    any::Any,
    io::{self, BufRead, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, reqwest::Remote,
};

use super::remote::Credentials;

/// How much one talk with a remote may still bring, and whether it is to go on.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    stop: Arc<AtomicBool>,
    left: Arc<AtomicU64>,
}

impl Meter {
    pub(super) fn new(stop: Arc<AtomicBool>, bytes: u64) -> Self {
        Self { stop, left: Arc::new(AtomicU64::new(bytes)) }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.left.load(Relaxed) == 0
    }

    fn check(&self) -> io::Result<()> {
        if self.stop.load(Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        match self.is_exhausted() {
            true => Err(io::Error::other("the answer is too long")),
            false => Ok(()),
        }
    }

    fn count(&self, bytes: usize) {
        // One thread reads at a time.
        let left = self.left.load(Relaxed);
        self.left.store(left.saturating_sub(bytes as u64), Relaxed);
    }
}

pub(super) struct Metered {
    http: Remote,
    meter: Meter,
    authorization: Option<String>,
}

impl Metered {
    pub(super) fn new(meter: Meter) -> Self {
        Self { http: Remote::default(), meter, authorization: None }
    }

    /// Shows credentials even over plain http, which gix does not, but to no server it is sent on to.
    pub(super) fn with_credentials(self, Credentials { user, password }: &Credentials) -> Self {
        let encoded = BASE64.encode(format!("{user}:{password}"));
        Self { authorization: Some(format!("Authorization: Basic {encoded}")), ..self }
    }

    fn headers(&self, headers: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
        let own = self.authorization.clone().filter(|_| self.http.redirected_base_url().is_none());
        headers.into_iter().map(|header| header.as_ref().to_owned()).chain(own).collect()
    }

    fn reader<R>(&self, inner: R) -> MeteredReader<R> {
        MeteredReader { inner, meter: self.meter.clone() }
    }
}

impl Http for Metered {
    type Headers = MeteredReader<<Remote as Http>::Headers>;
    type ResponseBody = MeteredReader<<Remote as Http>::ResponseBody>;
    type PostBody = <Remote as Http>::PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let headers = self.headers(headers);
        let GetResponse { headers, body } = self.http.get(url, base_url, headers)?;
        Ok(GetResponse { headers: self.reader(headers), body: self.reader(body) })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let headers = self.headers(headers);
        let response = self.http.post(url, base_url, headers, body)?;
        let PostResponse { post_body, headers, body } = response;
        let (headers, body) = (self.reader(headers), self.reader(body));
        Ok(PostResponse { post_body, headers, body })
    }

    fn configure(&mut self, config: &dyn Any) -> gix::Result<()> {
        self.http.configure(config)
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.http.redirected_base_url()
    }
}

pub(super) struct MeteredReader<R> {
    inner: R,
    meter: Meter,
}

impl<R: BufRead> Read for MeteredReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.meter.check()?;
        let read = self.inner.read(into)?;
        self.meter.count(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for MeteredReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.meter.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.meter.count(bytes);
        self.inner.consume(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(meter: &Meter) -> MeteredReader<io::Cursor<Vec<u8>>> {
        MeteredReader { inner: io::Cursor::new(vec![b'x'; 1 << 20]), meter: meter.clone() }
    }

    #[test]
    fn a_reader_ends_with_what_it_may_read_or_when_it_is_told_to() {
        let stop = Arc::new(AtomicBool::new(false));
        let meter = Meter::new(stop.clone(), 10);
        let mut three = [0; 3];
        let mut first = reader(&meter);
        for _ in 0..4 {
            first.read_exact(&mut three).unwrap();
        }
        assert!(first.read(&mut three).is_err() && meter.is_exhausted());
        assert!(reader(&meter).fill_buf().is_err(), "all readers of one talk together");

        let mut stopped = reader(&Meter::new(stop.clone(), 10));
        assert!(stopped.fill_buf().is_ok());
        stop.store(true, Relaxed);
        assert!(stopped.fill_buf().is_err());
    }
}
