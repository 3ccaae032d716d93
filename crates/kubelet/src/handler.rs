//! What a probe or a hook does: a command, a request, a connection, a wait. It must not know what comes of it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ExecAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::downward::HOST_IP;
use crate::inside::Inside;
use crate::process;

/// As the kubelet calls itself.
const USER_AGENT: &str = "kube-probe/1.36";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Exec(Vec<String>),
    Http { tls: bool, host: String, port: u16, path: String, headers: Vec<(String, String)> },
    Tcp { host: String, port: u16 },
    Sleep(Duration),
}

impl Action {
    /// `None` for kinds that a process node does not know.
    pub(crate) fn of_probe(probe: &Probe, container: &Container) -> Option<Self> {
        Self::of(container, probe.exec.as_ref(), probe.http_get.as_ref(), probe.tcp_socket.as_ref())
    }

    pub(crate) fn of_hook(hook: &LifecycleHandler, container: &Container) -> Option<Self> {
        let seconds = hook.sleep.as_ref().and_then(|sleep| u64::try_from(sleep.seconds).ok());
        let sleep = seconds.map(|seconds| Self::Sleep(Duration::from_secs(seconds)));
        sleep.or_else(|| Self::of(container, hook.exec.as_ref(), hook.http_get.as_ref(), hook.tcp_socket.as_ref()))
    }

    fn of(
        container: &Container,
        exec: Option<&ExecAction>,
        http: Option<&HTTPGetAction>,
        tcp: Option<&TCPSocketAction>,
    ) -> Option<Self> {
        let ports = container.ports.as_deref().unwrap_or_default();
        let host =
            |host: &Option<String>| host.clone().filter(|host| !host.is_empty()).unwrap_or_else(|| HOST_IP.to_owned());
        if let Some(exec) = exec {
            return Some(Self::Exec(exec.command.clone().unwrap_or_default()));
        }
        if let Some(http) = http {
            let headers = http.http_headers.iter().flatten();
            let path = http.path.clone().unwrap_or_default();
            return Some(Self::Http {
                tls: http.scheme.as_deref() == Some("HTTPS"),
                host: host(&http.host),
                port: port(&http.port, ports)?,
                path: if path.starts_with('/') { path } else { format!("/{path}") },
                headers: headers.map(|header| (header.name.clone(), header.value.clone())).collect(),
            });
        }
        let tcp = tcp?;
        Some(Self::Tcp { host: host(&tcp.host), port: port(&tcp.port, ports)? })
    }

    /// Does it, within `limit`.
    ///
    /// # Errors
    /// What failed, in the kubelet's words as far as they are known.
    pub(crate) async fn perform(&self, inside: &Inside, limit: Duration) -> Result<(), String> {
        let performed = async {
            match self {
                Self::Exec(command) => exec(inside, command).await,
                Self::Http { .. } => self.get().await,
                Self::Tcp { host, port } => connect(host, *port).await.map(drop),
                Self::Sleep(duration) => {
                    tokio::time::sleep(*duration).await;
                    Ok(())
                }
            }
        };
        match tokio::time::timeout(limit, performed).await {
            Ok(outcome) => outcome,
            Err(_) => Err(match self {
                Self::Exec(command) => format!("command timed out: {:?} timed out after {limit:?}", command.join(" ")),
                _ => format!("no answer within {limit:?}: context deadline exceeded"),
            }),
        }
    }

    async fn get(&self) -> Result<(), String> {
        let Self::Http { tls, host, port, path, headers } = self else {
            return Ok(());
        };
        let authority = format!("{host}:{port}");
        let mut request =
            http::Request::get(path).header(http::header::ACCEPT, "*/*").header(http::header::USER_AGENT, USER_AGENT);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let status = match tls {
            true => get_tls(&authority, request).await,
            false => {
                let request = request.body(()).map_err(|error| error.to_string())?;
                get_plain(host, *port, &request).await
            }
        };
        let scheme = if *tls { "https" } else { "http" };
        match status {
            Ok(200..400) => Ok(()),
            Ok(status) => Err(format!("HTTP probe failed with statuscode: {status}")),
            Err(error) => Err(format!("Get \"{scheme}://{authority}{path}\": {error}")),
        }
    }
}

