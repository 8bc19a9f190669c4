//! How large a database becomes.

use tracecol::model::SourceId;

use super::generate::Log;
use super::{Temporary, batch, host};

/// A packet has twelve lines of 330 bytes; the database may grow by 4.5 % of that.
#[tokio::test]
async fn a_database_is_a_small_part_of_its_log() {
    let empty = Temporary::new().await.store.stats().await.unwrap().database_bytes;
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut log = Log::new(SourceId(1), 11);
    let (mut n_packets, mut n_lines) = (0, 0);
    writer.write(batch(vec![host()])).await.unwrap();
    for _ in 0..10 {
        let mut outcomes = Vec::new();
        for _ in 0..200 {
            outcomes.extend(log.connection(12));
        }
        for outcome in &outcomes {
            if let tracecol::model::Outcome::Packet(packet) = outcome {
                n_packets += 1;
                n_lines += packet.steps.len();
            }
        }
        writer.write(batch(outcomes)).await.unwrap();
    }
    writer.close().await.unwrap();
    let bytes = std::fs::metadata(temporary.store.path()).unwrap().len() - empty;
    let log_bytes = n_lines as u64 * 330;
    let per_mille = bytes * 1000 / log_bytes;
    assert!(per_mille < 45, "{per_mille} ‰ of the log, {} bytes a packet", bytes / n_packets);
    // Not so much less that the test would say nothing when a column is added.
    assert!(per_mille > 35, "{per_mille} ‰ of the log, {} bytes a packet", bytes / n_packets);
}
