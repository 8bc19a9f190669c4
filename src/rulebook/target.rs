//! What a rule does with a packet that it matches.

/// A rule's target (`-j`, `-g`), or nft's statement in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Target {
    /// No `-j`: the rule only counts.
    #[default]
    None,
    /// ACCEPT.
    Accept,
    /// DROP.
    Drop,
    /// RETURN.
    Return,
    /// CONTINUE of ebtables.
    Continue,
    /// QUEUE: to userspace, the old way.
    Queue,
    /// `-j CHAIN`.
    Jump(Box<str>),
    /// `-g CHAIN`.
    Goto(Box<str>),
    /// REJECT, with what it answers.
    Reject {
        /// `icmp-port-unreachable`, `tcp-reset` …
        with: Option<Box<str>>,
    },
    /// LOG.
    Log,
    /// TRACE.
    Trace,
    /// DNAT.
    Dnat {
        /// `172.17.0.5:6379`, as given.
        to: Option<Box<str>>,
    },
    /// SNAT.
    Snat {
        /// As given.
        to: Option<Box<str>>,
    },
    /// MASQUERADE.
    Masquerade,
    /// REDIRECT.
    Redirect {
        /// `--to-ports`, as given.
        to: Option<Box<str>>,
    },
    /// NETMAP.
    Netmap {
        /// As given.
        to: Option<Box<str>>,
    },
    /// MARK: sets the packet's mark.
    Mark {
        /// New mark = (old & !mask) ^ value, as `--set-xmark` has it; none when it could not be read.
        set: Option<(u32, u32)>,
    },
    /// CONNMARK.
    Connmark,
    /// TPROXY: to a local socket.
    Tproxy,
    /// NFQUEUE: to a program in userspace.
    Nfqueue {
        /// The queue's number.
        number: Option<u16>,
        /// `--queue-bypass`: goes on when nobody listens.
        bypass: bool,
    },
    /// CT, NOTRACK: conntrack's treatment.
    Notrack,
    /// A target that lets the packet go on to the next rule (TCPMSS, TOS, CLASSIFY, SET, NFLOG …): its name and options.
    Passes(Box<str>),
    /// A target this version does not know: it may do anything. Its name and options.
    Other(Box<str>),
}

impl Target {
    /// ACCEPT, DROP, RETURN or QUEUE: what the kernel keeps as a negative verdict.
    pub fn is_plain_verdict(&self) -> bool {
        matches!(self, Self::Accept | Self::Drop | Self::Return | Self::Queue)
    }

    /// The word after `-j`: `ACCEPT`, `LOG`, a chain's name; empty for none.
    pub fn name(&self) -> &str {
        match self {
            Self::None => "",
            Self::Accept => "ACCEPT",
            Self::Drop => "DROP",
            Self::Return => "RETURN",
            Self::Continue => "CONTINUE",
            Self::Queue => "QUEUE",
            Self::Jump(chain) | Self::Goto(chain) => chain,
            Self::Reject { .. } => "REJECT",
            Self::Log => "LOG",
            Self::Trace => "TRACE",
            Self::Dnat { .. } => "DNAT",
            Self::Snat { .. } => "SNAT",
            Self::Masquerade => "MASQUERADE",
            Self::Redirect { .. } => "REDIRECT",
            Self::Netmap { .. } => "NETMAP",
            Self::Mark { .. } => "MARK",
            Self::Connmark => "CONNMARK",
            Self::Tproxy => "TPROXY",
            Self::Nfqueue { .. } => "NFQUEUE",
            Self::Notrack => "NOTRACK",
            Self::Passes(text) | Self::Other(text) => text.split(' ').next().unwrap_or_default(),
        }
    }

    /// Whether the walk of this table goes on at the next rule after a match. `None`: not known.
    pub fn goes_on(&self) -> Option<bool> {
        match self {
            Self::None
            | Self::Continue
            | Self::Log
            | Self::Trace
            | Self::Mark { .. }
            | Self::Connmark
            | Self::Notrack
            | Self::Passes(_) => Some(true),
            Self::Accept
            | Self::Drop
            | Self::Return
            | Self::Queue
            | Self::Jump(_)
            | Self::Goto(_)
            | Self::Reject { .. }
            | Self::Dnat { .. }
            | Self::Snat { .. }
            | Self::Masquerade
            | Self::Redirect { .. }
            | Self::Netmap { .. }
            | Self::Tproxy
            | Self::Nfqueue { .. } => Some(false),
            Self::Other(_) => None,
        }
    }
}
