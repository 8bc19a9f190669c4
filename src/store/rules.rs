//! The rules of the snapshots, one row each, so that a line's place can point at its rule.

use std::collections::hash_map::Entry;

use foldhash::HashMap;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow, Row as _};

use crate::model::{Family, WallTime};
use crate::store::insert::{Insert, insert};
use crate::store::snapshots::{forget_told, remove_rules};
use crate::store::{StoreError, Writer};

/// One rule set of a snapshot, with the time from which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRevision {
    /// Whose rules they are.
    pub family: Family,
    /// From when on it holds; none when nobody knows.
    pub from: Option<WallTime>,
    /// Its rules in order, with one row of number 0 for every chain, before the chain's rules.
    pub rules: Vec<NewRule>,
}

/// A rule, a policy, or the end of a user chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// The table's name.
    pub table: Box<str>,
    /// The chain's name.
    pub chain: Box<str>,
    /// The rule's number from 1; 0 for the policy of a built-in chain and for the end of a user chain.
    pub number: u32,
    /// `-A FORWARD -i docker0 -j ACCEPT`, `-P FORWARD DROP`; none for the end of a user chain.
    pub text: Option<Box<str>>,
    /// What it does, as a word: `ACCEPT`, `jump DOCKER`, `TRACE`; none when it does nothing.
    pub target: Option<Box<str>>,
}

/// Names a row of the rules: the place of a rule in a stored rule set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleAt {
    /// The number of the rule set, as [`Writer::file_rules`] gave it.
    pub revision: i64,
    /// The table's name.
    pub table: Box<str>,
    /// The chain's name.
    pub chain: Box<str>,
    /// The rule's number from 1; 0 for the policy or the end of the chain.
    pub number: u32,
}

/// How many bits of a rule's id tell its place in its rule set.
const PLACE_BITS: u32 = 24;

impl Writer {
    /// Files the rule sets that a snapshot's text holds, in the order of the text, and gives their numbers.
    ///
    /// When the very same were filed before, nothing is written. When others were (another version read the text
    /// otherwise), they are replaced, and all that was told is forgotten until it is told again.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn file_rules(
        &mut self,
        snapshot: i64,
        revisions: &[NewRevision],
    ) -> impl Future<Output = Result<Vec<i64>, StoreError>> + Send {
        async move {
            let mut transaction = self.connection.begin_with("begin immediate").await?;
            let ids = file(&mut transaction, snapshot, revisions).await?;
            transaction.commit().await?;
            self.memory.forget();
            Ok(ids)
        }
    }
}

async fn file(
    connection: &mut SqliteConnection,
    snapshot: i64,
    revisions: &[NewRevision],
) -> Result<Vec<i64>, StoreError> {
    let exists: bool = sqlx::query_scalar(
        "select exists (select 1 from snapshot where id = ? and kind = 'rules')",
    )
    .bind(snapshot)
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Err(StoreError::NoSuch { what: "snapshot of rules", id: snapshot });
    }
    let filed = filed(connection, snapshot).await?;
    if filed.iter().map(|(_, revision)| revision).eq(revisions) {
        return Ok(filed.into_iter().map(|(id, _)| id).collect());
    }
    if !filed.is_empty() {
        remove_rules(connection, snapshot).await?;
        forget_told(connection).await?;
    }
    let mut ids = Vec::with_capacity(revisions.len());
    for (idx, revision) in revisions.iter().enumerate() {
        ids.push(add(connection, snapshot, idx, revision).await?);
    }
    Ok(ids)
}

/// The rule sets that are filed for a snapshot, with their numbers.
async fn filed(
    connection: &mut SqliteConnection,
    snapshot: i64,
) -> Result<Vec<(i64, NewRevision)>, StoreError> {
    let rows: Vec<(i64, String, Option<i64>)> =
        sqlx::query_as("select id, family, from_us from revision where snapshot = ? order by idx")
            .bind(snapshot)
            .fetch_all(&mut *connection)
            .await?;
    let mut revisions = Vec::with_capacity(rows.len());
    for (id, family, from_us) in rows {
        let rules: Vec<NewRule> = sqlx::query_as(
            "select * from rule where id between ?1 << 24 and (?1 << 24) + 16777215 order by id",
        )
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
        let revision =
            NewRevision { family: family_of(&family)?, from: from_us.map(WallTime), rules };
        revisions.push((id, revision));
    }
    Ok(revisions)
}

