//! Drives the server as users and nodes do: over HTTPS, through the `kube` client and plain requests.

use crate::support::{Cluster, Fields, refusal};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenReview};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use trust::UnverifiedToken;

fn pod(name: &str, spec: Value) -> Pod {
    let mut whole = json!({"containers": [{"name": "app", "image": "app:1"}]});
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    Fields(json!({"metadata": {"name": name}, "spec": whole})).into()
}

#[tokio::test]
async fn a_namespace_comes_furnished_and_goes_with_its_contents() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "shop");
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), "shop");
    accounts.get("default").await.expect("every namespace has a default account");
    let root = maps.get("kube-root-ca.crt").await.expect("every namespace has the root certificate");
    assert_eq!(root.data.expect("data")["ca.crt"], cluster.authority.root_pem());

    let first = accounts.get("default").await.expect("must be there").metadata.uid;
    accounts.delete("default", &DeleteParams::default()).await.expect("must be deleted");
    let second = accounts.get("default").await.expect("it comes again").metadata.uid;
    assert_ne!(first, second);

    let held: ConfigMap = Fields(json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})).into();
    maps.create(&PostParams::default(), &held).await.expect("must be created");
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.delete("shop", &DeleteParams::default()).await.expect("must be accepted");
    let phase = namespaces.get("shop").await.expect("a finalizer holds it").status.expect("a status").phase;
    assert_eq!(phase.as_deref(), Some("Terminating"));
    let error =
        refusal(accounts.create(&PostParams::default(), &Fields(json!({"metadata": {"name": "late"}})).into()).await);
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            403,
            r#"serviceaccounts "late" is forbidden: unable to create new content in namespace shop because it is being terminated"#
        )
    );
    maps.patch("held", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}})))
        .await
        .expect("must be accepted");
    assert_eq!(refusal(namespaces.get("shop").await).code, 404);
    let error =
        refusal(accounts.create(&PostParams::default(), &Fields(json!({"metadata": {"name": "late"}})).into()).await);
    assert_eq!((error.code, error.message.as_str()), (404, r#"namespaces "shop" not found"#));
    cluster.stop().await;
}

#[tokio::test]
async fn a_bare_server_leaves_namespaces_to_others() {
    let cluster = Cluster::start_bare().await;
    cluster.namespace("shop").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), "shop");
    assert_eq!(refusal(accounts.get("default").await).code, 404);
    let (status, body) = cluster.send("DELETE", "/api/v1/namespaces/shop", None).await;
    assert_eq!((status, &body["status"]["phase"]), (200, &json!("Terminating")));
    let mut namespace = body;
    namespace["spec"]["finalizers"] = json!([]);
    let (status, _) = cluster.send("PUT", "/api/v1/namespaces/shop/finalize", Some(namespace)).await;
    assert_eq!(status, 200);
    assert_eq!(cluster.send("GET", "/api/v1/namespaces/shop", None).await.0, 404);
    cluster.stop().await;
}

#[tokio::test]
async fn tokens_are_bound_verified_and_reviewed() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "shop");
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), "shop");
    accounts
        .create(&PostParams::default(), &Fields(json!({"metadata": {"name": "web"}})).into())
        .await
        .expect("must be created");
    let web = pods
        .create(&PostParams::default(), &pod("web", json!({"serviceAccountName": "web", "nodeName": "n1"})))
        .await
        .expect("must be created");
    let uid = web.metadata.uid.expect("a uid");
    let request = |spec: Value| -> TokenRequest { Fields(json!({"spec": spec})).into() };
    let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": uid});

    let spec = json!({"audiences": ["sts.amazonaws.com"], "expirationSeconds": 86400, "boundObjectRef": bound});
    let issued =
        accounts.create_token_request("web", &PostParams::default(), &request(spec)).await.expect("must be issued");
    let token = issued.status.expect("a status").token.expect("a token");
    let decoded = UnverifiedToken::decode(&token).expect("must decode");
    trust::verify_signature(&token, &cluster.ring.jwks()).expect("must verify");
    assert_eq!(
        (decoded.issuer(), decoded.subject()),
        (Some(crate::support::ISSUER), Some("system:serviceaccount:shop:web"))
    );
    assert_eq!(decoded.claims["kubernetes.io"]["pod"], json!({"name": "web", "uid": uid}));
    assert_eq!(decoded.claims["kubernetes.io"]["node"], json!({"name": "n1"}));
    assert_eq!(
        decoded.numeric_date("exp").zip(decoded.numeric_date("iat")).map(|(exp, iat)| exp - iat),
        Some(7200),
        "capped"
    );

    let refused = |spec: Value| {
        let (accounts, request) = (accounts.clone(), request(spec));
        async move { refusal(accounts.create_token_request("web", &PostParams::default(), &request).await) }
    };
    assert_eq!(refused(json!({"expirationSeconds": 599})).await.code, 422);
    let stale = json!({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "other"}});
    assert_eq!(refused(stale).await.code, 409);
    assert_eq!(
        refused(json!({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "absent"}})).await.code,
        404
    );

    // For the API server itself the token must be for its audience.
    let path = "/api/v1/namespaces/shop/pods";
    assert_eq!(cluster.send_as(Some(&token), "GET", path, None).await.0, 401);
    let own = accounts
        .create_token_request("web", &PostParams::default(), &request(json!({"boundObjectRef": bound})))
        .await
        .expect("must be issued");
    let own = own.status.expect("a status").token.expect("a token");
    let (status, forbidden) = cluster.send_as(Some(&own), "GET", path, None).await;
    let expected = r#"pods is forbidden: User "system:serviceaccount:shop:web" cannot list resource "pods" in API group "" in the namespace "shop""#;
    assert_eq!((status, forbidden["message"].as_str()), (403, Some(expected)));
    let binding = json!({"metadata": {"name": "view"}, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]});
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings";
    assert_eq!(cluster.send("POST", bindings, Some(binding)).await.0, 201);
    assert_eq!(cluster.send_as(Some(&own), "GET", path, None).await.0, 200);
    assert_eq!(cluster.send_as(Some(&own), "GET", "/api/v1/namespaces/default/pods", None).await.0, 403);

    let reviews: Api<TokenReview> = Api::all(cluster.client.clone());
    let review = reviews
        .create(&PostParams::default(), &Fields(json!({"spec": {"token": own}})).into())
        .await
        .expect("must be reviewed");
    assert_eq!(
        review.status.expect("a status").user.expect("a user").username.as_deref(),
        Some("system:serviceaccount:shop:web")
    );
    pods.delete("web", &DeleteParams::default().grace_period(0)).await.expect("must be deleted");
    assert_eq!(cluster.send_as(Some(&own), "GET", path, None).await.0, 401, "its pod is gone");
    cluster.stop().await;
}

