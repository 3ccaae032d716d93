//! Objects: bytes, ranges, conditions, checksums, chunked uploads, copies, deletes.

use super::*;

const HELLO: &str = "/data/hello.txt";
/// MD5 of "hello, world".
const ETAG: &str = "\"e4d7f1b4ed2e42d15898f4b27b019da4\"";

#[tokio::test]
async fn gives_back_what_was_put() {
    let world = World::with_data().await;
    let put = world
        .call("PUT", HOST, "/data/a%20b.json")
        .body("{}")
        .header("cache-control", "no-store")
        .header("content-type", "application/json")
        .header("x-amz-meta-team", "blue")
        .send()
        .await
        .expect(200);
    let get = world.get(HOST, "/data/a%20b.json").await.expect(200);
    assert_eq!(get.body, "{}");
    assert_eq!(get.header("etag"), put.header("etag"));
    for (name, value) in [
        ("cache-control", "no-store"),
        ("content-type", "application/json"),
        ("content-length", "2"),
        ("x-amz-meta-team", "blue"),
        ("last-modified", "Mon, 04 May 2026 10:00:00 GMT"),
        ("x-amz-server-side-encryption", "AES256"),
    ] {
        assert_eq!(get.header(name), value, "{name}");
    }
    assert_eq!(world.get(HOST, HELLO).await.header("content-type"), "binary/octet-stream");
    assert_eq!(world.get(HOST, HELLO).await.header("etag"), ETAG);
}

#[tokio::test]
async fn serves_ranges() {
    let world = World::with_data().await;
    for (range, status, body, content_range) in [
        ("bytes=0-4", 206, "hello", "bytes 0-4/12"),
        ("bytes=7-", 206, "world", "bytes 7-11/12"),
        ("bytes=-5", 206, "world", "bytes 7-11/12"),
        ("bytes=7-99", 206, "world", "bytes 7-11/12"),
    ] {
        let answer = world.call("GET", HOST, HELLO).header("range", range).send().await;
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.header("content-range")),
            (status, body, content_range),
            "{range}"
        );
    }
    let beyond = world.call("GET", HOST, HELLO).header("range", "bytes=12-").send().await;
    assert_eq!(beyond.verdict(), "416 InvalidRange");
    assert_eq!(beyond.element("ActualObjectSize").as_deref(), Some("12"));
    assert_eq!(beyond.header("content-range"), "bytes */12");
}

#[tokio::test]
async fn honours_the_conditions_of_a_read() {
    let world = World::with_data().await;
    let (before, then) = ("Mon, 04 May 2026 09:59:59 GMT", "Mon, 04 May 2026 10:00:00 GMT");
    for (name, value, status) in [
        ("if-match", ETAG, 200),
        ("if-match", "\"other\"", 412),
        ("if-none-match", "\"other\"", 200),
        ("if-none-match", ETAG, 304),
        ("if-modified-since", before, 200),
        ("if-modified-since", then, 304),
        ("if-unmodified-since", then, 200),
        ("if-unmodified-since", before, 412),
    ] {
        let answer = world.call("GET", HOST, HELLO).header(name, value).send().await;
        assert_eq!(answer.status, status, "{name}: {value}");
        if status == 304 {
            assert_eq!((answer.body.as_str(), answer.header("etag")), ("", ETAG));
        }
    }
}

#[tokio::test]
async fn honours_the_conditions_of_a_write() {
    let world = World::with_data().await;
    let put = |target: &'static str, name: &str, value: &str| {
        world.call("PUT", HOST, target).body("new").header(name, value).send()
    };
    assert_eq!(put(HELLO, "if-none-match", "*").await.verdict(), "412 PreconditionFailed");
    assert_eq!(put("/data/fresh", "if-none-match", "*").await.verdict(), "200");
    assert_eq!(put(HELLO, "if-match", "\"other\"").await.verdict(), "412 PreconditionFailed");
    assert_eq!(put("/data/missing", "if-match", ETAG).await.verdict(), "404 NoSuchKey");
    assert_eq!(put(HELLO, "if-match", ETAG).await.verdict(), "200");
    assert_eq!(world.get(HOST, HELLO).await.body, "new");
}

#[tokio::test]
async fn checks_what_the_writer_promised() {
    let world = World::with_data().await;
    let put =
        |name: &str, value: &str| world.call("PUT", HOST, "/data/sum").body("123456789").header(name, value).send();
    let put_right = put("x-amz-checksum-crc32", "y/Q5Jg==").await.expect(200);
    assert_eq!(put_right.header("x-amz-checksum-crc32"), "y/Q5Jg==");
    assert_eq!(put("x-amz-checksum-crc32", "AAAAAA==").await.verdict(), "400 BadDigest");
    assert_eq!(put("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==").await.verdict(), "200");
    assert_eq!(put("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").await.verdict(), "400 BadDigest");
    let read = world.call("GET", HOST, "/data/sum").header("x-amz-checksum-mode", "ENABLED").send().await;
    assert_eq!(read.header("x-amz-checksum-crc64nvme"), "rosUhgp5mIg=");
    let silent = world.get(HOST, "/data/sum").await;
    assert_eq!(silent.header("x-amz-checksum-crc64nvme"), "");
}