impl FromRow<'_, SqliteRow> for NewRule {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let text = |column: &str| {
            row.try_get::<Option<String>, _>(column).map(|text| text.map(String::into_boxed_str))
        };
        Ok(Self {
            table: row.try_get::<String, _>("table_name")?.into(),
            chain: row.try_get::<String, _>("chain")?.into(),
            number: row.try_get("number")?,
            text: text("text")?,
            target: text("target")?,
        })
    }
}

/// Reads the column `revision.family`.
pub(crate) fn family_of(name: &str) -> Result<Family, StoreError> {
    Family::from_name(name).ok_or(StoreError::Damaged("an unknown family of rules"))
}

async fn add(
    connection: &mut SqliteConnection,
    snapshot: i64,
    idx: usize,
    revision: &NewRevision,
) -> Result<i64, StoreError> {
    const RULES: Insert = Insert {
        head: "insert into rule (id, table_name, chain, number, text, target, label) ",
        tail: "",
        columns: 7,
    };
    if revision.rules.len() >= 1 << PLACE_BITS {
        return Err(StoreError::TooManyRules(revision.rules.len()));
    }
    let id: i64 = sqlx::query_scalar(
        "insert into revision (id, snapshot, idx, family, from_us)
         values ((select coalesce(max(id), 0) + 1 from revision), ?, ?, ?, ?) returning id",
    )
    .bind(snapshot)
    .bind(i64::try_from(idx).unwrap_or(i64::MAX))
    .bind(revision.family.name())
    .bind(revision.from.map(|from| from.0))
    .fetch_one(&mut *connection)
    .await?;
    let rows = (id << PLACE_BITS..)
        .zip(&revision.rules)
        .map(|(id, rule)| (id, label(revision.family, rule), rule.clone()))
        .collect();
    insert(connection, &RULES, rows, |values, (id, label, rule)| {
        values
            .push_bind(id)
            .push_bind(String::from(rule.table))
            .push_bind(String::from(rule.chain))
            .push_bind(rule.number)
            .push_bind(rule.text.map(String::from))
            .push_bind(rule.target.map(String::from))
            .push_bind(label);
    })
    .await?;
    Ok(id)
}

/// `filter:FORWARD:rule:2`, `filter:FORWARD:policy`, `filter:DOCKER:return`; those of bridges begin with `eb:`.
fn label(family: Family, rule: &NewRule) -> String {
    let layer = if family == Family::Bridge { "eb:" } else { "" };
    let NewRule { table, chain, .. } = rule;
    match (rule.number, &rule.text) {
        (0, Some(_)) => format!("{layer}{table}:{chain}:policy"),
        (0, None) => format!("{layer}{table}:{chain}:return"),
        (number, _) => format!("{layer}{table}:{chain}:rule:{number}"),
    }
}

/// The ids of rules by their places, of the rule sets that were asked for.
#[derive(Default)]
pub(crate) struct RuleIds {
    revisions: HashMap<i64, Places>,
}

/// The ids of a rule set's rules by table, chain and number.
type Places = HashMap<(Box<str>, Box<str>, u32), i64>;

impl RuleIds {
    pub(crate) fn forget(&mut self) {
        self.revisions.clear();
    }

    /// The id of a rule.
    pub(crate) async fn id(
        &mut self,
        connection: &mut SqliteConnection,
        at: &RuleAt,
    ) -> Result<i64, StoreError> {
        let rules = match self.revisions.entry(at.revision) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(rule_ids(connection, at.revision).await?),
        };
        let id = rules.get(&(at.table.clone(), at.chain.clone(), at.number));
        id.copied().ok_or(StoreError::NoSuch { what: "such rule in rule set", id: at.revision })
    }

    /// The id of a rule, when there is one.
    pub(crate) async fn id_of(
        &mut self,
        connection: &mut SqliteConnection,
        at: Option<&RuleAt>,
    ) -> Result<Option<i64>, StoreError> {
        match at {
            Some(at) => Ok(Some(self.id(connection, at).await?)),
            None => Ok(None),
        }
    }
}

async fn rule_ids(connection: &mut SqliteConnection, revision: i64) -> Result<Places, StoreError> {
    let rows: Vec<(String, String, u32, i64)> = sqlx::query_as(
        "select table_name, chain, number, id from rule
         where id between ?1 << 24 and (?1 << 24) + 16777215 order by id",
    )
    .bind(revision)
    .fetch_all(&mut *connection)
    .await?;
    let mut ids = HashMap::default();
    for (table, chain, number, id) in rows {
        // Of two rules with one place, which only a text that nobody's kernel printed has, the first counts.
        ids.entry((table.into(), chain.into(), number)).or_insert(id);
    }
    Ok(ids)
}
