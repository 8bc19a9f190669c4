//! Stories and comparisons, told from logs with their rules: what a reader sees, kept to be read again.
//!
//! `UPDATE_EXPECT=1 cargo test story` writes the texts anew. Commit them only if every sentence is true.

mod any;
mod case;
mod field;
mod json;
mod lines;
mod made;
mod parted;
mod samples;

use expect_test::ExpectFile;
use tracecol::explain::{Subject, story};
use tracecol::render;

/// Checks a story as it is printed at 80 and at 200 columns.
fn check(subject: &Subject<'_>, expected: &ExpectFile) {
    let story = story(subject);
    let narrow = render::story(&story, 80, true);
    let wide = render::story(&story, 200, false);
    for (text, width) in [(&narrow, 80), (&wide, 200)] {
        for line in &text.lines {
            assert!(line.width() <= width, "wider than {width}: {:?}", line.spans);
        }
    }
    let drawn = narrow.plain();
    if drawn.replace(['·', '→', 'µ'], "").is_ascii() {
        assert!(narrow.clone().into_ascii().plain().is_ascii());
    }
    let rule = "═".repeat(80);
    expected.assert_eq(&format!("{drawn}\n{rule}\n\n{}", wide.plain()));
}
