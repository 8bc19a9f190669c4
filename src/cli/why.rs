//! `tracecol why`: the newest match, told as a story: what happened, what decided, what to change.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

use crate::cli::args::{FILTER_HELP, Filter, Global};
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::story::{StoryArgs, tell};
use crate::cli::{database, search, talk};
use crate::filter::Expr;
use crate::query::Library;
use crate::store::{ConnectionQuery, Order, PacketQuery, PublicId, Store};

/// Tell what became of the newest match: what happened, what decided, what to change.
#[derive(Debug, Args)]
#[command(after_help = why_help())]
pub(super) struct Why {
    /// `HOST:PORT` as the client asked for it, an address, a container's name with a port, an id, or conditions
    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    story: StoryArgs,
}

fn why_help() -> String {
    format!(
        "\
Examples:
  tracecol why 10.146.22.21:40000          the newest connection to it
  tracecol why verdict:dropped src:10.0.0.0/8
  tracecol why c0123456789abc              this one

{FILTER_HELP}"
    )
}

impl Why {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let text = self.filter.text();
        if text.trim().is_empty() {
            return Err(Failure::new("why what?")
                .hint("name a destination: tracecol why 10.0.0.5:443")
                .hint("or conditions: tracecol why verdict:dropped since:1h"));
        }
        database::read(global, async |store| {
            let mut library = Library::load(store).await?;
            let Some(filter) = filter(&text, &library, global)? else {
                return Ok(Ending::Nothing);
            };
            let Some(id) = newest(store, filter).await? else {
                talk::note(global, "nothing in this database matches");
                return Ok(Ending::Nothing);
            };
            tell(global, store, &mut library, &id, &self.story).await
        })
        .await
    }
}

/// What is meant: an id, a destination, or a filter.
fn filter(text: &str, library: &Library, global: &Global) -> Result<Option<Expr>, Failure> {
    let word = text.trim();
    if word.parse::<PublicId>().is_ok() {
        return search::expression(&format!("id:{word}"), global);
    }
    if let Ok(socket) = word.parse::<SocketAddr>() {
        return search::expression(&destination(&[socket.ip()], socket.port()), global);
    }
    if let Ok(addr) = word.parse::<IpAddr>() {
        return search::expression(&format!("addr:{addr}"), global);
    }
    if let Some((name, port)) = word.split_once(':')
        && let Ok(port) = port.parse::<u16>()
    {
        let addrs = library.addresses_of(name);
        if !addrs.is_empty() {
            return search::expression(&destination(&addrs, port), global);
        }
    }
    search::expression(text, global)
}

/// `dst:172.17.0.2,172.18.0.2 dport:6379`
fn destination(addrs: &[IpAddr], port: u16) -> String {
    let addrs: Vec<String> = addrs.iter().map(ToString::to_string).collect();
    format!("dst:{} dport:{port}", addrs.join(","))
}

/// The newest connection, or the newest packet when no connection matches.
async fn newest(store: &Store, filter: Expr) -> Result<Option<PublicId>, Failure> {
    let order = Order::NewestFirst;
    let query =
        ConnectionQuery { filter: Some(filter.clone()), order, limit: Some(1), after: None };
    if let Some(row) = store.connections(&query).await?.first() {
        return Ok(Some(row.id));
    }
    let query = PacketQuery { filter: Some(filter), order, limit: Some(1), after: None };
    Ok(store.packets(&query).await?.first().map(|row| row.id))
}
