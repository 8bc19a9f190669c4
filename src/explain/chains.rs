//! How the steps of a path stand to each other: which hook each is at, how deep in user chains, after which rule.
//!
//! Inside one table a walk goes down by the line of a jumping rule and comes back by the next line of the caller.
//! LOG and ebtables lines stand beside the walks: their prefix alone does not tell a chain.

use crate::model::{
    Devices, Hook, Hop, IfName, Layer, Place, Site, SiteKind, Stop, StopSet, ruled_out_by,
};

/// How one step of a path stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The hooks it can be at; one for all TRACE lines but those of a trace that began inside a user chain.
    pub(super) stops: StopSet,
    /// How deep in user chains.
    pub(super) depth: usize,
    /// The walk it is part of, counted through the path; none for LOG and ebtables lines.
    pub(super) walk: Option<usize>,
    /// The number of the chain's line before it in this walk, 0 at the chain's entry; none when that was not seen.
    pub(super) after: Option<u32>,
}

impl Standing {
    /// The one hook it is at.
    pub(super) fn stop(&self) -> Option<Stop> {
        let mut stops = self.stops.iter();
        stops.next().filter(|_| stops.next().is_none())
    }
}

/// The number of a TRACE line within its chain.
pub(super) fn number(kind: SiteKind) -> u32 {
    match kind {
        SiteKind::Rule(number) | SiteKind::Return(number) | SiteKind::Policy(number) => number,
    }
}

/// The standing of every step. `is_goto` says whether the rule behind a step goes to its chain for good (`-g`).
pub(super) fn standings(hops: &[&Hop], is_goto: impl Fn(usize) -> bool) -> Vec<Standing> {
    let mut standings = Vec::with_capacity(hops.len());
    let mut walk: Option<Walk<'_>> = None;
    let mut walks = 0;
    for (index, hop) in hops.iter().enumerate() {
        let Site::Trace { table, chain, kind } = &*hop.site else {
            // The line of a LOG rule does not end the walk; a frame's line shows that it is over.
            if hop.site.is_bridge() {
                walk = None;
            }
            standings.push(beside(hop));
            continue;
        };
        let went_on = walk.take().filter(|walk| walk.goes_on_with(hop, table, chain, *kind));
        let mut current = went_on.unwrap_or_else(|| {
            walks += 1;
            Walk::new(hop, table, chain, walks)
        });
        let (depth, after) = current.step(chain, *kind, index, &is_goto);
        let stop = current.root.and_then(|hook| Stop::of_hook(hook, false));
        standings.push(Standing {
            stops: stop.map_or_else(|| place_of(hop).stops, |stop| StopSet::of(&[stop])),
            depth,
            walk: Some(current.number),
            after,
        });
        walk = Some(current);
    }
    hand_back(&mut standings);
    narrow(hops, &mut standings);
    standings
}

/// The hook that a later line of a walk tells holds for its earlier lines.
fn hand_back(standings: &mut [Standing]) {
    let mut known: Option<(usize, StopSet)> = None;
    for standing in standings.iter_mut().rev() {
        let Some(walk) = standing.walk else { continue };
        match known {
            Some((same, stops)) if same == walk && standing.stop().is_none() => {
                standing.stops = stops;
            }
            _ => known = standing.stop().map(|_| (walk, standing.stops)),
        }
    }
}

fn beside(hop: &Hop) -> Standing {
    Standing { stops: place_of(hop).stops, depth: 0, walk: None, after: None }
}

fn place_of(hop: &Hop) -> Place {
    let at_port = hop.layer == Layer::Bridge;
    Place::of(&hop.site, &hop.devices, at_port)
}

/// The walk through the chains of one table at one hook.
#[derive(Debug)]
struct Walk<'a> {
    number: usize,
    layer: Layer,
    table: &'a [u8],
    devices: Devices,
    root: Option<Hook>,
    is_over: bool,
    frames: Vec<Frame<'a>>,
    /// The step of its latest line, when that was a rule's: it may have jumped.
    jumped_at: Option<usize>,
}

#[derive(Debug)]
struct Frame<'a> {
    chain: &'a [u8],
    depth: usize,
    /// The number of its latest line, 0 at its entry; none when that was not seen.
    at: Option<u32>,
}

impl<'a> Walk<'a> {
    fn new(hop: &'a Hop, table: &'a [u8], chain: &'a [u8], number: usize) -> Self {
        let root = Hook::from_chain(chain);
        // A trace that begins inside a user chain came there by at least one jump.
        let (depth, at) = if root.is_some() { (0, Some(0)) } else { (1, None) };
        Self {
            number,
            layer: hop.layer,
            table,
            devices: hop.devices,
            root,
            is_over: false,
            frames: vec![Frame { chain, depth, at }],
            jumped_at: None,
        }
    }

