//! What rule sets and host context tell, in a real database.

mod bench;
mod hosts;
mod times;
mod translations;
