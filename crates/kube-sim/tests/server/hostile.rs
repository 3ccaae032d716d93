//! What no decent client sends: over bare sockets, and with answers all the same.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use transport::Roots;

use crate::support::Cluster;

async fn connect(cluster: &Cluster) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(cluster.server.addr()).await.expect("must connect");
    let roots = Roots::of(&cluster.authority).expect("must be roots");
    let config = transport::client_config(&roots, false).expect("must be a configuration");
    let name = "localhost".try_into().expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("must shake hands")
}

/// What is answered before the server closes, or the head of it when it does not.
async fn answer(cluster: &Cluster, request: &[u8]) -> String {
    let mut stream = connect(cluster).await;
    stream.write_all(request).await.expect("must be sent");
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while !all.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(size) => all.extend_from_slice(&piece[..size]),
        }
    }
    String::from_utf8_lossy(&all).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn broken_requests_are_answered() {
    let cluster = Cluster::start_bare().await;
    let long = "a".repeat(300_000);
    for (request, expected) in [
        ("\0\x01garbage\r\n\r\n".to_owned(), "HTTP/1.1 400 Bad Request"),
        (format!("GET /version?{long} HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 414 URI Too Long"),
        (
            format!("GET /version HTTP/1.1\r\nHost: x\r\nX-Long: {long}{long}{long}\r\n\r\n"),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
        // Who may not ask is told before the body is read.
        (
            "POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{".to_owned(),
            "HTTP/1.1 403 Forbidden",
        ),
        (
            "POST /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".to_owned(),
            "HTTP/1.1 403 Forbidden",
        ),
    ] {
        let found = answer(&cluster, request.as_bytes()).await;
        assert_eq!(found, expected, "{}", &request[..request.len().min(60)]);
    }
    assert_eq!(cluster.send("GET", "/version", None).await.0, 200);
    cluster.stop().await;
}

#[tokio::test]
async fn half_open_and_silent_connections_keep_nobody_waiting() {
    let cluster = Cluster::start_bare().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut stream = connect(&cluster).await;
        stream.write_all(b"GET /version HTTP/1.1\r\nHost:").await.expect("must be sent");
        silent.push(stream);
    }
    let mut half = connect(&cluster).await;
    half.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("must be sent");
    half.shutdown().await.expect("must be shut");
    // Who closes a half is taken to have left: with or without an answer, the connection ends.
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest).await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(cluster.send("GET", "/version", None).await.0, 200);
    drop(silent);
    cluster.stop().await;
}

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused() {
    let cluster = Cluster::start_bare().await;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(20_000), close.repeat(20_000)).into_bytes();
    for (media, body) in [
        ("application/json", deep("[", "]")),
        ("application/json", deep("{\"a\":", "}")),
        ("application/json", b"{\"metadata\":{\"name\":\"\xff\"}}".to_vec()),
        ("application/json", b"{\"metadata\":{\"name\":\"a\",\"generation\":1e400}}".to_vec()),
        ("application/yaml", b"a: &a [*a, *a]".to_vec()),
        ("application/yaml", deep("[", "]")),
        ("application/yaml", b"a: &a [1,1]\nb: &b [*a,*a]\nc: [".to_vec()),
        ("application/vnd.kubernetes.protobuf", b"k8s\0\xff\xff\xff".to_vec()),
        ("application/vnd.kubernetes.protobuf", b"k8s".to_vec()),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
        let (code, answer) = cluster.send_raw("POST", "/api/v1/namespaces", media, body).await;
        assert_eq!(code, 400, "{media} {shown}: {answer}");
    }
    let bombs = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
        .windows(2)
        .map(|pair| format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 12].join(",")));
    let bomb = format!("a: &a [x]\n{}", bombs.collect::<String>());
    let (code, _) = cluster.send_raw("POST", "/api/v1/namespaces", "application/yaml", bomb.into_bytes()).await;
    assert_eq!(code, 400);
    cluster.stop().await;
}

#[tokio::test]
async fn watches_that_nobody_reads_are_dropped_with_their_connections() {
    let cluster = Cluster::start().await;
    let all = serde_json::json!({"metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "system:anonymous"}]});
    assert_eq!(cluster.send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", Some(all)).await.0, 201);
    let mut unread = Vec::new();
    for _ in 0..50 {
        let mut stream = connect(&cluster).await;
        let head = "GET /api/v1/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("must be sent");
        unread.push(stream);
    }
    for index in 0..300 {
        let map = serde_json::json!({"metadata": {"name": format!("m{index}")}, "data": {"k": "v".repeat(1000)}});
        assert_eq!(cluster.send("POST", "/api/v1/namespaces/default/configmaps", Some(map)).await.0, 201);
    }
    drop(unread);
    assert_eq!(cluster.send("GET", "/version", None).await.0, 200);
    cluster.stop().await;
}
