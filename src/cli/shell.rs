//! `tracecol completions` and `tracecol man`: what packagers and shells want.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::failure::{Ending, Outcome};
use crate::cli::output;

/// Write shell completions to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tracecol completions bash > /etc/bash_completion.d/tracecol
  tracecol completions zsh  > ~/.zfunc/_tracecol
  tracecol completions fish > ~/.config/fish/completions/tracecol.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the manual page to standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tracecol man | man -l -
  tracecol man ingest | man -l -")]
pub(super) struct Man {
    /// The command to write about [default: tracecol as a whole]
    command: Option<String>,
}

impl Completions {
    pub(super) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tracecol", &mut script);
        write_all(&script)
    }
}

impl Man {
    pub(super) fn run(self) -> Outcome {
        let mut whole = Cli::command();
        whole.build();
        let command = match &self.command {
            None => whole,
            Some(name) => {
                let found = whole.find_subcommand(name).cloned();
                let Some(command) = found else {
                    let text =
                        format!("there is no command `{}`", crate::render::escape_text(name));
                    return Err(crate::cli::failure::Failure::new(text)
                        .hint("`tracecol --help` lists them"));
                };
                // A page's name has no blanks: tracecol-ingest.
                let page = format!("tracecol-{}", command.get_name());
                command.name(page)
            }
        };
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        write_all(&page)
    }
}

fn write_all(text: &[u8]) -> Outcome {
    let mut out = output::data();
    out.write_all(text)?;
    out.flush()?;
    Ok(Ending::Done)
}
