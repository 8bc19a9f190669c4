//! Rule sets: what dumps of real tools mean, what people's pastes mean, and what sites stand for.

mod describe;
mod dumps;
mod history;
mod holding;
mod pastes;
mod random;
mod resolving;
mod texts;
mod traced;
