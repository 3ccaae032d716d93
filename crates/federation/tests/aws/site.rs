//! An issuer's files in a public bucket: who reads them, what a crash leaves, and how they are published again.

use federation::Known;
use federation::aws::{Clients, Desired, Undone, create, create_journaled, holdings, publish, undo, undo_unconfirmed};
use transport::Fetched;

use super::notes::Notes;
use super::place::{ACCOUNT, Place, refusing, seen, tags};
use super::strangers::Stranger;

const BUCKET: &str = "crossfed-r-1-issuer";
/// Named as runs name theirs.
const UNTAGGED: &str = "cf-r-1-untagged";
const KEYS: &str = "openid/v1/jwks";

fn public() -> Desired {
    Desired::PublicBucket { name: BUCKET.into() }
}

fn keys(content_type: Option<&str>) -> Desired {
    let content_type = content_type.map(str::to_owned);
    Desired::Object { bucket: BUCKET.into(), key: KEYS.into(), body: b"{}".to_vec(), content_type }
}

async fn make(clients: &Clients, desired: &[Desired]) {
    for one in desired {
        create(clients, one, &tags()).await.expect("creation must succeed");
    }
}

/// What everyone gets at the key set's place: status, content type, body.
async fn read(place: &Place) -> (u16, String, String) {
    let url = format!("https://{}/{BUCKET}/{KEYS}", place.server.addr());
    let Fetched { status, headers, body, .. } = place.public.get(&url).await.expect("an answer must come");
    let content_type = headers["content-type"].to_str().expect("content type must be text").to_owned();
    (status, content_type, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn everyone_reads_the_objects_of_a_public_bucket_and_nobody_those_of_another() {
    for region in ["eu-central-1", "us-east-1"] {
        for (bucket, content_type, expected) in [
            (public(), Some("application/json"), (200, "application/json")),
            (public(), None, (200, "application/octet-stream")),
            (Desired::Bucket { name: BUCKET.into() }, Some("application/json"), (403, "application/xml")),
        ] {
            let place = Place::up().await;
            let clients = place.clients(ACCOUNT, region);
            make(&clients, &[bucket, keys(content_type)]).await;
            let (status, content_type, body) = read(&place).await;
            assert_eq!((status, content_type.as_str()), expected);
            assert_eq!(body == "{}", status == 200, "{body}");
            place.server.stop().await;
        }
    }
}

#[tokio::test]
async fn a_bucket_that_was_only_half_opened_is_taken_back() {
    for setting in ["publicAccessBlock", "policy"] {
        let place = Place::behind(refusing(setting)).await;
        let clients = place.clients(ACCOUNT, "eu-central-1");
        let notes = Notes::default();
        create_journaled(&clients, &public(), &tags(), &notes).await.expect_err("the setting must be refused");
        assert_eq!(seen(&clients).await, [format!("bucket {BUCKET}")], "{setting}");

        let (entry, end) = notes.entries().remove(0);
        assert_eq!(end, "open", "{setting}");
        assert_eq!(undo_unconfirmed(&clients, &entry, "r-2").await, Ok(Undone::NotOurs), "{setting}");
        assert_eq!(undo_unconfirmed(&clients, &entry, "r-1").await, Ok(Undone::Deleted), "{setting}");
        assert_eq!(undo(&clients, &entry).await, Ok(Undone::AlreadyGone), "{setting}");
        place.server.stop().await;
    }
}

#[tokio::test]
async fn no_bucket_stands_without_its_owner() {
    // Nothing but the creation itself may be needed for that.
    let place = Place::behind(refusing("tagging")).await;
    for region in ["eu-central-1", "us-east-1"] {
        let clients = place.clients(ACCOUNT, region);
        let bucket = Desired::Bucket { name: format!("cf-r-1-{region}") };
        create(&clients, &bucket, &tags()).await.expect("creation must succeed");
        let found = holdings(&clients).await.expect("holdings must be found");
        assert_eq!(found.iter().filter(|one| one.marks.run == "r-1").count(), 1, "{region}: {found:?}");
        for entry in found.iter().flat_map(|one| &one.undo) {
            undo(&clients, entry).await.expect("undo must succeed");
        }
    }
    place.server.stop().await;
}

/// Where an endpoint does not know tags at creation, and a run is killed before it has tagged its bucket.
#[tokio::test]
async fn a_bucket_without_tags_is_known_by_its_name_and_tagged_by_who_goes_on() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "us-east-1");
    let untagged = || async {
        let request = Stranger::at(&place).s3.create_bucket().bucket(UNTAGGED);
        request.send().await.expect("a bucket without tags must be made");
        assert_eq!(holdings(&clients).await.expect("holdings must be found"), []);
    };
    let bucket = Desired::Bucket { name: UNTAGGED.into() };
    let entry = bucket.undo(clients.account(), clients.region(), "r-1");
    untagged().await;
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-2").await, Ok(Undone::NotOurs));
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-1").await, Ok(Undone::Deleted));

    untagged().await;
    let notes = Notes::after(Known::MayStand);
    create_journaled(&clients, &bucket, &tags(), &notes).await.expect("the bucket must be taken");
    let found = holdings(&clients).await.expect("holdings must be found");
    assert_eq!(found.iter().map(|one| one.marks.run.as_str()).collect::<Vec<_>>(), ["r-1"]);
    place.server.stop().await;
}

#[tokio::test]
async fn an_account_that_forbids_public_buckets_is_named_as_the_likely_cause() {
    let place = Place::behind(refusing("policy")).await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let error = create(&clients, &public(), &tags()).await.expect_err("the policy must be refused");
    insta::assert_snapshot!(error, @"PutBucketPolicy of bucket crossfed-r-1-issuer failed: AccessDenied (403): Access Denied; check that the keys may do this, and that the account's own Block Public Access does not forbid public buckets");
    place.server.stop().await;
}

#[tokio::test]
async fn publishing_again_replaces_the_content_and_keeps_whose_it_is() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    make(&clients, &[public(), keys(None)]).await;
    let rotated = br#"{"keys":[]}"#;
    publish(&clients, BUCKET, KEYS, "application/json", rotated).await.expect("the object must be replaced");
    assert_eq!(read(&place).await, (200, "application/json".to_owned(), r#"{"keys":[]}"#.to_owned()));

    let entry = keys(None).undo(clients.account(), clients.region(), "r-1");
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-2").await, Ok(Undone::NotOurs));
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-1").await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn nothing_is_published_where_nothing_was_written_down() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    make(&clients, &[public()]).await;
    let error = publish(&clients, BUCKET, KEYS, "application/json", b"{}").await.expect_err("it must be refused");
    assert_eq!(error.status, Some(404), "{error}");
    assert_eq!(seen(&clients).await, [format!("bucket {BUCKET}")]);
    place.server.stop().await;
}
