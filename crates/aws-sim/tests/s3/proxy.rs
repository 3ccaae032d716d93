//! A proxy that leads every name to one server, so that a client can use the services' own hosts.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use transport::Proxy;
use trust::Secret;

/// Starts one for the rest of the test.
pub(crate) async fn to(server: SocketAddr) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
    let addr = listener.local_addr().expect("listener must have an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(BufReader::new(stream), server));
        }
    });
    Proxy { addr, user: "anyone".to_owned(), password: Secret::new("p") }
}

async fn tunnel(mut client: BufReader<TcpStream>, server: SocketAddr) -> std::io::Result<()> {
    let mut line = "CONNECT".to_owned();
    while !line.trim().is_empty() {
        line.clear();
        client.read_line(&mut line).await?;
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut stream = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut stream).await.map(drop)
}
