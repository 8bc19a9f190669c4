//! Makes cargo look again when a migration is added: `migrate!` alone would not notice a new file.
fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
