//! From a prefix to the place in the rule sets that printed it; each distinct prefix is read once.
//!
//! ```text
//! TRACE: filter:A:rule:1:rule:3 IN=…      rule 3 of chain `A:rule:1`: read from the right
//! TRACE: eb:nat:OUTPUT IN=… MAC source =  a convention for ebtables' --log-prefix
//! [UFW BLOCK] IN=…                        any other prefix of LOG
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::model::{Site, SiteKind};
use crate::parse::cursor::decimal;

/// How many distinct prefixes are kept. Prefixes are a rule set's, so real logs have some hundred.
const MOST_SITES: usize = 65_536;

/// The longest prefix that is kept. The longest one the kernel prints has 127 bytes.
const LONGEST_PREFIX: usize = 256;

/// The sites met so far, by prefix.
#[derive(Debug, Default)]
pub(super) struct Sites {
    known: HashMap<Box<[u8]>, Arc<Site>, RandomState>,
    /// The last site that was not kept, so that it can be lent too.
    unkept: Option<Arc<Site>>,
}

impl Sites {
    /// The site of `prefix`, read by `read` when it is new.
    pub(super) fn find(&mut self, prefix: &[u8], read: fn(&[u8]) -> Site) -> &Arc<Site> {
        if !self.known.contains_key(prefix) {
            let site = Arc::new(read(prefix));
            if self.known.len() >= MOST_SITES || prefix.len() > LONGEST_PREFIX {
                return self.unkept.insert(site);
            }
            self.known.insert(prefix.into(), site);
        }
        match self.known.get(prefix) {
            Some(site) => site,
            None => self.unkept.get_or_insert_with(|| Arc::new(read(prefix))),
        }
    }
}

/// The site of an nf-line's prefix.
pub(super) fn nf_site(prefix: &[u8]) -> Site {
    trace(prefix).unwrap_or_else(|| Site::Log { prefix: without_envelope(prefix).into() })
}

/// The site of an ebtables line's prefix.
pub(super) fn ebt_site(prefix: &[u8]) -> Site {
    let prefix = without_envelope(prefix);
    match bridge(prefix) {
        Some((table, chain)) => {
            Site::Bridge { table: table.into(), chain: chain.into(), prefix: prefix.into() }
        }
        None => Site::BridgeLog { prefix: prefix.into() },
    }
}

/// Drops the rest of an envelope that nobody could peel: `… kernel: [ 1501.098037] `.
fn without_envelope(prefix: &[u8]) -> &[u8] {
    let Some(tag) = memchr::memmem::rfind(prefix, b"kernel: ") else { return prefix };
    let text = prefix.get(tag + b"kernel: ".len()..).unwrap_or_default();
    after_kernel_stamp(text)
}

/// What stands behind `[ 1501.098037] `, when it stands here.
pub(super) fn after_kernel_stamp(text: &[u8]) -> &[u8] {
    let inside = text.strip_prefix(b"[").unwrap_or_default();
    let stamp =
        inside.iter().take_while(|b| b.is_ascii_digit() || matches!(b, b' ' | b'.')).count();
    inside.get(stamp..).and_then(|rest| rest.strip_prefix(b"] ")).unwrap_or(text)
}

/// `TRACE: table:chain:kind:number `. The chain may hold colons, so the end is read first.
pub(super) fn trace(prefix: &[u8]) -> Option<Site> {
    let start = memchr::memmem::rfind(prefix, b"TRACE: ")?;
    let text = prefix.get(start..)?.strip_prefix(b"TRACE: ")?.trim_ascii();
    let (text, number) = cut_last(text)?;
    let (text, kind) = cut_last(text)?;
    let colon = memchr::memchr(b':', text)?;
    let (table, chain) = text.split_at_checked(colon)?;
    let chain = chain.strip_prefix(b":")?;
    if !is_name(table) || !is_name(chain) {
        return None;
    }
    let number = decimal(number)?;
    let kind = match kind {
        b"rule" => SiteKind::Rule(number),
        b"return" => SiteKind::Return(number),
        b"policy" => SiteKind::Policy(number),
        _ => return None,
    };
    Some(Site::Trace { table: table.into(), chain: chain.into(), kind })
}

/// `eb:table:chain` as the last three parts between colons.
fn bridge(prefix: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = prefix.trim_ascii();
    let text = text.strip_suffix(b":").unwrap_or(text);
    let (text, chain) = cut_last(text)?;
    let (text, table) = cut_last(text)?;
    let before = text.strip_suffix(b"eb")?;
    let stands_alone = before.last().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (stands_alone && is_name(table) && is_name(chain)).then_some((table, chain))
}

/// Splits at the last colon.
fn cut_last(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memrchr(b':', text)?;
    let (before, after) = text.split_at_checked(colon)?;
    Some((before, after.get(1..)?))
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && !text.iter().any(u8::is_ascii_whitespace)
}