#[tokio::test]
async fn takes_an_unsigned_stream_with_a_trailing_checksum() {
    let world = World::with_data().await;
    let put = |checksum: &str| {
        let body = format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n");
        world
            .call("PUT", HOST, "/data/stream")
            .body(&body)
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", "9")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .send()
    };
    assert_eq!(put("AAAAAA==").await.verdict(), "400 BadDigest");
    put("y/Q5Jg==").await.expect(200);
    let read = world.get(HOST, "/data/stream").await.expect(200);
    assert_eq!((read.body.as_str(), read.header("content-encoding")), ("123456789", ""));
}

#[tokio::test]
async fn takes_a_stream_of_signed_chunks() {
    let world = World::with_data().await;
    let call = world
        .call("PUT", HOST, "/data/stream")
        .header("x-amz-decoded-content-length", "9")
        .payload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let seed = call.signed().1;
    let chunk = |previous: &str, data: &str| {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
            call.stamp(),
            call.scope(),
            sha256(b""),
            sha256(data.as_bytes())
        );
        hex(&mac(&call.signing_key(), text.as_bytes()))
    };
    let first = chunk(&seed, "123456789");
    let last = chunk(&first, "");
    let body = |data: &str| format!("9;chunk-signature={first}\r\n{data}\r\n0;chunk-signature={last}\r\n\r\n");
    let forged = call.clone().body(&body("987654321")).send().await;
    assert_eq!(forged.verdict(), "403 SignatureDoesNotMatch");
    call.clone().body(&body("123456789")).send().await.expect(200);
    assert_eq!(world.get(HOST, "/data/stream").await.body, "123456789");
}

#[tokio::test]
async fn deletes_what_is_there_and_what_is_not() {
    let world = World::with_data().await;
    for _ in 0..2 {
        world.call("DELETE", HOST, HELLO).send().await.expect(204);
    }
    assert_eq!(world.get(HOST, HELLO).await.verdict(), "404 NoSuchKey");
}

#[tokio::test]
async fn deletes_many_and_reports_each_refusal() {
    let world = World::with_data().await;
    world.put(HOST, "/data/keep", "x").await.expect(200);
    let key =
        world.session(r#"{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::data/hello.txt"}"#);
    let body = "<Delete><Object><Key>hello.txt</Key></Object><Object><Key>keep</Key></Object></Delete>";
    let answer = world.call("POST", HOST, "/data?delete").key(&key).body(body).send().await.expect(200);
    assert!(answer.body.contains("<Deleted><Key>hello.txt</Key></Deleted>"), "{}", answer.body);
    assert!(answer.body.contains("<Error><Code>AccessDenied</Code><Key>keep</Key>"), "{}", answer.body);
    assert_eq!(world.get(HOST, HELLO).await.verdict(), "404 NoSuchKey");
    assert_eq!(world.get(HOST, "/data/keep").await.verdict(), "200");
}

#[tokio::test]
async fn copies_within_the_rights_on_both_ends() {
    let world = World::with_data().await;
    let write = r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/copy"}"#;
    let read = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/hello.txt"}"#;
    let copy = |statement: String| {
        let key = world.session(&statement);
        world.call("PUT", HOST, "/data/copy").key(&key).header("x-amz-copy-source", "data/hello.txt").send()
    };
    assert_eq!(copy(write.to_owned()).await.verdict(), "403 AccessDenied");
    assert_eq!(copy(read.to_owned()).await.verdict(), "403 AccessDenied");
    let done = copy(format!("{read},{write}")).await.expect(200);
    assert!(done.body.contains("e4d7f1b4ed2e42d15898f4b27b019da4"), "{}", done.body);
    assert_eq!(world.get(HOST, "/data/copy").await.body, "hello, world");

    let onto_itself = world.call("PUT", HOST, HELLO).header("x-amz-copy-source", "data/hello.txt");
    assert_eq!(onto_itself.clone().send().await.verdict(), "400 InvalidRequest");
    let replaced = onto_itself.header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-team", "red");
    replaced.send().await.expect(200);
    assert_eq!(world.get(HOST, HELLO).await.header("x-amz-meta-team"), "red");
}

#[tokio::test]
async fn refuses_what_it_would_otherwise_ignore() {
    let world = World::with_data().await;
    let put = |name: &str, value: &str| world.call("PUT", HOST, HELLO).body("x").header(name, value).send();
    assert_eq!(put("x-amz-server-side-encryption", "AES256").await.verdict(), "200");
    assert_eq!(put("x-amz-server-side-encryption", "aws:kms").await.verdict(), "501 NotImplemented");
    assert_eq!(put("x-amz-object-lock-mode", "GOVERNANCE").await.verdict(), "400 InvalidRequest");
    assert_eq!(put("x-amz-acl", "bucket-owner-full-control").await.verdict(), "200");
    assert_eq!(put("x-amz-acl", "public-read").await.verdict(), "400 AccessControlListNotSupported");
}
