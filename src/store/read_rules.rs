//! The rules that packets and connections met, as text beside the rows.
//!
//! A database without rules is asked nothing for them: the rows' own queries tell that there are none.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use foldhash::HashMap;

use crate::model::WallTime;
use crate::store::StoreError;
use crate::store::read::Reader;
use crate::store::read_links::list;

/// What the rules tell of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRule {
    /// The rule's text; none for the end of a user chain, and with a misfit.
    pub text: Option<Arc<str>>,
    /// Where it stands: `filter:FORWARD:rule:2`, `filter:FORWARD:policy`, `filter:DOCKER:return`, `eb:nat:OUTPUT:rule:1`;
    /// none with a misfit.
    pub place: Option<Arc<str>>,
    /// Why no rule is shown: the rule set that is there cannot be the one that the packet met.
    pub misfit: Option<Arc<str>>,
}

/// A rule by its text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    /// `-A FORWARD -i docker0 -j ACCEPT`, `-P FORWARD DROP`.
    pub text: Arc<str>,
    /// Where it stands: `filter:FORWARD:rule:2`, `filter:FORWARD:policy`.
    pub place: Arc<str>,
}

/// What stands at the steps of a path, by step, from which time on; in order of time.
type PathRules = Vec<Vec<(i64, Option<StepRule>)>>;

/// The rules of paths by host and path, as far as they were asked for. For one question only: rules may change.
#[derive(Default)]
pub(crate) struct StepRules {
    paths: HashMap<(i64, i64), PathRules>,
}

/// A row of what stands at a step: index, time, text, label, misfit.
type Row = (u32, i64, Option<String>, Option<String>, Option<String>);

impl Reader<'_> {
    /// What the rules tell of the steps of a packet that went `path` on `host`.
    pub(crate) async fn step_rules(
        &mut self,
        known: &mut StepRules,
        (host, path): (i64, i64),
        wall: Option<WallTime>,
        n_steps: usize,
    ) -> Result<Vec<Option<StepRule>>, StoreError> {
        let rules = match known.paths.entry((host, path)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.path_rules(host, path, n_steps).await?),
        };
        let wall = wall.map_or(i64::MIN, |wall| wall.0);
        let at = |stands: &Vec<(i64, Option<StepRule>)>| {
            stands.iter().rev().find(|(from, _)| *from <= wall).and_then(|(_, rule)| rule.clone())
        };
        Ok(rules.iter().map(at).collect())
    }

    async fn path_rules(
        &mut self,
        host: i64,
        path: i64,
        n_steps: usize,
    ) -> Result<PathRules, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select o.idx, s.from_us, r.text, r.label, s.misfit
             from path_hop o
             join hop h on h.id = o.hop
             join rule_site s on s.host = ? and s.site = h.site and s.layer = h.layer
             left join rule r on r.id = s.rule
             where o.path = ? order by o.idx, s.from_us",
        )
        .bind(host)
        .bind(path)
        .fetch_all(&mut *self.connection)
        .await?;
        let mut rules = vec![Vec::new(); n_steps];
        for (idx, from, text, place, misfit) in rows {
            let stands = (place.is_some() || misfit.is_some()).then(|| StepRule {
                text: text.map(Into::into),
                place: place.map(Into::into),
                misfit: misfit.map(Into::into),
            });
            if let Some(step) = rules.get_mut(idx as usize) {
                step.push((from, stands));
            }
        }
        Ok(rules)
    }

    /// The texts of rules, by id.
    pub(crate) async fn rule_texts(
        &mut self,
        ids: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, RuleText>, StoreError> {
        let ids: Vec<i64> = ids.collect();
        if ids.is_empty() {
            return Ok(HashMap::default());
        }
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "select id, text, label from rule where text is not null and id in (select value from json_each(?))",
        )
        .bind(list(&ids))
        .fetch_all(&mut *self.connection)
        .await?;
        let rule = |(id, text, place): (i64, String, String)| {
            (id, RuleText { text: text.into(), place: place.into() })
        };
        Ok(rows.into_iter().map(rule).collect())
    }
}
