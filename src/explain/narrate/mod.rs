//! From packets to their story: the answer, the reasons, what to do, the ways step by step, and what is not known.

mod account;
mod advice;
mod answer;
mod because;
mod chapters;
mod conditions;
mod deeds;
mod doubts;
mod glossary;
mod idioms;
mod lost;
mod names;
mod near;
mod scene;
mod shown;
mod walk;

// What a comparison needs too.
pub(super) use account::Account;
pub(super) use conditions::{shown as shown_of, written};
pub(super) use doubts::doubts;
pub(super) use names::{count, flow, listed, place, quoted, rule_place, sentence};
pub(super) use scene::Scene;
pub(super) use shown::{Shown, Told};

use crate::explain::{Phrase, Story, Subject};

/// Tells a connection's or packet's story.
pub fn story(subject: &Subject<'_>) -> Story {
    let scene = Scene::new(subject);
    let reasons = lost::reasons(&scene);
    let (chapters, left_out) = chapters::chapters(&scene);
    let mut story = Story {
        verdict: scene.kind(),
        answer: answer::answer(&scene, &reasons),
        because: because::because(&scene, &reasons),
        advice: advice::advice(&scene, &reasons),
        chapters,
        left_out,
        doubts: doubts(&scene),
        basis: doubts::basis(&scene),
        glossary: Vec::new(),
    };
    story.glossary = glossary::glossary(&all_words(&story));
    story
}

/// Everything the story says, for the words it uses.
fn all_words(story: &Story) -> String {
    let mut words = story.answer.plain();
    let mut add = |phrase: &Phrase| {
        words.push('\n');
        words.push_str(&phrase.plain());
    };
    story.because.iter().chain(&story.doubts).for_each(&mut add);
    story.advice.iter().for_each(|advice| add(&advice.sentence));
    for chapter in &story.chapters {
        add(&chapter.title);
        for step in &chapter.steps {
            add(&step.place);
            add(&step.shown);
            step.sentences.iter().for_each(&mut add);
        }
    }
    words
}
