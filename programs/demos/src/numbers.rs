//! Numbers by chance, the same in each run, and the checksum of a sequence of numbers.

/// A linear congruential generator whose upper bits are folded into the lower ones.
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
    }

    /// A number below `bound`.
    #[allow(clippy::cast_possible_truncation)] // the target has 64 bits
    pub const fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 20) as usize % bound
    }
}

/// The checksum of what `sum` is the checksum of, with `number` behind it: no two orders of the numbers have the same one, but by chance.
pub const fn checksum(sum: u64, number: u64) -> u64 {
    (sum.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
