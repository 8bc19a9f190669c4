//! `completions` and `man`.

use super::bench::Bench;

#[test]
fn completions_for_every_shell() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        bench.run(&["completions", shell]).code(0).out_has("tracecol").out_has("connections");
    }
    bench.run(&["completions", "cmd"]).code(2);
}

#[test]
fn manual_pages() {
    let bench = Bench::new();
    bench.run(&["man"]).code(0).out_has(".TH tracecol 1");
    bench.run(&["man", "ingest"]).code(0).out_has(".TH tracecol-ingest 1");
    bench.run(&["man", "nothing"]).code(2).err_has("there is no command `nothing`");
}