    /// Whether a line can be this walk's next one.
    fn goes_on_with(&self, hop: &Hop, table: &[u8], chain: &[u8], kind: SiteKind) -> bool {
        if self.is_over
            || self.layer != hop.layer
            || self.table != table
            || self.devices != hop.devices
        {
            return false;
        }
        let hook = Hook::from_chain(chain);
        if hook.is_some() && self.root.is_some() && hook != self.root {
            return false;
        }
        if let Some(frame) = self.frames.iter().find(|frame| frame.chain == chain) {
            return frame.at.is_none_or(|at| number(kind) > at);
        }
        // A built-in chain that was left for good comes back with its policy alone.
        let is_policy = hook.is_some() && matches!(kind, SiteKind::Policy(_));
        self.jumped_at.is_some() || self.root.is_none() || is_policy
    }

    /// Takes the next line in: its depth, and the number of its chain's line before it.
    fn step(
        &mut self,
        chain: &'a [u8],
        kind: SiteKind,
        index: usize,
        is_goto: &impl Fn(usize) -> bool,
    ) -> (usize, Option<u32>) {
        let known = self.frames.iter().position(|frame| frame.chain == chain);
        match (known, self.jumped_at) {
            (Some(depth), _) => self.frames.truncate(depth + 1),
            (None, Some(jump)) => self.enter(chain, is_goto(jump)),
            // Back to a caller that was not seen.
            (None, None) => {
                let depth = self.frames.last().map_or(1, |frame| frame.depth);
                let depth = if Hook::from_chain(chain).is_some() { 0 } else { depth };
                self.frames = vec![Frame { chain, depth, at: None }];
            }
        }
        self.root = self.root.or(Hook::from_chain(chain));
        let frame = self.frames.last_mut();
        let (depth, after) = frame.map_or((0, None), |frame| {
            let after = frame.at.replace(number(kind));
            (frame.depth, after)
        });
        self.jumped_at = matches!(kind, SiteKind::Rule(_)).then_some(index);
        match kind {
            SiteKind::Rule(_) => {}
            SiteKind::Return(_) => {
                if self.frames.len() > 1 {
                    self.frames.pop();
                }
            }
            SiteKind::Policy(_) => self.is_over = true,
        }
        (depth, after)
    }

    fn enter(&mut self, chain: &'a [u8], for_good: bool) {
        let from = self.frames.last().map_or(0, |frame| frame.depth);
        if Hook::from_chain(chain).is_some() {
            // The end of a chain that a built-in one went to for good: the policy comes next.
            self.frames = vec![Frame { chain, depth: 0, at: None }];
        } else if for_good {
            self.frames.pop();
            self.frames.push(Frame { chain, depth: from, at: Some(0) });
        } else {
            self.frames.push(Frame { chain, depth: from + 1, at: Some(0) });
        }
    }
}

/// Takes away the hooks that a step cannot be at for what comes before and after it.
fn narrow(hops: &[&Hop], standings: &mut [Standing]) {
    let passes = passes(hops, standings);
    let certain: Vec<Option<Stop>> = standings.iter().map(Standing::stop).collect();
    for index in 0..standings.len() {
        if certain[index].is_some() {
            continue;
        }
        let mut possible = StopSet::EMPTY;
        for stop in standings[index].stops.iter() {
            let is_possible = certain.iter().enumerate().all(|(other, known)| {
                let Some(known) = known.filter(|_| passes[other] == passes[index]) else {
                    return true;
                };
                known == stop
                    || if other < index {
                        !ruled_out_by(stop).has(known)
                    } else {
                        !ruled_out_by(known).has(stop)
                    }
            });
            if is_possible {
                possible.insert(stop);
            }
        }
        if !possible.is_empty() {
            standings[index].stops = possible;
        }
    }
}

