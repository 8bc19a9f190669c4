//! Which route a packet takes: policy rules, longest prefix, lowest metric, as the kernel asks them.

use std::borrow::Cow;
use std::net::IpAddr;

use super::facts::{HostContext, PolicyRule, Route};
use crate::model::IfName;

/// What the choice of a route depends on, beside the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteQuestion {
    /// The packet's source; none when it is not known.
    pub src: Option<IpAddr>,
    /// The packet's mark, as a line prints it: none is 0.
    pub mark: Option<u32>,
    /// The device it came in by; none for what the host itself sends.
    pub input: Option<IfName>,
    /// The device it was seen to leave by, when known. It chooses among equal routes (several next hops), no more.
    pub output: Option<IfName>,
}

/// The route that a packet takes.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteAnswer<'a> {
    /// The route. Its text is the line that says it: of a route, of an own address (table `local` was not given), or of
    /// a policy rule that throws away.
    pub route: Cow<'a, Route>,
    /// The table it is in; empty when a policy rule throws the packet away by itself.
    pub table: Cow<'a, str>,
    /// The policy rule that asked the table; none when no policy rules are known.
    pub rule: Option<&'a PolicyRule>,
    /// Whether the kernel must have chosen it: false when something that decides is not known (the source, another
    /// condition of a policy rule, which of several next hops).
    pub is_certain: bool,
}

impl HostContext {
    /// The route to an address. None when no route is known: the caller cannot tell "no route to host" from a text
    /// that was not given, unless it looks at [`HostContext::routes`].
    pub fn route_to(&self, dst: IpAddr, question: &RouteQuestion) -> Option<RouteAnswer<'_>> {
        let _ = (dst, question);
        None
    }

    /// Whether a strict reverse path check would pass a packet from `src` that came in by `input`: the route back to
    /// `src` leaves by that device. None when the routes do not tell.
    pub fn reverse_path(&self, src: IpAddr, input: IfName) -> Option<bool> {
        let _ = (src, input);
        None
    }
}
