//! Snapshots are kept byte for byte, and their rules row by row.

use tracecol::model::{Family, WallTime};
use tracecol::store::{
    Added, FromHow, NewRevision, NewRule, NewSnapshot, Snapshot, SnapshotKind, StoreError,
};

use super::Temporary;
use super::book::{rule_set, snapshot};

fn stored(id: i64, new: &NewSnapshot) -> Snapshot {
    let NewSnapshot { kind, host, netns, from, from_how, name, text } = new.clone();
    Snapshot { id, kind, host, netns, from, from_how, name, text }
}

#[tokio::test]
async fn texts_come_back_byte_for_byte() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.store.writer().await.unwrap();
    let mut texts: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"*filter\r\n:INPUT ACCEPT [0:0]\nCOMMIT".to_vec(),
        vec![0, 0xff, 0xfe, b'\n', 0xc3],
        (0..=255).cycle().take(300_000).collect(),
    ];
    let mut wanted = Vec::new();
    for (n, text) in texts.drain(..).enumerate() {
        let new = NewSnapshot {
            kind: if n % 2 == 0 { SnapshotKind::Context } else { SnapshotKind::Rules },
            host: (n > 1).then(|| "dhost".to_owned()),
            netns: (n > 2).then(|| "blue".to_owned()),
            from: (n > 0).then_some(WallTime(-5)),
            from_how: [FromHow::Unknown, FromHow::Header, FromHow::Given, FromHow::File][n],
            name: format!("file {n}"),
            text,
        };
        let id = i64::try_from(n).unwrap() + 1;
        assert_eq!(writer.add_snapshot(&new).await.unwrap(), Added { id, is_new: true });
        wanted.push(stored(id, &new));
    }
    assert_eq!(temporary.store.snapshots().await.unwrap(), wanted);
}

#[tokio::test]
async fn the_same_is_not_added_twice() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.store.writer().await.unwrap();
    let one = snapshot("a", None);
    assert_eq!(writer.add_snapshot(&one).await.unwrap(), Added { id: 1, is_new: true });
    let renamed = NewSnapshot { name: "copy".to_owned(), ..one.clone() };
    assert_eq!(writer.add_snapshot(&renamed).await.unwrap(), Added { id: 1, is_new: false });
    let others = [
        NewSnapshot { host: None, ..one.clone() },
        NewSnapshot { netns: Some("blue".to_owned()), ..one.clone() },
        NewSnapshot { from: Some(WallTime(0)), ..one.clone() },
        NewSnapshot { kind: SnapshotKind::Context, ..one.clone() },
        NewSnapshot { text: b"b".to_vec(), ..one.clone() },
    ];
    for (n, other) in others.iter().enumerate() {
        let id = i64::try_from(n).unwrap() + 2;
        assert_eq!(writer.add_snapshot(other).await.unwrap(), Added { id, is_new: true });
        assert_eq!(writer.add_snapshot(other).await.unwrap(), Added { id, is_new: false });
    }
    assert_eq!(temporary.store.snapshots().await.unwrap().len(), 6);
    assert!(writer.remove_snapshot(3).await.unwrap());
    assert!(!writer.remove_snapshot(3).await.unwrap());
    let ids: Vec<i64> = temporary.store.snapshots().await.unwrap().iter().map(|s| s.id).collect();
    assert_eq!(ids, [1, 2, 4, 5, 6]);
}

#[tokio::test]
async fn rules_are_filed_once() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.store.writer().await.unwrap();
    let first = writer.add_snapshot(&snapshot("a", None)).await.unwrap().id;
    let second = writer.add_snapshot(&snapshot("b", Some(7))).await.unwrap().id;
    let sets = [
        rule_set("a", None),
        NewRevision { family: Family::Bridge, from: Some(WallTime(9)), rules: Vec::new() },
    ];
    assert_eq!(writer.file_rules(first, &sets).await.unwrap(), [1, 2]);
    assert_eq!(writer.file_rules(first, &sets).await.unwrap(), [1, 2]);
    assert_eq!(writer.file_rules(second, &[]).await.unwrap(), [0; 0]);
    assert_eq!(writer.file_rules(second, &sets[..1]).await.unwrap(), [3]);
    // Another version reads the text otherwise.
    let mut other = rule_set("a", None);
    other.rules.push(NewRule {
        table: "filter".into(),
        chain: "caf\u{e9}".into(),
        number: 0,
        text: None,
        target: None,
    });
    assert_eq!(writer.file_rules(first, &[other.clone()]).await.unwrap(), [4]);
    assert_eq!(writer.file_rules(first, &[other]).await.unwrap(), [4]);
    for (id, message) in [(9, "no snapshot of rules 9"), (3, "no snapshot of rules 3")] {
        if id == 3 {
            let context = NewSnapshot { kind: SnapshotKind::Context, ..snapshot("c", None) };
            assert_eq!(writer.add_snapshot(&context).await.unwrap().id, 3);
        }
        let error = writer.file_rules(id, &sets).await.unwrap_err();
        assert!(matches!(error, StoreError::NoSuch { .. }));
        assert!(error.to_string().contains(message), "{error}");
    }
}
