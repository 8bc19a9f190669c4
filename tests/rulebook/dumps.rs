//! Dumps of the tools, made with a zoo of rules: each rule as a person read it.

use std::path::PathBuf;

use expect_test::expect_file;
use tracecol::rulebook::read;

use super::describe;

pub(crate) fn data(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/rules");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

macro_rules! checked {
    ($($test:ident: $name:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            let reading = read(&data(concat!($name, ".txt")), "rules");
            expect_file![concat!("../data/rules/", $name, ".checked")]
                .assert_eq(&describe::reading(&reading));
        }
    )*};
}

checked! {
    iptables_legacy: "iptables-legacy",
    iptables_legacy_with_counters: "iptables-legacy-counters",
    iptables_nft: "iptables-nft",
    iptables_specification: "iptables-specification",
    ip6tables_legacy_with_counters: "ip6tables-legacy-counters",
    ip6tables_nft: "ip6tables-nft",
    ebtables_save: "ebtables-save",
    ebtables_save_with_counters: "ebtables-save-counters",
    ebtables_list: "ebtables-list",
    ebtables_list_with_counters_and_numbers: "ebtables-list-counters-numbers",
    nft: "nft",
    nft_with_handles: "nft-handles",
    nft_of_iptables: "nft-of-iptables",
    nft_of_ebtables: "nft-of-ebtables",
}
