//! Rule texts and verdicts of the sample logs, written by hand.

use super::scene::Scene;

#[test]
fn show() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let mut dirs: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_dir() && p.join("kern.log").exists())
        .collect();
    dirs.sort();
    for dir in dirs {
        let read = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
        let log = read("kern.log").unwrap();
        let rules: Vec<String> =
            ["iptables.rules", "ip6tables.rules", "ebtables.rules", "nft.rules", "before.rules"]
                .iter()
                .filter_map(|n| read(n))
                .collect();
        let refs: Vec<&str> = rules.iter().map(String::as_str).collect();
        let scene = Scene::of(&log, &refs);
        println!("===== {} {} packets", dir.display(), scene.packets.len());
        println!("{:#?}", scene.misfits());
    }
}
