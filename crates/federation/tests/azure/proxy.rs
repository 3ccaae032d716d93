//! A proxy that leads every name to one server.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Starts one for the rest of the test, and gives its URL.
pub(crate) async fn proxy(to: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
    let url = format!("http://harness:p@{}", listener.local_addr().expect("listener must have an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(BufReader::new(stream), to));
        }
    });
    url
}

async fn tunnel(mut client: BufReader<TcpStream>, to: SocketAddr) -> std::io::Result<()> {
    let mut line = "CONNECT".to_owned();
    while line.trim() != "" {
        line.clear();
        client.read_line(&mut line).await?;
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut server = TcpStream::connect(to).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
