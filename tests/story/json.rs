//! The JSON of stories and comparisons.

use expect_test::expect_file;
use serde_json::Value;
use tracecol::explain::{diff, story};
use tracecol::wire;

use super::samples::whole;

#[test]
fn a_story_as_json() {
    let case = whole("case3-icc-off-dropped");
    let told = story(&case.subject(0));
    let json = wire::Story::new(&told, &|key| format!("p{}", key.offset));
    let value = serde_json::to_value(&json).unwrap();
    every_sentence_has_its_text(&value);
    assert_eq!(value["verdict"], "dropped");
    assert_eq!(value["answer"]["runs"][0]["verdict"], "dropped");
    let steps = value["chapters"][0]["steps"].as_array().unwrap();
    let last = steps.last().unwrap();
    assert_eq!(last["rule"], "-A FORWARD -i docker0 -o docker0 -j DROP");
    assert_eq!(last["rule_place"]["chain"], "FORWARD");
    expect_file!["told/story.json"]
        .assert_eq(&(serde_json::to_string_pretty(&json).unwrap() + "\n"));
}

#[test]
fn a_comparison_as_json() {
    let (linked, dropped) = (whole("case3-icc-off-linked"), whole("case3-icc-off-dropped"));
    let told = diff(&linked.subject(0), &dropped.subject(0));
    let json = wire::Diff::new(&told, &|key| format!("p{}", key.offset));
    let value = serde_json::to_value(&json).unwrap();
    every_sentence_has_its_text(&value);
    assert_eq!(value["ways"][0]["first_difference"], 4);
    assert_eq!(value["ways"][0]["rows"][4]["same"], false);
    assert_eq!(value["ways"][1]["right"], Value::Null);
}

/// Wherever there are runs, their texts one after the other are the text beside them.
fn every_sentence_has_its_text(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(every_sentence_has_its_text),
        Value::Object(fields) => {
            if let Some(Value::Array(runs)) = fields.get("runs") {
                let text: String = runs.iter().map(|run| run["text"].as_str().unwrap()).collect();
                assert_eq!(fields["text"], text);
            }
            fields.values().for_each(every_sentence_has_its_text);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
