//! The kernel: its release, how it was built and started, what it does with its own log.

use std::collections::BTreeMap;

/// The kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kernel {
    /// `6.1.0-28-amd64`.
    pub release: Release,
    /// How it was built, where that is kept.
    pub config: Option<Config>,
    /// The modules that are loaded; none when the kernel has none at all.
    pub modules: Option<Vec<String>>,
    /// `/proc/cmdline`.
    pub command_line: String,
    /// How many processors it may have.
    pub processors: Option<u32>,
    /// `kernel.printk`: the console's level first.
    pub printk: Option<[u8; 4]>,
    /// Whether every line goes to the console whatever its level.
    pub ignores_level: bool,
    /// Whether lines have a time stamp.
    pub has_stamps: Option<bool>,
    /// The consoles of `/proc/consoles`: `ttyS0`.
    pub consoles: Vec<String>,
    /// `kernel.dmesg_restrict`.
    pub restricts_dmesg: Option<bool>,
    /// The clock behind the time of day: `tsc`.
    pub clock_source: Option<String>,
}

impl Kernel {
    /// The size of the log's ring in bytes: asked for at boot, or built in.
    pub fn ring_bytes(&self) -> Option<u64> {
        let asked = self.parameter("log_buf_len").and_then(size);
        asked.map(u64::next_power_of_two).or_else(|| self.built_ring_bytes())
    }

    /// With many processors the kernel adds some for each of them.
    fn built_ring_bytes(&self) -> Option<u64> {
        let config = self.config.as_ref()?;
        let shift: u32 = config.get("LOG_BUF_SHIFT")?.parse().ok()?;
        let base = 1u64.checked_shl(shift)?;
        let each = config.get("LOG_CPU_MAX_BUF_SHIFT").and_then(|text| text.parse().ok());
        let each = each.and_then(|shift| 1u64.checked_shl(shift)).unwrap_or(0);
        let extra = u64::from(self.processors.unwrap_or(1).saturating_sub(1)) * each;
        Some(if extra > base / 2 { (base + extra).next_power_of_two() } else { base })
    }

    /// `name=value` of the command line; the last one counts.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.command_line.split(' ').filter_map(|word| word.split_once('='));
        pairs.rev().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether the kernel has a part, by the option that builds it and the module that holds it.
    pub fn has(&self, option: &str, module: &str) -> Option<bool> {
        if self.modules.iter().flatten().any(|name| name == module) {
            return Some(true);
        }
        self.config.as_ref().map(|config| matches!(config.get(option), Some("y" | "m")))
    }
}

/// `512k`, `4M`, `1G`, or bytes.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A kernel's release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// As it says itself.
    pub text: String,
    /// The first two numbers.
    pub number: (u32, u32),
}

impl Release {
    /// Reads `6.1.0-28-amd64`.
    pub fn read(text: &str) -> Self {
        let mut numbers =
            text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        Self { text: text.to_owned(), number }
    }
}

/// How a kernel was built: `LOG_BUF_SHIFT` → `17`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<String, String>);

impl Config {
    /// Reads `/boot/config-*`.
    pub fn read(text: &str) -> Self {
        let pair = |line: &str| {
            let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
            Some((name.to_owned(), value.trim().trim_matches('"').to_owned()))
        };
        Self(text.lines().filter_map(pair).collect())
    }

    /// The value of an option, named without `CONFIG_`; none when it is not set.
    pub fn get(&self, option: &str) -> Option<&str> {
        self.0.get(option).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(command_line: &str, config: &str) -> Kernel {
        Kernel {
            command_line: command_line.to_owned(),
            config: Some(Config::read(config)),
            ..Kernel::default()
        }
    }

    #[test]
    fn the_ring() {
        const BUILT: &str =
            "CONFIG_LOG_BUF_SHIFT=17\nCONFIG_LOG_CPU_MAX_BUF_SHIFT=12\n# CONFIG_X is not set";
        assert_eq!(kernel("", BUILT).ring_bytes(), Some(128 << 10));
        assert_eq!(kernel("quiet log_buf_len=4M", BUILT).ring_bytes(), Some(4 << 20));
        assert_eq!(kernel("log_buf_len=300k", BUILT).ring_bytes(), Some(512 << 10));
        let many = Kernel { processors: Some(64), ..kernel("", BUILT) };
        assert_eq!(many.ring_bytes(), Some(512 << 10));
        assert_eq!(Kernel::default().ring_bytes(), None);
    }

    #[test]
    fn parts() {
        let built = kernel("", "CONFIG_IP_NF_RAW=m\n");
        assert_eq!(built.has("IP_NF_RAW", "iptable_raw"), Some(true));
        assert_eq!(built.has("IP_NF_SECURITY", "iptable_security"), Some(false));
        assert_eq!(Kernel::default().has("IP_NF_RAW", "iptable_raw"), None);
        let loaded = Kernel { modules: Some(vec!["iptable_raw".to_owned()]), ..Kernel::default() };
        assert_eq!(loaded.has("IP_NF_RAW", "iptable_raw"), Some(true));
    }

    #[test]
    fn releases() {
        assert_eq!(Release::read("6.1.0-28-amd64").number, (6, 1));
        assert_eq!(Release::read("2.6.32-642.el6.x86_64").number, (2, 6));
        assert_eq!(Release::read("").number, (0, 0));
    }
}