/// Numbers the passes of a path: what loopback sends out comes in again.
fn passes(hops: &[&Hop], standings: &[Standing]) -> Vec<usize> {
    let loopback = IfName::new(b"lo");
    let mut pass = 0;
    let mut has_left = false;
    let mut passes = Vec::with_capacity(hops.len());
    for (hop, standing) in hops.iter().zip(standings) {
        let all = |these: &[Stop]| standing.stops.iter().all(|stop| these.contains(&stop));
        if has_left && hop.devices.input == loopback && all(&[Stop::Prerouting, Stop::Input]) {
            pass += 1;
            has_left = false;
        }
        has_left |= all(&[Stop::Output, Stop::Postrouting]);
        passes.push(pass);
    }
    passes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// `filter:FORWARD:rule:2 eth0>docker0`, `log:x lo>`.
    fn hop(text: &str) -> Hop {
        let (site, devices) = text.split_once(' ').unwrap();
        let (input, output) = devices.split_once('>').unwrap();
        let parts: Vec<&str> = site.split(':').collect();
        let site = match parts.as_slice() {
            [table, chain, kind, number] => {
                let number = number.parse().unwrap();
                let kind = match *kind {
                    "rule" => SiteKind::Rule(number),
                    "return" => SiteKind::Return(number),
                    _ => SiteKind::Policy(number),
                };
                let (table, chain) = (table.as_bytes().into(), chain.as_bytes().into());
                Site::Trace { table, chain, kind }
            }
            _ => Site::Log { prefix: site.as_bytes().into() },
        };
        let devices = Devices {
            input: IfName::new(input.as_bytes()),
            output: IfName::new(output.as_bytes()),
            ..Devices::default()
        };
        Hop { layer: Layer::Ip, site: Arc::new(site), devices }
    }

    fn stand(path: &[&str], gotos: &[usize]) -> Vec<Standing> {
        let hops: Vec<Hop> = path.iter().map(|text| hop(text)).collect();
        standings(&hops.iter().collect::<Vec<_>>(), |index| gotos.contains(&index))
    }

    fn depths(path: &[&str], gotos: &[usize]) -> Vec<(usize, Option<u32>)> {
        stand(path, gotos).iter().map(|step| (step.depth, step.after)).collect()
    }

    #[test]
    fn jumps_go_down_and_returns_come_back() {
        assert_eq!(
            depths(
                &[
                    "nat:PREROUTING:rule:1 eth0>",
                    "nat:DOCKER:return:2 eth0>",
                    "nat:PREROUTING:policy:2 eth0>",
                    "filter:INPUT:rule:3 eth0>",
                    "filter:A:rule:2 eth0>",
                    "filter:B:return:1 eth0>",
                    "filter:A:return:3 eth0>",
                    "filter:INPUT:policy:5 eth0>",
                ],
                &[]
            ),
            [
                (0, Some(0)),
                (1, Some(0)),
                (0, Some(1)),
                (0, Some(0)),
                (1, Some(0)),
                (2, Some(0)),
                (1, Some(2)),
                (0, Some(3)),
            ]
        );
    }

    #[test]
    fn behind_a_chain_that_was_gone_to_for_good_comes_the_policy_and_passes_no_rule() {
        let path = [
            "filter:INPUT:rule:4 eth0>",
            "filter:side:return:3 eth0>",
            "filter:INPUT:policy:20 eth0>",
        ];
        let standings = stand(&path, &[0]);
        assert_eq!(standings[2].after, None);
        assert_eq!(standings[0].walk, standings[2].walk);
    }

    #[test]
    fn a_goto_replaces_the_chain_it_leaves() {
        // INPUT 1 jumps to A, A 1 goes to B for good, B ends: back in INPUT.
        assert_eq!(
            depths(
                &[
                    "filter:INPUT:rule:1 eth0>",
                    "filter:A:rule:1 eth0>",
                    "filter:B:return:2 eth0>",
                    "filter:INPUT:policy:2 eth0>",
                ],
                &[1]
            ),
            [(0, Some(0)), (1, Some(0)), (1, Some(0)), (0, Some(1))]
        );
    }

    #[test]
    fn a_trace_that_begins_in_a_user_chain() {
        let steps = stand(
            &[
                "mangle:MARKS:rule:4 eth0>",
                "mangle:MARKS:return:6 eth0>",
                "mangle:PREROUTING:policy:2 eth0>",
            ],
            &[],
        );
        let depths: Vec<_> = steps.iter().map(|step| (step.depth, step.after)).collect();
        assert_eq!(depths, [(1, None), (1, Some(4)), (0, None)]);
        assert!(steps.iter().all(|step| step.stop() == Some(Stop::Prerouting)), "{steps:?}");
    }

    #[test]
    fn each_hook_and_each_pass_is_a_walk_of_its_own() {
        let steps = stand(
            &[
                "mangle:OUTPUT:policy:1 >lo",
                "mangle:POSTROUTING:policy:1 >lo",
                "mangle:PREROUTING:policy:1 lo>",
                "log:in lo>",
                "mangle:INPUT:policy:1 lo>",
            ],
            &[],
        );
        let walks: Vec<_> = steps.iter().map(|step| step.walk).collect();
        assert_eq!(walks, [Some(1), Some(2), Some(3), None, Some(4)]);
        assert!(steps.iter().all(|step| step.depth == 0));
        // the LOG line lies between PREROUTING and INPUT of the second pass: either is possible
        assert_eq!(steps[3].stops, StopSet::of(&[Stop::Prerouting, Stop::Input]));
    }

    #[test]
    fn what_comes_before_and_after_tells_the_hook_of_a_log_line() {
        let steps =
            stand(&["filter:FORWARD:rule:1 a>b", "log:x a>b", "mangle:FORWARD:policy:1 a>b"], &[]);
        assert_eq!(steps[1].stop(), Some(Stop::Forward));
        let steps = stand(&["filter:INPUT:rule:1 a>", "log:x a>"], &[]);
        assert_eq!(steps[1].stop(), Some(Stop::Input));
    }
}