fn port(port: &IntOrString, ports: &[ContainerPort]) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => match ports.iter().find(|port| port.name.as_ref() == Some(name)) {
            Some(port) => port.container_port,
            None => name.parse().ok()?,
        },
    };
    u16::try_from(number).ok()
}

async fn exec(inside: &Inside, command: &[String]) -> Result<(), String> {
    let launch = inside.launch_command(command).map_err(|error| error.to_string())?;
    let (exit_code, output) = process::capture(launch).await.map_err(|error| error.to_string())?;
    match exit_code {
        0 => Ok(()),
        _ if output.is_empty() => Err(format!("command terminated with exit code {exit_code}")),
        _ => Err(output),
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((host, port)).await.map_err(|error| {
        let error = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            _ => error.to_string(),
        };
        format!("dial tcp {host}:{port}: {error}")
    })
}

/// The status of the answer to a request over plain HTTP; a redirection counts as an answer.
async fn get_plain(host: &str, port: u16, request: &http::Request<()>) -> Result<u16, String> {
    let mut stream = connect(host, port).await?;
    let named = request.headers().contains_key(http::header::HOST);
    let mut text = format!("GET {} HTTP/1.1\r\nConnection: close\r\n", request.uri());
    if !named {
        text.push_str(&format!("Host: {host}:{port}\r\n"));
    }
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text.push_str("\r\n");
    let told = |error: std::io::Error| error.to_string();
    stream.write_all(text.as_bytes()).await.map_err(told)?;
    let mut line = String::new();
    BufReader::new(tokio::io::AsyncReadExt::take(stream, 1024)).read_line(&mut line).await.map_err(told)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    status.ok_or_else(|| if line.is_empty() { "EOF".to_owned() } else { format!("malformed HTTP response {line:?}") })
}

