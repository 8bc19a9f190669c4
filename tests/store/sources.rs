//! Sources are known again by content; what was read is not read twice.

use tracecol::model::{Counts, SourceId};
use tracecol::store::{
    Batch, ConnectionQuery, HEAD, PacketQuery, Progress, SourceIdentity, SourceKind, TAIL, Writer,
    hash_tail,
};

use super::generate::Log;
use super::{Temporary, batch, host};

async fn register(writer: &mut Writer, head: &[u8], name: &str) -> (u32, u64, bool) {
    let identity = SourceIdentity::from_head(head);
    let registered = writer.register_source(&identity, name, SourceKind::File).await.unwrap();
    (registered.id.0, registered.position, registered.new)
}

fn counts(trace: u64) -> Counts {
    Counts { trace, placed: trace, ..Counts::default() }
}

fn progress(position: u64, trace: u64, done: bool) -> Progress {
    Progress {
        source: SourceId(1),
        position,
        tail_hash: Some(hash_tail(b"the end of a line\n")),
        counts: counts(trace),
        done,
    }
}

#[tokio::test]
async fn a_source_is_known_by_its_head() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.store.writer().await.unwrap();
    let long = vec![b'a'; 3000];
    assert_eq!(register(&mut writer, &long, "kern.log").await, (1, 0, true));
    assert_eq!(register(&mut writer, &long, "kern.log.1").await, (1, 0, false), "another name");
    assert_eq!(
        register(&mut writer, &long[..HEAD], "x").await,
        (1, 0, false),
        "the head is enough"
    );
    let mut other = long.clone();
    other[HEAD - 1] = b'b';
    assert_eq!(register(&mut writer, &other, "other").await, (2, 0, true));
    let names: Vec<String> =
        temporary.store.sources().await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["kern.log", "other"], "the first name stays");
}

#[tokio::test]
async fn a_short_source_is_known_when_it_has_grown() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.store.writer().await.unwrap();
    assert_eq!(register(&mut writer, b"line 1\n", "a").await, (1, 0, true));
    writer.write(Batch { outcomes: vec![], progress: vec![progress(7, 1, true)] }).await.unwrap();
    assert_eq!(register(&mut writer, b"line 1\nline 2\n", "a").await, (1, 7, false));
    assert_eq!(
        register(&mut writer, b"line 1\nother\n", "b").await,
        (2, 0, true),
        "its head has grown"
    );
    assert_eq!(register(&mut writer, b"line 1\nline 2\nline 3\n", "a").await, (1, 7, false));
}

#[tokio::test]
async fn an_empty_source_is_the_beginning_of_no_other() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.store.writer().await.unwrap();
    assert_eq!(register(&mut writer, b"", "empty").await, (1, 0, true));
    assert_eq!(register(&mut writer, b"", "empty too").await, (1, 0, false));
    assert_eq!(register(&mut writer, b"line\n", "a").await, (2, 0, true));
}

#[tokio::test]
async fn the_position_comes_back_with_its_proof() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    writer
        .write(Batch { outcomes: vec![], progress: vec![progress(900, 3, false)] })
        .await
        .unwrap();
    writer
        .write(Batch { outcomes: vec![], progress: vec![progress(1500, 2, false)] })
        .await
        .unwrap();
    writer.close().await.unwrap();
    let mut writer = temporary.store.writer().await.unwrap();
    let identity = SourceIdentity::from_head(b"the first line of kern.log\n");
    let registered = writer.register_source(&identity, "again", SourceKind::File).await.unwrap();
    assert_eq!((registered.position, registered.done, registered.new), (1500, false, false));
    assert_eq!(registered.tail_hash, Some(hash_tail(b"the end of a line\n")));
    let long = [&[b'x'; 100][..], &[b'y'; TAIL]].concat();
    assert_eq!(hash_tail(&long), hash_tail(&[b'y'; TAIL]), "the last bytes count");
    assert_ne!(hash_tail(&long), hash_tail(&long[..long.len() - 1]));
    let source = temporary.store.sources().await.unwrap().remove(0);
    assert_eq!((source.position, source.counts, source.kind), (1500, counts(5), SourceKind::File));
}

