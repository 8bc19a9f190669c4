//! Whether the product, given a host's rules, tells what happened on it.
//!
//! `tests/data/cases` holds captures from a real kernel, each with the rule sets as the host's own tools printed them and
//! with what happened written down by hand. A test gives the product the log, the rules and the host's context through
//! its command line, and reports every difference of every scene at once. Another needs nothing of the product: it holds
//! what is written against the kernel's own rule counters.
//!
//! `RULES_TRUTH=5` looks at the scenes whose folder begins so.

mod compare;
mod kernel;
mod product;
mod scene;

#[test]
fn the_product_tells_what_happened() {
    let scenes = scene::all();
    let differences: Vec<String> = std::thread::scope(|scope| {
        let told: Vec<_> =
            scenes.iter().map(|scene| scope.spawn(move || compare::scene(scene))).collect();
        told.into_iter().flat_map(|scene| scene.join().unwrap()).collect()
    });
    let count = differences.len();
    assert!(differences.is_empty(), "{count} differences:\n{}", differences.join("\n"));
}

#[test]
fn what_is_written_agrees_with_the_kernels_counters() {
    let wrong: Vec<String> = scene::all().iter().flat_map(kernel::disagreements).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_written_to_come_through_is_what_conntrack_announced() {
    let wrong: Vec<String> = scene::all().iter().flat_map(kernel::announced_otherwise).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_paths_written_are_in_the_logs() {
    let wrong: Vec<String> = scene::all().iter().flat_map(kernel::paths_not_logged).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
