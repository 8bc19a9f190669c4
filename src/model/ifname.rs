//! A network device's name, at most 15 bytes (`IFNAMSIZ` − 1), kept inline.

/// A device name as the kernel printed it. Any byte but `/`, `:`, NUL and white space may occur.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IfName {
    len: u8,
    bytes: [u8; 15],
}

impl IfName {
    /// Takes a name of 1 to 15 bytes; anything else is no device name.
    pub fn new(name: &[u8]) -> Option<Self> {
        if name.is_empty() || name.len() > 15 {
            return None;
        }
        let mut bytes = [0; 15];
        bytes[..name.len()].copy_from_slice(name);
        Some(Self { len: u8::try_from(name.len()).ok()?, bytes })
    }

    /// The name's bytes; not always UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for IfName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