#[tokio::test]
async fn a_batch_that_comes_twice_adds_nothing() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut log = Log::new(SourceId(1), 3);
    let mut outcomes = vec![host()];
    for _ in 0..30 {
        outcomes.extend(log.connection(9));
    }
    let done =
        Batch { outcomes: outcomes.clone(), progress: vec![progress(log.offset, 900, true)] };
    writer.write(done).await.unwrap();
    let stats = temporary.store.stats().await.unwrap();
    let packets = temporary.store.packets(&PacketQuery::default()).await.unwrap();
    assert_eq!((stats.packets, stats.connections, stats.counts.trace), (270, 30, 900));
    assert_eq!(packets.len(), 270);

    let again =
        Batch { outcomes: outcomes.clone(), progress: vec![progress(log.offset, 900, true)] };
    writer.write(again).await.unwrap();
    assert_eq!(temporary.store.stats().await.unwrap(), stats);

    // The same with something new among it: only that is added.
    outcomes.extend(log.connection(4));
    writer.write(batch(outcomes)).await.unwrap();
    let after = temporary.store.stats().await.unwrap();
    assert_eq!((after.packets, after.connections), (274, 31));
    let found = temporary.store.packets(&PacketQuery::default()).await.unwrap();
    assert_eq!(found[4..], packets);
}

#[tokio::test]
async fn lines_of_a_grown_source_are_added() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    for (position, trace, done) in [
        (100, 1, true),
        (100, 1, true),
        (50, 7, false),
        (300, 2, false),
        (300, 4, true),
        (300, 4, true),
    ] {
        let progress = vec![progress(position, trace, done)];
        writer.write(Batch { outcomes: vec![], progress }).await.unwrap();
    }
    let source = temporary.store.sources().await.unwrap().remove(0);
    assert_eq!((source.position, source.done, source.counts), (300, true, counts(7)));
}

#[tokio::test]
async fn what_was_not_introduced_is_refused_whole() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let outcomes = Log::new(SourceId(1), 3).connection(2);
    let error = writer.write(batch(outcomes.clone())).await.unwrap_err();
    assert_eq!(error.to_string(), "host 0 was not introduced");
    let mut unknown = progress(1, 1, false);
    unknown.source = SourceId(9);
    let mut with_host = vec![host()];
    with_host.extend(outcomes.clone());
    let both = Batch { outcomes: with_host, progress: vec![unknown] };
    let error = writer.write(both).await.unwrap_err();
    assert_eq!(error.to_string(), "source 9 was not registered");
    assert_eq!(temporary.store.stats().await.unwrap().packets, 0);
    assert_eq!(temporary.store.connections(&ConnectionQuery::default()).await.unwrap(), []);
    writer.write(batch(outcomes)).await.unwrap();
    assert_eq!(temporary.store.stats().await.unwrap().packets, 2, "the writer goes on");
}

#[tokio::test]
async fn two_writers_take_turns() {
    let temporary = Temporary::new().await;
    let mut first = temporary.writer().await;
    let mut second = temporary.store.writer().await.unwrap();
    let (_, _, new) = register(&mut second, b"another log\n", "other").await;
    assert!(new);
    let mut one = Log::new(SourceId(1), 1);
    let mut two = Log::new(SourceId(2), 2);
    for _ in 0..5 {
        let mut outcomes = vec![host()];
        outcomes.extend(one.connection(3));
        first.write(batch(outcomes)).await.unwrap();
        let mut outcomes = vec![host()];
        outcomes.extend(two.connection(3));
        second.write(batch(outcomes)).await.unwrap();
    }
    let stats = temporary.store.stats().await.unwrap();
    assert_eq!((stats.packets, stats.connections), (30, 10));
    assert_eq!(temporary.store.packets(&PacketQuery::default()).await.unwrap().len(), 30);
}
