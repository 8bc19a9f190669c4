//! scratch
use tracecol::envelope::PeelOptions;
use tracecol::model::*;
use tracecol::render::*;
use tracecol::stitch::{Stitch, StitchOptions};
#[test]
fn scratch() {
    let width: usize = std::env::var("W").unwrap_or("200".into()).parse().unwrap();
    let only = std::env::var("CASE").unwrap_or_default();
    for entry in std::fs::read_dir("sample-logs").unwrap() {
        let dir = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(dir.join("kern.log")) else { continue };
        if !dir.to_string_lossy().contains(&only) {
            continue;
        }
        println!("=== {}", dir.display());
        let mut stitch = Stitch::new(StitchOptions::default());
        stitch.add_source(
            SourceId(1),
            PeelOptions {
                year: Some(2026),
                timezone: tracecol::envelope::Timezone::Utc,
                newest: None,
            },
        );
        let mut offset = 0;
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            stitch.line(SourceId(1), line.strip_suffix(b"\n").unwrap_or(line), offset);
            offset += line.len() as u64;
        }
        stitch.finish();
        let outcomes = stitch.drain();
        for o in &outcomes {
            match o {
                Outcome::Connection(c) => {
                    let packets: Vec<&Packet> = outcomes
                        .iter()
                        .filter_map(|o| match o {
                            Outcome::Packet(p) if p.connection == Some(c.key) => Some(&**p),
                            _ => None,
                        })
                        .collect();
                    print!("{}", head(c, &Facts::default(), width).plain());
                    let mut rows: Vec<Lane> =
                        packets.iter().map(|p| Lane { packet: p, notes: vec![] }).collect();
                    rows.sort_by_key(|r| r.packet.key);
                    print!("\n{}", lanes(&rows, c.first, width).plain());
                    print!("\n{}", words(rows[0].packet, "packet 1 in words", width).plain());
                    println!();
                }
                Outcome::Link(l) => println!("LINK {l:?}"),
                Outcome::Anomaly(a) => println!("ANOM {a:?}"),
                _ => {}
            }
        }
    }
}
