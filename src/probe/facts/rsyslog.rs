//! rsyslog's settings, as far as kernel lines are concerned: where they come in, what holds them back, where they go.
//!
//! `imklog` reads `/proc/kmsg`, by default without a limit. `imjournal` reads the journal, by default no more than 20,000 lines
//! in ten minutes, whoever wrote them. The limit of `imuxsock` concerns programs only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::journald::level;

/// What rsyslog does with kernel lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rsyslog {
    /// Where lines come in.
    pub inputs: Vec<Input>,
    /// Files that get kernel lines of level 4, warning, as TRACE and LOG have.
    pub files: Vec<PathBuf>,
    /// Whether repeated lines are counted instead of written.
    pub folds_repeats: bool,
}

/// A module that brings in kernel lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// `imklog`, `imjournal`, `imkmsg`.
    pub module: String,
    /// No more than this many lines in this many seconds.
    pub limit: Option<(u64, u64)>,
    /// The file that loads it.
    pub place: PathBuf,
}

/// Modules that bring in kernel lines, each with the limit it has by default: lines, seconds.
const MODULES: [(&str, (u64, u64)); 3] =
    [("imklog", (10_000, 0)), ("imjournal", (20_000, 600)), ("imkmsg", (0, 0))];

impl Rsyslog {
    /// Reads the settings under a root folder; none when there are none.
    pub(super) fn gather(root: &Path) -> Option<Self> {
        let main = PathBuf::from("/etc/rsyslog.conf");
        let mut texts = BTreeMap::new();
        let read =
            |path: &Path| fs::read_to_string(root.join(path.strip_prefix("/").unwrap_or(path)));
        texts.insert(main.clone(), read(&main).ok()?);
        let folder = Path::new("/etc/rsyslog.d");
        for entry in fs::read_dir(root.join("etc/rsyslog.d")).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            if path.extension().is_some_and(|extension| extension == "conf")
                && let Ok(text) = read(&path)
            {
                texts.insert(path, text);
            }
        }
        Some(Self::read(texts.iter().map(|(path, text)| (path.as_path(), text.as_str()))))
    }

    /// Reads settings, file by file.
    pub fn read<'a>(texts: impl Iterator<Item = (&'a Path, &'a str)>) -> Self {
        let mut rsyslog = Self::default();
        for (path, text) in texts {
            let text = without_comments(text);
            rsyslog.modules(path, &text);
            for line in text.lines() {
                rsyslog.line(path, line);
            }
        }
        rsyslog
    }

    /// `module(load="imklog" ratelimitInterval="5")`, which may go over several lines.
    fn modules(&mut self, path: &Path, text: &str) {
        for call in calls(text, "module") {
            let parameters: Vec<(String, String)> = parameters(call);
            let get = |name: &str| {
                parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
            };
            let number = |names: [&str; 2], default: u64| {
                let given = names.into_iter().find_map(get).and_then(|text| text.parse().ok());
                given.unwrap_or(default)
            };
            let Some(name) = get("load") else { continue };
            if let Some((module, (burst, seconds))) = module_called(name) {
                let burst = number(["ratelimitburst", "ratelimit.burst"], burst);
                let seconds = number(["ratelimitinterval", "ratelimit.interval"], seconds);
                self.input(module, burst, seconds, path);
            }
        }
    }

    fn input(&mut self, module: &str, burst: u64, seconds: u64, place: &Path) {
        let limit = (burst > 0 && seconds > 0).then_some((burst, seconds));
        self.inputs.push(Input { module: module.to_owned(), limit, place: place.to_owned() });
    }

    /// The old forms: `$ModLoad imklog`, and `kern.*  -/var/log/kern.log`.
    fn line(&mut self, path: &Path, line: &str) {
        let mut words = line.split_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return };
        let number = || second.parse().ok();
        match first.to_ascii_lowercase().as_str() {
            "$modload" => {
                if let Some((module, (burst, seconds))) = module_called(second) {
                    self.input(module, burst, seconds, path);
                }
            }
            "$repeatedmsgreduction" => self.folds_repeats = second.eq_ignore_ascii_case("on"),
            "$imjournalratelimitinterval" => {
                self.limit_journal(|limit| limit.1 = number().unwrap_or(600));
            }
            "$imjournalratelimitburst" => {
                self.limit_journal(|limit| limit.0 = number().unwrap_or(20_000));
            }
            _ => {
                let target = second.trim_start_matches('-');
                let file = Path::new(target.split(';').next().unwrap_or(target));
                if selects_kernel_warnings(first) && file.is_absolute() {
                    self.files.push(file.to_owned());
                }
            }
        }
    }

    fn limit_journal(&mut self, change: impl Fn(&mut (u64, u64))) {
        for input in self.inputs.iter_mut().filter(|input| input.module == "imjournal") {
            let mut limit = input.limit.unwrap_or((20_000, 600));
            change(&mut limit);
            input.limit = (limit.0 > 0 && limit.1 > 0).then_some(limit);
        }
    }
}

fn module_called(name: &str) -> Option<(&'static str, (u64, u64))> {
    let name = name.strip_suffix(".so").unwrap_or(name);
    MODULES.into_iter().find(|(module, _)| *module == name)
}

