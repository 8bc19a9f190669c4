//! Rule texts and verdicts of the sample logs, written by hand.

use super::scene::Scene;

#[test]
fn show() {
    for name in ["case1-remote", "case2-localhost-proxy", "case3-icc-off-dropped"] {
        let scene = Scene::sample(name).with_context(
            name,
            &[
                "ip-addr.txt",
                "ip-route.txt",
                "bridge-fdb.txt",
                "bridge-link.txt",
                "conntrack-events.txt",
            ],
        );
        println!("===== {name}");
        for index in 0..scene.packets.len().min(7) {
            println!("--- {index} {:?} {}", scene.packets[index].direction, scene.verdict(index));
            let told = scene.told(index);
            let inferred = scene.inferred(index);
            for (at, line) in told.iter().enumerate() {
                for one in inferred.iter().filter(|one| one.starts_with(&format!("{at} "))) {
                    println!("    ~ {one}");
                }
                println!("{line}");
            }
            for one in inferred.iter().filter(|one| one.starts_with(&format!("{} ", told.len()))) {
                println!("    ~ {one}");
            }
        }
        println!("{:#?}", scene.misfits());
    }
}
