//! A site: one place in the rule sets from which a line can come.

/// The layer a step was seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// IPv4 tables.
    Ip,
    /// IPv6 tables.
    Ip6,
    /// Bridge tables (ebtables, nft family bridge).
    Bridge,
    /// ARP, seen by the arp family or by LOG.
    Arp,
}

/// The standard tables, in the order in which the kernel calls them inside one hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// `raw`, priority −300.
    Raw,
    /// `mangle`, priority −150.
    Mangle,
    /// `nat`, −100 (destination side) or 100 (source side).
    Nat,
    /// `filter`, 0.
    Filter,
    /// `security`, 50.
    Security,
    /// `broute` of ebtables.
    Broute,
}

impl Table {
    /// Reads the table's name.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"raw" => Self::Raw,
            b"mangle" => Self::Mangle,
            b"nat" => Self::Nat,
            b"filter" => Self::Filter,
            b"security" => Self::Security,
            b"broute" => Self::Broute,
            _ => return None,
        })
    }
}

/// The built-in chain, that is the hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// BROUTING (ebtables broute).
    Brouting,
    /// PREROUTING.
    Prerouting,
    /// INPUT.
    Input,
    /// FORWARD.
    Forward,
    /// OUTPUT.
    Output,
    /// POSTROUTING.
    Postrouting,
}

impl Hook {
    /// Reads a built-in chain's name; a user chain gives `None`.
    pub fn from_chain(chain: &[u8]) -> Option<Self> {
        Some(match chain {
            b"BROUTING" => Self::Brouting,
            b"PREROUTING" => Self::Prerouting,
            b"INPUT" => Self::Input,
            b"FORWARD" => Self::Forward,
            b"OUTPUT" => Self::Output,
            b"POSTROUTING" => Self::Postrouting,
            _ => return None,
        })
    }

    /// The built-in chain's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brouting => "BROUTING",
            Self::Prerouting => "PREROUTING",
            Self::Input => "INPUT",
            Self::Forward => "FORWARD",
            Self::Output => "OUTPUT",
            Self::Postrouting => "POSTROUTING",
        }
    }
}

/// What a TRACE line says about the place inside its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SiteKind {
    /// `rule:n`: rule n matched.
    Rule(u32),
    /// `return:n`: the end of a user chain, or a match-less rule n in one.
    Return(u32),
    /// `policy:n`: the end of a built-in chain, or a match-less rule n in one.
    Policy(u32),
}

/// One place a line can come from. Text is kept as bytes: names are hostile input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// A TRACE line of ip(6)tables.
    Trace {
        /// The table's name as printed.
        table: Box<[u8]>,
        /// The chain's name as printed, built-in or user-defined.
        chain: Box<[u8]>,
        /// Where in the chain.
        kind: SiteKind,
    },
    /// A LOG line: only its prefix tells where it comes from.
    Log {
        /// The prefix exactly as printed, trailing blanks included.
        prefix: Box<[u8]>,
    },
    /// An ebtables line whose prefix follows the `TRACE: eb:table:CHAIN` convention.
    Bridge {
        /// The table's name as printed.
        table: Box<[u8]>,
        /// The chain's name as printed.
        chain: Box<[u8]>,
        /// The whole prefix, exactly as printed.
        prefix: Box<[u8]>,
    },
    /// An ebtables line whose prefix does not tell the chain.
    BridgeLog {
        /// The prefix exactly as printed.
        prefix: Box<[u8]>,
    },
}

impl Site {
    /// The standard table this site belongs to, when its name is one.
    pub fn table(&self) -> Option<Table> {
        match self {
            Self::Trace { table, .. } | Self::Bridge { table, .. } => Table::from_name(table),
            Self::Log { .. } | Self::BridgeLog { .. } => None,
        }
    }

    /// The hook this site belongs to, when the line itself tells it.
    pub fn hook(&self) -> Option<Hook> {
        match self {
            Self::Trace { chain, .. } | Self::Bridge { chain, .. } => Hook::from_chain(chain),
            Self::Log { .. } | Self::BridgeLog { .. } => None,
        }
    }

    /// The site as the contract writes it: `filter:FORWARD:rule:2`, `eb:nat:OUTPUT`, `log:<prefix>`,
    /// and `eb:?` for an ebtables prefix that does not tell. Bytes that are not UTF-8 become U+FFFD.
    pub fn label(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Trace { table, chain, kind } => {
                let (word, number) = match kind {
                    SiteKind::Rule(number) => ("rule", number),
                    SiteKind::Return(number) => ("return", number),
                    SiteKind::Policy(number) => ("policy", number),
                };
                format!("{}:{}:{word}:{number}", text(table), text(chain))
            }
            Self::Log { prefix } => format!("log:{}", text(prefix.trim_ascii())),
            Self::Bridge { table, chain, .. } => format!("eb:{}:{}", text(table), text(chain)),
            Self::BridgeLog { .. } => "eb:?".to_owned(),
        }
    }

    /// Whether the line was printed by ebtables.
    pub fn is_bridge(&self) -> bool {
        matches!(self, Self::Bridge { .. } | Self::BridgeLog { .. })
    }
}
