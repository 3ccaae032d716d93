//! The ways into the simulator for programs of their own: a CONNECT proxy that leads the public cloud's names to it, and
//! one TLS port of loopback.

use std::net::SocketAddr;
use std::path::PathBuf;

use azure_sim::{AzureSim, Endpoints};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use transport::{Authority, Server};

const PUBLIC: [&str; 6] = [
    "graph.microsoft.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "management.azure.com",
    "*.vault.azure.net",
    "*.blob.core.windows.net",
];

/// Both doors, open as long as this lives.
pub(crate) struct Doors {
    pub(crate) proxy: SocketAddr,
    pub(crate) endpoints: Endpoints,
    /// The root that clients must trust.
    pub(crate) root: PathBuf,
    _folder: TempDir,
    _tasks: JoinSet<()>,
    _server: Server,
}

impl Doors {
    pub(crate) async fn open(sim: &AzureSim, authority: &Authority) -> Doors {
        let names = [&PUBLIC[..], &Endpoints::certificate_names()[..]].concat();
        let identity = authority.server_identity(&names).expect("identity must be made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must be free");
        let target = listener.local_addr().expect("listener must have an address");
        let server = Server::tls(listener, identity, sim.router()).expect("server must start");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must be free");
        let proxy = listener.local_addr().expect("listener must have an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, sim.clone(), target));
        let folder = tempfile::tempdir().expect("a folder must be made");
        let root = folder.path().join("root.pem");
        std::fs::write(&root, authority.root_pem()).expect("the root must be written");
        let endpoints = Endpoints::at(target.port());
        Doors { proxy, endpoints, root, _folder: folder, _tasks: tasks, _server: server }
    }
}

async fn serve(listener: TcpListener, sim: AzureSim, target: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(lead(stream, sim.clone(), target));
    }
}

/// One tunnel; to a name that does not resolve there is none.
async fn lead(mut client: TcpStream, sim: AzureSim, target: SocketAddr) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let host = head.strip_prefix("CONNECT ")?.split([':', ' ']).next()?;
    if !sim.knows_host(host) {
        client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await.ok()?;
        return None;
    }
    let mut server = TcpStream::connect(target).await.ok()?;
    client.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").await.ok()?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}
