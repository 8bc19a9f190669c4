//! The filter language: `dport:40000 -verdict:accepted (src:10.0.0.0/8 OR host:gw1)`.
//!
//! ```text
//! filter = all { "OR" all }                 all  = one { one }             spaces are AND
//! one    = [ "-" ] ( "(" filter ")" | term )
//! term   = key ":" value { "," value }      any of the values
//! value  = word | '"' any text '"'          `\"` and `\\` inside quotes
//! ```
//!
//! | key | value |
//! |---|---|
//! | `addr:` `src:` `dst:` | address, network `10.0.0.0/8`, range `10.0.0.1-10.0.0.9` |
//! | `port:` `sport:` `dport:` `lines:` | number, range `1000-2000`, `>20`, `>=20`, `<20`, `<=20` |
//! | `host:` `in:` `out:` `chain:` | a name; a chain also with its table, `nat/DOCKER` |
//! | `proto:` | `tcp`, `udp`, `icmp`, `icmpv6`, `arp` …, or a number |
//! | `mac:` | `02:42:ac:11:00:05` |
//! | `nat:` | `dnat`, `snat`, `masquerade`, `redirect`, `netmap`, `any`, `none` |
//! | `verdict:` `state:` `link:` `hook:` | their words; `link:` also `any` and `none` |
//! | `rule:` | `filter/FORWARD/3`, `filter/FORWARD`, `filter/FORWARD/policy`, or a site as printed |
//! | `since:` `until:` | RFC 3339, `2026-11-22 13:07` (in quotes), `2026-11-22`, `15m` (ago) |
//! | `id:` | a connection's or packet's id |
//!
//! Pure: it knows the model only, and its clock is an argument. One expression serves the live view
//! (`Expr::matches`) and the database (`store` turns it into SQL); a property test holds them together.

mod expr;
mod facts;
mod keys;
mod lex;
mod parse;
mod time;
mod value;

pub use expr::{
    AddressRange, ChainName, Device, Expr, NumberRange, OneOf, Place, ProtocolName, RulePattern,
    Side, Term,
};
pub use facts::{ConnectionFacts, Facts, shown_endpoints, shown_protocol};
pub use parse::parse;
pub use time::Clock;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column}")]
pub struct FilterError {
    /// Where, counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, when it can be told.
    pub hint: Option<String>,
}

impl FilterError {
    pub(crate) fn new(column: usize, message: impl Into<String>) -> Self {
        Self { column, message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
