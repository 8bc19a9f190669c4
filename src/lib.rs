//! tracecol answers "where did my packet go?" from the kernel's own log lines.
//!
//! `iptables -j TRACE`, `-j LOG` and `ebtables --log` leave thousands of interleaved lines. tracecol
//! puts every line back into the packet it belongs to and every packet into its connection, across
//! NAT, across bridge and IP layer, keeps the result in SQLite and draws it.
//!
//! # The way of the data
//!
//! ```text
//!           ┌──────────────────── stitch ────────────────────┐
//! source ─► │ envelope ─► parse ─► (log order) ─► correlate  │ ─► store ─► wire   ─► cli
//! (bytes)   │ (payload,   (site,                  (packets,  │    (SQLite) render
//!           │  stamps)     header)                 connections)│          filter
//!           └────────────────────────────────────────────────┘
//!             model lies under all of them; pipeline wires source, stitch and store
//!
//! snapshots in the store ─► rulebook, context ─► library ─► annotate ─► store
//!                                                   └─► explain ─► query ─► wire, render ─► cli
//! ```
//!
//! One line's life: [`source`] finds it in a file and knows its offset. [`envelope`] peels syslog,
//! kmsg, journal or dmesg off it and reads the clocks. [`parse`] turns the payload into a site (the
//! place in the rule sets) and a header (exactly the fields printed). [`correlate`] finds the open
//! packet it continues, or opens one, and the packet's connection. A packet or connection that is
//! over leaves as an [`Outcome`](model::Outcome), which [`store`] writes, a batch a transaction.
//! The commands in [`cli`] read it back, and say it as JSON ([`wire`]) or as text ([`render`]).
//!
//! What the log does not say comes from texts beside it. [`rulebook`] reads rule sets and knows which rule a site
//! stands for; [`context`] reads routes, bridges, containers and conntrack's record. [`library`] has them host by host and
//! moment by moment, [`explain`] tells packets with them, [`annotate`] puts what follows into the store, and [`query`] joins
//! rows and lore for everybody who asks. [`probe`] collects such texts on a live host.
//!
//! # What holds
//!
//! - **Who may name whom** is the table in `tests/tidy.rs`; a test reads it. `model` names nothing.
//! - **The thinking part has no hands**: `model`, `envelope`, `parse`, `correlate`, `stitch`, `filter`,
//!   `rulebook`, `context`, `explain`, `render` and `wire` do no I/O, ask no clock and start no thread. They cannot fail: bad input is a
//!   value plus [anomalies](model::AnomalyKind), never an error and never a panic.
//! - **Same input, same outcome**, however it is cut into batches. Keys are functions of the input
//!   (source and offset of the first line); nothing that comes out depends on hash order.
//! - **Lines in = lines placed + lines with an anomaly that says why not** ([`model::Counts`]).
//! - **Nothing is invented**: what a line does not say is `None`; what was inferred is marked so.
//! - **The log is hostile**: names and prefixes are bytes until one function
//!   ([`render::escape`]) makes them safe for a terminal.
//!
//! # Where to look
//!
//! In reading order. Start with [`model`], the nouns; the heart is [`correlate`].

pub mod model;

pub mod envelope;
pub mod parse;

pub mod correlate;

pub mod stitch;

pub mod filter;

pub mod context;
pub mod explain;
pub mod rulebook;

pub mod render;
pub mod wire;

pub mod store;

pub mod library;

pub mod annotate;

pub mod source;

pub mod pipeline;

pub mod query;

pub mod probe;

pub mod cli;
