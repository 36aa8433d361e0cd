//! What packed int8 and bf16 weights share: a 64-byte header and sections that start on multiples of 64 bytes.

use crate::KernelError;

/// Alignment of every section, and the size of the header.
pub(crate) const LINE: usize = 64;
/// Inputs a kernel accepts: 255 · 128 · 65 536 is the last sum that fits 32 bits, and an index fits 16.
pub const MAX_K: usize = 1 << 16;
/// Outputs a kernel accepts; keeps every size far from overflow.
pub const MAX_M: usize = 1 << 24;

/// The first 64 bytes of a packed weight: magic, m, k, groups as little-endian u32, then zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub magic: [u8; 8],
    pub m: usize,
    pub k: usize,
    pub groups: usize,
}

impl Header {
    /// The 64 bytes.
    pub fn write(self) -> [u8; LINE] {
        let mut bytes = [0; LINE];
        bytes[..8].copy_from_slice(&self.magic);
        for (i, value) in [self.m, self.k, self.groups].into_iter().enumerate() {
            // `check_shape` and the callers keep all three below 2³².
            bytes[8 + 4 * i..12 + 4 * i].copy_from_slice(&(value as u32).to_le_bytes());
        }
        bytes
    }

    /// Reads a header and demands that it is the one expected, whose number of groups is taken from the bytes.
    pub fn expect(bytes: &[u8], magic: [u8; 8], m: usize, k: usize) -> Result<Header, String> {
        let Some(head) = bytes.first_chunk::<LINE>() else {
            return Err(format!("{} bytes are too few for the header", bytes.len()));
        };
        let header = Header { magic, m, k, groups: read_u32(head, 16) as usize };
        if *head == header.write() { Ok(header) } else { Err(format!("the header is not that of a {m}x{k} weight of this format")) }
    }
}

/// Refuses shapes outside what the kernels can do.
pub(crate) fn check_shape(m: usize, k: usize) -> Result<(), KernelError> {
    let check = |name, value, max| {
        let reason = || format!("expected 1 to {max}, got {value}");
        if (1..=max).contains(&value) { Ok(()) } else { Err(KernelError::Invalid { name, reason: reason() }) }
    };
    check("m", m, MAX_M)?;
    check("k", k, MAX_K)
}

/// The little-endian u32 at byte `at`.
#[inline(always)]
pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Fills a section up to the next multiple of 64 bytes.
pub(crate) fn pad_to_line(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(LINE), 0);
}
