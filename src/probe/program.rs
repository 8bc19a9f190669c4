//! Runs the host's own programs: no shell, a bounded time, a bounded output.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Where system programs live that a user's own path often leaves out.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// How much of a program's complaints is kept.
const COMPLAINT_BYTES: usize = 64 * 1024;

/// How often a running program is asked whether it has ended.
const PATIENCE: Duration = Duration::from_millis(2);

/// How to run programs: where they are looked for, in which namespace they run, what they may take.
#[derive(Debug, Clone)]
pub struct Programs {
    folders: Vec<PathBuf>,
    netns: Option<String>,
    time: Duration,
    bytes: usize,
}

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output.
    pub out: Vec<u8>,
    /// Whether it wrote more than is kept.
    pub is_cut: bool,
    /// The first line of its complaint, if any.
    pub complaint: Option<String>,
}

/// Why a program said nothing.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It is not installed.
    #[error("`{0}` is not installed")]
    Absent(String),
    /// It was ended because it took too long.
    #[error("took longer than {0:?}")]
    TookTooLong(Duration),
    /// It did not start.
    #[error("did not start: {0}")]
    NotStarted(io::Error),
}

impl Answer {
    /// Whether it ended well.
    pub fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// Its output as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

impl Programs {
    /// Looks in the folders of `path` (as in `PATH`) first, then in the system's own.
    pub fn new(path: &OsStr, time: Duration, bytes: usize) -> Self {
        let mut folders: Vec<PathBuf> =
            std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
        folders.extend(SYSTEM_FOLDERS.map(PathBuf::from));
        Self { folders, netns: None, time, bytes }
    }

    /// The same, inside a named network namespace.
    #[must_use]
    pub fn inside(self, netns: Option<String>) -> Self {
        Self { netns, ..self }
    }

    /// The network namespace in which programs run; none for the caller's own.
    pub fn netns(&self) -> Option<&str> {
        self.netns.as_deref()
    }

    /// Where a program is.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(program)).find(|path| is_program(path))
    }

    /// Runs a program to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<Answer, Silence> {
        let path = self.find(program).ok_or_else(|| Silence::Absent(program.to_owned()))?;
        let mut child = self.command(&path, arguments)?.spawn().map_err(Silence::NotStarted)?;
        let deadline = Instant::now() + self.time;
        let out = drain(child.stdout.take(), self.bytes);
        let complaint = drain(child.stderr.take(), COMPLAINT_BYTES);
        let status = wait(&mut child, deadline).map_err(Silence::NotStarted)?;
        let status = status.ok_or(Silence::TookTooLong(self.time))?;
        // A grandchild may hold the pipe open after its parent has ended: the same deadline holds.
        let left = || deadline.saturating_duration_since(Instant::now()) + PATIENCE;
        let (out, is_cut) =
            out.recv_timeout(left()).map_err(|_| Silence::TookTooLong(self.time))?;
        let complaint = complaint.recv_timeout(left()).map(|(text, _)| text).unwrap_or_default();
        Ok(Answer { status: status.code(), out, is_cut, complaint: first_line(&complaint) })
    }

    fn command(&self, path: &Path, arguments: &[&str]) -> Result<Command, Silence> {
        let mut command = match &self.netns {
            None => Command::new(path),
            Some(name) => {
                let ip = self.find("ip").ok_or_else(|| Silence::Absent("ip".to_owned()))?;
                let mut command = Command::new(ip);
                command.args(["netns", "exec", name]).arg(path);
                command
            }
        };
        if let Ok(path) = std::env::join_paths(&self.folders) {
            command.env("PATH", path);
        }
        // Times in what they print are then of UTC, as the snapshot's own.
        command.args(arguments).env("LC_ALL", "C").env("TZ", "UTC0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// Reads a pipe to its end in a thread of its own. Keeps the first `most` bytes; says whether there were more.
fn drain(pipe: Option<impl Read + Send + 'static>, most: usize) -> mpsc::Receiver<(Vec<u8>, bool)> {
    let (give, take) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut kept = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        // A pipe that breaks has said what it could.
        let _ = pipe.by_ref().take(limit).read_to_end(&mut kept);
        // The rest is read too: a program that cannot write would never end.
        let more = io::copy(&mut pipe, &mut io::sink()).unwrap_or(0);
        // The receiver is gone when the deadline has passed.
        let _ = give.send((kept, more > 0));
    });
    take
}

/// Waits until the deadline; a program that is still running then is ended.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PATIENCE);
    }
}

/// The first line that is more than a warning, if there is one.
fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let is_warning = |line: &&str| {
        line.trim_start_matches(['#', ' '])
            .get(..7)
            .is_some_and(|word| word.eq_ignore_ascii_case("warning"))
    };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let first = lines.peek().copied();
    lines.find(|line| !is_warning(line)).or(first).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs() -> Programs {
        Programs::new(OsStr::new("/usr/bin:/bin"), Duration::from_secs(5), 1_000)
    }

    #[test]
    fn output_and_complaint_are_told_apart() {
        let script = "echo said; echo moaned >&2; echo $LC_ALL; exit 3";
        let answer = programs().run("sh", &["-c", script]).unwrap();
        assert_eq!(answer.text(), "said\nC\n");
        assert_eq!(answer.status, Some(3));
        assert_eq!(answer.complaint.as_deref(), Some("moaned"));
        assert!(!answer.is_cut && !answer.is_success());
    }

    #[test]
    fn a_program_that_says_too_much_is_cut_and_still_ends() {
        let answer = programs().run("sh", &["-c", "head -c 300000 /dev/zero"]).unwrap();
        assert_eq!(answer.out.len(), 1_000);
        assert!(answer.is_cut && answer.is_success());
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let mut programs = programs();
        programs.time = Duration::from_millis(100);
        let begin = Instant::now();
        let silence = programs.run("sleep", &["60"]).unwrap_err();
        assert_eq!(silence.to_string(), "took longer than 100ms");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_does_not_hold_us() {
        let mut programs = programs();
        programs.time = Duration::from_millis(200);
        let begin = Instant::now();
        assert!(programs.run("sh", &["-c", "sleep 3 & echo said"]).is_err());
        assert!(begin.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn complaints_come_before_warnings() {
        let told = |text: &str| first_line(text.as_bytes());
        assert_eq!(told("WARNING: odd\n\n no daemon\n").as_deref(), Some("no daemon"));
        assert_eq!(
            told("# Warning: tables present\n").as_deref(),
            Some("# Warning: tables present")
        );
        assert_eq!(told("\n"), None);
    }

    #[test]
    fn what_is_not_installed_is_said() {
        let silence = programs().run("tracecol-has-no-such-program", &[]).unwrap_err();
        assert_eq!(silence.to_string(), "`tracecol-has-no-such-program` is not installed");
    }
}
