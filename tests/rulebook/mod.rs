//! Rule sets: what dumps of real tools mean, what people's pastes mean, and what sites stand for.

mod describe;
mod dumps;
mod texts;
