//! throw-away
use std::sync::Arc;
#[tokio::main]
async fn main() {
    let clock: trust::SharedClock = Arc::new(trust::SystemClock);
    let authority = Arc::new(transport::Authority::generate("t", &*clock).unwrap());
    let (tx, keys) = tokio::sync::watch::channel(None);
    let t = std::time::Instant::now();
    std::thread::spawn(move || { tx.send(Some(Arc::new(trust::KeyRing::new(trust::SigningKey::generate().unwrap())))).unwrap(); std::mem::forget(tx); });
    let config = kube_sim::ApiServerConfig { issuer: "https://issuer.example.test/abc/".parse().unwrap(), jwks_path: "/openid/v1/jwks".into(), keys, authority, clock,
        min_token_lifetime: std::time::Duration::from_secs(600), max_token_lifetime: None };
    let bare = std::env::args().nth(2).is_some();
    let server = if bare { kube_sim::ApiServer::start_bare(config).await } else { kube_sim::ApiServer::start(config).await }.unwrap();
    eprintln!("started in {:?}", t.elapsed());
    std::fs::write(std::env::args().nth(1).unwrap(), server.kubeconfig()).unwrap();
    std::future::pending::<()>().await;
}