/// Takes off what stands behind `#`, except inside of quotes.
fn without_comments(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut quoted = false;
        let kept = line.chars().take_while(|character| {
            quoted ^= *character == '"';
            quoted || *character != '#'
        });
        out.extend(kept);
        out.push('\n');
    }
    out
}

/// What stands between the parentheses of every `name(…)`.
fn calls<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(name) {
        let rest = text[at + name.len()..].trim_start();
        if let Some(inner) = rest.strip_prefix('(') {
            found.extend(inner.split(')').next());
        }
    }
    found
}

/// `key="value"` pairs; keys in lower case.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((key, tail)) = rest.split_once('=') {
        let tail = tail.trim_start();
        let Some((value, after)) = tail.strip_prefix('"').and_then(|tail| tail.split_once('"'))
        else {
            break;
        };
        pairs.push((key.trim().to_ascii_lowercase(), value.to_owned()));
        rest = after;
    }
    pairs
}

/// Whether a selector such as `*.info;mail.none` takes lines of facility kern and level 4.
fn selects_kernel_warnings(selector: &str) -> bool {
    const LEVEL: u8 = 4;
    let mut taken = false;
    for part in selector.split(';') {
        let Some((facilities, priority)) = part.rsplit_once('.') else { return false };
        if !facilities.split(',').any(|name| name == "*" || name == "kern") {
            continue;
        }
        let (negated, priority) = match priority.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, priority),
        };
        let meant = match priority.strip_prefix('=') {
            Some(exact) => level(exact) == Some(LEVEL),
            None if priority == "*" => true,
            None if priority == "none" => {
                taken = false;
                continue;
            }
            None => match level(priority) {
                Some(most) => LEVEL <= most,
                None => return false,
            },
        };
        if meant {
            taken = !negated;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Rsyslog {
        Rsyslog::read([(Path::new("/etc/rsyslog.conf"), text)].into_iter())
    }

    #[test]
    fn the_settings_of_debian() {
        let rsyslog = read(
            "module(load=\"imuxsock\") # provides support for local system logging\n\
             module(load=\"imklog\")   # provides kernel logging support\n\
             #module(load=\"immark\")\n\
             $IncludeConfig /etc/rsyslog.d/*.conf\n\
             *.*;auth,authpriv.none\t\t-/var/log/syslog\n\
             auth,authpriv.*\t\t/var/log/auth.log\n\
             kern.*\t\t\t\t-/var/log/kern.log\n\
             *.emerg\t\t\t\t:omusrmsg:*\n",
        );
        assert_eq!(rsyslog.inputs.len(), 1);
        assert_eq!((rsyslog.inputs[0].module.as_str(), rsyslog.inputs[0].limit), ("imklog", None));
        let files: Vec<_> = rsyslog.files.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(files, ["/var/log/syslog", "/var/log/kern.log"]);
        assert!(!rsyslog.folds_repeats);
    }

    #[test]
    fn the_settings_of_red_hat() {
        let rsyslog = read(
            "module(load=\"imuxsock\"\n\t SysSock.Use=\"off\") # Turn off message reception via local log socket;\n\
             module(load=\"imjournal\"\n\t UsePid=\"system\" # PID number is retrieved as the ID of the process\n\
             \t FileCreateMode=\"0644\"\n\t StateFile=\"imjournal.state\") # File to store the position\n\
             #module(load=\"imklog\")\n\
             *.info;mail.none;authpriv.none;cron.none                /var/log/messages\n",
        );
        assert_eq!(rsyslog.inputs.len(), 1);
        assert_eq!(rsyslog.inputs[0].limit, Some((20_000, 600)));
        assert_eq!(rsyslog.files, [Path::new("/var/log/messages")]);
        let free = read("module(load=\"imjournal\" Ratelimit.Interval=\"0\")");
        assert_eq!(free.inputs[0].limit, None);
    }

    #[test]
    fn the_old_forms() {
        let rsyslog = read(
            "$ModLoad imklog\n$ModLoad imjournal\n$imjournalRatelimitInterval 0\n$RepeatedMsgReduction on\n",
        );
        assert_eq!(
            rsyslog.inputs.iter().map(|input| input.limit).collect::<Vec<_>>(),
            [None, None]
        );
        assert!(rsyslog.folds_repeats);
        let limited =
            read("module(load=\"imklog\" RateLimitInterval=\"5\" ratelimitBurst=\"200\")");
        assert_eq!(limited.inputs[0].limit, Some((200, 5)));
    }

    #[test]
    fn selectors() {
        for yes in [
            "*.*",
            "kern.*",
            "kern,daemon.info",
            "*.info;mail.none",
            "kern.=warn",
            "*.debug",
            "kern.warning",
        ] {
            assert!(selects_kernel_warnings(yes), "{yes}");
        }
        for no in [
            "*.emerg",
            "kern.err",
            "mail.*",
            "*.*;kern.none",
            "*.info;kern.!info",
            "kern.=info",
            "module(load=\"a.b\")",
            "if",
        ] {
            assert!(!selects_kernel_warnings(no), "{no}");
        }
    }
}