#[tokio::test]
async fn strangers_see_health_and_version_alone() {
    let cluster = Cluster::start().await;
    let check =
        async |path: &str, code: u16| assert_eq!(cluster.send_as(None, "GET", path, None).await.0, code, "{path}");
    for path in ["/livez", "/readyz", "/healthz", "/version"] {
        check(path, 200).await;
    }
    for path in ["/api", "/apis", "/api/v1/namespaces", "/.well-known/openid-configuration", "/openid/v1/jwks"] {
        check(path, 403).await;
    }
    cluster.stop().await;
}

#[tokio::test]
async fn the_issuers_site_shows_its_two_documents_to_anyone() {
    let cluster = Cluster::start().await;
    let (status, discovery) = cluster.site("/abc/.well-known/openid-configuration").await;
    assert_eq!((status, discovery["issuer"].as_str()), (200, Some(crate::support::ISSUER)));
    assert_eq!(discovery["jwks_uri"], "https://issuer.example.test/abc/openid/v1/jwks");
    let (status, keys) = cluster.site("/abc/openid/v1/jwks").await;
    assert_eq!((status, keys), (200, json!(cluster.ring.jwks())));
    for path in ["/", "/abc/", "/.well-known/openid-configuration", "/abc/keys"] {
        assert_eq!(cluster.site(path).await.0, 404, "{path}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn conflicting_writers_are_told() {
    let cluster = Cluster::start().await;
    cluster.namespace("shop").await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "shop");
    let map: ConfigMap = Fields(json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).into();
    let mut first = maps.create(&PostParams::default(), &map).await.expect("must be created");
    assert_eq!(refusal(maps.create(&PostParams::default(), &map).await).reason, "AlreadyExists");
    let mut second = first.clone();
    first.data = Some([("k".to_owned(), "1".to_owned())].into());
    second.data = Some([("k".to_owned(), "2".to_owned())].into());
    maps.replace("a", &PostParams::default(), &first).await.expect("must be replaced");
    assert_eq!(refusal(maps.replace("a", &PostParams::default(), &second).await).reason, "Conflict");
    let before = maps.get("a").await.expect("must be there").metadata.resource_version;
    let same = maps
        .patch("a", &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "1"}})))
        .await
        .expect("must be accepted");
    assert_eq!(same.metadata.resource_version, before, "what changes nothing is no change");
    cluster.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded_and_must_be_json() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let (status, body) = cluster.send_raw("POST", path, "application/json", vec![b' '; 3 * 1024 * 1024 + 1]).await;
    assert_eq!((status, body["message"].as_str()), (413, Some("Request entity too large: limit is 3145728")));
    assert_eq!(cluster.send_raw("POST", path, "application/vnd.kubernetes.protobuf", b"k8s\0".to_vec()).await.0, 415);
    assert_eq!(cluster.send_raw("POST", path, "application/json", b"{".to_vec()).await.0, 400);
    assert_eq!(
        cluster
            .send_raw(
                "PATCH",
                "/api/v1/namespaces/default/configmaps/kube-root-ca.crt",
                "application/xml",
                b"{}".to_vec()
            )
            .await
            .0,
        415
    );
    cluster.stop().await;
}
