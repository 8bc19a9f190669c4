use std::io::BufRead;
use tracecol::model::*;
use tracecol::parse::*;
fn main() {
    let mut p = Parser::new();
    for (n, l) in std::io::stdin().lock().split(b'\n').enumerate() {
        let l = l.unwrap();
        let line = LineInput {
            host: HostId(0),
            position: Position { source: SourceId(0), offset: n as u64, seq: None, copy: 0 },
            stamp: Stamp::default(),
            trust: Trust::Text,
            payload: &l,
            tag: None,
            continuation: false,
        };
        let mut out = String::new();
        let k = p.push(&line, &mut |x| match x {
            Parsed::Entry(e) => {
                out += &format!(
                    "   E {} {:?}\n",
                    String::from_utf8_lossy(&tracecol::render::kernel_line(e.site, e.header)),
                    e.header.ip().map(|i| (i.src, i.dst, i.protocol, i.ports()))
                )
            }
            Parsed::Anomaly(a) => {
                out += &format!("   A {:?} {}\n", a.kind, String::from_utf8_lossy(&a.text))
            }
            Parsed::Gap { reason, lost, .. } => out += &format!("   G {reason:?} {lost:?}\n"),
        });
        println!("{n} {k:?} {}\n{out}", String::from_utf8_lossy(&l));
    }
}
