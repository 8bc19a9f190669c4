//! The ports of bridges, learnt from the lines: which bridge a frame's port belongs to.

use crate::model::IfName;

/// Which bridge a port belongs to, learnt from `IN=bridge PHYSIN=port` and from joins.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<(IfName, IfName)>);

impl Ports {
    /// More ports than this are not remembered; a host with more is judged without.
    const LIMIT: usize = 1_024;

    pub(super) fn bridge_of(&self, port: IfName) -> Option<IfName> {
        self.0.iter().find(|(known, _)| *known == port).map(|(_, bridge)| *bridge)
    }

    pub(super) fn is_bridge(&self, device: IfName) -> bool {
        self.0.iter().any(|(_, bridge)| *bridge == device)
    }

    pub(super) fn learn(&mut self, port: IfName, bridge: IfName) {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == port) {
            *known = bridge;
        } else if self.0.len() < Self::LIMIT {
            self.0.push((port, bridge));
        }
    }
}
