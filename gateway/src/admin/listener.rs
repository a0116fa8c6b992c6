//! The admin sockets: a unix socket only its owner may open, and a loopback address if configured.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::{AdminState, server};
use crate::node_config::AdminConfig;

/// Connections the kernel keeps while the loop is busy with others.
const BACKLOG: i32 = 32;

/// Bound sockets, not yet answering. Dropping it removes the socket's file.
#[derive(Debug)]
pub struct AdminListener {
    unix: UnixListener,
    tcp: Option<TcpListener>,
    file: SocketFile,
}

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(
        "another headgate is running: it answers on {}; stop it, or give this one another `state` folder",
        .0.display()
    )]
    AlreadyRunning(PathBuf),
    #[error("{} is not a socket; remove it, or choose another `admin: {{socket: …}}`", .0.display())]
    NotASocket(PathBuf),
    #[error("cannot listen on {}", .path.display())]
    Unix {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("cannot listen on {address} for admin")]
    Tcp {
        address: SocketAddr,
        #[source]
        error: io::Error,
    },
}

impl AdminListener {
    /// Binds what is configured. A socket left by a node that is gone is replaced. Needs a tokio runtime.
    ///
    /// # Errors
    /// When another node answers on the socket, or an address cannot be bound.
    pub fn bind(config: &AdminConfig) -> Result<Self, AdminError> {
        let path = &config.socket;
        let failed = |error| AdminError::Unix { path: path.clone(), error };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let address = SockAddr::unix(path).map_err(failed)?;
        make_room(path, &address)?;
        let unix = bind_unix(&address).map_err(failed)?;
        let file = SocketFile::new(path).map_err(failed)?;
        let tcp = config.listen.map(bind_tcp).transpose()?;
        Ok(Self { unix, tcp, file })
    }

    /// Where the loopback listener is, with the port the kernel picked.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }

    pub fn socket(&self) -> &Path {
        &self.file.path
    }

    /// Answers until `shutdown`, which also ends whoever follows logs. Errors of one connection end that one.
    pub async fn serve(self, state: AdminState, shutdown: CancellationToken) {
        server::serve(self.unix, self.tcp, state, shutdown).await;
        drop(self.file);
    }
}

/// Removes a dead node's socket; leaves anything else alone.
fn make_room(path: &Path, address: &SockAddr) -> Result<(), AdminError> {
    let failed = |error| AdminError::Unix { path: path.to_owned(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(there) if !there.file_type().is_socket() => {
            return Err(AdminError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    // A live node with a full backlog must not keep us waiting.
    probe.set_nonblocking(true).map_err(failed)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(failed(error)),
        Ok(()) | Err(_) => Err(AdminError::AlreadyRunning(path.to_owned())),
    }
}

fn bind_unix(address: &SockAddr) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // The mode of the file that `bind` makes is the socket's own: it is never open to others, not even briefly.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, AdminError> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?; // a restart need not wait for connections of the last run
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    };
    bind().map_err(|error| AdminError::Tcp { address, error })
}

/// Removes the socket's file at the end, unless it became another's meanwhile.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // Should this fail, the next node finds the socket dead and replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
