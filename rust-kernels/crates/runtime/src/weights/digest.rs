//! A fast 64-bit checksum against accidental damage. It proves nothing against an adversary; structure checks do that.

/// Running checksum over bytes in blocks of 64; a short last block counts as filled with zeros.
#[derive(Clone, Debug)]
pub struct Digest {
    lanes: [u64; 8],
    blocks: u64,
}

/// Odd numbers without small structure: the first hexadecimal digits of π's fraction.
const SEED: [u64; 8] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6d,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
];

impl Default for Digest {
    fn default() -> Self {
        Digest { lanes: SEED, blocks: 0 }
    }
}

impl Digest {
    /// Adds bytes; each call starts a new block.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut blocks = bytes.chunks_exact(64);
        for block in &mut blocks {
            self.block(block);
        }
        let rest = blocks.remainder();
        if !rest.is_empty() {
            let mut block = [0; 64];
            block[..rest.len()].copy_from_slice(rest);
            self.block(&block);
        }
    }

    #[inline(always)]
    fn block(&mut self, block: &[u8]) {
        for (lane, word) in self.lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = (*lane ^ u64::from_le_bytes(*word)).wrapping_mul(SEED[7]).rotate_left(29);
        }
        self.blocks += 1;
    }

    /// The checksum of what was added.
    pub fn finish(&self) -> u64 {
        let mix = |hash: u64, word: u64| (hash ^ word ^ (hash >> 32)).wrapping_mul(SEED[5]).rotate_left(31);
        self.lanes.iter().fold(mix(SEED[1], self.blocks), |hash, &lane| mix(hash, lane))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut digest = Digest::default();
        digest.update(bytes);
        digest.finish()
    }

    #[test]
    fn every_single_bit_changes_it() {
        let bytes = vec![0x5a; 200];
        let want = of(&bytes);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&changed), want, "bit {bit}");
        }
    }

    #[test]
    fn pieces_of_whole_blocks_give_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..320).map(|i| (i * 7) as u8).collect();
        let mut digest = Digest::default();
        digest.update(&bytes[..128]);
        digest.update(&bytes[128..]);
        assert_eq!(digest.finish(), of(&bytes));
        assert_ne!(of(&bytes[..256]), of(&bytes));
    }
}