/// The same over TLS. The certificate is not looked at, as the kubelet does not.
async fn get_tls(authority: &str, request: http::request::Builder) -> Result<u16, String> {
    let uri: http::Uri =
        format!("https://{authority}/").parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let mut config = kube::Config::new(uri);
    config.accept_invalid_certs = true;
    config.default_retry = false;
    let client = kube::Client::try_from(config).map_err(|error| error.to_string())?;
    let request = request.body(kube::client::Body::empty()).map_err(|error| error.to_string())?;
    client.send(request).await.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::paths::PathMap;
    use crate::programs::Image;

    fn mk_inside() -> Inside {
        Inside {
            image: Image { any_command: true, ..Image::default() },
            env: Vec::new(),
            search: "/bin:/usr/bin".to_owned(),
            folder: "/".into(),
            paths: PathMap::new("/r".into(), Path::new("/"), &[]).expect("mounts must be accepted"),
            own: None,
        }
    }

    fn action(probe: Value) -> Option<Action> {
        let container = json!({"name": "a", "ports": [{"name": "web", "containerPort": 81}]});
        let probe: Probe = serde_json::from_value(probe).expect("probe must parse");
        Action::of_probe(&probe, &serde_json::from_value(container).expect("container must parse"))
    }

    #[test]
    fn ports_are_numbers_or_names_of_the_container() {
        let tcp = |port| Some(Action::Tcp { host: "127.0.0.1".to_owned(), port });
        let check = |port: Value, expected: Option<Action>| {
            assert_eq!(action(json!({"tcpSocket": {"port": port}})), expected, "{port}");
        };
        check(json!(80), tcp(80));
        check(json!("web"), tcp(81));
        check(json!("82"), tcp(82));
        check(json!("other"), None);
        check(json!(70000), None);
        assert_eq!(action(json!({"grpc": {"port": 1}})), None);
    }

    #[tokio::test]
    async fn exec_succeeds_by_its_exit_code_and_in_time() {
        let check = async |command: &[&str], expected: Result<(), &str>| {
            let action = Action::Exec(command.iter().map(|word| (*word).to_owned()).collect());
            let done = action.perform(&mk_inside(), Duration::from_secs(20)).await;
            assert_eq!(done, expected.map_err(str::to_owned), "{command:?}");
        };
        check(&["true"], Ok(())).await;
        check(&["false"], Err("command terminated with exit code 1")).await;
        check(&["sh", "-c", "echo no; exit 3"], Err("no\n")).await;
        check(&["no-such-program"], Err(r#"exec: "no-such-program": executable file not found in $PATH"#)).await;
        let slow = Action::Exec(vec!["sleep".to_owned(), "600".to_owned()]);
        let error = slow.perform(&mk_inside(), Duration::from_millis(20)).await.expect_err("must time out");
        assert_eq!(error, r#"command timed out: "sleep 600" timed out after 20ms"#);
    }

    #[tokio::test]
    async fn http_succeeds_by_its_status() {
        let check = async |answer: &'static str, expected: Result<(), &str>| {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("port must be free");
            let port = listener.local_addr().expect("address").port();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("connection");
                let mut request = vec![0; 1024];
                let read = stream.read(&mut request).await.expect("request");
                stream.write_all(answer.as_bytes()).await.expect("answer");
                String::from_utf8_lossy(&request[..read]).into_owned()
            });
            let get =
                json!({"httpGet": {"port": port, "path": "health", "httpHeaders": [{"name": "X-A", "value": "b"}]}});
            let done = action(get).expect("action").perform(&mk_inside(), Duration::from_secs(20)).await;
            let done = done.map_err(|error| error.replace(&port.to_string(), "PORT"));
            assert_eq!(done, expected.map_err(str::to_owned), "{answer}");
            let request = server.await.expect("server").to_lowercase();
            assert!(request.starts_with("get /health http/1.1\r\n"), "{request}");
            assert!(request.contains("x-a: b\r\n") && request.contains("user-agent: kube-probe/"), "{request}");
        };
        check("HTTP/1.1 200 OK\r\n\r\n", Ok(())).await;
        check("HTTP/1.1 302 Found\r\n\r\n", Ok(())).await;
        check("HTTP/1.1 503 No\r\n\r\n", Err("HTTP probe failed with statuscode: 503")).await;
        check("hello\r\n", Err("Get \"http://127.0.0.1:PORT/health\": malformed HTTP response \"hello\\r\\n\"")).await;
        check("", Err("Get \"http://127.0.0.1:PORT/health\": EOF")).await;
    }

    #[tokio::test]
    async fn https_looks_at_no_certificate() {
        let authority = transport::Authority::generate("a", &trust::SystemClock).expect("authority must be made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port must be free");
        let port = listener.local_addr().expect("address").port();
        let identity = authority.server_identity(&["another.example"]).expect("certificate must be made");
        let app = axum::Router::new().route("/ok", axum::routing::get(|| async { "ok" }));
        let _server = transport::Server::tls(listener, identity, app).expect("server must start");
        let check = async |path: &str, succeeds: bool| {
            let get = json!({"httpGet": {"port": port, "path": path, "scheme": "HTTPS"}});
            let done = action(get).expect("action").perform(&mk_inside(), Duration::from_secs(20)).await;
            assert_eq!(done.is_ok(), succeeds, "{done:?}");
        };
        check("/ok", true).await;
        check("/no", false).await;
    }

    #[tokio::test]
    async fn tcp_succeeds_when_someone_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port must be free");
        let port = listener.local_addr().expect("address").port();
        let tcp = Action::Tcp { host: "127.0.0.1".to_owned(), port };
        assert_eq!(tcp.perform(&mk_inside(), Duration::from_secs(20)).await, Ok(()));
        drop(listener);
        let refused = tcp.perform(&mk_inside(), Duration::from_secs(20)).await;
        assert_eq!(refused, Err(format!("dial tcp 127.0.0.1:{port}: connect: connection refused")));
    }
}
